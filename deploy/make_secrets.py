"""Makes the secrets that compose.yaml mounts: keys of gateways, accounts and publishers, passwords,
and a TLS certificate for trying it out. What exists is kept, so that a second run adds what is new.

    python deploy/make_secrets.py deploy/secrets

The folder is for one machine. A cluster has a store of secrets of its own (docs/deployment.md).
"""

from __future__ import annotations

import json
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

PLATFORMS = ("ios", "android", "web")
SERVICES = ("accounts", "content", "notifications")
SHARED = ("BFF__CACHE__SECRET", "BFF__USAGE__DEVICE_SALT")
DOMAIN = "facet.example"
VALID_DAYS = 90
PEM = serialization.Encoding.PEM
# What PostgreSQL's image reads as a user of its own; the folder keeps everybody else out.
FOR_ANY_USER = 0o644


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--domain", default=DOMAIN, show_default=True, help="ios.DOMAIN, android.DOMAIN, …")
def main(folder: Path, domain: str) -> None:
    """Make what is missing in FOLDER; nobody but you may read it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = [*_keys(folder), *_passwords(folder), *_shared(folder), *_certificate(folder, domain)]
    click.echo(f"{folder}: " + (f"made {', '.join(made)}" if made else "nothing was missing"))


def _keys(folder: Path) -> list[str]:
    """A private key for each gateway and for accounts; the services get the gateways' public
    halves."""
    made, public = [], []
    for name in (*(f"bff-{platform}" for platform in PLATFORMS), "accounts"):
        path = folder / f"{name}.jwk"
        if not path.exists():
            kid = {"kid": name, "alg": "ES256", "use": "sig"}
            key = ECKey.generate_key("P-256", kid, private=True)  # type: ignore[arg-type]
            made += _written(path, json.dumps(key.as_dict(private=True)))
        if name != "accounts":
            key = ECKey.import_key(json.loads(path.read_bytes()))
            public.append(key.as_dict(private=False))
    callers = folder / "callers.jwks"
    callers.unlink(missing_ok=True)  # made of the others
    _written(callers, json.dumps({"keys": public}))
    return made


def _shared(folder: Path) -> list[str]:
    """What all gateways must have alike, as variables."""
    path = folder / "gateways.env"
    if path.exists():
        return []
    return _written(path, "".join(f"{name}={secrets.token_urlsafe(32)}\n" for name in SHARED))


def _passwords(folder: Path) -> list[str]:
    """One password a database, for PostgreSQL and (as libpq's password file) for its service."""
    made = []
    for service in SERVICES:
        path = folder / f"{service}.password"
        if not path.exists():
            made += _written(path, secrets.token_urlsafe(32), mode=FOR_ANY_USER)
        passfile = folder / f"{service}.pgpass"
        passfile.unlink(missing_ok=True)
        _written(passfile, f"*:*:{service}:{service}:{path.read_text()}\n")
    if not (folder / "postgres.password").exists():
        path = folder / "postgres.password"
        made += _written(path, secrets.token_urlsafe(32), mode=FOR_ANY_USER)
    return made


def _certificate(folder: Path, domain: str) -> list[str]:
    """A certificate for ios.DOMAIN and so on, and that of the authority that signed it, whose key
    is thrown away. Bring a real one for anything but a trial."""
    names = ("tls.key", "tls.crt", "ca.crt")
    if all((folder / name).exists() for name in names):
        return []
    authority, ca_key = _signed("Facet trial authority", None)
    alternatives = [x509.DNSName(f"{platform}.{domain}") for platform in PLATFORMS]
    certificate, key = _signed(domain, (authority, ca_key), alternatives)
    private = key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    texts = (private, certificate.public_bytes(PEM), authority.public_bytes(PEM))
    made = []
    for name, text in zip(names, texts, strict=True):
        (folder / name).unlink(missing_ok=True)
        made += _written(folder / name, text.decode())
    return made


def _signed(
    common_name: str,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    alternatives: list[x509.DNSName] | None = None,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate of a new key; without an issuer an authority's, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[0].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def _written(path: Path, text: str, mode: int = 0o600) -> list[str]:
    """By default its owner's alone to read, from the first byte on."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)
    path.chmod(mode)
    return [path.name]


if __name__ == "__main__":
    sys.exit(main())
