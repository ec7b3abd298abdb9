"""The way of a request, one room a line; free of any transport. Start reading here.

An `Exchange` is one HTTP request (later a socket message): one client, one token check, one
deadline, and as many operations as it carries, which share their loaders.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bff.access.authenticate import Authenticator
from bff.access.revocations import Revocations
from bff.context import Context
from bff.documents.documents import Documents
from bff.documents.model import Operation
from bff.errors import ClientError, MethodNotAllowed, Unauthenticated
from bff.plans.execute import Executor
from bff.request import Arrival, OperationRequest
from bff.response.envelope import Envelope, refusal
from bff.response.shape import count, failure, shape
from bff.telemetry.spans import Attribute
from bff.upstreams.calls import Caller, CallLog, Services


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The rooms of one process, wired by `app.py`."""

    documents: Documents
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
        self.calls = CallLog()
        self._rooms = rooms
        self._caller = Caller(rooms.services, arrival, self.calls)
        self._documents = rooms.documents
        self._budget = rooms.documents.budget()
        self._token = rooms.authenticator.check(arrival.authorization, self._caller)
        self._context = Context(arrival, self._caller, rooms.revocations.moved)

    @property
    def upstream_calls(self) -> int:
        return self.calls.total

    async def answer(self, request: OperationRequest) -> Envelope:
        """Answer one operation. Never raises: a refusal or a fault is an envelope too."""
        started = time.perf_counter()
        operation = None
        try:
            with self._rooms.services.tracing.step("document") as span:
                operation = await self._documents.find(request, self.arrival.client, self._budget)
                if span.is_recording():
                    operation.describe(span.set_attribute)
            _check_method(operation, request)
            await self._authenticate(operation)
            envelope = await self._execute(operation, request)
        except ClientError as error:
            envelope = refusal(error)
        except Exception as error:
            envelope = failure(error, self.arrival.request_id)
        screen = operation.facts.screen if operation else None
        seconds = time.perf_counter() - started
        count(self._rooms.services.metrics, envelope, screen, self.arrival.client, seconds)
        return envelope

    async def _authenticate(self, operation: Operation) -> None:
        """Sets the viewer. A dead token spares what is always allowed: one must sign in again."""
        try:
            self._caller.viewer = await self._token.viewer()
        except Unauthenticated:
            if not operation.facts.always_allowed:
                raise

    async def _execute(self, operation: Operation, request: OperationRequest) -> Envelope:
        rooms = self._rooms
        with rooms.services.tracing.step("execute") as span:
            result = await rooms.executor.execute(operation, request.variables, self._context)
            span.set_attribute(Attribute.FIELD_ERRORS, len(result.errors))
            span.set_attribute(Attribute.PLAN, result.plan)
        calls = self.calls if rooms.development else None
        return shape(result, self.arrival.request_id, operation.facts.public, calls)


def _check_method(operation: Operation, request: OperationRequest) -> None:
    if request.read_only and operation.type != "query":
        raise MethodNotAllowed("A mutation needs POST; GET only reads.")
