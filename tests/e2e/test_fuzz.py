"""Whatever bytes a client sends, the gateway answers: never a 5xx, never a hang.

The gateways are real processes; each example is one request. The seed is printed; set FACET_SEED
to repeat a run.
"""

from __future__ import annotations

import http.client
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema

from bff.commands.processes import Child
from tests.contract.sizes import ROOT
from tests.harness.stack import Stack, registered, start_policy_gateway

pytestmark = pytest.mark.modeless

SHORT, LONG = 1_000, 5_000
SEED = int(os.environ.get("FACET_SEED", random.randrange(2**32)))
ANSWER_WITHIN_S = 10
SDL = (ROOT / "schema" / "ios" / "schema.graphql").read_text()

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**70)
    | st.floats()
    | st.text()
    | st.sampled_from(["{ __typename }", "query", "sha256:" + "0" * 64, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["query", "operationName", "variables", "extensions", "documentId", "id", "doc_id", "onError"]
)
TEXTS = st.one_of(
    from_schema(SDL),
    st.text(alphabet='{}()[]:!$@#"\\, \n_aqn1.|&=', max_size=60),
    st.integers(1, 400).map(lambda n: "{ home " * n + "}" * n),
    st.integers(1, 400).map(lambda n: "{ content(id: " + "[" * n + "]" * n + ") { id } }"),
    st.sampled_from(
        [
            "{ __typename }",
            "{ ...a } fragment a on Query { ...a }",
            "query A { __typename } query B { __typename }",
            "subscription { x }",
            "{ __schema { types { fields { type { fields { name } } } } } }",
            'query ($a: Int = "x") { home { feed(first: $a) { hasMore } } }',
            "query ($a: [[[ID!]!]!]! ) { content(id: $a) { id } }",
        ]
    ),
)
PERSISTED = st.fixed_dictionaries(
    {
        "extensions": st.fixed_dictionaries(
            {
                "persistedQuery": st.fixed_dictionaries(
                    {
                        "version": st.sampled_from([1, 1, 1, 2, "1", None]),
                        "sha256Hash": st.text(
                            alphabet="0123456789abcdefA", min_size=64, max_size=64
                        )
                        | JSON_VALUES,
                    }
                )
            }
        )
    },
    optional={"query": TEXTS},
)
SHAPED = st.one_of(
    st.fixed_dictionaries({"query": TEXTS}, optional={"variables": JSON_VALUES}),
    PERSISTED,
    st.dictionaries(KEYS, JSON_VALUES | TEXTS, max_size=5),
    st.lists(st.fixed_dictionaries({"query": TEXTS}) | JSON_VALUES, max_size=12),
    JSON_VALUES,
)
MEDIA = st.sampled_from(
    [
        *["application/json"] * 8,
        *["application/json; charset=utf-16", "text/plain", "", "application/graphql"],
        *['a;b="', "*/*"],
    ]
)
ACCEPT = st.sampled_from(
    [
        "application/json",
        "application/graphql-response+json",
        "multipart/mixed;deferSpec=20220824",
        "*/*",
        "text/html;q=2",
        ";;;",
        "application/json;q=0",
    ]
)
ENCODING = st.sampled_from([*[None] * 12, "gzip", "identity", "br", "x"])


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """JSON with a few bytes changed, cut out or doubled."""
    body = bytearray(_dump(draw(SHAPED)))
    for _ in range(draw(st.integers(1, 3))):
        if body:
            at = draw(st.integers(0, len(body) - 1))
            body[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(body)


BODIES = st.one_of(SHAPED.map(_dump), SHAPED.map(_dump), _mutated(), st.binary(max_size=300))


@pytest.fixture(scope="module")
def gateways(stack: Stack) -> Iterator[dict[str, Child]]:
    """A gateway process of its own for each of two policies."""
    with (
        start_policy_gateway(stack, "ios", "open") as first,
        start_policy_gateway(stack, "ios", "registered") as second,
    ):
        yield {"open": first, "registered": second}


class _Sender:
    """Sends bodies over one kept connection."""

    def __init__(self, child: Child) -> None:
        self._host = child.url.removeprefix("http://")
        self._connection = self._fresh()

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _fresh(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, timeout=ANSWER_WITHIN_S)

    def send(self, body: bytes, headers: dict[str, str]) -> int:
        """The status of one request."""
        try:
            return self._once(body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A refused body may close the connection; a fresh one must be answered.
            self._connection.close()
            self._connection = self._fresh()
            return self._once(body, headers)

    def _once(self, body: bytes, headers: dict[str, str]) -> int:
        self._connection.request("POST", "/graphql", body=body, headers=headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


@pytest.mark.timeout(300)
@pytest.mark.parametrize("examples", [SHORT, pytest.param(LONG, marks=pytest.mark.verify)])
def test_no_body_breaks_a_gateway(
    gateways: dict[str, Child], examples: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of thousands of generated requests under each policy every one is answered, none with a 5xx:
    1,000 here, 5,000 in the long form."""
    with capsys.disabled():
        print(f"\nfuzz of request bodies: FACET_SEED={SEED}", end=" ")  # noqa: T201
    statuses: dict[str, Counter[int]] = {policy: Counter() for policy in gateways}

    with ExitStack() as stack:
        senders = {name: stack.enter_context(_Sender(child)) for name, child in gateways.items()}

        @seed(SEED)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(BODIES, MEDIA, ACCEPT, ENCODING)
        def run(body: bytes, media: str, accept: str, encoding: str | None) -> None:
            headers = {"accept": accept, **({"content-type": media} if media else {})}
            if encoding is not None:
                headers["content-encoding"] = encoding
            for policy, sender in senders.items():
                status = sender.send(body, headers)
                statuses[policy][status] += 1
                assert status < 500, (policy, status, body, headers)

        run()
    for policy, child in gateways.items():
        assert child.process.poll() is None
        assert statuses[policy].total() >= examples
        # A fuzz that never gets past the door, or never meets it, proves nothing.
        assert {200, 400, 415} <= set(statuses[policy])


def test_gateways_serve_after_the_fuzz(gateways: dict[str, Child], stack: Stack) -> None:
    """After all that the same processes still answer a registered document."""
    home = registered(stack.settings("ios"), "ios", "Home")
    body = _dump({"documentId": home.id})
    for child in gateways.values():
        with _Sender(child) as sender:
            assert sender.send(body, {"content-type": "application/json"}) == 200
