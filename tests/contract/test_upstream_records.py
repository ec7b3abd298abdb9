"""What the gateway decodes is what the services' OpenAPI documents promise, field by field."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest

import bff.upstreams
from bff.access.keys import KeySet
from bff.access.revocations import Revocations
from bff.commands.development import SERVICES
from bff.config import AccessConfig
from bff.telemetry.metrics import Metrics
from bff.upstreams.method import Method

SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _methods() -> list[Method[Any]]:
    found: list[Method[Any]] = []
    for module in pkgutil.iter_modules(bff.upstreams.__path__, "bff.upstreams."):
        loaded = importlib.import_module(module.name)
        found += [value for value in vars(loaded).values() if isinstance(value, Method)]
    config, metrics = AccessConfig(), Metrics("test")
    found += [KeySet(config, metrics)._method, Revocations(config, metrics)._method]
    return found


METHODS = _methods()


@cache
def openapi(service: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "core_services", "openapi", service]
    done = subprocess.run(command, capture_output=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _answer_schema(method: Method[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(document, schema of the 2xx answer)."""
    document = openapi(method.service)
    operation = document["paths"].get(method.path, {}).get(method.verb.lower())
    assert operation is not None, (
        f"{method.verb} {method.path} is not in `python -m core_services openapi {method.service}`"
    )
    status = next(code for code in operation["responses"] if code.startswith("2"))
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    return document, schema


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        node: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def problems(
    document: dict[str, Any], schema: dict[str, Any], annotation: Any, where: str
) -> list[str]:
    """Every place where a promised value would not fit the record."""
    schema = _resolve(document, schema)
    options = [
        _resolve(document, one) for one in schema.get("anyOf", schema.get("oneOf", [schema]))
    ]
    members = (
        get_args(annotation) if get_origin(annotation) in (UnionType, Union) else (annotation,)
    )
    nullable = any(one.get("type") == "null" for one in options)
    found = [f"{where}: may be null"] if nullable and type(None) not in members else []
    for option in options:
        if option.get("type") != "null":
            found += _one(document, option, [m for m in members if m is not type(None)], where)
    return found


def _one(
    document: dict[str, Any], schema: dict[str, Any], members: list[Any], where: str
) -> list[str]:
    structs = [m for m in members if isinstance(m, type) and issubclass(m, msgspec.Struct)]
    if structs:
        return _struct(document, schema, structs, where)
    annotation = members[0]
    if get_origin(annotation) is list:
        if schema.get("type") != "array":
            return [f"{where}: is {schema.get('type')}, not an array"]
        return problems(document, schema["items"], get_args(annotation)[0], f"{where}[]")
    if get_origin(annotation) is dict:
        return []
    if get_origin(annotation) is Literal:
        promised = schema.get("enum", [schema.get("const")])
        unknown = [value for value in promised if value not in get_args(annotation)]
        return [f"{where}: may be {value!r}, the record does not know it" for value in unknown]
    promised = schema.get("type") or ("string" if "enum" in schema or "const" in schema else None)
    wanted = SCALARS[annotation]
    if promised == wanted or (promised == "integer" and wanted == "number"):
        return []
    return [f"{where}: is {promised}, the record holds {wanted}"]


def _struct(
    document: dict[str, Any], schema: dict[str, Any], structs: list[Any], where: str
) -> list[str]:
    struct = structs[0]
    if len(structs) > 1:
        tags = {one.__struct_config__.tag: one for one in structs}
        field = structs[0].__struct_config__.tag_field
        kind = _resolve(document, schema)["properties"][field]
        tag = kind.get("const") or kind["enum"][0]
        if tag not in tags:
            return [f"{where}: kind {tag!r} has no record"]
        struct = tags[tag]
    found: list[str] = []
    for field_info in msgspec.structs.fields(struct):
        name = f"{where}.{field_info.encode_name}"
        promised = schema.get("properties", {}).get(field_info.encode_name)
        if promised is None:
            found.append(f"{name}: not promised")
            continue
        if field_info.required and field_info.encode_name not in schema.get("required", []):
            found.append(f"{name}: may be left out")
        found += problems(document, promised, field_info.type, name)
    return found


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{m.service}.{m.name}")
def test_records_fit_openapi(method: Method[Any]) -> None:
    """Every field of every record a method decodes is promised, with its type and nullability."""
    document, schema = _answer_schema(method)
    found = problems(document, schema, method.answer, method.name)
    assert found == [], (
        f"compared with `python -m core_services openapi {method.service}`, which is made from "
        f"core_services/{method.service}: change the record in bff/upstreams, or the service first"
    )


def test_every_service_is_called() -> None:
    """The methods checked above are of all services, so that none goes unchecked."""
    assert {method.service for method in METHODS} == set(SERVICES)


def test_a_wrong_record_is_found() -> None:
    """The comparison can fail: a wrong type, a missing field and a null are each named."""
    schema = {
        "properties": {
            "id": {"type": "integer"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "kind": {"enum": ["a", "b"]},
        },
        "required": ["id", "note", "kind"],
    }
    wrong = msgspec.defstruct(
        "Wrong", [("id", str), ("note", str), ("kind", Literal["a"]), ("more", str)]
    )
    assert problems({}, schema, wrong, "w") == [
        "w.id: is integer, the record holds string",
        "w.note: may be null",
        "w.kind: may be 'b', the record does not know it",
        "w.more: not promised",
    ]
