"""What a store that was broken into, or a publisher who means ill, can do to whoever reads a
registry: keep news from him, and nothing else."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from persisted_queries.bodies import MOST_LETTERS
from persisted_queries.cache import Cache
from persisted_queries.log import entry_path
from persisted_queries.manifest import MAX_ID_LENGTH, ManifestError, parse_manifest
from persisted_queries.objects import Objects, hash_of
from persisted_queries.problem import DamagedError, PublishRefusedError
from persisted_queries.registry import Registry
from persisted_queries.rollups import read
from persisted_queries.signing import KeyFileError, make_signer, read_public_keys, sign
from persisted_queries.store import AT_ONCE, MOST_OF_MANY, Store, StoreUrlError
from persisted_queries.stored import StoredManifest, StoredOperation, decode
from tests.harness.registries import Made, made_in, query

AT = "2026-11-20T12:00:00Z"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    found = made_in(tmp_path / "registry")
    found.publish("1.0+1", query("a"))
    return found


def next_path(registry: Registry) -> str:
    return entry_path(registry.platform, registry.state.number + 1)


def problems(registry: Registry) -> list[str]:
    """Kinds of problems after one more look."""
    registry.refresh()
    return [one.kind for one in registry.problems]


@pytest.mark.parametrize("head", [{"crit": 3}, {"crit": [None]}, {"alg": []}, {"kid": {}}, 3, [{}]])
def test_odd_heads_are_refused(made: Made, head: Any) -> None:
    """What is in front of a signature is anybody's: no form of it does more than be refused, to a
    gateway that runs and to one that starts."""
    registry = made.reader()
    told = {"alg": "Ed25519", "kid": made.signer.kid, **head} if isinstance(head, dict) else head
    encoded = base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=")
    _, *rest = sign(b"{}", made.signer).split(b".")
    made.store.create(next_path(registry), b".".join([encoded, *rest]))
    for one in (registry, made.reader()):
        assert problems(one) == ["signature"]
        assert list(one.state.releases) == ["1.0+1"]


def test_huge_entries_are_not_read(made: Made, tmp_path: Path) -> None:
    """An object larger than any there should be is told, not loaded; in a folder neither is what is
    no file."""
    registry = made.reader()
    entry = tmp_path / "registry" / next_path(registry)
    with entry.open("wb") as file:
        file.truncate(MOST_OF_MANY + 1)
    assert problems(registry) == ["damaged"]
    entry.unlink()
    entry.symlink_to("/dev/null")
    assert problems(registry) == ["damaged"]
    assert "no file" in registry.problems[0].message
    entry.unlink()
    assert problems(registry) == []


def test_huge_objects_are_not_read() -> None:
    """The same from an object store; nor are they ever written."""
    store = Store.in_memory()
    data = bytes(MOST_OF_MANY + 1)
    store.create(f"documents/{hash_of(data)}", data)
    objects = Objects(store, Cache(None))
    with pytest.raises(DamagedError, match="16,777,217 bytes"):
        objects.get("documents", hash_of(data))
    with pytest.raises(PublishRefusedError, match="16,777,217 bytes"):
        objects.put("documents", data)


def test_few_answers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many objects are asked for, few of them are in memory before they are taken."""
    store = Store.in_memory()
    started: list[str] = []

    def getting(path: str, _most: int) -> bytes:
        started.append(path)
        return b""

    monkeypatch.setattr(store, "get", getting)
    wanted = [str(number) for number in range(10 * AT_ONCE)]
    taken = []
    for path, _ in store.get_many(wanted):
        taken.append(path)
        assert len(started) <= len(taken) + AT_ONCE
    assert taken == wanted
    assert sorted(started) == sorted(wanted)


@pytest.mark.parametrize("hashed", ["../secret", "/etc/passwd", "", "A" * 64, "a" * 64 + "\n"])
def test_hashes_are_no_paths(hashed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a manifest calls a hash and is none leads nowhere: nothing is read by it."""
    store = Store.in_memory()
    asked: list[str] = []
    monkeypatch.setattr(store, "get", lambda path, *_: asked.append(path))
    with pytest.raises(DamagedError, match="is no hash"):
        Objects(store, Cache(None)).get("documents", hashed)
    assert asked == []


HASHES = {"manifest": "0" * 64, "schema": "0" * 64}
NO_HASHES = ["", "../x", "A" * 64, "0" * 63 + "\0", "0" * 64 + "\n", "0" * 64 + "\0"]
ODD = [
    {"kind": "publish", "version": "9" * 5_000, "build": "1", **HASHES},
    {"kind": "publish", "version": "../1", "build": "1", **HASHES},
    {"kind": "publish", "version": "1", "build": "\x1b[2J", **HASHES},
    {"kind": "publish", "version": "1", "build": "", **HASHES},
    {"kind": "gate", "minimum": "9" * 5_000},
    {"kind": "gate", "recommended": "1.0+"},
    {"kind": "brownout", "field": "Query.a", "begins": "2026-11-20T12:00:00", "ends": AT},
    *({"kind": "schema", "schema": hashed} for hashed in NO_HASHES),
    *({"kind": "remap", "id": "a", "hash": hashed} for hashed in NO_HASHES),
    *(
        {"kind": "publish", "version": "1", "build": "1", **HASHES, key: hashed}
        for hashed in NO_HASHES
        for key in HASHES
    ),
]


@pytest.mark.parametrize("entry", ODD)
def test_odd_entries_are_passed_over(made: Made, entry: dict[str, Any]) -> None:
    """A signed entry that nothing could be made of costs itself, and no later one."""
    registry = made.reader()
    record = {
        "number": registry.state.number + 1,
        "previous": registry.state.head,
        "platform": "ios",
        "at": AT,
        "by": "x",
        "entry": entry,
    }
    made.store.create(next_path(registry), sign(json.dumps(record).encode(), made.signer))
    assert problems(registry) == []
    assert registry.passed_over == 1
    made.publish("1.1+1", query("b"))
    assert problems(registry) == []
    assert list(registry.state.releases) == ["1.0+1", "1.1+1"]


@pytest.mark.parametrize("hashed", NO_HASHES)
def test_manifests_name_hashes(hashed: str) -> None:
    """A stored manifest that names no hash where one must stand is damaged, and nothing is asked
    of a store by it."""
    operation = StoredOperation("id", hashed, "A", "query")
    for odd in (StoredManifest(operations=(operation,)), StoredManifest(base=hashed)):
        with pytest.raises(DamagedError, match="cannot be read"):
            decode(odd.encode(), "0")


def test_ids_stand_once_in_a_manifest() -> None:
    """A stored manifest that names one id over and over is refused before time is spent on it."""
    operations = [StoredOperation("id", f"{number:064x}", "A", "query") for number in range(2)]
    with pytest.raises(DamagedError, match="an id twice"):
        decode(StoredManifest(operations=tuple(operations)).encode(), "0")


@pytest.mark.parametrize("document_id", ["a\nb", "a\x1b[2J", "a\u202eb", "a" * (MAX_ID_LENGTH + 1)])
def test_odd_ids_are_refused(document_id: str) -> None:
    """An id that no request could name, or that would write on a terminal, is not published."""
    raw = json.dumps({document_id: query("a")}).encode()
    with pytest.raises(ManifestError, match="can be asked for") as refused:
        parse_manifest(raw, "test")
    assert str(refused.value).isprintable()


def test_huge_bodies_are_refused() -> None:
    """A body that would hold a gateway's loop for seconds is not published."""
    raw = json.dumps({"id": f"query A {{ a }} #{'x' * MOST_LETTERS}"}).encode()
    with pytest.raises(ManifestError, match="more than the 262,144"):
        parse_manifest(raw, "test")


@pytest.mark.parametrize("url", ["s3://KEY:SECRET@bucket/x", "az://c?sig=SECRET"])
def test_urls_hold_no_secrets(url: str) -> None:
    """Keys of access in a registry's URL are refused, and not said again."""
    with pytest.raises(StoreUrlError, match="environment") as refused:
        Store.of(url)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(("release", "document"), [("\x1b[2J", ""), ("1.0", "../x"), ("1 0", "")])
def test_odd_roll_ups_are_not_read(release: str, document: str) -> None:
    """A roll-up is not signed: one that counts what is no release or no document tells nothing."""
    store = Store.in_memory()
    day = "2026-11-20T12:00:00+00:00"
    row = {"release": release, "document": document, "first": day, "last": day}
    counts = {"requests": 1, "errors": 0, "bytes_out": 1}
    raw = {"platform": "ios", "trails": [], "rows": [{**row, **counts}], "version": 1}
    store.create("usage/1", json.dumps(raw).encode())
    with pytest.raises(ValueError, match="no release or no document"):
        read(store, "usage/1", "ios")


def test_roll_ups_without_zones_are_not_read() -> None:
    """Instants that cannot be compared with others would end every check; they are refused."""
    store = Store.in_memory()
    trail = {"process": "p", "number": 1, "begins": AT[:-1], "ends": AT, "every_s": 60}
    raw = {"platform": "ios", "trails": [trail], "rows": [], "version": 1}
    store.create("usage/1", json.dumps(raw).encode())
    with pytest.raises(ValueError, match="timezone"):
        read(store, "usage/1", "ios")


def test_private_keys_are_not_for_gateways(tmp_path: Path) -> None:
    """A private key among those that gateways are given is refused, and not said."""
    signer = make_signer("ios-1")
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [signer.key.as_dict(private=True)]}))
    with pytest.raises(KeyFileError, match="public half") as refused:
        read_public_keys(file)
    assert str(signer.key.as_dict(private=True)["d"]) not in str(refused.value)
    file.write_text(json.dumps({"keys": [signer.public()]}))
    assert list(read_public_keys(file)) == ["ios-1"]
