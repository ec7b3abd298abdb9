"""Promises of bff/documents/documents.py: the table of policies, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.config import DocumentsConfig, Policy
from bff.documents.documents import Documents
from bff.errors import (
    BadRequest,
    DocumentIdRequired,
    DocumentNotRegistered,
    DocumentTextNotRegistered,
    ParseFailed,
    PersistedQueryMismatch,
    PersistedQueryNotFound,
    RequestError,
    ValidationFailed,
)
from bff.request import OperationRequest
from bff.store.memory import MemoryTier

from .room import Room
from .samples import (
    BROKEN,
    HOME,
    HOME_AGAIN,
    HOME_OTHER_ORDER,
    ITEM,
    SAVE,
    SCHEMA,
    release,
    sha256,
)

POLICIES: tuple[Policy, ...] = ("open", "log_unknown", "registered", "ids_only")
UNKNOWN = "f" * 64
RUN = None

# What a request holds → what each policy answers: an error class, or RUN.
TABLE: dict[str, tuple[dict[str, Any], tuple[type[RequestError] | None, ...]]] = {
    "manifest id": ({"document_id": "home@7"}, (RUN, RUN, RUN, RUN)),
    "own hash": ({"document_id": sha256(HOME)}, (RUN, RUN, RUN, RUN)),
    "own hash as APQ": ({"document_id": sha256(HOME), "apq": True}, (RUN, RUN, RUN, RUN)),
    "own hash prefixed": ({"document_id": f"sha256:{sha256(HOME)}"}, (RUN, RUN, RUN, RUN)),
    "own hash upper case": (
        {"document_id": f"sha256:{sha256(HOME).upper()}"},
        (RUN, RUN, RUN, RUN),
    ),
    "unknown hash": (
        {"document_id": UNKNOWN},
        (
            PersistedQueryNotFound,
            PersistedQueryNotFound,
            DocumentNotRegistered,
            DocumentNotRegistered,
        ),
    ),
    "unknown hash as APQ": (
        {"document_id": UNKNOWN, "apq": True},
        (
            PersistedQueryNotFound,
            PersistedQueryNotFound,
            DocumentNotRegistered,
            DocumentNotRegistered,
        ),
    ),
    "unknown word": (
        {"document_id": "house@7"},
        (
            PersistedQueryNotFound,
            PersistedQueryNotFound,
            DocumentNotRegistered,
            DocumentNotRegistered,
        ),
    ),
    "left out": (
        {"document_id": "broken@7"},
        (
            PersistedQueryNotFound,
            PersistedQueryNotFound,
            DocumentNotRegistered,
            DocumentNotRegistered,
        ),
    ),
    "registered text": ({"text": HOME}, (RUN, RUN, RUN, DocumentIdRequired)),
    "registered text, other layout": ({"text": HOME_AGAIN}, (RUN, RUN, RUN, DocumentIdRequired)),
    "registered text, other field order": (
        {"text": HOME_OTHER_ORDER},
        (RUN, RUN, DocumentTextNotRegistered, DocumentIdRequired),
    ),
    "other text": (
        {"text": ITEM},
        (RUN, RUN, DocumentTextNotRegistered, DocumentIdRequired),
    ),
    "text that does not parse": (
        {"text": "{"},
        (ParseFailed, ParseFailed, DocumentTextNotRegistered, DocumentIdRequired),
    ),
    "text that does not fit": (
        {"text": BROKEN},
        (ValidationFailed, ValidationFailed, DocumentTextNotRegistered, DocumentIdRequired),
    ),
    "text beyond a limit": (
        {"text": "{ numbers " * 2_000},
        (ValidationFailed, ValidationFailed, DocumentTextNotRegistered, DocumentIdRequired),
    ),
    "text that is not Unicode": (
        {"text": "{ numbers } # \ud800"},
        (ParseFailed, ParseFailed, ParseFailed, DocumentIdRequired),
    ),
    "known id and its text": (
        {"document_id": "home@7", "text": HOME},
        (RUN, RUN, RUN, DocumentIdRequired),
    ),
    "known id and its text, other layout": (
        {"document_id": "home@7", "text": HOME_AGAIN},
        (RUN, RUN, RUN, DocumentIdRequired),
    ),
    "known id and another text": (
        {"document_id": "home@7", "text": ITEM},
        (
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            DocumentIdRequired,
        ),
    ),
    "known id and another registered text": (
        {"document_id": "home@7", "text": SAVE},
        (
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            DocumentIdRequired,
        ),
    ),
    "known id and no GraphQL": (
        {"document_id": "home@7", "text": "{"},
        (
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            DocumentIdRequired,
        ),
    ),
    "APQ with the right hash": (
        {"document_id": sha256(ITEM), "text": ITEM, "apq": True},
        (RUN, RUN, DocumentTextNotRegistered, DocumentIdRequired),
    ),
    "APQ with registered text": (
        {"document_id": sha256(HOME_AGAIN), "text": HOME_AGAIN, "apq": True},
        (RUN, RUN, RUN, DocumentIdRequired),
    ),
    "APQ with another hash": (
        {"document_id": UNKNOWN, "text": ITEM, "apq": True},
        (
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            DocumentIdRequired,
        ),
    ),
    "APQ with no hash": (
        {"document_id": "item", "text": ITEM, "apq": True},
        (
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            DocumentIdRequired,
        ),
    ),
    "prefixed hash of another text": (
        {"document_id": f"sha256:{UNKNOWN}", "text": ITEM},
        (
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            PersistedQueryMismatch,
            DocumentIdRequired,
        ),
    ),
    "unknown word and text": (
        {"document_id": "item@7", "text": ITEM},
        (RUN, RUN, DocumentTextNotRegistered, DocumentIdRequired),
    ),
    "neither id nor text": ({}, (BadRequest, BadRequest, BadRequest, BadRequest)),
}
CASES = [
    pytest.param(policy, request_, answers[index], id=f"{policy}: {name}")
    for name, (request_, answers) in TABLE.items()
    for index, policy in enumerate(POLICIES)
]


@pytest.mark.parametrize(("policy", "request_", "answer"), CASES)
async def test_policy_table(
    policy: Policy, request_: dict[str, Any], answer: type[RequestError] | None
) -> None:
    """Every kind of request gets, under every policy, the answer the table states, twice."""
    room = Room(policy)
    for _ in range(2):
        if answer is None:
            operation = await room.find(**request_)
            assert operation.name in ("Home", "Item")
        else:
            with pytest.raises(answer) as refused:
                await room.find(**request_)
            assert type(refused.value) is answer


@pytest.mark.parametrize("policy", ["registered", "ids_only"])
@pytest.mark.parametrize("request_", [{"document_id": UNKNOWN}, {"text": ITEM}])
async def test_closed_policies_never_invite_text(policy: Policy, request_: dict[str, Any]) -> None:
    """No refusal of a closed policy holds the message that makes phones send the whole text."""
    with pytest.raises(RequestError) as refused:
        await Room(policy).find(**request_)
    assert "persistedquery" not in refused.value.message.lower()


@pytest.mark.parametrize("policy", POLICIES)
async def test_registered_document_is_what_runs(policy: Policy) -> None:
    """By id, and by text in any layout, the very same registered operation is run."""
    room = Room(policy)
    by_id = await room.find(document_id="home@7")
    assert (by_id.registered, by_id.document_id) == (True, "home@7")
    if policy != "ids_only":
        for request in (
            {"text": HOME},
            {"text": HOME_AGAIN},
            {"document_id": "home@7", "text": HOME_AGAIN},
            {"document_id": sha256(HOME), "text": HOME, "apq": True},
        ):
            assert await room.find(**request) is by_id


async def test_apq_serves_what_was_sent() -> None:
    """In open, hash and text together register the text: the hash alone is served then."""
    room = Room("open")
    hashed = sha256(ITEM)
    with pytest.raises(PersistedQueryNotFound):
        await room.find(document_id=hashed, apq=True)
    sent = await room.find(document_id=hashed, text=ITEM, apq=True)
    assert await room.find(document_id=hashed, apq=True) is sent
    assert await room.find(document_id=f"sha256:{hashed.upper()}") is sent
    assert not sent.registered


async def test_apq_serves_registered_text_in_another_layout() -> None:
    """A client that prints a registered document otherwise than its manifest has it by its own
    hash from the second time on, as the registered document."""
    room = Room("open")
    hashed = sha256(HOME_AGAIN)
    sent = await room.find(document_id=hashed, text=HOME_AGAIN, apq=True)
    assert await room.find(document_id=hashed, apq=True) is sent
    assert sent.registered


async def test_apq_outlives_the_process() -> None:
    """Another process with the same tier serves what this one was sent."""
    first = Room("open")
    second = Room("open", tier=first.tier)
    await first.find(document_id=sha256(ITEM), text=ITEM, apq=True)
    assert (await second.find(document_id=sha256(ITEM), apq=True)).name == "Item"


@pytest.mark.parametrize(
    ("text", "hashed", "error"),
    [
        (BROKEN, sha256(BROKEN), ValidationFailed),
        ("{", sha256("{"), ParseFailed),
        ("{ x: numbers " * 3_000, sha256("{ x: numbers " * 3_000), ValidationFailed),
        (ITEM, UNKNOWN, PersistedQueryMismatch),
    ],
)
async def test_apq_keeps_only_valid_text(text: str, hashed: str, error: type[RequestError]) -> None:
    """What is not its hash, or not a valid document, is never kept."""
    room = Room("open")
    with pytest.raises(error):
        await room.find(document_id=hashed, text=text, apq=True)
    assert len(room.tier) == 0


@pytest.mark.parametrize(
    ("policy", "request_"),
    [
        ("log_unknown", {"document_id": sha256(ITEM), "text": ITEM, "apq": True}),
        ("open", {"document_id": sha256(ITEM), "text": ITEM}),
        ("open", {"text": ITEM}),
        ("open", {"document_id": sha256(HOME), "text": HOME, "apq": True}),
    ],
)
async def test_nothing_else_is_kept(policy: Policy, request_: dict[str, Any]) -> None:
    """Only the APQ form, only in open, and only text not found by its own hash is kept."""
    room = Room(policy)
    await room.find(**request_)
    assert len(room.tier) == 0


async def test_plain_text_registers_nothing() -> None:
    """A text that was served, and is still cached, cannot be asked for by its hash."""
    room = Room("open")
    await room.find(text=ITEM)
    with pytest.raises(PersistedQueryNotFound):
        await room.find(document_id=sha256(ITEM), apq=True)


@pytest.mark.parametrize("value", [HOME.encode(), b"\xff\xfe", b""])
async def test_shared_tier_is_not_trusted(value: bytes) -> None:
    """A value in the tier that is not the text of its hash is a miss."""
    room = Room("open")
    await room.tier.put(f"apq:{sha256(ITEM)}", value, 60)
    with pytest.raises(PersistedQueryNotFound):
        await room.find(document_id=sha256(ITEM), apq=True)


async def test_apq_has_its_ttl() -> None:
    """A kept text carries the configured time to live."""

    class Recording(MemoryTier):
        ttl_s = 0.0

        async def put(self, key: str, value: bytes, ttl_s: float) -> None:
            self.ttl_s = ttl_s

    tier = Recording(1, 1)
    room = Room("open", tier=tier, apq_ttl_s=77)
    await room.find(document_id=sha256(ITEM), text=ITEM, apq=True)
    assert tier.ttl_s == 77


async def test_unregistered_text_is_logged() -> None:
    """log_unknown counts and logs every unregistered text by hash and app, never its content."""
    room = Room("log_unknown")
    with capture_logs() as logs:
        for _ in range(2):
            await room.find(text=ITEM, variables={"secret": "hunter2"})
        await room.find(text=HOME_AGAIN)
    assert room.counts["document_unregistered"] == 2
    assert [entry["event"] for entry in logs] == ["document_unregistered"] * 2
    assert (logs[0]["hash"], logs[0]["client"]) == (sha256(ITEM), "com.example.app")
    assert not any(word in str(logs) for word in ("title", "hunter2", "device-1"))


@pytest.mark.parametrize("policy", ["log_unknown", "registered", "ids_only"])
async def test_unknown_id_is_logged(policy: Policy) -> None:
    """An unknown id is counted and logged, cut to a sane length, wherever ids should be known."""
    room = Room(policy)
    with capture_logs() as logs, pytest.raises(RequestError):
        await room.find(document_id="x" * 5_000)
    assert room.counts["document_unknown_id"] == 1
    assert (logs[0]["event"], logs[0]["client"]) == ("document_unknown_id", "com.example.app")
    assert len(logs[0]["id"]) < 100


@pytest.mark.parametrize("policy", ["open", "log_unknown", "registered"])
async def test_false_hash_never_takes_a_text(policy: Policy) -> None:
    """An id that looks like a text's hash, but is registered for another, does not stand for it."""
    documents = Documents(
        SCHEMA,
        DocumentsConfig(),
        policy,
        True,
        [release({sha256(ITEM): HOME})],
        MemoryTier(1, 1),
    )
    documents.load()
    assert (await documents.find(OperationRequest(document_id=sha256(ITEM)))).name == "Home"
    with pytest.raises(PersistedQueryMismatch):
        await documents.find(OperationRequest(document_id=sha256(ITEM), text=ITEM, apq=True))
    if policy == "registered":
        with pytest.raises(DocumentTextNotRegistered):
            await documents.find(OperationRequest(text=ITEM))
    else:
        assert (await documents.find(OperationRequest(text=ITEM))).name == "Item"


async def test_problems_are_told() -> None:
    """What is left out is listed, counted and logged when it is found; manifest warnings are listed
    from the start."""
    counts: list[str] = []
    documents = Documents(
        SCHEMA,
        DocumentsConfig(),
        "registered",
        False,
        [release({"a1": BROKEN, "a2": HOME, UNKNOWN: ITEM})],
        MemoryTier(1, 1),
        count=counts.append,
    )
    documents.load()
    assert [(problem.document_id, problem.left_out) for problem in documents.problems] == [
        (UNKNOWN, False)
    ]
    with capture_logs() as logs:
        problems = documents.check_all()
    assert [(problem.document_id, problem.left_out) for problem in problems] == [
        ("a1", True),
        (UNKNOWN, False),
    ]
    assert counts == ["document_left_out"]
    assert (logs[0]["event"], logs[0]["document_id"]) == ("document_left_out", "a1")
    assert len(documents) == 2


async def test_operation_must_exist() -> None:
    """A name the document does not have is refused; the names that exist are for developers."""
    for development in (True, False):
        room = Room("open", development=development)
        with pytest.raises(ValidationFailed) as refused:
            await room.find(document_id="home@7", operation_name="House")
        assert ("Home" in refused.value.message) is development


async def test_long_registered_text_is_admitted() -> None:
    """A registered text beyond the limit of tokens is served in another layout as well."""
    text = "query Long { numbers(of: [" + "1 " * 50 + "]) }"
    for policy in ("open", "registered"):
        documents = Documents(
            SCHEMA,
            DocumentsConfig(max_tokens=20),
            policy,
            False,
            [release({"long@7": text})],
            MemoryTier(1, 1),
        )
        documents.load()
        found = await documents.find(OperationRequest(text=text.replace(" ", "\n")))
        assert found.registered
        with pytest.raises(RequestError):
            await documents.find(OperationRequest(text=text.replace("1", "2")))


async def test_nothing_loaded_serves_text() -> None:
    """Before `load`, or without releases, open still answers texts."""
    documents = Documents(SCHEMA, DocumentsConfig(), "open", True, [], MemoryTier(1, 1))
    assert (await documents.find(OperationRequest(text=ITEM))).name == "Item"
    documents.load()
    assert documents.check_all() == ()
    assert (await documents.find(OperationRequest(text=ITEM))).name == "Item"
