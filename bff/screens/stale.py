"""The last good records of a loader, for sections that show them in place of an error."""

from __future__ import annotations

from typing import Any

from bff.telemetry.logs import logger

log = logger(__name__)


def stale_of(context: Any, loader: Any, keys: list[Any]) -> dict[Any, Any]:
    """By key, what the loader has kept (`record`, `age_s`), without a call. Failure policy: a
    loader that keeps none, or cannot tell, costs the old records and nothing else."""
    kept = getattr(context.loader(loader), "stale_of", None)
    if kept is None:
        return {}
    try:
        found = kept(keys)
    except Exception:
        log.exception("stale_records_failed", loader=loader.__name__)
        return {}
    return {key: one for key, one in zip(keys, found, strict=True) if one is not None}
