"""The documents the releases declared, prepared once, found in one look-up; policies are apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bff.documents.model import Document
from bff.documents.normalise import normalised_key
from bff.documents.prepare import Preparer
from bff.errors import RequestError
from persisted_queries.manifest import ManifestOperation
from persisted_queries.releases import Release

_SHA256 = re.compile(r"(?:sha256:)?[0-9a-fA-F]{64}")


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


class RegisteredDocuments:
    """All documents of all releases of this platform.

    Found under the manifest's id, `sha256:<own hash>` and the bare own hash. A release whose
    document does not fit the schema costs that document, not the start: the rest of the app, and
    every other release, must go on. `problems` tells what was left out.
    """

    def __init__(self, releases: Iterable[Release], preparer: Preparer) -> None:
        self.problems: list[Problem] = []
        self.most_tokens = 0
        self._preparer = preparer
        self._by_hash: dict[str, Document | None] = {}  # None: does not fit the schema
        self._by_id: dict[str, Document] = {}
        self._by_key: dict[str, Document] = {}
        declared = [(one, operation) for one in releases for operation in one.manifest.operations]
        for release, operation in declared:
            self._prepare(release, operation)
        # Own hashes first: an id that only looks like the hash of another text must not hide it.
        for release, operation in declared:
            self._name(release, operation)

    def __len__(self) -> int:
        """Documents that are answered."""
        return len(self._by_key)

    def by_id(self, canonical_id: str) -> Document | None:
        return self._by_id.get(canonical_id)

    def by_hash(self, own_hash: str) -> Document | None:
        """By the text's own hash alone: an id of the same form may stand for another text."""
        return self._by_hash.get(own_hash)

    def by_key(self, normalised: str) -> Document | None:
        return self._by_key.get(normalised)

    def _prepare(self, release: Release, operation: ManifestOperation) -> None:
        if operation.hash in self._by_hash:
            return
        try:
            document = self._preparer.registered(operation.body, operation.id)
        except RequestError as error:
            self._by_hash[operation.hash] = None
            places = error.errors[0]["locations"] if error.errors else []
            where = f" (line {places[0]['line']}, column {places[0]['column']})" if places else ""
            self._report(release, operation, f"{operation.name}: {error.message}{where}", True)
            return
        self.most_tokens = max(self.most_tokens, document.tokens)
        self._by_hash[operation.hash] = document
        self._by_id[operation.hash] = self._by_id[f"sha256:{operation.hash}"] = document
        self._by_key.setdefault(normalised_key(document.ast), document)

    def _name(self, release: Release, operation: ManifestOperation) -> None:
        """Ids are for ever: where two releases give one id to two texts, the older app keeps it."""
        document = self._by_hash[operation.hash]
        if document is None:
            return
        holder = self._by_id.setdefault(canonical(operation.id), document)
        if holder is not document:
            message = (
                f"{operation.name}: the id already names another document "
                f"({', '.join(holder.operations)}); publish it under a new id"
            )
            self._report(release, operation, message, True)

    def _report(
        self, release: Release, operation: ManifestOperation, message: str, left_out: bool
    ) -> None:
        self.problems.append(Problem(release.name, operation.id, message, left_out))
