"""Id or text → the operation to run, by the policy in force; nothing is executed here.

                 known id   unknown id              registered text   other text
    open         run        PersistedQueryNotFound  run               run, and kept if sent as APQ
    log_unknown  run        PersistedQueryNotFound  run               run, counted and logged
    registered   run        DOCUMENT_NOT_REGISTERED run               DOCUMENT_TEXT_NOT_REGISTERED
    ids_only     run        DOCUMENT_NOT_REGISTERED DOCUMENT_ID_REQUIRED

In every policy but ids_only: a known id with a text runs the registered document and is refused as
PERSISTED_QUERY_MISMATCH if the text is another one; so is a SHA-256 that is not that of the text
beside it. Any other unknown id beside a text is not looked at. A document that was left out because
it does not fit the schema is an unknown id.

In `registered` and `ids_only` a caller of a known release gets the documents of that release alone
(DOCUMENT_NOT_IN_RELEASE), and everybody else those of the releases that are not retired; an unknown
id of an unknown release is RELEASE_UNKNOWN where there is a registry. A retired release is found
every registered document: which of them it is refused is judged by the client room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from cachetools import LRUCache
from graphql import GraphQLSchema

from bff.config import DocumentsConfig, Policy
from bff.contract import lifecycle_of
from bff.documents.budget import Budget
from bff.documents.facts import describe
from bff.documents.known import KnownRelease, KnownReleases
from bff.documents.model import Document, Operation
from bff.documents.prepare import Describe, Preparer, text_hash
from bff.documents.registered import Problem, RegisteredDocuments, canonical, is_sha256
from bff.documents.snapshot import Snapshot, of_folder
from bff.documents.standings import Standings
from bff.documents.trees import Trees
from bff.errors import (
    BadRequest,
    DocumentIdRequired,
    DocumentNotInRelease,
    DocumentNotRegistered,
    DocumentTextNotRegistered,
    MethodNotAllowed,
    PersistedQueryMismatch,
    PersistedQueryNotFound,
    ReleaseUnknown,
    RequestError,
)
from bff.request import ClientIdentity, OperationRequest
from bff.standing import Standing
from bff.store.tier import KeyValueTier
from bff.telemetry.logs import logger
from persisted_queries.model import RegistryState
from persisted_queries.releases import Release
from persisted_queries.scan import scan

# What is counted, by these names.
APQ_STORED = "document_apq_stored"
LEFT_OUT = "document_left_out"
MISMATCH = "document_mismatch"
PREPARATION_BROKE = "document_preparation_broke"
NOT_IN_RELEASE = "document_not_in_release"
TEXT_REFUSED = "document_text_refused"
UNKNOWN_ID = "document_unknown_id"
UNREGISTERED = "document_unregistered"

# What an entry of the text cache takes beside its document, in bytes: rather too many.
PER_ENTRY = 1_024
SHOWN_ID = 80
NOBODY = ClientIdentity()

log = logger(__name__)


def _held(document: Document) -> int:
    """What the text cache keeps alive for an entry: a registered document is there anyway."""
    return PER_ENTRY + document.held


def _uncounted(_event: str) -> None:
    """Counts nothing."""


def _untold(_operation: Operation) -> None:
    """Tells nobody."""


class Documents:
    """The documents room of one platform, one object per process.

    `apq_tier` must not fail (a TwoTier or a MemoryTier). `count` takes an event's name.
    `on_prepared` is told each operation of a registered document once it is prepared, in order of
    use, by `prepare_all` and `check_all`; its RequestError leaves the document out. `releases` are
    those of a folder; those of a registry come by `take`.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        config: DocumentsConfig,
        policy: Policy,
        development: bool,
        releases: Sequence[Release],
        apq_tier: KeyValueTier,
        *,
        describe: Describe = describe,
        count: Callable[[str], None] = _uncounted,
        on_prepared: Callable[[Operation], object] = _untold,
    ) -> None:
        self._config = config
        self._policy = policy
        self._development = development
        self._releases = releases
        self._apq_tier = apq_tier
        self._count = count
        self._on_prepared = on_prepared
        self._problems: list[Problem] = []
        self._schema = schema
        self._closed = policy in ("registered", "ids_only")
        self._preparer = Preparer(schema, config, development, describe)
        self._registered = self._empty()
        self._state = RegistryState("")
        self._known = KnownReleases()
        self.lifecycle = lifecycle_of(schema)
        self._standings = Standings(self._state, self._known, self.lifecycle)
        self._grown = asyncio.Event()
        self._listeners: list[Callable[[RegistryState], object]] = []
        self._by_text: LRUCache[str, Document] = LRUCache(
            maxsize=config.text_cache_bytes, getsizeof=_held
        )

    def __len__(self) -> int:
        """Registered documents that are answered, as far as is known."""
        return len(self._registered)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is known to be wrong with registered documents: the manifests' warnings, and what
        was left out so far."""
        warnings = (
            Problem(release.name, warning.operation_id, warning.message, left_out=False)
            for release in self._releases
            for warning in release.manifest.warnings
        )
        return (*self._problems, *warnings)

    @property
    def state(self) -> RegistryState:
        """The platform's releases and gate, as last told of."""
        return self._state

    def standing_of(self, client: ClientIdentity) -> Standing:
        """What the registry says of a caller at this moment; never fails."""
        return self._standings.of(client)

    def listen(self, listener: Callable[[RegistryState], object]) -> None:
        """Tell `listener` the state now and whenever it changed, in the loop's thread."""
        self._listeners.append(listener)
        listener(self._state)

    def load(self) -> None:
        """Index the documents of the folder's releases; to be called once, before the first `find`.
        None is prepared: that happens at its first use, or in `prepare_all`."""
        self._problems.clear()
        self._registered = self._empty()
        platform = self._releases[0].platform if self._releases else ""
        self.take(of_folder(platform, self._releases, self._schema))

    def take(self, snapshot: Snapshot) -> None:
        """Go by this from now on. What was prepared stays prepared; requests under way keep what
        they have."""
        self._by_text.clear()
        self._registered.add(snapshot.added)
        self._registered.patch(snapshot.remaps)
        self._known = snapshot.known
        self._state = snapshot.state
        self._standings = Standings(
            snapshot.state, snapshot.known, self.lifecycle, snapshot.deprecated
        )
        self._grown.set()
        for listener in self._listeners:
            listener(snapshot.state)

    async def keep_prepared(self, settled: Callable[[], object]) -> None:
        """`prepare_all`, and again whenever releases came; `settled` is called after each."""
        while True:
            self._grown.clear()
            await self.prepare_all()
            settled()
            await self._grown.wait()

    async def prepare_all(self) -> None:
        """Prepare what is left, one document at a time, in at most half of the process's time.

        Nothing here is fatal: what does not fit the schema is left out, logged and counted.
        """
        while True:
            started = time.perf_counter()
            try:
                if not self._registered.prepare_next():
                    log.info("documents_prepared", documents=len(self))
                    return
            except Exception:  # the next document may fare better
                self._count(PREPARATION_BROKE)
                log.exception("document_preparation_broke")
            await asyncio.sleep(time.perf_counter() - started)

    def check_all(self) -> tuple[Problem, ...]:
        """Prepare what is left at once, for tools and tests; returns all problems."""
        while self._registered.prepare_next():
            pass
        return self.problems

    def budget(self) -> Budget:
        """What the unregistered operations of one exchange may cost: as much as a single one."""
        return Budget(self._config.max_cost)

    async def find(
        self,
        request: OperationRequest,
        client: ClientIdentity = NOBODY,
        budget: Budget | None = None,
    ) -> Operation:
        """The operation a request means; if unregistered, `budget` is charged with its cost.

        Raises PersistedQueryNotFound, PersistedQueryMismatch, DocumentNotRegistered,
        DocumentTextNotRegistered, DocumentIdRequired, DocumentNotInRelease, ReleaseUnknown,
        ParseFailed, ValidationFailed, BadRequest, MethodNotAllowed.
        """
        budget = budget or self.budget()
        async with budget.member():
            release = self._known.of(client)
            document = await self._document(request, client, budget)
            if document.registered:
                document = self._for_release(release, document)
            found = document.choose(request.operation_name, names_shown=self._development)
            if not found.registered:
                budget.charge(found.definition, found.size)
        if request.read_only and found.type != "query":
            raise MethodNotAllowed("A mutation needs POST; GET only reads.")
        return found

    def differs(self, operation: Operation) -> bool:
        """Whether some release runs another operation under the id of this one."""
        return self._registered.differs(operation.document_hash)

    def _empty(self) -> RegisteredDocuments:
        return RegisteredDocuments(
            self._preparer,
            Trees(self._config.ast_cache_bytes),
            report=self._report,
            on_prepared=self._on_prepared,
        )

    def _for_release(self, release: KnownRelease | None, document: Document) -> Document:
        """The document as this release gets it."""
        if self._closed and (release is None or release.published.state != "retired"):
            has = self._known.answers if release is None else release.has
            if not has(document.places):
                document = self._other_layout(release, document, has)
        found = self._registered.patched(document, None if release is None else release.name)
        if found is None:
            raise _not_registered()
        return found

    def _other_layout(
        self, release: KnownRelease | None, document: Document, has: Callable[[Sequence[int]], bool]
    ) -> Document:
        """The same text as a release registered it, where another's was found by its layout."""
        for found in self._registered.alike(document):
            if has(found.places):
                return found
        raise self._foreign(release, document)

    def _foreign(self, release: KnownRelease | None, document: Document) -> RequestError:
        if release is None:
            return _not_registered()
        self._count(NOT_IN_RELEASE)
        having = self._known.who_has(document.places)
        named = f"it is of {having[0]}" if having else "no supported release sends it"
        return DocumentNotInRelease(
            f"release {release.name} did not register this document; {named}. Publish it with the "
            "release that sends it",
            extensions={"releases": having},
        )

    def _report(self, problem: Problem) -> None:
        self._problems.append(problem)
        self._by_text.clear()  # it may have been recognised by its text
        self._count(LEFT_OUT)
        log.error(
            "document_left_out",
            release=problem.release,
            document_id=problem.document_id,
            reason=problem.message,
        )

    async def _document(
        self, request: OperationRequest, client: ClientIdentity, budget: Budget
    ) -> Document:
        text = request.text
        document_id = canonical(request.document_id) if request.document_id else None
        if text is None:
            if document_id is None:
                raise BadRequest("the request names no document; send documentId or query")
            document = self._registered.ready(document_id)
            document = document or await self._by_registered_id(document_id, budget)
            return document or await self._by_id(document_id, client, budget)
        if self._policy == "ids_only":
            self._count(TEXT_REFUSED)
            raise DocumentIdRequired("GraphQL text is not accepted here; send documentId alone")
        if document_id is None:
            return await self._from_text(text, text_hash(text), client, budget)
        hashed = text_hash(text)
        document = await self._by_registered_id(document_id, budget)
        if document is not None:
            meant = await self._registered_text(text, hashed, budget)
            if meant is None or (
                meant is not document and document not in self._registered.alike(meant)
            ):
                self._refuse_mismatch("the id is registered for another text; send the id alone")
            return document
        self._check_claim(document_id, hashed, request.apq)
        found = await self._from_text(text, hashed, client, budget)
        if request.apq and self._policy == "open":
            await self._keep(text, hashed)
        return found

    async def _by_registered_id(self, document_id: str, budget: Budget) -> Document | None:
        if self._registered.is_pending(document_id):
            async with budget.turn():
                return self._registered.by_id(document_id)
        return self._registered.by_id(document_id)

    async def _by_id(self, document_id: str, client: ClientIdentity, budget: Budget) -> Document:
        """An id no release declared. Only `open` may still know it, from APQ."""
        if self._policy == "open":
            hashed = document_id.removeprefix("sha256:")
            text = await self._kept(hashed) if is_sha256(hashed) else None
            if text is None:
                raise PersistedQueryNotFound
            return await self._from_text(text, hashed, client, budget)
        self._count(UNKNOWN_ID)
        log.warning("document_unknown_id", id=document_id[:SHOWN_ID], client=client.name)
        if self._policy == "log_unknown":
            raise PersistedQueryNotFound
        release = self._known.of(client)
        if release is None and client.release is not None and self._state.number > 0:
            raise ReleaseUnknown(
                f"release {client.release} is not published, and no other release registered this "
                "document; publish the release first"
            )
        raise _not_registered()

    async def _from_text(
        self, text: str, hashed: str, client: ClientIdentity, budget: Budget
    ) -> Document:
        document = self._seen(hashed)
        if document is None:
            async with budget.turn():  # another member may have sent the same text
                document = self._seen(hashed) or self._first_seen(text, hashed)
        if not document.registered and self._policy == "log_unknown":
            self._count(UNREGISTERED)
            log.warning("document_unregistered", hash=hashed, client=client.name)
        return document

    def _seen(self, hashed: str) -> Document | None:
        """What needs no work now."""
        found = self._by_text.get(hashed)
        if found is None and not self._registered.is_pending(hashed):
            found = self._registered.by_hash(hashed)
        return found

    def _first_seen(self, text: str, hashed: str) -> Document:
        found = self._recognised(text, hashed)
        if found is not None:
            return found
        if self._policy == "registered":
            self._count(TEXT_REFUSED)
            raise DocumentTextNotRegistered(
                "this text is not registered; send a registered document's id, "
                "or publish the release that holds this text"
            )
        ast = self._preparer.parse(text, self._config.max_tokens)
        return self._cached(hashed, self._preparer.unregistered(text, ast))

    async def _registered_text(self, text: str, hashed: str, budget: Budget) -> Document | None:
        """The registered document this text is, whatever its layout."""
        known = self._seen(hashed)
        if known is None:
            async with budget.turn():
                known = self._seen(hashed) or self._recognised(text, hashed)
        return known if known is not None and known.registered else None

    def _recognised(self, text: str, hashed: str) -> Document | None:
        """The registered document of this text or of one in another layout; nobody's text is read
        further than the longest of them."""
        document = self._registered.by_hash(hashed)
        if document is not None:
            return document
        scanned = scan(text, self._registered.most_tokens)
        key = scanned.key() if scanned is not None else None
        document = self._registered.by_key(key) if key is not None else None
        return None if document is None else self._cached(hashed, document)

    def _cached(self, hashed: str, document: Document) -> Document:
        if _held(document) <= self._by_text.maxsize:
            self._by_text[hashed] = document
        return document

    def _check_claim(self, document_id: str, hashed: str, apq: bool) -> None:
        """An id that says "the SHA-256 of this text" must be it; other ids say nothing."""
        claims = apq or document_id.startswith("sha256:")
        if claims and document_id.removeprefix("sha256:") != hashed:
            self._refuse_mismatch("the id is not the SHA-256 of the text; hash the text as sent")

    def _refuse_mismatch(self, message: str) -> NoReturn:
        self._count(MISMATCH)
        raise PersistedQueryMismatch(message)

    async def _keep(self, text: str, hashed: str) -> None:
        """Verified and valid by now. What is found by its own hash needs no keeping; a registered
        document in another layout does (Apollo Client orders fragments otherwise than its manifest
        tool), or its hash would miss for ever."""
        if self._registered.by_hash(hashed) is None:
            self._count(APQ_STORED)
            await self._apq_tier.put(f"apq:{hashed}", text.encode(), self._config.apq_ttl_s)

    async def _kept(self, hashed: str) -> str | None:
        """A text from APQ. The tier may be shared, so what it says is checked: a value that is not
        what its key promises is a miss, and the app sends the text again."""
        value = await self._apq_tier.get(f"apq:{hashed}")
        if value is None:
            return None
        text = value.decode(errors="replace")
        return text if text_hash(text) == hashed else None


def _not_registered() -> DocumentNotRegistered:
    # Never the message of APQ: phones would send the whole text again.
    return DocumentNotRegistered(
        "no release of this platform registered this document; publish the release first"
    )
