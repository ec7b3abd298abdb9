"""The operations of all releases, each once, and which release sends which: ten thousand of them in
two hundred releases take as many bits, not as many entries of a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from persisted_queries.bodies import BodyError, read_body
from persisted_queries.manifest import ManifestOperation
from persisted_queries.objects import Objects
from persisted_queries.problem import DamagedError, RegistryError
from persisted_queries.stored import MOST_STEPS, StoredManifest, StoredOperation, decode


class Catalogue:
    """`operations` are all that were met so far; the place of one in there never changes. A set of
    operations is an integer, bit n set for the operation at place n."""

    def __init__(self, objects: Objects) -> None:
        self.operations: list[StoredOperation] = []
        self._objects = objects
        self._places: dict[tuple[str, str], int] = {}
        self._by_id: dict[str, tuple[int, ...]] = {}  # id → places; one, nearly always
        self._sent: dict[str, int] = {}
        self._steps: dict[str, int] = {}
        self._read: dict[int, ManifestOperation] = {}
        self._fetched: dict[str, bytes] = {}  # manifests to be read next

    def fetch(self, manifests: Iterable[str]) -> None:
        """Get the manifests of many releases at once, before `sent_by` asks for one after another;
        what fails will fail there."""
        wanted = [one for one in dict.fromkeys(manifests) if one not in self._sent]
        for hashed, data in self._objects.get_many("manifests", wanted):
            if isinstance(data, bytes):
                self._fetched[hashed] = data

    def sent_by(self, manifest: str) -> int:
        """The set of operations of the manifest with this hash. Raises RegistryError."""
        found = self._sent.get(manifest)
        if found is not None:
            return found
        chain: list[tuple[str, StoredManifest]] = []
        wanted: str | None = manifest
        while wanted is not None and wanted not in self._sent:
            if len(chain) > MOST_STEPS:
                raise DamagedError(f"manifests/{manifest}: rests on more than {MOST_STEPS} others")
            data = self._fetched.pop(wanted, None) or self._objects.get("manifests", wanted)
            read = decode(data, wanted)
            chain.append((wanted, read))
            wanted = read.base
        for hashed, read in reversed(chain):
            self._sent[hashed] = self._applied(read)
            self._steps[hashed] = self._steps[read.base] + 1 if read.base else 0
        return self._sent[manifest]

    def steps(self, manifest: str) -> int:
        """How many manifests this one rests on. Raises RegistryError."""
        self.sent_by(manifest)
        return self._steps[manifest]

    def with_id(self, document_id: str) -> list[StoredOperation]:
        """What stands under an id in any manifest met so far."""
        return [self.operations[place] for place in self._by_id.get(document_id, ())]

    def texts(self, document_id: str) -> set[str]:
        """Hashes of the texts behind an id: a hot-fix of the id replaces them, whatever other ids
        they have in other releases."""
        return {one.hash for one in self.with_id(document_id)}

    def writes(self) -> int:
        """The set of all mutations met so far."""
        return as_set(place for place, one in enumerate(self.operations) if one.type == "mutation")

    def read(self, wanted: int) -> Iterator[tuple[int, ManifestOperation | RegistryError]]:
        """The operations of a set with their texts, by place; what cannot be had is told in its
        place. Texts that were read are kept."""
        absent: dict[str, list[int]] = {}
        for place in places(wanted):
            known = self._read.get(place)
            if known is None:
                absent.setdefault(self.operations[place].hash, []).append(place)
            else:
                yield place, known
        if absent:
            yield from self._from_objects(absent)

    def _from_objects(
        self, absent: dict[str, list[int]]
    ) -> Iterator[tuple[int, ManifestOperation | RegistryError]]:
        for hashed, data in self._objects.get_many("documents", absent):
            for place in absent[hashed]:
                made = data if isinstance(data, RegistryError) else self._made(place, data)
                if isinstance(made, ManifestOperation):
                    self._read[place] = made
                yield place, made

    def _made(self, place: int, data: bytes) -> ManifestOperation | RegistryError:
        stored = self.operations[place]
        try:
            body = read_body(data.decode())
        except (BodyError, UnicodeDecodeError) as error:
            return DamagedError(f"documents/{stored.hash}: {error}")
        return ManifestOperation(
            stored.id, stored.name, body.type, body.text, stored.hash, body.key, body.tokens
        )

    def _applied(self, manifest: StoredManifest) -> int:
        found = self._sent[manifest.base] if manifest.base is not None else 0
        gone = (place for dropped in manifest.dropped for place in self._by_id.get(dropped, ()))
        return found & ~as_set(gone) | as_set(map(self._place, manifest.operations))

    def _place(self, operation: StoredOperation) -> int:
        key = (operation.id, operation.hash)
        place = self._places.get(key)
        if place is None:
            if operation.id == operation.hash:  # one string, not two
                operation = StoredOperation(
                    operation.hash, operation.hash, operation.name, operation.type
                )
            place = self._places[operation.id, operation.hash] = len(self.operations)
            self.operations.append(operation)
            self._by_id[operation.id] = (*self._by_id.get(operation.id, ()), place)
        return place


def as_set(found: Iterable[int]) -> int:
    """The set of these places."""
    bits = bytearray()
    for place in found:
        byte = place >> 3
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] |= 1 << (place & 7)
    return int.from_bytes(bits, "little")


def places(found: int) -> Iterator[int]:
    """The places in a set, in order."""
    for number, byte in enumerate(members(found)):
        if byte:
            for bit in range(8):
                if byte >> bit & 1:
                    yield number * 8 + bit


def members(found: int) -> bytes:
    """A set as bytes, for `holds`."""
    return found.to_bytes((found.bit_length() + 7) >> 3, "little")


def holds(found: bytes, place: int) -> bool:
    """Whether a set holds a place; costs the same for any number of operations."""
    byte = place >> 3
    return byte < len(found) and bool(found[byte] >> (place & 7) & 1)
