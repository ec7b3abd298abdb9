"""Building blocks of request and reply records; what the fields mean belongs to each service."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from starlette.responses import Response

from core_services.kit.times import from_wire

LONGEST_ID = 64
MOST_IDS = 200


# PostgreSQL cannot store U+0000 in text, and no honest client sends it.
_WITHOUT_NUL = r"^[^\x00]*$"


def _rfc3339(value: object) -> datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with a zone, for example 2026-11-20T08:46:00Z")
    try:
        return max(from_wire(value.upper()), _EARLIEST)
    except OverflowError as failure:
        raise ValueError("must lie between the years 1 and 9999") from failure


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
TimeParameter = Annotated[
    datetime, PlainValidator(_rfc3339), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""An instant in a query; earlier than 1970 counts as 1970."""

Text = Annotated[str, Field(pattern=_WITHOUT_NUL)]
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[A-Za-z0-9_-]+$")]
LooseId = Annotated[Text, Field(max_length=LONGEST_ID)]
"""An id to look up: anything up to 64 characters; what does not exist is simply not found."""
WireTime = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        examples=["2026-11-20T08:46:00.000Z"],
    ),
]
Revision = Annotated[int, Field(ge=0, le=2**63 - 1)]


def _whole(number: float) -> float | int:
    return int(number) if number.is_integer() else number


class Input(BaseModel):
    """A request body: unknown keys, NaN and values of another JSON type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, given: Any) -> Any:
        # JSON Schema (validation, section 6.1.1) counts 3.0 as an integer, strict pydantic not.
        if not isinstance(given, dict):
            return given
        return {
            name: _whole(value) if type(value) is float else value for name, value in given.items()
        }


class Reply(BaseModel):
    """A reply body, for the OpenAPI document; routes send it as ready-made JSON (`reply`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IdBatch(Input):
    """The body of every batch endpoint: at most 200 ids of at most 64 characters."""

    ids: Annotated[list[LooseId], Field(min_length=1, max_length=MOST_IDS)]

    def distinct(self) -> list[str]:
        """Return the ids in request order, each once."""
        return list(dict.fromkeys(self.ids))


class Media(Reply):
    """A stored image: the gateway makes URLs from `key`; sizes in pixels."""

    key: str
    width: int
    height: int
    blur_hash: str
    alt: str


def reply(
    content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return JSON that no model validates again.

    Contract tests hold it to the documented schema.
    """
    return Response(orjson.dumps(content), status, headers, "application/json")
