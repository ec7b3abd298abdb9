"""The registry: what is written is read, and what went wrong costs only what is new."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from persisted_queries.log import entry_path, seal
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Publish, Record, Remap, SetGate
from persisted_queries.objects import hash_of
from persisted_queries.problem import (
    DamagedError,
    MissingError,
    PublishRefusedError,
    StoreGoneError,
)
from persisted_queries.publish import Parts, append, publish
from persisted_queries.registry import Registry
from persisted_queries.signing import (
    make_signer,
    read_public_keys,
    read_signer,
    sign,
    write_signer,
)
from persisted_queries.store import Store
from tests.harness.registries import SDL, Made, made_in, operations_of, query


@pytest.fixture(params=["folder", "memory"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """An empty registry, in a folder and in memory."""
    return made_in(tmp_path / "registry") if request.param == "folder" else Made(Store.in_memory())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def bodies(found: tuple[ManifestOperation, ...]) -> set[str]:
    return {one.body for one in found}


def test_reads_what_was_published(made: Made) -> None:
    """State, manifest, documents and schema of a release are read as they were published."""
    made.publish("7.3.0+1", query("a"), query("b"))
    made.set_state("7.3.0+1", "sunset")
    found = made.reader()
    release = found.state.releases["7.3.0+1"]
    assert (release.state, found.state.number, found.problems) == ("sunset", 3, ())
    assert bodies(found.manifest(release.manifest)) == {query("a"), query("b")}
    assert found.schema(release.schema) == SDL
    assert found.document(hash_of(query("a").encode())) == query("a")


def test_manifests_rest_on_another(made: Made) -> None:
    """Thirty releases, each of which drops and adds one operation of fifty, are read exactly; most
    are stored as what differs, and none rests on more than twenty others."""
    texts = [query("a", f"Q{number}") for number in range(80)]
    for number in range(30):
        made.publish(f"1.{number}+1", *texts[number : number + 50])
    found = made.reader()
    sizes = []
    for number in range(30):
        manifest = found.state.releases[f"1.{number}+1"].manifest
        assert bodies(found.manifest(manifest)) == set(texts[number : number + 50])
        sizes.append(len(found.objects.get("manifests", manifest)))
        assert found.catalogue.steps(manifest) <= 20
    assert sum(size < max(sizes) / 4 for size in sizes) >= 28


def test_only_missing_documents_travel(made: Made) -> None:
    """Of a second release only the texts the first had not are stored."""
    assert made.publish("1.0+1", query("a"), query("b")).new_documents == 2
    assert made.publish("1.1+1", query("b"), query("c")).new_documents == 1


def test_refresh_follows_other_writers(made: Made) -> None:
    """A reader knows of an entry after its next refresh, and says whether there was one."""
    reader = made.reader()
    made.publish("1.0+1", query("a"))
    assert reader.refresh()
    assert "1.0+1" in reader.state.releases
    assert not reader.refresh()


def test_store_gone_keeps_state(folder: Path) -> None:
    """Without the store the state stays, the problem says what to do, and new objects fail alone;
    when the store is back, all is as before."""
    made = made_in(folder)
    made.publish("1.0+1", query("a"))
    reader = made.reader()
    folder.rename(folder.with_name("away"))
    assert not reader.refresh()
    assert [one.kind for one in reader.problems] == ["gone"]
    assert "mount it" in reader.problems[0].message
    assert "1.0+1" in reader.state.releases
    folder.with_name("away").rename(folder)
    reader.refresh()
    assert reader.problems == ()


def test_restart_serves_from_cache(folder: Path, cache: Path) -> None:
    """A process that starts with the store gone has everything the one before it had read."""
    made = made_in(folder)
    sent = made.publish("1.0+1", query("a"), query("b"))
    before = made.reader(cache)
    before.manifest(sent.published.manifest)
    before.schema(sent.published.schema)
    shutil.rmtree(folder)
    after = made.reader(cache)
    assert [one.kind for one in after.problems] == ["gone"]
    assert after.state == before.state
    assert bodies(after.manifest(sent.published.manifest)) == {query("a"), query("b")}
    assert after.schema(sent.published.schema) == SDL


def test_corrupted_object_is_refused(folder: Path) -> None:
    """One bit of an object turned over: it is refused by name, its siblings are read, and
    publishing it again mends it."""
    made = made_in(folder)
    made.publish("1.0+1", query("a"), query("b"))
    path = folder / "documents" / hash_of(query("a").encode())
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    reader = made.reader()
    with pytest.raises(DamagedError, match=path.name):
        reader.document(path.name)
    assert reader.document(hash_of(query("b").encode())) == query("b")
    made.publish("1.1+1", query("a"))
    assert reader.document(path.name) == query("a")


def test_missing_object_is_told(folder: Path) -> None:
    """A manifest that is not in the store is an error with its name, not an empty release."""
    made = made_in(folder)
    sent = made.publish("1.0+1", query("a"))
    (folder / "manifests" / sent.published.manifest).unlink()
    with pytest.raises(MissingError, match=sent.published.manifest):
        made.reader().manifest(sent.published.manifest)


def test_half_written_entry_waits(folder: Path) -> None:
    """Half of an entry is not believed; once the rest is there, it is."""
    made = made_in(folder)
    made.publish("1.0+1", query("a"))
    reader = made.reader()
    record = made.publish("1.1+1", query("b")).record
    path = folder / entry_path("ios", record.number)
    whole = path.read_bytes()
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert not reader.refresh()
        assert [one.kind for one in reader.problems] == ["signature"]
        assert list(reader.state.releases) == ["1.0+1"]
    path.write_bytes(whole)
    assert reader.refresh()
    assert (list(reader.state.releases), reader.problems) == (["1.0+1", "1.1+1"], ())


def forged(reader: Registry, made: Made, entry: Publish | SetGate) -> Record:
    state = reader.state
    return Record(state.number + 1, state.head, made.platform, datetime.now(UTC), "x", entry)


@pytest.mark.parametrize("kid", ["ios-1", "other"])
def test_wrong_signature_is_refused(made: Made, kid: str) -> None:
    """An entry signed by a key of the right name but not the right key, or by an unknown one, is
    not believed, whatever it says."""
    made.publish("1.0+1", query("a"))
    reader = made.reader()
    record = forged(reader, made, SetGate(minimum="9.0"))
    made.store.create(entry_path("ios", record.number), seal(record, make_signer(kid)))
    assert not reader.refresh()
    assert [one.kind for one in reader.problems] == ["signature"]
    assert reader.state.gate.minimum is None


def test_rotation_trusts_both_keys(made: Made, tmp_path: Path) -> None:
    """While two public keys are trusted, entries of either are read; a key file holds a set."""
    made.publish("1.0+1", query("a"))
    old, new = made.signer, make_signer("ios-2")
    made.signer = new
    public = tmp_path / "public.jwks"
    public.write_text(json.dumps({"keys": [old.public(), new.public()]}))
    keys = read_public_keys(public)
    writer = made.writer()._replace(registry=Registry.open(made.store, "ios", keys))
    append(writer, lambda _: SetGate(minimum="2.0"))
    assert Registry.open(made.store, "ios", keys).state.gate.minimum == "2.0"
    assert made.reader().state.number == 0  # the new key alone does not know the old entries


def test_replaced_key_signs_no_more(made: Made, tmp_path: Path) -> None:
    """A key with an end is trusted for the entries up to it, and for none after."""
    made.publish("1.0+1", query("a"))
    made.write(SetGate(minimum="1.0"))
    public = tmp_path / "public.jwks"
    for until, read in ((3, 3), (2, 2)):
        public.write_text(json.dumps({"keys": [{**made.signer.public(), "until": until}]}))
        reader = Registry.open(made.store, "ios", read_public_keys(public))
        assert reader.state.number == read
    assert ["up to entry 2" in one.message for one in reader.problems] == [True]


def test_key_files_round_trip(tmp_path: Path) -> None:
    """A key that was written is read again, is nobody else's to read, and is never replaced."""
    path = tmp_path / "ios.jwk"
    write_signer(make_signer("ios-1"), path)
    assert (read_signer(path).kid, path.stat().st_mode & 0o777) == ("ios-1", 0o600)
    with pytest.raises(FileExistsError):
        write_signer(make_signer("ios-2"), path)
    assert list(tmp_path.iterdir()) == [path]


def test_replayed_older_state_is_refused(folder: Path) -> None:
    """A store put back to an older, validly signed state is refused by who saw the newer one, and a
    history that goes on from there as well."""
    made = made_in(folder)
    made.publish("1.0+1", query("a"))
    shutil.copytree(folder, folder.with_name("older"))
    made.set_state("1.0+1", "blocked")
    reader = made.reader()
    shutil.rmtree(folder)
    folder.with_name("older").rename(folder)
    assert made.reader().state.releases["1.0+1"].state == "live"  # valid by itself
    assert not reader.refresh()
    assert [one.kind for one in reader.problems] == ["forked"]
    made.publish("1.1+1", query("b"))
    made.publish("1.2+1", query("c"))
    assert not reader.refresh()
    assert [one.kind for one in reader.problems] == ["forked"]
    assert reader.state.releases["1.0+1"].state == "blocked"


@pytest.mark.parametrize("kept", ["all", "heads"])
def test_restart_remembers_the_head(folder: Path, cache: Path, kept: str) -> None:
    """An older state is refused after a restart too, even where only the head was kept; the right
    log is taken again."""
    made = made_in(folder)
    made.publish("1.0+1", query("a"))
    shutil.copytree(folder, folder.with_name("older"))
    made.set_state("1.0+1", "blocked")
    made.reader(cache)
    if kept == "heads":
        shutil.rmtree(cache / "log")
    folder.rename(folder.with_name("newer"))
    folder.with_name("older").rename(folder)
    reader = made.reader(cache)
    assert [one.kind for one in reader.problems] == ["forked"]
    assert [one.state for one in reader.state.releases.values()] in ([], ["blocked"])
    folder.rename(folder.with_name("older"))
    folder.with_name("newer").rename(folder)
    reader.refresh()
    assert reader.state.releases["1.0+1"].state == "blocked"
    assert reader.problems == ()


def test_damaged_cache_costs_nothing(folder: Path, cache: Path) -> None:
    """Whatever is wrong in the cache is read from the store instead."""
    made = made_in(folder)
    sent = made.publish("1.0+1", query("a"))
    made.reader(cache).manifest(sent.published.manifest)
    files = [path for path in cache.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        path.write_bytes(b"{")
    reader = made.reader(cache)
    assert bodies(reader.manifest(sent.published.manifest)) == {query("a")}


def test_unwritable_cache_costs_nothing(made: Made, tmp_path: Path) -> None:
    """A cache that cannot be written is counted, and nothing else."""
    (tmp_path / "file").write_text("in the way")
    made.publish("1.0+1", query("a"))
    reader = made.reader(tmp_path / "file" / "cache")
    assert list(reader.state.releases) == ["1.0+1"]
    assert reader.problems == ()


def test_clock_changes_nothing(made: Made) -> None:
    """Entries dated a century ahead or back are in order of their numbers, like all others."""
    now = datetime.now(UTC)
    made.publish("1.0+1", query("a"), at=now + timedelta(days=36_500))
    made.publish("1.1+1", query("b"), at=now - timedelta(days=36_500))
    made.publish("1.2+1", query("c"))
    reader = made.reader()
    assert list(reader.state.releases) == ["1.0+1", "1.1+1", "1.2+1"]
    for release, text in zip(reader.state.releases.values(), "abc", strict=True):
        assert bodies(reader.manifest(release.manifest)) == {query(text)}


def test_newer_kinds_are_passed_over(made: Made) -> None:
    """An entry of a kind this version does not know, or that its rules refuse, is counted and
    passed over; what follows is read."""
    made.publish("1.0+1", query("a"))
    state = made.reader().state
    record = Record(state.number + 1, state.head, "ios", datetime.now(UTC), "x", SetGate())
    told = msgspec.to_builtins(record)
    told["entry"] = {"kind": "hologram", "depth": 3}
    raw = sign(msgspec.json.encode(told), made.signer)
    made.store.create(entry_path("ios", record.number), raw)
    again = Record(
        record.number + 1,
        hash_of(raw),
        "ios",
        record.at,
        "x",
        Publish("1.0", "1", "0" * 64, "0" * 64),
    )
    made.store.create(entry_path("ios", again.number), seal(again, made.signer))
    made.publish("1.1+1", query("b"))
    reader = made.reader()
    assert (list(reader.state.releases), reader.passed_over) == (["1.0+1", "1.1+1"], 2)
    assert reader.problems == ()


def test_entries_of_another_platform(made: Made) -> None:
    """An entry signed by the right key for another platform's log is not believed in this one."""
    made.publish("1.0+1", query("a"))
    raw = made.store.get(entry_path("ios", 1))
    assert raw is not None
    made.store.create(entry_path("web", 1), raw)
    reader = Registry.open(made.store, "web", made.keys)
    assert (reader.state.number, [one.kind for one in reader.problems]) == (0, ["forked"])


def test_ids_stand_for_one_text(made: Made) -> None:
    """Publishing an id of an earlier release for another text, or a name as an id, is refused."""
    made.publish("1.0+1", query("a"))
    (first,) = operations_of([query("a")])
    (second,) = operations_of([query("b")])
    other = ManifestOperation(first.id, second.name, second.type, second.body, second.hash)
    with pytest.raises(PublishRefusedError, match="another text"):
        publish(made.writer(), Parts("1.1", "1", (other,), SDL))
    named = ManifestOperation("B", "B", second.type, second.body, second.hash)
    with pytest.raises(PublishRefusedError, match="operation's name"):
        publish(made.writer(), Parts("1.1", "1", (named,), SDL))
    assert list(made.reader().state.releases) == ["1.0+1"]


def test_foreign_schema_is_refused(made: Made) -> None:
    """An SDL that the platform never answered by is refused with the difference; a past one, in any
    layout, and its hash are taken."""
    made.record(SDL)
    made.record("type Query { a: Int b: Int c: Int d: Int }")
    writer, texts = made.writer(), operations_of([query("a")])
    with pytest.raises(PublishRefusedError, match=r"\+  e: Int"):
        publish(writer, Parts("1.0", "1", texts, "type Query { a: Int b: Int c: Int e: Int }"))
    spread = '"Words." type Query {\n  c: Int\n  b: Int\n  a: Int }'
    sent = publish(writer, Parts("1.0", "1", texts, spread))
    assert sent.published.schema == hash_of(SDL.encode())
    assert publish(writer, Parts("1.0", "2", texts, sent.published.schema)).new_documents == 0


def test_same_release_is_refused(made: Made) -> None:
    """A release is published once; transitions and undoing that do not follow are refused too."""
    made.publish("1.0+1", query("a"))
    with pytest.raises(PublishRefusedError, match="published already"):
        made.publish("1.0+1", query("b"))
    made.set_state("1.0+1", "retired")
    with pytest.raises(PublishRefusedError, match="cannot become live"):
        made.set_state("1.0+1", "live")
    with pytest.raises(PublishRefusedError, match="nothing to undo"):
        made.write(Remap("x", None))


def publish_many(folder: str, signer_file: str, who: int, count: int) -> None:
    """What one of several publishers does, in a process of its own."""
    made = Made(Store.of(folder), "ios", read_signer(Path(signer_file)))
    for number in range(count):
        made.publish(f"{who}.{number}+1", query("a"), query("b", f"Own{who}x{number}"))


@pytest.mark.timeout(60)
def test_publishers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Three processes publish eight releases each at the same time: all 24 are in one log, in one
    order, with all their documents."""
    signer = make_signer("ios-1")
    key_file = tmp_path / "ios.jwk"
    write_signer(signer, key_file)
    (tmp_path / "registry").mkdir()
    made = Made(Store.of(tmp_path / "registry"), "ios", signer)
    made.record(SDL)
    context = multiprocessing.get_context("spawn")
    started = [
        context.Process(target=publish_many, args=(str(tmp_path / "registry"), str(key_file), n, 8))
        for n in range(3)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0, 0]
    reader = made.reader()
    assert (len(reader.state.releases), reader.state.number, reader.problems) == (24, 25, ())
    for who in range(3):
        for number in range(8):
            manifest = reader.state.releases[f"{who}.{number}+1"].manifest
            own = query("b", f"Own{who}x{number}")
            assert bodies(reader.manifest(manifest)) == {query("a"), own}


def test_folder_is_never_made(folder: Path) -> None:
    """No write makes the folder, before it came or after it went; one that comes later is used."""
    gateway = Store.of(folder)
    with pytest.raises(StoreGoneError):
        gateway.create("usage/1", b"x")
    assert not folder.exists()
    made = made_in(folder)
    made.publish("1.0+1", query("a"))
    assert gateway.create("usage/1", b"x")
    assert (folder / "usage" / "1").read_bytes() == b"x"
    assert gateway.paths("usage") == ["usage/1"]
    folder.rename(folder.with_name("away"))
    for store in (gateway, made.store):
        with pytest.raises(StoreGoneError):
            store.create("usage/2", b"x")
        with pytest.raises(StoreGoneError):
            store.paths("usage")
    assert not folder.exists()
