"""S2: the twelve things that graphql-cop looks for, none of them found.

Asked of the most open gateway that production allows, one that takes any text. The questions are
our own; the names in brackets are the scanner's.
"""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.harness.attacks import Closed
from tests.harness.stack import Stack

pytestmark = pytest.mark.modeless

SIGN_OUT = 'mutation { signOut(input: {idempotencyKey: "k"}) { state } }'
MANY = 150
COOKIE = {"cookie": "session=1"}


@pytest.fixture
def client(closed: Closed) -> httpx2.AsyncClient:
    """At a gateway in production that takes any text."""
    return closed.client


async def ask(client: httpx2.AsyncClient, query: str) -> dict[str, Any]:
    answer = await client.post("/graphql", json={"query": query})
    assert answer.status_code in (200, 400)
    found: dict[str, Any] = answer.json()
    return found


def codes(body: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in body["errors"]}


async def test_field_suggestions(client: httpx2.AsyncClient) -> None:
    """A misspelt field is not set right (field_suggestions)."""
    body = await ask(client, "{ hom { viewer { handle } } }")
    assert "Did you mean" not in body["errors"][0]["message"]


async def test_introspection(client: httpx2.AsyncClient) -> None:
    """The schema is not told (introspection)."""
    body = await ask(client, "query { __schema { types { name fields { name } } } }")
    assert "data" not in body


async def test_graphical_tools(client: httpx2.AsyncClient) -> None:
    """No path has a page for people (detect_graphiql)."""
    for path in ("/graphql", "/graphiql", "/playground", "/console", "/"):
        page = await client.get(path, headers={"accept": "text/html", **COOKIE})
        assert "html" not in page.headers["content-type"]
        assert page.status_code in (403, 404)


async def test_queries_by_get(client: httpx2.AsyncClient) -> None:
    """A page elsewhere cannot make a browser ask by GET (get_method_support)."""
    answer = await client.get("/graphql", params={"query": "{ __typename }"}, headers=COOKIE)
    assert (answer.status_code, codes(answer.json())) == (403, {"CSRF_BLOCKED"})


async def test_mutations_by_get(client: httpx2.AsyncClient) -> None:
    """Nor may anybody write by GET, preflight or not (get_based_mutation)."""
    for headers in ({}, {"apollo-require-preflight": "true"}):
        answer = await client.get(
            "/graphql", params={"query": SIGN_OUT}, headers={**headers, **COOKIE}
        )
        assert answer.status_code in (403, 405)


async def test_forms(client: httpx2.AsyncClient) -> None:
    """A form is refused whatever is in it (post_based_csrf)."""
    answer = await client.post("/graphql", data={"query": "{ __typename }"})
    assert answer.status_code == 415


async def test_aliases(client: httpx2.AsyncClient) -> None:
    """Many aliases of one field are too many (alias_overloading)."""
    fields = " ".join(f"a{n}: __typename" for n in range(MANY))
    assert codes(await ask(client, f"{{ {fields} }}")) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_batches(client: httpx2.AsyncClient) -> None:
    """A long array is refused whole (batch_query)."""
    answer = await client.post("/graphql", json=[{"query": "{ __typename }"}] * 11)
    assert (answer.status_code, codes(answer.json())) == (400, {"BAD_REQUEST"})


async def test_directives(client: httpx2.AsyncClient) -> None:
    """The same directive many times over is refused (directive_overloading)."""
    text = "{ __typename " + "@skip(if: false) " * MANY + "}"
    assert codes(await ask(client, text)) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_circular_introspection(client: httpx2.AsyncClient) -> None:
    """Types of fields of types are not walked (circular_query_introspection)."""
    within = "fields { type { fields { type { name } } } }"
    body = await ask(client, f"{{ __schema {{ types {{ {within} }} }} }}")
    assert "data" not in body


async def test_repeated_fields(client: httpx2.AsyncClient) -> None:
    """One field thousands of times is too long a text (field_duplication)."""
    text = "{" + " __typename" * 2_100 + "}"
    assert codes(await ask(client, text)) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_traces_and_faults(client: httpx2.AsyncClient) -> None:
    """Neither a trace nor the words of a fault come with an answer (trace_mode,
    unhandled_error_detection)."""
    wanted = {"apollo-tracing": "1", "x-apollo-tracing": "1"}
    plain = await client.post("/graphql", json={"query": "{ __typename }"}, headers=wanted)
    assert not {"tracing", "upstream", "plan"} & plain.json().get("extensions", {}).keys()
    for text in ("{ aabc }", "query {", '{ content(id: {a: "\\ud800"}) { id } }', "{ a(b: $c) }"):
        for error in (await ask(client, text))["errors"]:
            assert set(error) <= {"message", "locations", "path", "extensions"}
            assert set(error["extensions"]) <= {"code", "retryable", "retryAfterMs"}
            assert "Traceback" not in error["message"]


async def test_the_page_cannot_be_framed(stack: Stack, client: httpx2.AsyncClient) -> None:
    """Where developers have their page, no other page may frame it; in production there is none,
    and no answer needs a policy of its own."""
    wanted = {"accept": "text/html"}
    async with stack.gateway("ios", environment={"BFF_ENV": "development"}) as developers:
        page = await developers.get("/graphql", headers=wanted)
    assert page.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    closed = await client.get("/graphql", headers=wanted)
    assert "content-security-policy" not in closed.headers
