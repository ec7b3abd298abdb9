"""Every command, setting, port, path and probe of the deployments exists in the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bff.commands.development import (
    DEFAULT_PORT_BASE,
    FIRST_SERVICE_OFFSET,
    SERVICES,
)
from bff.commands.supervise import STOP_SLACK_S
from bff.config import Settings
from core_services.kit.settings import ServiceSettings, SettingsError
from tests.contract import deploy
from tests.contract.deploy import DEPLOY, Process
from tests.contract.sizes import ROOT

OURS = [one for one in deploy.processes() if one.ours]
SERVING = [one for one in OURS if one.serves]
GATEWAYS = [one for one in SERVING if one.is_gateway]
PLATFORMS = ("ios", "android", "web")
# What SIGTERM to the last answer may take beyond what the settings say: exporters, exits.
SLACK_S = 5


def test_deployments_run_everything() -> None:
    """Compose and Kubernetes each run every gateway and service, and migrate every database."""
    expected = {("bff", "serve", platform) for platform in PLATFORMS}
    expected |= {
        ("core_services", verb, name) for verb in ("serve", "migrate") for name in SERVICES
    }
    for where in ("compose", "kubernetes"):
        assert {one.verb for one in OURS if one.where == where} >= expected
    assert ("bff", "usage", "compact") in {one.verb for one in OURS if one.where == "kubernetes"}


@pytest.mark.parametrize("process", OURS, ids=str)
def test_commands_are_understood(process: Process) -> None:
    """The command line of every process is one its program takes."""
    deploy.parse(process.command)


@pytest.mark.parametrize(
    "wrong",
    ["bff serves ios", "bff serve ios --prot 1", "core_services serve nobody --port 1"],
)
def test_wrong_commands_are_found(wrong: str) -> None:
    """The check above can fail: misspelt verbs, options and names are refused."""
    with pytest.raises(click.ClickException):
        deploy.parse(tuple(wrong.split()))


@pytest.mark.parametrize("process", OURS, ids=str)
def test_settings_load(process: Process, tmp_path: Path) -> None:
    """The environment and file of every process load through the models it reads them with; only
    the jobs that write demonstration data are not in production."""
    settings = deploy.settings_of(process, tmp_path)
    assert isinstance(settings, Settings | ServiceSettings)
    assert (settings.environment == "production") == (process.command[1] != "seed")
    if isinstance(settings, Settings):
        assert settings.policy == "registered"


def test_wrong_settings_are_found(tmp_path: Path) -> None:
    """The check above can fail: a misspelt variable stops a process."""
    accounts = next(one for one in OURS if one.verb == ("core_services", "serve", "accounts"))
    misspelt = {**accounts.environment, "ACCOUNTS__CALLER_FILE": "/x"}
    with pytest.raises(SettingsError):
        deploy.settings_of(_with(accounts, misspelt), tmp_path)


def _with(process: Process, environment: dict[str, str]) -> Process:
    return Process(process.where, process.name, process.image, process.command, environment)


@pytest.mark.parametrize("process", OURS, ids=str)
def test_files_are_there(process: Process, tmp_path: Path) -> None:
    """Every file a setting names is mounted into that very container, and nothing else is."""
    named = deploy.files_of(process, tmp_path)
    assert [path for path in named if not deploy.is_mounted(process, path)] == []
    secrets = {mount for mount in process.mounts if mount.startswith("/run/secrets/")}
    unused = {s for s in secrets if not any(p == s or p.startswith(f"{s}/") for p in named)}
    assert unused == set()


@pytest.mark.parametrize("process", SERVING, ids=str)
def test_ports_are_told_alike(process: Process, tmp_path: Path) -> None:
    """Each process listens where the documentation says, for every address, and is probed there at
    a path it has."""
    parameters = deploy.parse(process.command)
    settings = deploy.settings_of(process, tmp_path)
    if isinstance(settings, Settings):
        offset = settings.platforms[process.command[2]].port_offset
        host = parameters["host"] or settings.edge.host
        assert settings.edge.operator_port not in (None, parameters["port"])
    else:
        offset, host = FIRST_SERVICE_OFFSET + SERVICES.index(process.command[2]), parameters["host"]
    assert parameters["port"] == DEFAULT_PORT_BASE + offset
    assert host == "0.0.0.0"
    assert process.probes
    for port, path in process.probes:
        assert port == parameters["port"]
        assert path in routes(process)


def routes(process: Process) -> set[str]:
    """Fixed paths of gateways or services, as their code has them."""
    file = "bff/edge/routes.py" if process.is_gateway else "core_services/kit/health.py"
    return set(re.findall(r"(?:Route|get)\(\s*\"(/\w+)\"", (ROOT / file).read_text()))


def test_collector_reads_every_process(tmp_path: Path) -> None:
    """What the collector scrapes is the port that each process has /metrics at, and Kubernetes
    tells Prometheus the same."""
    config = yaml.safe_load((DEPLOY / "otel" / "collector.yaml").read_text())
    jobs = config["receivers"]["prometheus"]["config"]["scrape_configs"]
    targets = {t for job in jobs for static in job["static_configs"] for t in static["targets"]}
    expected = {
        f"{one.name}:{_metrics_port(one, tmp_path)}" for one in SERVING if one.where == "compose"
    }
    assert targets == expected
    for owner in deploy.of_kind("Deployment"):
        told = owner["spec"]["template"]["metadata"].get("annotations", {})
        for one in SERVING:
            if (one.where, one.name) == ("kubernetes", owner["metadata"]["name"]):
                assert told["prometheus.io/port"] == str(_metrics_port(one, tmp_path))
                assert told["prometheus.io/path"] in routes(one)


def _metrics_port(process: Process, folder: Path) -> int:
    settings = deploy.settings_of(process, folder)
    if isinstance(settings, Settings):
        assert settings.edge.operator_port is not None
        return settings.edge.operator_port
    return process.ports[0]


@pytest.mark.parametrize("process", SERVING, ids=str)
def test_upstreams_are_who_they_name(process: Process, tmp_path: Path) -> None:
    """A gateway asks the services of its own deployment, at the ports they listen on; spans go to
    where the collector takes them."""
    settings = deploy.settings_of(process, tmp_path)
    if not isinstance(settings, Settings):
        assert process.environment[f"{process.name.upper()}__OTLP_ENDPOINT"] == COLLECTOR
        return
    beside = {one.name: one.ports[0] for one in SERVING if one.where == process.where}
    assert settings.telemetry.otlp_endpoint == COLLECTOR
    for name, service in settings.upstreams.services.items():
        assert service.url == f"http://{name}:{beside[name]}"


COLLECTOR = "http://collector:4318/v1/traces"


@pytest.mark.parametrize("process", SERVING, ids=str)
def test_stops_have_time(process: Process, tmp_path: Path) -> None:
    """What a process needs to stop without losing a request fits into the time before it is
    killed: the lame duck or its like, the requests under way, and some more."""
    settings = deploy.settings_of(process, tmp_path)
    if isinstance(settings, Settings):
        needed = settings.edge.shutdown_grace_s + lame_duck_s(settings)
        if deploy.parse(process.command)["workers"]:
            needed += STOP_SLACK_S
        assert lame_duck_s(settings) >= 5  # endpoints of a pod are gone everywhere by then
    else:
        assert isinstance(settings, ServiceSettings)
        needed = settings.call_grace_s + _pause_before_stop(process)
    assert _killed_after(process) >= needed + SLACK_S


def lame_duck_s(settings: Settings) -> float:
    """As it is in force: unset, production waits."""
    return settings.edge.lame_duck_s if settings.edge.lame_duck_s is not None else 5.0


def _killed_after(process: Process) -> float:
    if process.where == "compose":
        return float(str(process.raw["stop_grace_period"]).removesuffix("s"))
    return float(process.raw["pod"]["terminationGracePeriodSeconds"])


def _pause_before_stop(process: Process) -> float:
    hook = process.raw.get("lifecycle", {}).get("preStop")
    return float(hook["exec"]["command"][1]) if hook else 0.0


@pytest.mark.parametrize("process", deploy.processes(), ids=str)
def test_containers_are_confined(process: Process) -> None:
    """No container runs as root with more than it needs, each has a bound on memory, and none but
    the databases may write beside its volumes."""
    raw = process.raw
    if process.where == "kubernetes":
        assert raw["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert raw["pod"]["securityContext"]["runAsNonRoot"] is True
        assert raw["pod"]["automountServiceAccountToken"] is False
        assert {"cpu", "memory"} <= raw["resources"]["requests"].keys()
        assert "memory" in raw["resources"]["limits"]
        return
    if process.name != "postgres":
        assert (raw["read_only"], raw["cap_drop"]) == (True, ["ALL"])
        assert raw["security_opt"] == ["no-new-privileges:true"]
    if process.serves or not process.ours:
        assert {"cpus", "memory", "pids"} <= raw["deploy"]["resources"]["limits"].keys()
    assert raw["logging"]["options"].keys() == {"max-size", "max-file"}


def test_only_the_edge_is_published() -> None:
    """Of a machine or a cluster nothing but the edge proxy's TLS port can be reached."""
    published = {
        name: s["ports"] for name, s in deploy.compose()["services"].items() if "ports" in s
    }
    assert published == {"edge": ["443:8443"]}
    kinds = {
        one["metadata"]["name"]: one["spec"].get("type", "ClusterIP")
        for one in deploy.of_kind("Service")
    }
    assert {name for name, kind in kinds.items() if kind != "ClusterIP"} == {"edge"}


def test_compose_waits_for_what_it_needs() -> None:
    """Every `depends_on` names a service with the health check or the end it waits for, and every
    secret and network one that is declared."""
    everything = deploy.compose()
    services = everything["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            ends = services[other].get("restart") == "no"
            assert ends == (how["condition"] == "service_completed_successfully"), (name, other)
            assert how["condition"] != "service_healthy" or "healthcheck" in services[other]
        assert set(service.get("secrets", ())) <= everything["secrets"].keys()
        assert set(service["networks"]) <= everything["networks"].keys()


def test_made_secrets_are_those_mounted(tmp_path: Path) -> None:
    """make_secrets.py makes every file that compose mounts, and the keys fit the settings: a
    gateway's name is what services know it by."""
    import json

    from click.testing import CliRunner

    from bff.upstreams.credentials import read_signer
    from core_services.kit.tokens import read_public_keys
    from tests.contract.deploy_files import load_script

    made = CliRunner().invoke(load_script("make_secrets").main, [str(tmp_path / "s")])
    assert made.exit_code == 0, made.output
    for declared in deploy.compose()["secrets"].values():
        assert (tmp_path / "s" / Path(declared["file"]).name).is_file()
    callers = read_public_keys(tmp_path / "s" / "callers.jwks")
    for platform in PLATFORMS:
        signer = read_signer(tmp_path / "s" / f"bff-{platform}.jwk")
        assert signer.name in callers
    assert json.loads((tmp_path / "s" / "accounts.jwk").read_text())["kid"] == "accounts"
    shared = (tmp_path / "s" / "gateways.env").read_text().splitlines()
    assert [line.partition("=")[0] for line in shared] == list(deploy.SHARED)
    named = {
        path for one in deploy.compose()["services"].values() for path in one.get("env_file", ())
    }
    assert named == {"./secrets/gateways.env"}
    before = {path: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    again = CliRunner().invoke(load_script("make_secrets").main, [str(tmp_path / "s")])
    assert "nothing was missing" in again.output
    assert {path: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before


def test_gateways_differ_by_name_alone() -> None:
    """The three gateways' manifests are one text but for platform and port."""
    texts = set()
    for port, platform in enumerate(PLATFORMS, start=8001):
        text = (DEPLOY / "kubernetes" / f"bff-{platform}.yaml").read_text()
        told = text.partition("\n")[2]  # but for the title
        texts.add(re.sub(rf"\b{platform}\b", "PLATFORM", told).replace(str(port), "PORT"))
    assert len(texts) == 1


def _labels(owner: dict[str, Any]) -> dict[str, str]:
    if owner["kind"] == "CronJob":
        owner = owner["spec"]["jobTemplate"]
    found: dict[str, str] = owner["spec"]["template"]["metadata"]["labels"]
    return found


PODS = [one for one in deploy.manifests() if deploy.pod_of(one)]
# Labels of what a cluster brings itself (docs/deployment.md).
BROUGHT = ({"app": "redis"}, {"app": "postgres"}, {"app": "collector"})


def test_selectors_select_something() -> None:
    """Services, budgets, autoscalers and network rules each find the pods they are about."""
    for one in (*deploy.of_kind("Service"), *deploy.of_kind("PodDisruptionBudget")):
        selector = one["spec"]["selector"]
        assert _found(selector.get("matchLabels", selector)), one["metadata"]
    for one in deploy.of_kind("HorizontalPodAutoscaler"):
        target = one["spec"]["scaleTargetRef"]
        assert deploy.named(target["kind"], target["name"])["spec"].get("replicas") is None
    for policy in deploy.of_kind("NetworkPolicy"):
        assert _found(policy["spec"]["podSelector"].get("matchLabels", {}))
        for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
            for peer in (*rule.get("from", ()), *rule.get("to", ())):
                labels = peer.get("podSelector", {}).get("matchLabels")
                if labels and "namespaceSelector" not in peer:
                    assert labels in BROUGHT or _found(labels), policy["metadata"]


def _found(labels: dict[str, str]) -> bool:
    return any(labels.items() <= _labels(one).items() for one in PODS)


def test_everything_has_a_network_rule() -> None:
    """Nothing may talk by default, and each pod but for that has a rule of its own."""
    policies = {one["metadata"]["name"]: one["spec"] for one in deploy.of_kind("NetworkPolicy")}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for one in PODS:
        rules = [
            name
            for name, spec in policies.items()
            if (chosen := spec["podSelector"].get("matchLabels"))
            and chosen.items() <= _labels(one).items()
        ]
        assert rules, one["metadata"]


def test_serving_pods_survive_a_node() -> None:
    """Every Deployment that serves has a Service, a disruption budget and several replicas."""
    budgets = {one["metadata"]["name"] for one in deploy.of_kind("PodDisruptionBudget")}
    services = {one["metadata"]["name"] for one in deploy.of_kind("Service")}
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]["minReplicas"]
        for one in deploy.of_kind("HorizontalPodAutoscaler")
    }
    for one in deploy.of_kind("Deployment"):
        name = one["metadata"]["name"]
        assert name in budgets & services
        assert scaled.get(name, one["spec"].get("replicas", 1)) >= 2


def test_secrets_are_references() -> None:
    """No manifest holds a secret, and no object of the cluster is named that its documentation does
    not tell the operator to make."""
    assert deploy.of_kind("Secret") == []
    page = (ROOT / "docs" / "deployment.md").read_text()
    for one in PODS:
        for name in _referenced(deploy.pod_of(one)):
            known = {config["metadata"]["name"] for config in deploy.of_kind("ConfigMap")}
            assert name in known or f"`{name}`" in page, name


def _referenced(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for one in value for name in _referenced(one)}
    if not isinstance(value, dict):
        return set()
    found = {name for one in value.values() for name in _referenced(one)}
    for key in ("secretRef", "secretKeyRef", "configMap", "secret"):
        if isinstance(value.get(key), dict):
            found.add(value[key].get("name") or value[key]["secretName"])
    return found
