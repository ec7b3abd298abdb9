"""`bff plan`: which upstream calls a registered operation needs, and whether they are in budget.

The budget of a screen is the number of calls its plan makes at best, kept in `calls.yaml` beside
the platform's schema and reviewed there; a contract test fails when the code plans another number.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import yaml
from graphql import GraphQLSchema, OperationDefinitionNode, parse
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.tree import Tree

from bff.app import load_schema
from bff.commands.findings import counted
from bff.commands.schema import named_platforms, snapshot_path
from bff.config import PlatformConfig
from bff.documents.releases import releases_of
from bff.errors import ConfigError
from bff.plans.compiler import CompiledPlan, NotCompiled
from bff.plans.execute import graphql_schema
from bff.plans.model import Plan, Wave
from bff.plans.planner import compile_alone
from persisted_queries.manifest import ManifestOperation

WIDTH = 160  # of paths and loaders: a pager or a wide window shows them whole
BUDGET = "calls.yaml"
HEADER = (
    "# Planned loader calls of each operation of the newest release, reviewed; a mutation's own\n"
    "# write comes on top. `bff plan budget --write` writes it again.\n"
)


@click.group()
def plan() -> None:
    """Look at the planned upstream calls of registered operations."""


@plan.command()
@click.argument("document")
@click.option("--platform", help="Only this platform; every platform by default.")
@click.option("--source/--no-source", default=True, help="Whether to print the functions.")
def show(document: str, platform: str | None, source: bool) -> None:
    """Draw the plan of DOCUMENT, an operation's name or a registered id: its calls in the order
    they leave, and the functions generated from it."""
    console = Console(highlight=False, width=WIDTH)
    found = False
    for name, config in named_platforms(platform).items():
        schema = graphql_schema(load_schema(config))
        for operation in newest(name, config):
            if document in (operation.name, operation.id):
                found = True
                compiled = compiled_of(schema, operation)
                console.print(draw(name, operation, compiled.plan))
                if source:
                    console.print(Syntax(compiled.source, "python"))
    if not found:
        raise ConfigError(f"no newest release has an operation or id '{document}'")


@plan.command()
@click.argument("platform", required=False)
@click.option("--write", is_flag=True, help="Write the figures instead of comparing them.")
def budget(platform: str | None, write: bool) -> None:
    """Compare the planned calls of every operation with the reviewed; exit 1 if they differ."""
    differ = False
    for name, config in named_platforms(platform).items():
        path, planned = budget_path(config), planned_calls(name, config)
        if write:
            path.write_text(HEADER + yaml.safe_dump(planned), encoding="utf-8")
            click.echo(f"wrote {path}")
            continue
        allowed = read_budget(config)
        for operation in sorted(planned.keys() | allowed.keys()):
            now, reviewed = planned.get(operation), allowed.get(operation)
            mark = "" if now == reviewed else f"  ✗ {path.name} says {reviewed}"
            differ = differ or now != reviewed
            click.echo(f"{name:<10}{operation:<16}{now}{mark}")
    sys.exit(1 if differ else 0)


def planned_calls(platform: str, config: PlatformConfig) -> dict[str, int]:
    """Operation name → planned calls, of the platform's newest release."""
    schema = graphql_schema(load_schema(config))
    return {one.name: compiled_of(schema, one).plan.calls for one in newest(platform, config)}


def read_budget(config: PlatformConfig) -> dict[str, int]:
    """The reviewed figures; empty where none were written yet."""
    path = budget_path(config)
    found: Any = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return dict(found or {})


def budget_path(config: PlatformConfig) -> Path:
    """Where a platform's reviewed figures are: beside its SDL snapshot."""
    return snapshot_path(config).with_name(BUDGET)


def newest(platform: str, config: PlatformConfig) -> tuple[ManifestOperation, ...]:
    """The operations of the newest release."""
    releases = releases_of(platform, config)
    return tuple(releases[-1].manifest.operations) if releases else ()


def compiled_of(schema: GraphQLSchema, operation: ManifestOperation) -> CompiledPlan:
    """The compiled plan of a registered operation, everything it may select included. Raises
    ConfigError where it cannot be compiled."""
    document = parse(operation.body)
    (definition,) = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    try:
        return compile_alone(schema, document, definition, {})
    except NotCompiled as error:
        raise ConfigError(
            f"{operation.name} cannot be compiled and runs generic: {error}"
        ) from error


def draw(platform: str, operation: ManifestOperation, plan: Plan) -> Tree:
    """A plan as a tree: groups, waves in the order they leave, the fields that share each."""
    tree = Tree(
        escape(f"{platform} {operation.type} {operation.name}: ")
        + f"{counted(plan.calls, 'call')}, {plan.levels} in a row"
    )
    for group in plan.groups:
        branch = tree.add(escape(group.name))
        for wave in group.waves:
            below = branch.add(_label(wave))
            for step in wave.steps:
                below.add(f"[dim]{escape(step.path)}[/dim]")
    return tree


def _label(wave: Wave) -> str:
    loader: Any = wave.steps[0].batch.loader
    method = loader.method
    fed = ", ".join(dict.fromkeys(feeder.loader for feeder in wave.feeders))
    waits = f", after {fed}" if fed else ""
    called = f"{method.service}.{method.name} ({method.scope.value})"
    return f"level {wave.level}  {wave.loader} → {called}{waits}"
