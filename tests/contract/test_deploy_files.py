"""The image's recipe and the edge proxy's rules agree with the code and with the deployments."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from bff.commands.development import DEFAULT_PORT_BASE
from bff.config import EdgeConfig
from bff.edge.receipt import IDLE_UNDER_PRESSURE_S
from bff.edge.statuses import STATUSES
from bff.edge.strict_json import parse
from tests.contract import deploy
from tests.contract.deploy import DEPLOY
from tests.contract.deploy_files import EDGE, directives, instructions, setting
from tests.contract.sizes import ROOT

CONFIGURATIONS = sorted(path.name for path in EDGE.iterdir())
DOCKER = instructions()


def _said(word: str) -> list[str]:
    return [rest for instruction, rest in DOCKER if instruction == word]


def test_image_copies_what_exists() -> None:
    """Everything the image's recipe copies is in the project and passes its ignore file; nothing
    else does."""
    sources = [
        source
        for rest in _said("COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    passed = {line[1:] for line in ignore if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)
    assert set(sources) == passed
    assert "*" in ignore


def test_image_holds_every_package() -> None:
    """The packages that pyproject.toml builds are all in the image, and its Python is one the
    project takes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = {word for rest in _said("COPY") for word in rest.split()}
    assert set(packages) <= copied
    version = re.search(r"PYTHON=(\d+)\.(\d+)\.\d+-slim", " ".join(_said("ARG")))
    assert version is not None
    least = re.search(r">=(\d+)\.(\d+)", project["project"]["requires-python"])
    assert least is not None
    assert (int(version[1]), int(version[2])) >= (int(least[1]), int(least[2]))


def test_image_installs_pinned_wheels() -> None:
    """Packages come by hash, as wheels, from the lock file, and no index is named."""
    run = " ".join(_said("RUN"))
    assert "--require-hashes --requirement /tmp/run.txt" in run
    assert "--only-binary=:all:" in run
    assert "--no-deps --no-build-isolation --editable ." in run
    assert "://" not in (DEPLOY / "Dockerfile").read_text().replace("http://127.0.0.1", "")
    assert "--index" not in run


def test_image_runs_as_nobody() -> None:
    """The process is its container's first, no shell's child, has no name to log in by, and is
    closed as production is; the ports told are those listened on."""
    assert _said("ENTRYPOINT") == ['["python", "-m"]']
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", _said("USER")[-1])
    assert "BFF_ENV=production" in " ".join(_said("ENV"))
    ports = {int(port) for port in " ".join(_said("EXPOSE")).split()}
    assert ports == {
        port for one in deploy.processes() if one.serves for port in one.ports if port < 9000
    }
    default = re.findall(r'"([^"]+)"', _said("CMD")[0])
    deploy.parse(tuple(default))


def test_probe_tells_ready_from_not() -> None:
    """The image's health check fails with the reason where nobody listens, and for words that are
    no address."""
    for url in ("http://127.0.0.1:9/readyz", "nonsense"):
        done = subprocess.run(
            [sys.executable, "-IS", DEPLOY / "probe.py", url],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert done.returncode == 1
        assert done.stderr.strip()
    assert f"http://127.0.0.1:{DEFAULT_PORT_BASE + 1}/readyz" in " ".join(_said("HEALTHCHECK"))


def test_edge_knows_every_gateway() -> None:
    """The proxy's groups are the platforms' gateways, where both deployments have them."""
    servers = [one.split()[0] for one in setting("nginx.conf", "server") if ":" in one]
    for where in ("compose", "kubernetes"):
        gateways = [one for one in deploy.processes() if one.where == where and one.is_gateway]
        assert sorted(servers) == sorted(f"{one.name}:{one.ports[0]}" for one in gateways)
    groups = set(setting("nginx.conf", "upstream")) | set(
        re.findall(r"upstream (\w+)", (EDGE / "nginx.conf").read_text())
    )
    assert set(re.findall(r"set \$gateway (\w+)", (EDGE / "nginx.conf").read_text())) == groups


def test_edge_and_gateway_agree() -> None:
    """What the proxy lets through a gateway takes, and no connection that the proxy keeps is closed
    by a gateway first: a mutation might be on its way in it."""
    edge = EdgeConfig()
    assert setting("nginx.conf", "client_max_body_size") == [str(edge.max_body_bytes)]
    number, size = setting("nginx.conf", "large_client_header_buffers")[0].split()
    assert int(size.removesuffix("k")) * 1024 == edge.max_head_bytes
    assert int(number) >= 2
    kept = {float(one.removesuffix("s")) for one in setting("nginx.conf", "keepalive_timeout")}
    assert min(kept) == 4.0
    assert min(kept) < IDLE_UNDER_PRESSURE_S < edge.idle_timeout_s


def test_edge_sends_nothing_twice() -> None:
    """A request that a gateway may have executed goes to no other one."""
    assert setting("pass.conf", "proxy_next_upstream") == ["error"]
    assert not any("non_idempotent" in one for one in directives("pass.conf"))


def test_edge_makes_no_viewer_wait() -> None:
    """Viewers who ask for one document by one URL, whose answers nobody keeps, are asked for at
    the same time: nginx's lock on a key of its cache would let one through every half second."""
    assert not any(one.startswith("proxy_cache_lock") for one in directives("pass.conf"))


def test_edge_keeps_internal_words_out() -> None:
    """Headers that our own processes speak by are dropped from what an app sends; the address told
    is the connection's, in the header gateways are told to believe."""
    sent = dict(one.split(" ", 1) for one in setting("pass.conf", "proxy_set_header"))
    for name in ("x-viewer", "forwarded", "x-real-ip", "x-forwarded-host"):
        assert sent[name] == '""'
    assert sent[EdgeConfig().forwarded_header] == "$remote_addr"


def test_edge_passes_two_paths() -> None:
    """Of a gateway's paths only those for apps are reached from outside."""
    text = (EDGE / "gateway.conf").read_text()
    reached = set(re.findall(r"location (?:=|~) \^?(/\S*) \{[^}]*include pass\.conf", text))
    routes = (ROOT / "bff" / "edge" / "routes.py").read_text()
    assert reached == {"/graphql", "/documents/"}
    assert all(f'"{path}' in routes for path in reached)


def test_refusals_of_the_edge_are_typed() -> None:
    """What ends at the proxy has the body, the code and the status it would have at a gateway."""
    text = (EDGE / "gateway.conf").read_text()
    answers = re.findall(r"return (\d{3}) '(.*)';", text)
    assert len(answers) == 6
    for status, body in answers:
        told = parse(body.encode(), where="the answer", max_depth=8)
        assert isinstance(told, dict)
        code = told["errors"][0]["extensions"]["code"]
        assert code == "NOT_FOUND" or int(status) in STATUSES[code] or int(status) == 431, code


def test_edge_takes_modern_tls_alone() -> None:
    """TLS 1.2 and 1.3 with forward secrecy; version and names of software are told to nobody."""
    assert setting("nginx.conf", "ssl_protocols") == ["TLSv1.2 TLSv1.3"]
    ciphers = setting("nginx.conf", "ssl_ciphers")[0].split(":")
    assert all(one.startswith("ECDHE-") and ("GCM" in one or "CHACHA20" in one) for one in ciphers)
    assert setting("nginx.conf", "server_tokens") == ["off"]
    assert setting("nginx.conf", "ssl_early_data") == ["off"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="no sh")
def test_scripts_are_shell() -> None:
    """The database's first script can be read by a shell."""
    for script in DEPLOY.glob("*.sh"):
        subprocess.run(["sh", "-n", script], check=True, timeout=10)
