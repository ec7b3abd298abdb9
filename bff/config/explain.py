"""Wrong settings in words for an operator: key, value and way out, and never a secret."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from bff.config.rooms import WORDS, Room

SECRETS = {
    name
    for room in Room.__subclasses__()
    for name, field in room.model_fields.items()
    if "SecretStr" in str(field.annotation)
}


def explain(error: ValidationError, path: Path) -> str:
    lines = [f"settings are wrong ({path} and BFF__* variables):"]
    for problem in error.errors():
        loc = [str(part) for part in problem["loc"]]
        variable = _variable(problem["loc"])
        where = ".".join(loc)
        if not loc:
            lines.append(f"  {problem['msg']}")
        elif loc == ["environment"]:
            lines.append(f"  BFF_ENV = {problem['input']!r}: {problem['msg']}")
        elif problem["type"] == "extra_forbidden":
            lines.append(
                f"  {where}: unknown key; deploy/bff.yaml names every key (environment: {variable})"
            )
        elif problem["type"] == "missing":
            lines.append(f"  {where} is not set: {problem['msg']} (environment: {variable})")
        else:
            value = _shown(loc[-1], problem["input"])
            lines.append(f"  {where} = {value}: {_said(problem)} (environment: {variable})")
    return "\n".join(lines)


def _variable(location: tuple[int | str, ...]) -> str:
    """The variable a key is set by; the members of a list have none of their own."""
    keys = list(itertools.takewhile(lambda part: isinstance(part, str), location))
    variable = "BFF__" + "__".join(map(str, keys)).upper()
    return variable if len(keys) == len(location) else f'{variable}=["…", "…"]'


def explain_json(error: SettingsError) -> str:
    """A list or mapping of the environment that is no JSON; the value may be a secret."""
    value = getattr(error.__cause__, "doc", None)
    names = [
        name
        for name, held in os.environ.items()
        if name.upper().startswith("BFF__") and held == value
    ]
    what = " or ".join(names) or str(error)
    return (
        f'{what} is not JSON; write a list as ["a", "b"] and a mapping or a whole room as '
        '{"key": "value"}, or set one key each as BFF__<ROOM>__<KEY>'
    )


def _said(problem: Mapping[str, Any]) -> str:
    """What to write, in words where the rule is a pattern."""
    pattern = problem.get("ctx", {}).get("pattern")
    return WORDS.get(pattern, problem["msg"])


def _shown(key: str, value: Any) -> str:
    """A wrong value for the operator's eyes, which may be a log's too: no secret, no password of a
    URL, and never a whole mapping, which could hold either."""
    if key in SECRETS:
        return "***"
    if isinstance(value, dict | list):
        return f"a {type(value).__name__}"
    return without_user(repr(value))


def without_user(text: str) -> str:
    return re.sub(r"//[^/\s]*@", "//***@", text)
