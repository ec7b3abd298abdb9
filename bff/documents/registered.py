"""The documents the releases declared: indexed as releases come, prepared when first used or by the
way, found in one look-up; policies are apart."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bff.documents.model import Document, Operation
from bff.documents.prepare import Preparer
from bff.documents.snapshot import Added, Remaps
from bff.documents.trees import Trees
from bff.errors import RequestError
from persisted_queries.manifest import ManifestOperation

_SHA256 = re.compile(r"(?:sha256:)?[0-9a-fA-F]{64}")
_Key = TypeVar("_Key", str, bytes)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a registered document. `left_out`: it is not answered under this id."""

    release: str
    document_id: str
    message: str
    left_out: bool


def is_sha256(document_id: str) -> bool:
    """Whether an id has the form of a SHA-256, prefixed or bare."""
    return _SHA256.fullmatch(document_id) is not None


def canonical(document_id: str) -> str:
    """The id as it is looked up: hex digits of a SHA-256 in lower case, all others as they are."""
    return document_id.lower() if is_sha256(document_id) else document_id


class _Declared:
    """A text that releases declared; `release` is the oldest of them."""

    __slots__ = ("alone", "document", "left_out", "operation", "places", "release", "told")

    def __init__(self, release: str, operation: ManifestOperation) -> None:
        self.release = release
        self.operation = operation
        self.places: list[int] = []  # shared with the document: another id may come later
        self.document: Document | None = None
        self.left_out = False  # it does not fit the schema, or was refused
        self.told = False
        # What most ids and keys lead to; one object for all of them.
        self.alone: tuple[_Declared, ...] = (self,)


# Texts that one id or one key may mean, the first that fits the schema does; nearly always one.
_Claims = tuple[_Declared, ...]


class RegisteredDocuments:
    """All documents of all releases of this platform, oldest release first.

    Found under the manifest's id, `sha256:<own hash>` and the bare own hash; by the text's own hash
    and by the key of all its layouts. Looking one up prepares it, once. A release whose document
    does not fit the schema costs that document, not the start: the rest of the app, and every other
    release, must go on. What is left out is `report`ed when it is found. `on_prepared` may refuse a
    document as well, by a RequestError.
    """

    def __init__(
        self,
        preparer: Preparer,
        trees: Trees,
        *,
        report: Callable[[Problem], object],
        on_prepared: Callable[[Operation], object],
    ) -> None:
        self.most_tokens = 0
        self._preparer = preparer
        self._trees = trees
        self._report = report
        self._on_prepared = on_prepared
        self._by_hash: dict[str, _Declared] = {}
        self._by_id: dict[str, _Claims] = {}
        self._by_key: dict[bytes, _Claims] = {}
        # What ids were found to mean: one look-up instead of the four steps it takes to find out.
        self._ready: dict[str, Document] = {}
        # Ids that were claimed for several texts, and by whom.
        self._contested: dict[str, list[tuple[str, ManifestOperation]]] = {}
        self._left_out = 0
        self._asked: deque[_Declared] = deque()  # prepared for a request, not told on yet
        self._waiting: deque[_Declared] = deque()
        # Own hash of a text → what runs in its place for a release, or for all (None).
        self._patches: dict[str, dict[str | None, _Declared]] = {}
        self._patch_texts: dict[str, _Declared] = {}
        self._apart: frozenset[str] = frozenset()
        # Own hash of a text that does not fit the schema → what is found in its place.
        self._stand_ins: dict[str, Document] = {}

    def __len__(self) -> int:
        """Documents that are answered, as far as is known."""
        return len(self._by_hash) - self._left_out

    def add(self, added: Sequence[Added]) -> None:
        """Take what more releases send, the oldest first; nothing of it is prepared yet."""
        waiting: list[_Declared] = []
        for release, operations in added:
            new = (self._declare(release, *one) for one in operations)
            waiting[:0] = [one for one in new if one is not None]
        for release, operations in added:
            for _, operation in operations:
                self._name(release, operation)
        self._ready.clear()
        self._waiting.extendleft(reversed(waiting))

    def patch(self, remaps: Remaps) -> None:
        """From now on these texts run in place of others, and none else."""
        self._patches.clear()
        self._stand_ins.clear()
        self._ready.clear()
        for (document_id, release), operation in remaps.items():
            for replaced in self._by_id.get(canonical(document_id), ()):
                by_release = self._patches.setdefault(replaced.operation.hash, {})
                by_release[release] = self._patch(operation)
        apart: set[str] = set()
        for own_hash, by_release in self._patches.items():
            if by_release.keys() - {None}:
                apart |= {own_hash, *(one.operation.hash for one in by_release.values())}
        self._apart = frozenset(apart)

    def patched(self, document: Document, release: str | None) -> Document | None:
        """What runs in place of a document for a release; the document itself where nothing does,
        or where that does not fit the schema. None where it does not fit either."""
        by_release = self._patches.get(document.hash)
        if by_release is None:
            return document
        for one in (by_release.get(release), by_release.get(None)):
            found = self._prepared(one) if one is not None else None
            if found is not None:
                return found
        return None if document is self._stand_ins.get(document.hash) else document

    def differs(self, own_hash: str) -> bool:
        """Whether this text runs where a release has one of its own, or is that one."""
        return own_hash in self._apart

    def ready(self, canonical_id: str) -> Document | None:
        """The document of an id that was looked up before."""
        return self._ready.get(canonical_id)

    def is_pending(self, canonical_id: str) -> bool:
        """Whether looking this id or own hash up will prepare a document first."""
        for one in self._by_id.get(canonical_id, ()):
            if one.document is not None:
                return False
            if not one.left_out:
                return True
        return False

    def by_id(self, canonical_id: str) -> Document | None:
        document = self._first(self._by_id.get(canonical_id, ()))
        if document is not None:
            self._ready[canonical_id] = document
        return document

    def by_hash(self, own_hash: str) -> Document | None:
        """By the text's own hash alone: an id of the same form may stand for another text."""
        found = self._by_hash.get(own_hash)
        return self._first(found.alone) if found is not None else None

    def by_key(self, key: bytes) -> Document | None:
        """By `Scanned.key` of a text in any layout."""
        return self._first(self._by_key.get(key, ()))

    def alike(self, document: Document) -> Iterator[Document]:
        """The registered documents that are this text in any layout, itself among them."""
        known = self._by_hash.get(document.hash)
        key = known.operation.key if known is not None else None
        for one in self._by_key.get(key, ()) if key is not None else ():
            found = self._first(one.alone)
            if found is not None:
                yield found

    def prepare_next(self) -> bool:
        """Prepare one more document and tell it on: first those that were asked for, then the
        newest releases'. False when none is left."""
        while self._asked or self._waiting:
            one = (self._asked or self._waiting).popleft()
            if one.told or one.left_out:
                continue
            document = self._prepared(one)
            if document is not None:
                self._tell(one, document)
            return True
        self._settle()
        return False

    def _declare(self, release: str, place: int, operation: ManifestOperation) -> _Declared | None:
        """Note a text under its own hash and key; None where it was known."""
        known = self._by_hash.get(operation.hash)
        if known is not None:
            known.places.append(place)
            return None
        one = _Declared(release, operation)
        one.places.append(place)
        self._by_hash[operation.hash] = one
        for looked_up in (operation.hash, f"sha256:{operation.hash}"):
            # An id that only looks like the hash of another text must not hide it.
            claimed = self._by_id.get(looked_up, ())
            self._by_id[looked_up] = (one, *claimed) if claimed else one.alone
            for loser in claimed:
                self._contest(looked_up, loser.release, loser.operation)
        self.most_tokens = max(self.most_tokens, operation.tokens)
        if operation.key is not None:
            _claim(self._by_key, operation.key, one)
        return one

    def _name(self, release: str, operation: ManifestOperation) -> None:
        """Ids are for ever: where two releases give one id to two texts, the older app keeps it."""
        looked_up = canonical(operation.id)
        if _claim(self._by_id, looked_up, self._by_hash[operation.hash]):
            self._contest(looked_up, release, operation)

    def _patch(self, operation: ManifestOperation) -> _Declared:
        known = self._by_hash.get(operation.hash) or self._patch_texts.get(operation.hash)
        if known is None:
            known = self._patch_texts[operation.hash] = _Declared("remap", operation)
            self._asked.append(known)  # somebody waits for it
        return known

    def _contest(self, looked_up: str, release: str, operation: ManifestOperation) -> None:
        self._contested.setdefault(looked_up, []).append((release, operation))

    def _first(self, claims: _Claims) -> Document | None:
        for one in claims:
            document = one.document
            if document is None and not one.left_out:
                document = self._prepared(one)
                self._asked.append(one)
            if document is not None:
                return document
        return next((found for one in claims if (found := self._stand_in(one)) is not None), None)

    def _stand_in(self, one: _Declared) -> Document | None:
        """For a text that does not fit the schema any more, but has a patch that does."""
        own_hash = one.operation.hash
        found = self._stand_ins.get(own_hash)
        if found is None:
            for patch in self._patches.get(own_hash, {}).values():
                document = self._prepared(patch)
                if document is not None:
                    found = Document(own_hash, document.operations, True, places=one.places)
                    self._stand_ins[own_hash] = found
                    break
        return found

    def _prepared(self, one: _Declared) -> Document | None:
        if one.document is None and not one.left_out:
            operation = one.operation
            try:
                one.document = self._preparer.registered(
                    operation.body, operation.id, self._trees, one.places
                )
            except RequestError as error:
                self._leave_out(one, error)
        return one.document

    def _tell(self, one: _Declared, document: Document) -> None:
        one.told = True
        try:
            for operation in document.operations.values():
                self._on_prepared(operation)
        except RequestError as error:
            self._leave_out(one, error)

    def _leave_out(self, one: _Declared, error: RequestError) -> None:
        one.document, one.left_out = None, True
        self._ready.clear()
        self._left_out += one.operation.hash in self._by_hash
        places = error.errors[0]["locations"] if error.errors else []
        where = f" (line {places[0]['line']}, column {places[0]['column']})" if places else ""
        message = f"{one.operation.name}: {error.message}{where}"
        self._report(Problem(one.release, one.operation.id, message, left_out=True))

    def _settle(self) -> None:
        """Report who lost an id, once it is known which texts fit the schema."""
        contested, self._contested = self._contested, {}
        for looked_up, claimed in contested.items():
            for release, operation in claimed:
                document, holder = self.by_hash(operation.hash), self.by_id(looked_up)
                if document is not None and holder is not None and holder is not document:
                    message = (
                        f"{operation.name}: the id already names another document "
                        f"({', '.join(holder.operations)}); publish it under a new id"
                    )
                    self._report(Problem(release, operation.id, message, left_out=True))


def _claim(claims: dict[_Key, _Claims], key: _Key, one: _Declared) -> bool:
    """Note one more text for a key, after those that were first; whether there are others."""
    held: _Claims = claims.setdefault(key, one.alone)
    if one in held:
        return False
    claims[key] = (*held, one)
    return True
