"""What a gateway must say alike on good days and bad: who may come in, and what a key means."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.rig import Gateway, Rig
from tests.chaos.wire import Answer, ask, request
from tests.harness.stack import registered

OK = "ok"
# Accounts that nothing else signs out or writes for.
LEAVER, WRITER = "acc_01040", "acc_01041"
ITEM, OTHER_ITEM = "itm_00301", "itm_00302"


@dataclass
class Verdicts:
    """Asks one gateway the questions whose answers may not change."""

    rig: Rig
    gateway: Gateway
    left: str = ""
    writer: str = ""
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    first: Any = None
    answers: list[Answer] = field(default_factory=list)

    async def prepare(self) -> None:
        """Sign one account out, and write once under a key."""
        stack = self.rig.stack
        self.left = stack.token(stack.handle(LEAVER))
        self.writer = stack.token(stack.handle(WRITER))
        out = await self.mutate("SignOut", self.left, uuid.uuid4().hex)
        assert "errors" not in out.json, out.body
        saved = await self.mutate("SaveItem", self.writer, self.key, itemId=ITEM)
        assert "errors" not in saved.json, saved.body
        self.first = saved.json["data"]

    async def all(self) -> dict[str, str]:
        """Every verdict by its name."""
        questions: dict[str, Coroutine[Any, Any, Answer | str]] = {
            "a token that is none": self._home("no.such.token"),
            "a signed-out token": self._home(self.left),
            "a good token": self._home(self.writer),
            "a key again": self._again(),
            "a key for another": self.mutate("SaveItem", self.writer, self.key, itemId=OTHER_ITEM),
            "a key twice at once": self._twice(),
            "an unknown document": self._document("0" * 64),
            "unregistered text": self._text(),
        }
        found: list[Answer | str] = list(await asyncio.gather(*questions.values()))
        return {
            name: one if isinstance(one, str) else _code(one)
            for name, one in zip(questions, found, strict=True)
        }

    async def _home(self, token: str) -> Answer:
        settings = self.rig.stack.settings(self.rig.platform)
        body = {"documentId": registered(settings, self.rig.platform, "Home").id}
        return await self._ask(request(body, token))

    async def _document(self, document_id: str) -> Answer:
        return await self._ask(request({"documentId": document_id}, self.writer))

    async def _text(self) -> Answer:
        return await self._ask(request({"query": "{ home { __typename } }"}, self.writer))

    async def _again(self) -> str:
        answer = await self.mutate("SaveItem", self.writer, self.key, itemId=ITEM)
        same = answer.status == 200 and (answer.json or {}).get("data") == self.first
        return "the first answer" if same else _code(answer)

    async def _twice(self) -> str:
        """Two at once under one new key: one effect, one answer, or one of them told to wait."""
        key = uuid.uuid4().hex
        both = await asyncio.gather(
            *(self.mutate("SaveItem", self.writer, key, itemId=OTHER_ITEM) for _ in range(2))
        )
        done = [one.json["data"] for one in both if _code(one) == OK]
        told = {_code(one) for one in both} - {OK, "IDEMPOTENCY_IN_PROGRESS", "CONFLICT"}
        if told or not done or done.count(done[0]) != len(done):
            return f"{sorted(told)} {done}"
        return "one answer"

    async def mutate(self, name: str, token: str, key: str, **values: Any) -> Answer:
        """One registered mutation under a key."""
        settings = self.rig.stack.settings(self.rig.platform)
        body: Mapping[str, Any] = {
            "documentId": registered(settings, self.rig.platform, name).id,
            "variables": {"input": {"idempotencyKey": key, **values}},
        }
        return await self._ask(request(body, token))

    async def _ask(self, asked: bytes) -> Answer:
        answer = await ask(self.gateway.port, asked)
        self.answers.append(answer)
        return answer

    async def until_signed_out(self) -> None:
        """The sign-out is known to the gateway."""
        end = time.monotonic() + 15
        while _code(await self._home(self.left)) == OK:
            assert time.monotonic() < end, "the sign-out never came to be known"
            await asyncio.sleep(0.1)


def _code(answer: Answer) -> str:
    if answer.failure is not None:
        return answer.failure
    body = answer.json
    if not isinstance(body, dict):
        return f"status {answer.status}"
    errors = body.get("errors")
    return OK if not errors else str(errors[0].get("extensions", {}).get("code"))
