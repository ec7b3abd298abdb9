"""What a script saw: exchanges on the wire, and what the library then gave to the app."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GRAPHQL_JSON = "application/graphql-response+json; charset=utf-8"
PLAIN_JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Exchange:
    """One HTTP request that left the library and its answer."""

    raw: Mapping[str, Any]

    @property
    def line(self) -> tuple[str, int]:
        """Method and status."""
        return self.raw["method"], self.raw["status"]

    @property
    def sent(self) -> Any:
        """The request's parameters, from the body or the URL, JSON parts decoded."""
        if self.raw["method"] == "POST":
            return self.raw["body"]
        parameters = dict(self.raw["parameters"])
        for name in ("variables", "extensions"):
            if name in parameters:
                parameters[name] = json.loads(parameters[name])
        return parameters

    @property
    def persisted(self) -> dict[str, Any]:
        """`extensions.persistedQuery` of a single operation."""
        found: dict[str, Any] = self.sent["extensions"]["persistedQuery"]
        return found

    @property
    def has_text(self) -> bool:
        return "query" in self.sent

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the request, as the library set them."""
        return self.raw["headers"]  # type: ignore[no-any-return]

    @property
    def answer(self) -> Any:
        return self.raw["answer"]

    @property
    def answer_headers(self) -> Mapping[str, str]:
        return self.raw["answerHeaders"]  # type: ignore[no-any-return]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.answer.get("errors", ())]


@dataclass(frozen=True)
class Seen:
    """One scenario."""

    raw: Mapping[str, Any]

    @property
    def exchanges(self) -> list[Exchange]:
        return [Exchange(one) for one in self.raw["exchanges"]]

    @property
    def lines(self) -> list[tuple[str, int]]:
        return [exchange.line for exchange in self.exchanges]

    @property
    def only(self) -> Exchange:
        """The one request there was."""
        (exchange,) = self.exchanges
        return exchange

    @property
    def delivered(self) -> Any:
        """What the one operation of this scenario gave to the app."""
        (delivery,) = self.raw["delivered"]
        return delivery

    @property
    def deliveries(self) -> list[Any]:
        """What the app was given, one for each operation, in the order they were asked."""
        return self.raw["delivered"]  # type: ignore[no-any-return]


def without_typenames(value: Any) -> Any:
    """The value without what clients add for their caches (`__typename`, `__isItem`)."""
    if isinstance(value, list):
        return [without_typenames(one) for one in value]
    if isinstance(value, dict):
        return {
            name: without_typenames(one) for name, one in value.items() if not name.startswith("__")
        }
    return value


def differences(part: Any, whole: Any, path: str = "data") -> Iterator[str]:
    """Where `part` says something else than `whole`; what only `whole` has is no difference."""
    if isinstance(part, dict) and isinstance(whole, dict):
        for name, value in part.items():
            if name in whole:
                yield from differences(value, whole[name], f"{path}.{name}")
            else:
                yield f"{path}.{name} was not answered"
    elif isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        for index, (one, other) in enumerate(zip(part, whole, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif part != whole:
        yield f"{path} is {part!r}, answered was {whole!r}"
