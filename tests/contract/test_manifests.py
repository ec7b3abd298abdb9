"""What shipped apps send fits the schema they send it to, for ever."""

import hashlib
from collections.abc import Iterator
from functools import cache

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    parse,
    validate,
    visit,
)

from bff import config
from bff.commands.pack import packed, read_app
from bff.contract import OperationFacts, batch_of, describe
from persisted_queries.manifest import ManifestOperation
from persisted_queries.releases import Release, read_releases
from tests.contract.schemas import PLATFORMS, schema_of

SCREENS = {"Home", "Profile", "Content", "Inbox"}
MUTATIONS = {"SignIn", "SignOut", "MarkRead", "SaveItem", "UnsaveItem", "EditProfile", "AddAddress"}
HOME_LOADERS = {
    "AccountCardByIdLoader",
    "FeedPageByPageLoader",
    "InboxHeadByFirstLoader",
    "StatsByItemIdLoader",
}


@cache
def releases(platform: str) -> list[Release]:
    return read_releases(config.load().platforms[platform].releases, platform)


def registered() -> Iterator[tuple[str, Release, ManifestOperation]]:
    for platform in PLATFORMS:
        for release in releases(platform):
            for operation in release.manifest.operations:
                yield platform, release, operation


EVERY = [
    pytest.param(platform, operation, id=f"{platform}-{release.name}-{operation.name}")
    for platform, release, operation in registered()
]


def newest(platform: str) -> dict[str, ManifestOperation]:
    return {one.name: one for one in releases(platform)[-1].manifest.operations}


def facts(platform: str, operation: ManifestOperation) -> OperationFacts:
    (found,) = describe(schema_of(platform), parse(operation.body))
    return found


def definition(document: DocumentNode) -> OperationDefinitionNode:
    found = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    assert len(found) == 1
    return found[0]


def loaders(platform: str, operation: ManifestOperation) -> set[str]:
    """The loaders behind every field a document selects."""
    info = TypeInfo(schema_of(platform))
    found: set[str] = set()

    class Loaders(Visitor):
        def enter_field(self, _node: FieldNode, *_: object) -> None:
            batch = batch_of(info.get_field_def())
            if batch is not None:
                found.add(batch.loader.__name__)

    visit(parse(operation.body), TypeInfoVisitor(info, Loaders()))
    return found


@pytest.mark.parametrize(("platform", "operation"), EVERY)
def test_registered_documents_fit_the_schema(platform: str, operation: ManifestOperation) -> None:
    """Every document of every release is valid on its platform's schema of today."""
    assert validate(schema_of(platform), parse(operation.body)) == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_releases_fit_their_own_schema(platform: str) -> None:
    """Every release keeps the SDL it was built from beside its manifest, and every document of it
    is valid there."""
    for release in releases(platform):
        assert release.schema is not None, f"{platform} {release.name} has no schema.graphqls"
        built = build_schema(release.schema)
        for operation in release.manifest.operations:
            errors = validate(built, parse(operation.body))
            assert errors == [], f"{platform} {release.name} {operation.name}"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_releases_hold_the_whole_app(platform: str) -> None:
    """There is an older and a newer release; every one has the screens, the newest every write too;
    ids and names are unique and nothing is odd."""
    found = releases(platform)
    assert len(found) >= 2
    for release in found:
        operations = release.manifest.operations
        names = [one.name for one in operations]
        assert set(names) >= SCREENS
        assert len(set(names)) == len(names) == len({one.id for one in operations})
        assert release.manifest.warnings == ()
    assert set(newest(platform)) >= SCREENS | MUTATIONS


def test_releases_cover_all_formats() -> None:
    """Each of the four manifest formats is the format of a seed release."""
    found = {release.manifest.format for one in PLATFORMS for release in releases(one)}
    assert found == {"persisted-query-manifest", "operation-output", "ios-legacy", "relay"}


@pytest.mark.parametrize(("platform", "operation"), EVERY)
def test_ids_are_made_of_texts(platform: str, operation: ManifestOperation) -> None:
    """An id is the SHA-256 of the text, or the MD5 that Relay's compiler makes by default."""
    text = operation.body.encode()
    assert operation.id in (
        hashlib.sha256(text).hexdigest(),
        hashlib.md5(text, usedforsecurity=False).hexdigest(),
    )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_newest_manifest_is_reproducible(platform: str) -> None:
    """The newest release's manifest is what packing the sample app's operations gives."""
    app = read_app(config.load().platforms[platform])
    assert app.release == releases(platform)[-1].name
    written = app.manifest.read_text("utf-8")
    assert written == packed(app), (
        f"name the next release in {platform}/app.json and run `make manifests`; while "
        f"{app.release} is unreleased: make manifests ARGS=--replace"
    )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_old_releases_use_deprecated_fields(platform: str) -> None:
    """The older release still asks for a field that is deprecated now, and the newest does not."""
    schema = schema_of(platform)

    def used(release: Release) -> set[str]:
        info = TypeInfo(schema)
        found: set[str] = set()

        class Deprecated(Visitor):
            def enter_field(self, node: FieldNode, *_: object) -> None:
                field = info.get_field_def()
                if field is not None and field.deprecation_reason:
                    found.add(node.name.value)

        for operation in release.manifest.operations:
            visit(parse(operation.body), TypeInfoVisitor(info, Deprecated()))
        return found

    older, *_, newer = releases(platform)
    assert used(older)
    assert not used(newer)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_home_needs_four_loaders(platform: str) -> None:
    """Home asks for account cards, the feed, stats and the inbox head, in every release, with no
    variable that must be given."""
    for release in releases(platform):
        home = next(one for one in release.manifest.operations if one.name == "Home")
        assert loaders(platform, home) == HOME_LOADERS
        given = definition(parse(home.body)).variable_definitions or ()
        assert all(one.default_value or one.type.kind != "non_null_type" for one in given)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_screens_are_told_apart(platform: str) -> None:
    """A screen's document is of that screen and private; signing in and out, and writes that may
    have waited in the app, are always allowed, the first two with a dead token too."""
    operations = newest(platform)
    for name in SCREENS:
        assert facts(platform, operations[name]).screen == name.lower()
        assert not facts(platform, operations[name]).public
    allowed = {name for name, one in operations.items() if facts(platform, one).always_allowed}
    assert allowed == {"SignIn", "SignOut", "MarkRead", "SaveItem", "UnsaveItem"}
    spared = {name for name, one in operations.items() if facts(platform, one).spares_token}
    assert spared == {"SignIn", "SignOut"}


def test_web_content_can_be_public() -> None:
    """The web's content page without the viewer's state is the same for everybody, proven."""
    operation = newest("web")["PublicContent"]
    assert facts("web", operation).public
    assert loaders("web", operation) == {
        "AccountCardByIdLoader",
        "ItemByIdLoader",
        "ItemDetailByIdLoader",
        "RelatedByItemIdLoader",
        "StatsByItemIdLoader",
        "ThreadByItemIdLoader",
    }
