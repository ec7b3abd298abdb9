"""The OpenAPI document of a service names what the kit adds to every operation."""

from typing import Any

import pytest
from click.testing import CliRunner

from core_services.__main__ import NAMES, find_service, main
from core_services.kit.app import build_app

PUBLIC = {"/healthz", "/readyz", "/metrics", "/.well-known/jwks.json"}


def document_of(name: str) -> dict[str, Any]:
    """Return the document of a service without starting it."""
    service = find_service(name)
    return build_app(service, service.settings.model_construct()).openapi()


def operations(name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return path, method and operation of everything a service documents."""
    paths = document_of(name)["paths"]
    return [(path, method, item[method]) for path, item in paths.items() for method in item]


@pytest.mark.parametrize("name", NAMES)
def test_security_is_documented(name: str) -> None:
    """Everything but the public paths needs the caller; viewer operations need both at once."""
    for path, _, operation in operations(name):
        if path in PUBLIC:
            assert operation["security"] == []
            continue
        [needed] = operation["security"]
        assert set(needed) in ({"caller"}, {"caller", "viewer"}), path
        assert {"400", "401", "500", "503", "504"} <= operation["responses"].keys(), path


@pytest.mark.parametrize("name", NAMES)
def test_writes_document_their_key(name: str) -> None:
    """Every mutation needs an idempotency key and documents its refusals and replays."""
    keyed = 0
    for path, method, operation in operations(name):
        headers = {parameter["name"]: parameter for parameter in operation["parameters"]}
        assert {"x-deadline-ms", "x-request-id"} <= headers.keys()
        is_write = method != "get" and not path.endswith("/batch")
        assert ("idempotency-key" in headers) == is_write, path
        if is_write:
            keyed += 1
            assert headers["idempotency-key"]["required"]
            assert "IDEMPOTENCY_KEY_REUSED" in operation["responses"]["422"]["description"]
            assert "IDEMPOTENCY_IN_PROGRESS" in operation["responses"]["409"]["description"]
            done = next(status for status in operation["responses"] if status.startswith("2"))
            assert "idempotency-replayed" in operation["responses"][done]["headers"]
    assert keyed >= 1


@pytest.mark.parametrize("name", NAMES)
def test_problems_share_one_schema(name: str) -> None:
    """Every refusal is problem+json of one schema, and FastAPI's own error schema is gone."""
    for path, _, operation in operations(name):
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                continue
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ProblemBody"}, (path, status)
    assert "HTTPValidationError" not in document_of(name)["components"]["schemas"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_snake_case(name: str) -> None:
    """Operation ids and fields are snake_case and unique."""
    found = [operation["operationId"] for _, _, operation in operations(name)]
    assert len(set(found)) == len(found)
    fields = {
        field
        for schema in document_of(name)["components"]["schemas"].values()
        for field in schema.get("properties", {})
    }
    assert all(text == text.lower() and "-" not in text for text in (*found, *fields))


@pytest.mark.parametrize("name", NAMES)
def test_command_prints_json_only(name: str) -> None:
    """`openapi NAME` prints the document and nothing else."""
    result = CliRunner().invoke(main, ["openapi", name])
    assert result.exit_code == 0
    assert result.stdout.startswith("{")
    assert result.stdout.rstrip().endswith("}")
