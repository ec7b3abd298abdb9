"""Signs what goes into a log, and tells whose signature something has (JWS compact form, RFC 7515,
with Ed25519, RFC 9864); what is signed is the log's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from persisted_queries.problem import RegistryError, SignatureRefusedError

ALGORITHM = "Ed25519"  # RFC 9864; "EdDSA" left the curve open
CURVE = "Ed25519"
# Of a public key: the number of the last entry that it is trusted for.
UNTIL = "until"

PublicKeys = Mapping[str, OKPKey]


class KeyFileError(RegistryError):
    """A key file that cannot be used: which, why, and how to make one."""


class Signer(NamedTuple):
    """A platform's private key. `kid` names its public half among the platform's keys."""

    kid: str
    key: OKPKey

    def public(self) -> dict[str, object]:
        """Its public half, as a member of a JWK set."""
        return dict(self.key.as_dict(private=False))


def make_signer(kid: str) -> Signer:
    """A new key pair."""
    parameters = {"kid": kid, "alg": ALGORITHM, "use": "sig"}
    return Signer(kid, OKPKey.generate_key(CURVE, parameters, private=True))  # type: ignore[arg-type]


def sign(payload: bytes, signer: Signer) -> bytes:
    """A compact JWS over the payload."""
    header = {"alg": ALGORITHM, "kid": signer.kid}
    return jws.serialize_compact(header, payload, signer.key, algorithms=[ALGORITHM]).encode()


def verified(token: bytes, keys: PublicKeys, number: int = 0) -> bytes:
    """The payload of a compact JWS that is to be entry `number`. Raises SignatureRefusedError for
    an unknown key, for one whose time was over, and for a signature that is not that key's."""
    try:
        text = token.decode("ascii")
        kid = jws.extract_compact(text.encode()).headers().get("kid")
        key = keys.get(str(kid))
        if key is None:
            known = ", ".join(keys) or "none"
            raise SignatureRefusedError(
                f"signed by key {kid!r}, which this platform does not trust (trusted: {known}); "
                "add its public half to the platform's registry_keys if it is yours"
            )
        _check_time(key, number)
        found = jws.deserialize_compact(text, key, algorithms=[ALGORITHM])
    except SignatureRefusedError:
        raise
    except Exception as error:  # its head is anybody's: whatever that makes a library trip over
        raise SignatureRefusedError(
            f"its signature is not valid ({type(error).__name__}); it is corrupt or forged"
        ) from error
    return bytes(found.payload)


def _check_time(key: OKPKey, number: int) -> None:
    """A key that was replaced is trusted for what it had signed, up to the entry `until`."""
    until = key.get(UNTIL)
    if until is not None and number > int(str(until)):
        raise SignatureRefusedError(
            f"signed by key {key.kid!r}, which this platform trusts up to entry {until} only; "
            "sign with the key that replaced it"
        )


def write_signer(signer: Signer, path: Path) -> None:
    """Whole or not at all, readable by nobody else. Raises FileExistsError rather than to replace a
    key; OSError."""
    unfinished = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(signer.key.as_dict(private=True), file)
        os.link(unfinished, path)
    finally:
        unfinished.unlink()


def read_signer(path: Path) -> Signer:
    """The private key of a file (JWK). Raises KeyFileError."""
    key = _key(path, _json(path))
    if not key.is_private or not key.kid:
        raise KeyFileError(f"{path}: holds no private key with a kid; `bff registry keygen` does")
    return Signer(key.kid, key)


def read_public_keys(path: Path) -> PublicKeys:
    """The keys of a JWK set by their kid; a single JWK counts as a set of one. Raises
    KeyFileError."""
    value = _json(path)
    members = value.get("keys", [value])
    if not isinstance(members, list) or not members:
        raise KeyFileError(f"{path}: holds no keys; put in the public halves of who may publish")
    found = [_key(path, member) for member in members]
    if not all(key.kid for key in found):
        raise KeyFileError(f"{path}: holds a key without kid; give every key its name")
    if any(key.is_private for key in found):
        raise KeyFileError(
            f"{path}: holds a private key, which gateways must not have; put in its public half"
        )
    return {str(key.kid): key for key in found}


def _json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyFileError(
            f"{path}: cannot be read as a key ({error}); `bff registry keygen` makes one"
        ) from error
    if not isinstance(value, dict):
        raise KeyFileError(f"{path}: is no JSON object; `bff registry keygen` makes a key")
    return value


def _key(path: Path, member: object) -> OKPKey:
    try:
        key = OKPKey.import_key(member)  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise KeyFileError(f"{path}: holds no Ed25519 key ({type(error).__name__})") from error
    if key.curve_name != CURVE:
        raise KeyFileError(f"{path}: holds a key of {key.curve_name}; only {CURVE} signs logs")
    return key
