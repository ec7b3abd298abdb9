"""Whether a release may count again: what it reads may have gone while nobody had to care.

It is judged by the schema that its platform answers by, on record, and by what gateways run for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLError, GraphQLSchema, parse, validate

from bff.commands.evidence import current_sdl
from bff.commands.shipping import Shipping
from bff.config import PlatformConfig
from persisted_queries.changes.model import Verdict
from persisted_queries.impact import Hit, impacts
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import SUPPORTED, Published, SetState
from persisted_queries.problem import PublishRefusedError
from persisted_queries.registry import Registry
from persisted_queries.shape import compatible

MAX_SHOWN = 8


def refuse_broken(registry: Registry, config: PlatformConfig, entry: SetState) -> None:
    """Raises PublishRefusedError for an entry by which a release would count again, or for longer,
    though the schema in force breaks it; RegistryError, ConfigError."""
    release = registry.state.releases[f"{entry.version}+{entry.build}"]
    if not counts_longer(release, entry):
        return
    current = current_sdl(registry, config)
    problems = list(_problems(Shipping(registry, current.built()), release))
    if problems:
        more = len(problems) - MAX_SHOWN
        told = [*problems[:MAX_SHOWN], *([f"… and {more} more"] if more > 0 else ())]
        raise PublishRefusedError(
            f"{release.name} would break: {current.name} does not give what its build reads:\n  "
            + "\n  ".join(told)
            + "\nput that back, hot-fix its documents (bff release remap), or write it all the "
            "same with --force --reason"
        )


def counts_longer(release: Published, entry: SetState) -> bool:
    """Whether an entry makes a release one that counts, or for more days than it would have."""
    if release.state == "sunset" and entry.state == "sunset":
        ends = release.sunset  # None: it counts until somebody gives it a date
        return ends is not None and (entry.sunset is None or entry.sunset > ends)
    return release.state in ("blocked", "sunset") and entry.state in SUPPORTED


def _problems(shipping: Shipping, release: Published) -> Iterator[str]:
    """One for each place of a document that breaks."""
    shipped, now = shipping.of(release), shipping.current
    built = shipped.built or now
    found = impacts(now, built, [shipped])
    breaks = {hit.operation.hash: hit for one in found for hit in one.hits if hit.breaks}
    for sent, runs in zip(shipping.published(release), shipped.operations, strict=True):
        if runs.hash in shipped.hot_fixed:  # was proven for the schema of that day
            for problem in compatible(sent.body, runs.body, built, now):
                yield f"{sent.name}, hot-fixed: {problem}"
        elif runs.hash in breaks:
            yield from _breaking(breaks[runs.hash])
        else:
            yield from _invalid(runs, now)


def _breaking(hit: Hit) -> Iterator[str]:
    for one in hit.findings:
        if one.verdict is Verdict.BREAKING:
            (line, column), *_ = one.places or ((1, 1),)
            yield f"{hit.operation.name} {line}:{column} {one.message}"


def _invalid(operation: ManifestOperation, now: GraphQLSchema) -> Iterator[str]:
    """What no change since its build explains: it was not valid then either."""
    try:
        errors = validate(now, parse(operation.body))
    except GraphQLError as error:
        errors = [error]
    yield from (f"{operation.name} {error.message}" for error in errors)
