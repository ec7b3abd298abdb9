"""Each core service, as a real process, keeps its own OpenAPI document's contract under fuzzing.

Deterministic: the seed is printed, and FACET_SCHEMATHESIS_SEED chooses another one.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import click
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core_services.__main__ import NAMES, find_service
from core_services.kit.app import build_app
from tests.harness.callers import Caller, write_callers_file
from tests.harness.services import prepare_service, running_service

SEED = int(os.environ.get("FACET_SCHEMATHESIS_SEED", "20261120"))
EXAMPLES, WRONG = 100, 20
VIEWERS = 50
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
]
METHODS = ("get", "put", "post", "patch", "delete")


def document_of(service: str) -> dict[str, Any]:
    """Return the OpenAPI document of a service without starting it."""
    found = find_service(service)
    return build_app(found, found.settings.model_construct()).openapi()


OPERATIONS = [
    pytest.param(service, path, method, id=f"{service}-{operation['operationId']}")
    for service in NAMES
    for path, item in document_of(service)["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]


@dataclass
class Target:
    """A running service, what it documents, and what its operations answered so far."""

    name: str
    url: str
    caller: Caller
    schema: Any
    session: requests.Session = field(default_factory=requests.Session)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    answers: Counter[int] = field(default_factory=Counter)

    def headers(self, number: int) -> dict[str, str]:
        """Return what a well-behaved BFF sends, for one of 50 viewers in turn."""
        viewer = f"acc_{number % VIEWERS + 1:05d}"
        key = f"fuzz-{SEED}-{number}"
        return {**self.caller.headers(self.name, viewer, key), "x-deadline-ms": "20000"}


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Target]]:
    """The services that were asked for, started at the first use of each."""
    with _Fleet(tmp_path_factory.mktemp("services")) as fleet:
        yield fleet


class _Fleet(dict[str, Target]):
    """Starts a service as a process on seeded SQLite data when it is first looked up."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._running: list[Any] = []

    def __enter__(self) -> "_Fleet":
        return self

    def __missing__(self, name: str) -> Target:
        caller = Caller.new()
        callers_file = write_callers_file(self._folder / f"{name}.json", [caller])
        environ = {
            f"{name.upper()}__DATABASE_URL": f"sqlite+aiosqlite:///{self._folder}/{name}.db",
            f"{name.upper()}__CALLERS_FILE": str(callers_file),
            f"{name.upper()}__LOG_LEVEL": "warning",
        }
        prepare_service(name, environ)
        running = running_service(name, environ, self._folder / f"{name}.log")
        url, _ = running.__enter__()
        self._running.append(running)
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        self[name] = Target(name, url, caller, schema)
        return self[name]

    def __exit__(self, *_: object) -> None:
        for target in self.values():
            target.session.close()
        for running in self._running:
            running.__exit__(None, None, None)


@pytest.mark.parametrize(("service", "path", "method"), OPERATIONS)
def test_operation_keeps_contract(
    targets: dict[str, Target],
    service: str,
    path: str,
    method: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """At least 100 generated calls find no 5xx, nothing undocumented, and reach a 2xx."""
    target = targets[service]
    operation = target.schema[path][method.upper()]
    target.answers.clear()
    _call_examples(target, operation)
    # A path alone cannot be made wrong: any text is an id that is not there.
    wrong = WRONG if operation.body or operation.query else 0
    _fuzz(target, operation, GenerationMode.POSITIVE, EXAMPLES - wrong)
    if wrong:
        _fuzz(target, operation, GenerationMode.NEGATIVE, wrong)
    statuses = dict(sorted(target.answers.items()))
    with capsys.disabled():
        click.echo(f"\n  seed {SEED}: {service} {method.upper()} {path} {statuses}", nl=False)
    assert target.answers.total() >= EXAMPLES
    assert any(200 <= status < 300 for status in statuses), f"no 2xx among {statuses}"


def _call_examples(target: Target, operation: Any) -> None:
    """Send the documented examples, which must reach a 2xx on the demonstration data."""
    raw = operation.definition.raw
    content = raw.get("requestBody", {}).get("content", {}).get("application/json", {})
    for body in _body_examples(target, content) or [NOT_SET]:
        case = operation.Case(
            body=body,
            media_type=None if body is NOT_SET else "application/json",
            path_parameters=_examples_in(raw, "path"),
            query=_examples_in(raw, "query"),
        )
        # A multiple of VIEWERS is the first viewer; below zero no generated call has it.
        response = _call(target, case, -VIEWERS * next(target.numbers))
        assert 200 <= response.status_code < 300, (body, response.text)


def _body_examples(target: Target, content: dict[str, Any]) -> list[Any]:
    schema = content.get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    found = target.schema.raw_schema["components"]["schemas"].get(name, schema)
    named = [example["value"] for example in content.get("examples", {}).values()]
    return [*named, *found.get("examples", [])]


def _examples_in(raw: dict[str, Any], place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for parameter in raw.get("parameters", []):
        if parameter["in"] != place:
            continue
        examples = [*parameter["schema"].get("examples", [])]
        examples += [value["value"] for value in parameter.get("examples", {}).values()]
        examples += [parameter["example"]] if "example" in parameter else []
        if examples:
            found[parameter["name"]] = examples[0]
    return found


def _fuzz(target: Target, operation: Any, mode: GenerationMode, examples: int) -> None:
    @seed(SEED)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, headers=target.headers(0)))
    def run(case: Case[Any]) -> None:
        _call(target, case, next(target.numbers))

    run()


def _call(target: Target, case: Case[Any], number: int) -> Any:
    # The headers are always honest and the key always new: forged ones have tests of their own,
    # and two calls that share a key by chance would only be refused.
    headers = target.headers(number)
    response = case.call(session=target.session, headers=headers, timeout=20)
    target.answers[response.status_code] += 1
    # A cursor is opaque: no schema can say which texts we handed out.
    checks = [check for check in CHECKS if check is not positive_data_acceptance]
    case.validate_response(
        response, checks=checks if _is_bad_cursor(response) else CHECKS, headers=headers
    )
    return response


def _is_bad_cursor(response: Any) -> bool:
    return response.status_code == 422 and b'"code":"BAD_CURSOR"' in response.content
