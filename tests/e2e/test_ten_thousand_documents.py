"""Ten thousand registered documents: a gateway is ready soon, stays small and finds them as fast.

Short forms, with five hundred of them: `tests/unit/bff/documents/test_many_documents.py`.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from bff import config as settings_module
from bff.app import load_schema
from bff.commands.processes import Child, Children
from bff.config import DocumentsConfig
from bff.documents.documents import Documents
from bff.plans.execute import graphql_schema
from bff.request import OperationRequest
from bff.store.memory import MemoryTier
from persisted_queries.manifest import parse_manifest
from persisted_queries.releases import Release
from tests.harness.databases import free_port
from tests.harness.operations import operations
from tests.harness.stack import PATIENT, Stack

COUNT = 10_000
STARTS = 5
READY_WITHIN_S = 5.0
MOST_RSS_MIB = 350
PREPARED_WITHIN_S = 480.0
ASKED = 300
RUNS = 7
SCHEMA = graphql_schema(load_schema(settings_module.load().platforms["ios"]))


def manifest(texts: Sequence[str]) -> bytes:
    """A manifest of these texts, each under its own hash."""
    return json.dumps({hashlib.sha256(text.encode()).hexdigest(): text for text in texts}).encode()


@contextmanager
def serving(stack: Stack, releases: Path) -> Iterator[Child]:
    """A gateway process over a folder of releases, ready."""
    port = free_port()
    environment = {
        **stack.where.bff_environment("ios"),
        **PATIENT,
        "BFF__PLATFORMS__IOS__RELEASES": str(releases),
        "BFF__DOCUMENTS__POLICY": "registered",
    }
    command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(port)]
    log = stack.where.log_file("bff-ios-10000")
    with Children() as children:
        child = children.start("bff", command, environment, f"http://127.0.0.1:{port}", log)
        children.wait_ready(child)
        yield child


def rss_mib(child: Child) -> float:
    lines = Path(f"/proc/{child.process.pid}/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def wait_prepared(child: Child) -> dict[str, object]:
    """The log line that tells the end of the background's work."""
    until = time.monotonic() + PREPARED_WITHIN_S
    while time.monotonic() < until:
        for line in child.log_file.read_text("utf-8").splitlines():
            if '"documents_prepared"' in line:
                found: dict[str, object] = json.loads(line)
                return found
        time.sleep(0.5)
    raise TimeoutError(f"not all documents were prepared within {PREPARED_WITHIN_S} s")


@pytest.mark.verify
@pytest.mark.timeout(900)
def test_start_and_size(stack: Stack, tmp_path: Path, token: str) -> None:
    """10,000 documents, lowest of five starts: ready within 5 s; after all were prepared and many
    were asked for, the process takes at most 350 MiB."""
    texts = list(operations(SCHEMA, COUNT))
    folder = tmp_path / "9.0.0+1"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(manifest(texts))
    took = []
    for start in range(STARTS):
        began = time.monotonic()
        with serving(stack, tmp_path) as child:
            took.append(time.monotonic() - began)
            if start < STARTS - 1:
                continue
            at_start = rss_mib(child)
            ask_many(child, texts, token)
            assert wait_prepared(child)["documents"] == COUNT
            ask_many(child, texts, token)
            in_the_end = rss_mib(child)
    print(f"ready after {min(took):.2f} s ({took}); {at_start:.0f}, {in_the_end:.0f} MiB")  # noqa: T201
    assert min(took) <= READY_WITHIN_S
    assert in_the_end <= MOST_RSS_MIB


def ask_many(child: Child, texts: Sequence[str], token: str) -> None:
    """Ask for `ASKED` documents by id; each is found, whatever its variables make of it."""
    chance = random.Random(7)
    with httpx2.Client(base_url=child.url, trust_env=False, timeout=30) as client:
        for text in chance.sample(texts, ASKED):
            asked = {"documentId": hashlib.sha256(text.encode()).hexdigest()}
            headers = {"authorization": f"Bearer {token}"}
            answer = client.post("/graphql", json=asked, headers=headers)
            assert answer.status_code == 200, answer.text
            codes = [
                (one.get("extensions") or {}).get("code") for one in answer.json().get("errors", ())
            ]
            assert "DOCUMENT_NOT_REGISTERED" not in codes


@pytest.mark.verify
@pytest.mark.timeout(600)
async def test_look_up_does_not_grow() -> None:
    """Finding one of 10,000 prepared documents takes at most twice the CPU of one of ten, lowest of
    seven interleaved runs."""
    texts = list(operations(SCHEMA, COUNT, range(10, 41)))
    many, few = room(texts), room(texts[:10])
    chance = random.Random(7)
    ids = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    took: dict[int, list[float]] = {id(many): [], id(few): []}
    for _ in range(RUNS):
        for found, asked in (
            (many, chance.sample(ids, COUNT)),
            (few, chance.choices(ids[:10], k=COUNT)),
        ):
            took[id(found)].append(await look_up(found, asked))
    ratio = min(took[id(many)]) / min(took[id(few)])
    print(f"look-up: {min(took[id(many)]) / COUNT * 1e6:.2f} µs, ratio {ratio:.2f}")  # noqa: T201
    assert ratio <= 2


async def look_up(found: Documents, ids: Sequence[str]) -> float:
    """CPU seconds of finding these ids, by requests made as fresh as a real one's."""
    requests = [OperationRequest(document_id=f"sha256:{one}") for one in ids]
    began = time.process_time()
    for request in requests:
        await found.find(request)
    return time.process_time() - began


def room(texts: Sequence[str]) -> Documents:
    """The documents room over these texts, all of them prepared."""
    release = Release("ios", "1.0.0", "1", parse_manifest(manifest(texts), "many"))
    found = Documents(SCHEMA, DocumentsConfig(), "registered", False, [release], MemoryTier(1, 1))
    found.load()
    assert found.check_all() == ()
    return found
