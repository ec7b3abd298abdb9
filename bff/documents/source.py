"""Follows a platform's registry beside the requests and makes snapshots of it, in a thread of its
own: a store that is slow or gone costs nothing but what is new.

What of a release cannot be read is left out and asked for again at every poll, the rest is served:
a text that is missing is an unknown document, a manifest that is missing refuses no document for
not being in it, and a schema that is missing is taken to be that of the release before.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from graphql import GraphQLError, GraphQLSchema

from bff.config import Settings
from bff.contract import lifecycle_of
from bff.documents.deprecated import Deprecated
from bff.documents.known import KnownRelease, KnownReleases
from bff.documents.snapshot import Added, Fences, Remaps, Snapshot
from bff.errors import ConfigError
from bff.fence import FREE, Fence
from bff.telemetry.logs import logger
from persisted_queries.bodies import BodyError, read_body
from persisted_queries.catalogue import as_set, members
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Published, RegistryState
from persisted_queries.problem import DamagedError, Problem, RegistryError
from persisted_queries.registry import Registry
from persisted_queries.signing import read_public_keys

# What is counted, by the kind of problem: registry_gone, registry_damaged …
PROBLEM = "registry_"
PASSED_OVER = "registry_entry_passed_over"
JITTER = 0.2

log = logger(__name__)


def open_source(
    settings: Settings, platform: str, schema: GraphQLSchema, count: Callable[[str], None]
) -> RegistrySource | None:
    """The source of a platform's releases; None where the settings name no registry. Raises
    ConfigError naming the setting at fault."""
    url = settings.registry.url
    keys = settings.platforms[platform].registry_keys
    if url is None:
        return None
    if keys is None:
        raise ConfigError(
            f"platforms.{platform}.registry_keys is not set, but registry.url is; name the file "
            "with the public keys of who may publish (`bff registry keygen` writes one)"
        )
    try:
        public = read_public_keys(keys)
    except RegistryError as error:
        raise ConfigError(f"platforms.{platform}.registry_keys: {error}") from error
    try:
        registry = Registry.open(url, platform, public, settings.registry.cache_dir)
    except RegistryError as error:
        raise ConfigError(f"registry.url: {error}") from error
    return RegistrySource(registry, schema, settings.registry.poll_s, count)


class RegistrySource:
    """One platform's registry. `snapshot` and `next` are for one thread at a time; `watch` starts
    one."""

    def __init__(
        self,
        registry: Registry,
        schema: GraphQLSchema,
        poll_s: float,
        count: Callable[[str], None],
    ) -> None:
        self.registry = registry
        self._poll_s = poll_s
        self._count = count
        self._fences = Fences(schema)
        self._deprecated = Deprecated(lifecycle_of(schema).endings)
        self._given = 0  # set of operations that were handed out
        self._behind = False  # what was read did not arrive
        self._unread: list[Problem] = []
        self._told: frozenset[Problem] = frozenset()
        self._passed_over = 0

    @property
    def was_read(self) -> bool:
        """Whether anything is known of this registry: of its log, or that it is still empty."""
        return self.registry.state.number > 0 or not self.registry.problems

    def next(self) -> Snapshot | None:
        """Follow the registry; None where nothing is new."""
        self._behind = self.registry.refresh() or self._behind
        if not self._behind and not self._unread:
            self._tell()
            return None
        unread, behind = self._unread, self._behind
        self._behind = True
        found = self.snapshot()
        self._behind = False
        # What cannot be read for long must not empty everybody's caches at every poll.
        return found if behind or found.added or self._unread != unread else None

    def snapshot(self) -> Snapshot:
        """What is known now; nothing that a snapshot before this one has added is in `added`."""
        self._unread = []
        state = self.registry.state
        added: list[Added] = []
        known: list[tuple[KnownRelease, int | None]] = []
        before = FREE
        self.registry.catalogue.fetch(one.manifest for one in state.releases.values())
        for release in state.releases.values():
            sent = self._sent(release)
            if sent is not None:
                added.append(Added(release.name, self._new(self._answered(release, sent))))
            before = self._fence(release, before)
            held = None if sent is None else members(sent)
            known.append((KnownRelease(release, before, held), sent))
        remaps = self._remaps(state)
        since = self._deprecated.since(state.schemas, self.registry.schema)
        self._tell()
        new = [one for one in added if one[1]]
        return Snapshot(state, KnownReleases(known), new, remaps, since)

    def watch(self, take: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Poll from now on in a thread, which gives `take` every new snapshot; returns what stops
        it. The thread is never waited for: it may be asking a store that does not answer."""
        stop = threading.Event()  # its own: one that is slow to end must not go on with the next
        told = (take, stop)
        thread = threading.Thread(target=self._poll, args=told, name="registry", daemon=True)
        thread.start()
        return stop.set

    def _poll(self, take: Callable[[Snapshot], object], stop: threading.Event) -> None:
        while not stop.wait(self._poll_s * random.uniform(1 - JITTER, 1 + JITTER)):  # noqa: S311 - spreads the polls of many gateways
            given = self._given
            try:
                found = self.next()
                if found is not None and not stop.is_set():
                    take(found)
            except Exception:  # the next poll may fare better, and hands this over again
                self._given, self._behind = given, True
                self._count(f"{PROBLEM}broke")
                log.exception("registry_broke")

    def _sent(self, release: Published) -> int | None:
        try:
            return self.registry.catalogue.sent_by(release.manifest)
        except RegistryError as error:
            self._missing(f"manifests/{release.manifest}", error)
            return None

    def _answered(self, release: Published, sent: int) -> int:
        """What may still be answered of what a release sends: of a retired one its writes, of
        which one may be its sign-out."""
        if release.state != "retired":
            return sent
        return sent & self.registry.catalogue.writes()

    def _new(self, sent: int) -> list[tuple[int, ManifestOperation]]:
        found = []
        for place, one in self.registry.catalogue.read(sent & ~self._given):
            if isinstance(one, RegistryError):
                hashed = self.registry.catalogue.operations[place].hash
                self._missing(f"documents/{hashed}", one)
            else:
                found.append((place, one))
        self._given |= as_set(place for place, _ in found)
        return sorted(found, key=lambda one: one[0])

    def _fence(self, release: Published, before: Fence) -> Fence:
        try:
            return self._fences.of(release.schema, self.registry.schema)
        except RegistryError as error:
            self._missing(f"schemas/{release.schema}", error)
        except (GraphQLError, TypeError, ValueError, RecursionError) as error:
            self._missing(f"schemas/{release.schema}", DamagedError(str(error)))
        return before

    def _remaps(self, state: RegistryState) -> Remaps:
        found: dict[tuple[str, str | None], ManifestOperation] = {}
        for (document_id, release), hashed in state.remaps.items():
            try:
                body = read_body(self.registry.document(hashed))
            except (RegistryError, BodyError, UnicodeDecodeError) as error:
                wrapped = error if isinstance(error, RegistryError) else DamagedError(str(error))
                self._missing(f"documents/{hashed}", wrapped)
                continue
            operation = ManifestOperation(
                document_id, body.name or "", body.type, body.text, hashed, body.key, body.tokens
            )
            # By the text, which others may send when nobody sends that id any more.
            texts = self.registry.catalogue.texts(document_id)
            found.update(((text, release), operation) for text in texts or (document_id,))
        return found

    def _missing(self, where: str, error: RegistryError) -> None:
        self._unread.append(Problem(error.kind, where, str(error)))

    def _tell(self) -> None:
        """Log and count what is wrong when it begins, and that it is over."""
        now = frozenset((*self.registry.problems, *self._unread))
        for problem in now - self._told:
            self._count(f"{PROBLEM}{problem.kind}")
            log.error(
                "registry_problem",
                kind=problem.kind,
                path=problem.where,
                reason=problem.message,
            )
        if self._told and not now:
            log.info("registry_well_again", entry=self.registry.state.number)
        self._told = now
        for _ in range(self.registry.passed_over - self._passed_over):
            self._count(PASSED_OVER)
        self._passed_over = self.registry.passed_over
