"""docs/compiler.md shows what the compiler really makes, and names every reason it falls back."""

from __future__ import annotations

import re
from pathlib import Path

from bff import config as settings_module
from bff.app import load_schema
from bff.commands.plan import compiled_of, newest
from bff.plans.execute import graphql_schema
from tests.contract.sizes import ROOT

PAGE = (ROOT / "docs" / "compiler.md").read_text(encoding="utf-8")
PLANS = Path(ROOT, "bff", "plans")


def _without_numbers(text: str) -> str:
    """Names in generated text are numbered: any change of a schema moves them."""
    return re.sub(r"(?<=[A-Za-z])\d+", "#", text)


def test_the_shown_function_is_real() -> None:
    """The generated function on the page is the one of the iOS home screen, as it is now."""
    shown = re.search(r"```text\n(.*?)```", PAGE, re.S)
    assert shown is not None
    ios = settings_module.load().platforms["ios"]
    home = next(one for one in newest("ios", ios) if one.name == "Home")
    source = compiled_of(graphql_schema(load_schema(ios)), home).source
    assert _without_numbers(shown[1].strip()) in _without_numbers(source)


def test_every_reason_is_on_the_page() -> None:
    """Whatever is counted as the reason of a fallback is explained."""
    reasons: set[str] = set()
    for path in PLANS.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        reasons |= set(re.findall(r'NotCompiled\("([^"]+)"\)', text))
        reasons |= set(re.findall(r'disable\([^"]*"([^"]+)"\)', text))
        reasons |= set(re.findall(r'\.generic = "([^"]+)"', text))
        reasons |= set(re.findall(r'generic_value\([^"]*"([^"]+)"\)', text))
        reasons |= set(re.findall(r'(?:reason|refusal|FAULT) = "([^"]+)"', text))
    assert len(reasons) >= 8
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} == {"no such root type"}
