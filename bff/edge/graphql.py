"""The GraphQL routes: from bytes to operations, through the pipeline, to an answer."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod

from starlette.types import Receive

from bff.config import Settings
from bff.edge import params, strict_json
from bff.edge.admission import Entrance
from bff.edge.answer import Answer, Framer, html_answer
from bff.edge.body import check_media_type, read_body
from bff.edge.csrf import check_preflight
from bff.edge.endpoint import Endpoint
from bff.edge.head import Head, arrival
from bff.edge.interfaces import EdgeTelemetry, Exchange, Pipeline
from bff.edge.negotiation import prefers_html
from bff.edge.params import Asked
from bff.errors import ClientError, MethodNotAllowed
from bff.request import Arrival, OperationRequest
from bff.response.envelope import Envelope, refusal
from bff.response.shape import failure

# The page keeps its own state in the URL, under other names.
_OPERATION_PARAMETERS = (b"query=", b"documentId=", b"id=", b"extensions=")


class OperationEndpoint(Endpoint):
    """What /graphql and /documents have in common."""

    methods: tuple[str, ...] = ("GET", "HEAD")

    def __init__(
        self,
        route: str,
        pipeline: Pipeline,
        settings: Settings,
        telemetry: EdgeTelemetry | None,
        entrance: Entrance | None = None,
    ) -> None:
        super().__init__(route, telemetry=telemetry, timing=settings.development)
        self._pipeline = pipeline
        self._edge = settings.edge
        self._deadline_ms = settings.screens.deadline_ms
        self._framer = Framer(settings.edge, settings.client)
        self._door = entrance or Entrance(edge=settings.edge)

    async def answer(self, head: Head, receive: Receive) -> Answer:
        """Read, let in, ask the pipeline, frame. Refusals of the edge never reach the pipeline."""
        try:
            self._check_method(head)
            body = await self._body(head, receive)
        except ClientError as error:
            return self._refused(error, head)
        entrance, read_at = self._door, time.perf_counter()
        visit = entrance.visit(head)
        limited = entrance.limited(visit, head)
        if limited is not None:
            return limited
        if not await entrance.enters(visit):
            return entrance.shed(visit, head)
        places = 1
        try:
            asked = self._asked(head, body)
            if asked.batch:
                places = len(asked.members)
                entrance.adds(places - 1)
                limited = entrance.limited(visit, head, places - 1) if places > 1 else None
                if limited is not None:
                    return limited
            # The wait at the entrance was the request's own time.
            left_ms = self._deadline_ms - (time.perf_counter() - read_at) * 1000
            arrived = arrival(
                head,
                left_ms,
                address=visit.address,
                priority=visit.priority,
                by_account=visit.account is not None,
            )
            return await self._ask(asked, arrived, head)
        except ClientError as error:
            return self._refused(error, head)
        finally:
            entrance.leave(places)

    async def _ask(self, asked: Asked, arrived: Arrival, head: Head) -> Answer:
        exchange = self._pipeline.open(arrived)
        try:
            if asked.batch:
                exchange.together()
                members = (_in_place(exchange, member, head) for member in asked.members)
                answer = self._framer.many(await asyncio.gather(*members), head)
            else:
                answer = self._framer.one(await exchange.answer(asked.only), head)
        except BaseException:
            self._door.forget(arrived)
            raise
        answer.operations = len(asked.members)
        answer.upstream_calls = exchange.upstream_calls
        answer.client = arrived.client
        answer.used = exchange.used
        self._door.tell(answer, arrived)
        return answer

    def _refused(self, error: ClientError, head: Head) -> Answer:
        return self._framer.one(refusal(error), head, allow=", ".join(self.methods).encode())

    async def _body(self, head: Head, receive: Receive) -> bytes:
        """The body, where the method has one. Raises RequestError and ClientGoneError."""
        return b""

    @abstractmethod
    def _asked(self, head: Head, body: bytes) -> Asked:
        """The operations of this request. Raises RequestError."""

    def _check_method(self, head: Head) -> None:
        if head.method not in self.methods:
            raise MethodNotAllowed(f"this URL answers {', '.join(self.methods)} only")

    def _check_read(self, head: Head) -> None:
        if self._edge.cookie_credential:
            check_preflight(head)


class GraphqlEndpoint(OperationEndpoint):
    """POST and GET /graphql."""

    methods = ("GET", "HEAD", "POST")

    async def _body(self, head: Head, receive: Receive) -> bytes:
        if head.safe:
            return b""
        check_media_type(head.headers)
        return await read_body(head.headers, receive, self._edge.max_body_bytes)

    def _asked(self, head: Head, body: bytes) -> Asked:
        if head.safe:
            self._check_read(head)
            only = params.from_query(
                head.query,
                max_bytes=self._edge.max_body_bytes,
                max_depth=self._edge.max_json_depth,
            )
            return Asked.alone(only)
        value = strict_json.parse(body, where="the body", max_depth=self._edge.max_json_depth)
        return params.from_json(value, max_batch_size=self._edge.max_batch_size)


class IdeEndpoint(GraphqlEndpoint):
    """The same, with a page (`ide`, HTML) for a browser that asks nothing yet; for developers."""

    def __init__(
        self,
        route: str,
        pipeline: Pipeline,
        settings: Settings,
        telemetry: EdgeTelemetry | None,
        entrance: Entrance | None = None,
        *,
        ide: str,
    ) -> None:
        super().__init__(route, pipeline, settings, telemetry, entrance)
        self._ide = ide.encode()

    async def answer(self, head: Head, receive: Receive) -> Answer:
        if _opens_ide(head):
            return html_answer(self._ide)
        return await super().answer(head, receive)


class DocumentEndpoint(OperationEndpoint):
    """GET /documents/{id}/{operationName}: one URL per document and variables, for CDNs."""

    def _asked(self, head: Head, body: bytes) -> Asked:
        self._check_read(head)
        only = params.from_document_path(
            head.path_params["id"],
            head.path_params["operationName"],
            head.query,
            max_bytes=self._edge.max_body_bytes,
            max_depth=self._edge.max_json_depth,
        )
        return Asked.alone(only)


def _opens_ide(head: Head) -> bool:
    if not head.safe or not prefers_html(head.headers.get(b"accept")):
        return False
    return not any(name in head.query for name in _OPERATION_PARAMETERS)


async def _in_place(
    exchange: Exchange, member: OperationRequest | ClientError, head: Head
) -> Envelope:
    """The answer of one batch member: its refusal, or a masked fault, stays in its own place."""
    if isinstance(member, ClientError):
        return refusal(member)
    try:
        return await exchange.answer(member)
    except Exception as error:
        return failure(error, head.request_id)
