"""Every operation of a service says how long its answer may be kept, or what it makes old."""

from __future__ import annotations

import re
from typing import Any

import pytest

from core_services.__main__ import NAMES, find_service
from core_services.kit.app import build_app

PUBLIC = re.compile(r"public, max-age=\d+(, stale-while-revalidate=\d+)?(, stale-if-error=\d+)?")
# A viewer's own write must be seen by the next read, whichever process answers it.
PRIVATE = re.compile(r"private, max-age=0, stale-if-error=\d+")
# Verdicts and states of the moment.
NEVER_KEPT = {"get_health", "get_readiness", "get_metrics", "list_revocations"}


def _operations() -> list[Any]:
    found = []
    for service in NAMES:
        known = find_service(service)
        document = build_app(known, known.settings.model_construct()).openapi()
        for item in document["paths"].values():
            found += [pytest.param(one, id=one["operationId"]) for one in item.values()]
    return found


OPERATIONS = _operations()


def _success(operation: dict[str, Any]) -> dict[str, Any]:
    [answer] = [one for code, one in operation["responses"].items() if code.startswith("2")]
    headers: dict[str, Any] = answer["headers"]
    return headers


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_declares_freshness(operation: dict[str, Any]) -> None:
    """A read has times and tags, a viewer's own kinds of tags and `private`; a write has what it
    makes old and is never kept; nothing else is kept."""
    headers = _success(operation)
    control = headers["cache-control"]["schema"]["const"]
    is_write = any(one["name"] == "idempotency-key" for one in operation["parameters"])
    if is_write or operation["operationId"] in NEVER_KEPT:
        assert control == "no-store"
        assert ("cache-invalidate" in headers) == bool(is_write)
        assert "cache-tag" not in headers
        return
    is_private = "viewer" in operation["security"][0] if operation["security"] else False
    assert (PRIVATE if is_private else PUBLIC).fullmatch(control)
    tags = operation["x-freshness"]["cache-tag"]
    assert tags or not operation["security"]
    assert ("viewer:{account_id}" in tags) == is_private


@pytest.mark.parametrize("operation", OPERATIONS)
def test_refusal_is_never_kept(operation: dict[str, Any]) -> None:
    """No problem of any operation may be kept."""
    for code, answer in operation["responses"].items():
        if not code.startswith("2"):
            assert answer["headers"]["cache-control"]["schema"]["const"] == "no-store", code
