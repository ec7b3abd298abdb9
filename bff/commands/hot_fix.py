"""What `bff release remap` writes: a patched text in place of a shipped one, once it is proven that
every build that sends the id can read its answers, and that a gateway would run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from graphql import GraphQLSchema, parse, validate

from bff.app import load_schema
from bff.commands.release_checks import Checks, reviewed_of
from bff.commands.shipping import built
from bff.commands.sources import Sources
from bff.config import PlatformConfig, Settings
from bff.plans.execute import graphql_schema
from persisted_queries.bodies import read_body
from persisted_queries.hot_fixes import patched_by, running
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Published, RegistryState, Remap
from persisted_queries.problem import PublishRefusedError
from persisted_queries.publish import Decide
from persisted_queries.registry import Registry
from persisted_queries.shape import compatible
from persisted_queries.stored import StoredOperation


class Patch(NamedTuple):
    """The text to run, and the file it came from."""

    file: Path
    text: str


@dataclass
class HotFix:
    """Hot-fixes of one platform."""

    registry: Registry
    config: PlatformConfig
    settings: Settings

    def entry(
        self,
        state: RegistryState,
        document_id: str,
        name: str | None,
        patch: Patch,
        options: Mapping[str, Any],
    ) -> Remap:
        """The entry for one release, or for all that send the id. Raises PublishRefusedError with
        every reason why a build could not read the answer, or a gateway would leave it out; and
        RegistryError, ConfigError."""
        now = graphql_schema(load_schema(self.config))
        senders = self._senders(state, document_id, name)
        problems: dict[str, list[str]] = {}
        checked: dict[tuple[str, str], list[str]] = {}
        for release, operation in senders:
            pair = (release.schema, operation.hash)
            if pair not in checked:
                checked[pair] = self._reasons(pair, patch.text, now)
            for reason in checked[pair]:
                problems.setdefault(reason, []).append(release.name)
        if not problems:
            names = [release.name for release, _ in senders]
            problems = dict.fromkeys(self._refused(senders[0][1].id, patch, now), names)
        if problems:
            told = [f"  {reason}  [{', '.join(names)}]" for reason, names in problems.items()]
            raise PublishRefusedError(
                "the patched text cannot run in place of "
                f"{document_id}; nothing was changed:\n" + "\n".join(told)
            )
        hashed = self.registry.objects.put("documents", patch.text.encode())
        return Remap(senders[0][1].id, hashed, name, options["reason"])

    def undo(
        self, document_id: str, name: str | None, reason: str, *, force: bool = False
    ) -> Decide:
        """The entry that takes a hot-fix back. Raises PublishRefusedError, unless by force, where a
        release that counts would be left with a text that does not fit the schema in force: what
        nobody read any more may be gone."""

        def decide(state: RegistryState) -> Remap:
            known = [key for key in state.remaps if key[1] == name]
            found = next((key for key, _ in known if _same(key, document_id)), document_id)
            if known and not force:
                self._refuse_lost(state, found, name)
            return Remap(self._registered(found), None, name, reason)

        return decide

    def _refuse_lost(self, state: RegistryState, document_id: str, name: str | None) -> None:
        now = graphql_schema(load_schema(self.config))
        fixes = running(self.registry)
        lost: dict[str, list[str]] = {}
        for release, operation in self._sending(state, document_id, name):
            if release.is_supported:
                left = {key: one for key, one in fixes.items() if key != (operation.hash, name)}
                runs = patched_by(left, operation.hash, release.name) or operation.hash
                for error in validate(now, parse(self.registry.document(runs))):
                    lost.setdefault(error.message, []).append(release.name)
        if lost:
            told = [f"  {message}  [{', '.join(names)}]" for message, names in lost.items()]
            raise PublishRefusedError(
                f"without its hot-fix {document_id} does not fit the schema in force:\n"
                + "\n".join(told)
                + "; put that back, remap it to another text, or undo it all the same with "
                "--force --reason"
            )

    def _senders(
        self, state: RegistryState, document_id: str, name: str | None
    ) -> list[tuple[Published, StoredOperation]]:
        found = self._sending(state, document_id, name)
        if not found:
            where = f"release {name}" if name else f"no release of {state.platform} that is served"
            raise PublishRefusedError(
                f"{where} {'does not send' if name else 'sends'} {document_id}; "
                "`bff release show` lists what a release sends"
            )
        return found

    def _sending(
        self, state: RegistryState, document_id: str, name: str | None
    ) -> list[tuple[Published, StoredOperation]]:
        catalogue = self.registry.catalogue
        served = [
            (release, catalogue.sent_by(release.manifest))
            for release in state.releases.values()
            if release.state != "retired" and name in (None, release.name)
        ]
        # A gateway patches the text behind the id, whatever other ids it has in other releases.
        replaced = {
            one.hash
            for one in catalogue.operations
            if _same(one.id, document_id) or _same(one.hash, document_id)
        }
        return [
            (release, operation)
            for release, sent in served
            for place, operation in enumerate(catalogue.operations)
            if operation.hash in replaced and sent >> place & 1
        ]

    def _reasons(self, pair: tuple[str, str], patched: str, now: GraphQLSchema) -> list[str]:
        of_build = built(f"schema {pair[0]}", self.registry.schema(pair[0]))
        original = self.registry.document(pair[1])
        return [str(one) for one in compatible(original, patched, of_build, now)]

    def _refused(self, document_id: str, patch: Patch, now: GraphQLSchema) -> list[str]:
        """Why gateways would leave out a text that was proven, and go on with the shipped one."""
        body = read_body(patch.text)
        operation = ManifestOperation(
            document_id, body.name or "", body.type, body.text, body.hash, body.key, body.tokens
        )
        sources = Sources(self.config.releases.parent / "operations", patch.file)
        reviewed = reviewed_of(self.config)
        checks = Checks(document_id, self.settings, now, now, reviewed, sources)
        found = checks.replacing(operation)
        return [one.message for one in found if one.level == "error"]

    def _registered(self, document_id: str) -> str:
        """An id as releases know it, where its document was named by hash."""
        for operation in self.registry.catalogue.operations:
            if _same(operation.hash, document_id):
                return operation.id
        return document_id


def _same(one: str, other: str) -> bool:
    return one.removeprefix("sha256:").lower() == other.removeprefix("sha256:").lower()
