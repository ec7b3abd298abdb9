"""A platform whose registry knows one release of each verdict, and gateways that go by it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bff.config import PROJECT
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import SetGate
from persisted_queries.publish import Parts, publish
from tests.clients.gateways import Gateways
from tests.harness.registries import Made, made_in

STORE = "https://apps.example/reader"
MESSAGE = "This version is too old; please update."
VERDICTS = ("OK", "SOFT_UPGRADE", "FORCE_UPGRADE", "BLOCKED")


@dataclass(frozen=True)
class Governed:
    """`builds`: by verdict, the release that gets it; only the newest is in the store to upgrade
    to. Each sends the documents of the release named here with it."""

    platform: str
    made: Made
    folder: Path
    builds: dict[str, str]

    def environment(self) -> dict[str, str]:
        """What a gateway is told of the registry."""
        keys = self.folder / f"{self.platform}.jwks"
        keys.write_text(json.dumps({"keys": [self.made.signer.public()]}))
        return {
            "BFF__REGISTRY__URL": str(self.folder / self.platform),
            "BFF__REGISTRY__POLL_S": "0.1",
            f"BFF__PLATFORMS__{self.platform.upper()}__REGISTRY_KEYS": str(keys),
        }

    def url(self, gateways: Gateways, **more: str) -> str:
        """Where a gateway answers that takes registered documents alone."""
        return gateways.url(self.platform, "registered", **self.environment(), **more)


def govern(
    folder: Path,
    platform: str,
    builds: dict[str, str],
    operations: Mapping[str, Sequence[ManifestOperation]],
) -> Governed:
    """Publish each build with its operations, live but for the blocked one, and set the gate
    between them. Versions must rise from FORCE_UPGRADE over BLOCKED and SOFT_UPGRADE to OK."""
    (folder / platform).mkdir()
    made = made_in(folder / platform)
    made.platform = platform
    sdl = (PROJECT / "schema" / platform / "schema.graphql").read_text("utf-8")
    made.record(sdl)
    for verdict in reversed(VERDICTS):
        version, _, build = builds[verdict].partition("+")
        parts = Parts(version, build, tuple(operations[verdict]), sdl, state="live")
        publish(made.writer(), parts)
    made.set_state(builds["BLOCKED"], "blocked")
    minimum, recommended = (builds[name].partition("+")[0] for name in ("BLOCKED", "OK"))
    made.write(SetGate(minimum, recommended, STORE, MESSAGE))
    return Governed(platform, made, folder, builds)


def told(verdict: str) -> dict[str, str]:
    """`extensions.client` of a build with this verdict."""
    return {"status": verdict, "storeUrl": STORE, "message": MESSAGE}
