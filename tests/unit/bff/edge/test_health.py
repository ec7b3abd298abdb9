"""bff/edge/health.py: the operator's routes."""

import pytest
from prometheus_client import CollectorRegistry, Counter

from tests.unit.bff.edge.fakes import code, edge


async def fails() -> dict[str, str]:
    return {"schema": "ok", "keys": "no signing keys from the identity service yet"}


async def breaks() -> dict[str, str]:
    raise RuntimeError("a secret")


async def test_alive_asks_nobody() -> None:
    """/healthz says ok even where nothing behind it works."""
    served = edge(ready=breaks, draining=lambda: True)
    response = await served.http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready_lists_the_checks() -> None:
    """/readyz is 200 when every check says ok."""
    response = await edge().http.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": {"schema": "ok"}}
    assert response.headers["cache-control"] == "no-store"


async def test_failed_checks_are_named() -> None:
    """/readyz is 503 and says which check failed and why."""
    response = await edge(ready=fails).http.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == await fails()


async def test_breaking_checks_are_failures() -> None:
    """A check that raises makes the process not ready; its words stay in the log."""
    response = await edge(ready=breaks).http.get("/readyz")
    assert response.status_code == 503
    assert "secret" not in response.text


async def test_draining_is_not_ready() -> None:
    """Once a drain began, /readyz is 503 although every check is fine."""
    state = {"draining": False}
    served = edge(draining=lambda: state["draining"])
    assert (await served.http.get("/readyz")).status_code == 200
    state["draining"] = True
    response = await served.http.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (503, "draining")


@pytest.mark.parametrize(
    ("accept", "media"),
    [("*/*", "text/plain"), ("application/openmetrics-text", "application/openmetrics-text")],
)
async def test_metrics_are_exposed(accept: str, media: str) -> None:
    """/metrics prints the registry it was given, in the scraper's format."""
    served = edge()
    Counter("facet_probe", "A counter", registry=served.registry).inc()
    response = await served.http.get("/metrics", headers={"accept": accept})
    assert response.status_code == 200
    assert "facet_probe_total 1.0" in response.text
    assert response.headers["content-type"].startswith(media)


async def test_strangers_learn_little() -> None:
    """Where operators have a port of their own, the one of apps has no /metrics, and /readyz says
    whether, not why."""
    served = edge(ready=fails, operations=False)
    assert (await served.http.get("/metrics")).status_code == 404
    response = await served.http.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "not ready"})
    assert (await served.http.get("/healthz")).status_code == 200


async def test_part_of_the_metrics_is_none() -> None:
    """Metrics that cannot be gathered are 503: a part of them would look like a restart."""

    async def breaks_off() -> CollectorRegistry:
        raise TimeoutError

    response = await edge(scrape=breaks_off).http.get("/metrics")
    assert (response.status_code, code(response)) == (503, "INTERNAL")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_only_read(path: str) -> None:
    """Other methods are 405 with Allow; HEAD is GET without a body."""
    served = edge()
    response = await served.http.post(path)
    assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, HEAD"
    assert (await served.http.head(path)).content == b""


@pytest.mark.parametrize("path", ["/", "/graphql/", "/documents", "/documents/x", "/a/b/c", "/%ff"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_paths_are_404(path: str, method: str) -> None:
    """A path nobody serves is 404 in JSON, never a redirect."""
    response = await edge().http.request(method, path)
    assert (response.status_code, code(response)) == (404, "NOT_FOUND")


async def test_probes_are_not_told() -> None:
    """Only GraphQL routes are reported: probes would drown them."""
    served = edge()
    for path in ("/healthz", "/readyz", "/metrics", "/nowhere"):
        await served.http.get(path)
    assert served.told.reports == []
