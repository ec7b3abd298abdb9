"""The way of a request, one room a line; free of any transport. Start reading here.

An `Exchange` is one HTTP request (later a socket message): one client, one token check, one
deadline, and as many operations as it carries, which share their loaders.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bff.access.authenticate import Authenticator
from bff.access.revocations import Revocations
from bff.client.gate import Gate
from bff.context import Context
from bff.documents.documents import Documents
from bff.documents.model import Operation
from bff.errors import ClientError
from bff.plans.execute import Executor
from bff.request import Arrival, OperationRequest
from bff.response.envelope import Envelope, refusal
from bff.response.shape import Used, count, failure, kept_by, shape
from bff.telemetry.spans import Attribute
from bff.upstreams.calls import Caller, CallLog, Services


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The rooms of one process, wired by `app.py`."""

    documents: Documents
    gate: Gate
    authenticator: Authenticator
    revocations: Revocations
    executor: Executor
    services: Services
    development: bool

    def open(self, arrival: Arrival) -> Exchange:
        """Begin an exchange; nothing is awaited and nothing can fail here."""
        return Exchange(self, arrival)


class Exchange:
    """What the operations of one exchange share."""

    def __init__(self, rooms: Pipeline, arrival: Arrival) -> None:
        self.arrival = arrival
        self.calls, self.used = CallLog(), list[Used]()
        self._rooms = rooms
        self._caller = Caller(rooms.services, arrival, self.calls)
        self._admission = rooms.gate.admit(rooms.documents.standing_of(arrival.client))
        self._budget = rooms.documents.budget()
        self._token = rooms.authenticator.check(arrival.authorization, self._caller)
        self._context = Context(
            arrival, self._caller, rooms.revocations.moved, rooms.authenticator.attempt
        )

    @property
    def upstream_calls(self) -> int:
        return self.calls.total

    def together(self) -> None:
        """Several operations share the calls: of none alone it is known how long it holds."""
        self.calls.undeclared = True

    async def answer(self, request: OperationRequest) -> Envelope:
        """Answer one operation. Never raises: a refusal or a fault is an envelope too."""
        started, operation = time.perf_counter(), None
        rooms, client = self._rooms, self.arrival.client
        try:
            with rooms.services.tracing.step("document") as span:
                operation = await rooms.documents.find(request, client, self._budget)
                if span.is_recording():
                    operation.describe(span.set_attribute)
            self._admission.check(operation.facts)
            self._caller.viewer = await self._token.enter(self.arrival, operation)
            envelope = await self._execute(operation, request)
        except ClientError as error:
            envelope = refusal(self._admission.instead(error))
        except Exception as error:
            envelope = failure(error, self.arrival.request_id)
        seconds = time.perf_counter() - started
        self.used.append(count(rooms.services.metrics, envelope, operation, client, seconds))
        return envelope

    async def _execute(self, operation: Operation, request: OperationRequest) -> Envelope:
        rooms, standing, facts = self._rooms, self._admission.standing, operation.facts
        with rooms.services.tracing.step("execute") as span:
            result = await rooms.executor.execute(
                operation, request.variables, self._context, standing.fence
            )
            span.set_attribute(Attribute.FIELD_ERRORS, len(result.errors))
            span.set_attribute(Attribute.PLAN, result.plan)
        fenced = facts.public and rooms.executor.fence_key(operation, standing.anybodys)
        kept = kept_by(facts.public, bool(fenced) or rooms.documents.differs(operation))
        calls, told = self.calls if rooms.development else None, self._admission.told(facts)
        return shape(result, self.arrival.request_id, kept, calls, told, self.calls)
