"""What the web team's own tools make of its operations: the releases the web tests run against,
and the committed one that such a tool wrote."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from bff.config import PROJECT
from tests.clients.gateways import committed_releases
from tests.clients.node import HERE, Node

OPERATIONS = PROJECT / "persisted_queries" / "web" / "operations"
SCHEMA = PROJECT / "schema" / "web" / "schema.graphql"
MANIFEST = "manifest.json"
# The web app was on Relay then; `source` is what its map was compiled from: the operations, and
# the schema of that day, because ids and type names are added by the schema.
RELAY_RELEASE = "2.7.4+1160"


@dataclass(frozen=True)
class WebBuilds:
    """Two builds of the web app and the folder that holds both beside the committed releases.

    The one is made with Apollo Client's manifest tool, the other with Relay's compiler, whose
    artifacts are what the app's bundle would hold.
    """

    releases: Path
    relay_artifacts: Path
    operations: Path = OPERATIONS
    schema: Path = SCHEMA
    apollo_release: str = "99.1.0+1"
    relay_release: str = "99.2.0+2"

    @property
    def apollo_manifest(self) -> Path:
        return self.releases / self.apollo_release / MANIFEST

    @property
    def relay_map(self) -> Path:
        return self.releases / self.relay_release / MANIFEST


def build_web(node: Node, folder: Path) -> WebBuilds:
    """Run both tools over the sample app's operations."""
    builds = WebBuilds(folder / "releases", folder / "relay" / "__generated__")
    shutil.copytree(committed_releases("web"), builds.releases)
    _generate_apollo_manifest(node, folder, builds.apollo_manifest)
    builds.relay_map.parent.mkdir()
    shutil.copytree(HERE / "relay", folder / "relay" / "src")
    _compile_relay(node, folder / "relay", builds.relay_map, OPERATIONS, SCHEMA, "SHA256")
    return builds


def committed_relay_map() -> Path:
    """The map of the committed release that Relay's compiler wrote."""
    return committed_releases("web") / RELAY_RELEASE / MANIFEST


def compile_relay_release(node: Node, folder: Path) -> Path:
    """Compile the committed Relay release again from its source, below `folder`; the new map."""
    source = committed_relay_map().parent / "source"
    output = folder / MANIFEST
    _compile_relay(node, folder, output, source / "operations", source / "schema.graphql", "MD5")
    return output


def _generate_apollo_manifest(node: Node, folder: Path, output: Path) -> None:
    output.parent.mkdir()
    config = folder / "persisted-query-manifest.config.json"
    config.write_text(json.dumps({"documents": [f"{OPERATIONS}/*.graphql"], "output": str(output)}))
    node.run_tool("@apollo/generate-persisted-query-manifest", "-c", str(config), cwd=folder)


def _compile_relay(
    node: Node, folder: Path, output: Path, operations: Path, schema: Path, algorithm: str
) -> None:
    """Compile the operations and whatever modules `folder`/src holds already."""
    source = folder / "src"
    source.mkdir(exist_ok=True)
    for path in operations.glob("*.graphql"):
        (source / f"{path.stem}.js").write_text(_as_module(path.read_text("utf-8")))
    (folder / "__generated__").mkdir()
    output.write_text("{}")
    config = _relay_config(output, schema, algorithm)
    (folder / "relay.config.json").write_text(json.dumps(config))
    node.run_tool("relay-compiler", "relay.config.json", cwd=folder)


def _relay_config(output: Path, schema: Path, algorithm: str) -> dict[str, object]:
    """The sample operations are named for all clients, not after a module, and spread fragments in
    ways that Relay 21 wants an alias for: both rules are off."""
    return {
        "src": "./src",
        "schema": str(schema),
        "language": "javascript",
        "artifactDirectory": "./__generated__",
        # Node.js resolves what artifacts require of one another only as CommonJS.
        "eagerEsModules": False,
        "persistConfig": {"file": str(output), "algorithm": algorithm},
        "noSourceControl": True,
        "featureFlags": {
            "enforce_module_name_prefix_for_non_haste": False,
            "enforce_fragment_alias_where_ambiguous": {"kind": "disabled"},
        },
    }


def _as_module(text: str) -> str:
    """Relay's compiler reads GraphQL from tagged templates only, one definition each."""
    definitions = re.split(r"(?m)^(?=fragment )", text)
    tagged = [f"graphql`\n{one}`;\n" for one in definitions if one.strip()]
    return "import { graphql } from 'relay-runtime';\n\n" + "\n".join(tagged)
