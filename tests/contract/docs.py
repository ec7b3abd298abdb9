"""Reads the documentation and says which names in it do not exist; what is promised is the tests'.

Every checker takes a page and gives one line a mistake. Only code is judged: inline and fenced.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from pydantic import BaseModel

from bff.__main__ import cli
from bff.client.verdict import Verdict
from bff.commands.later import Later
from bff.config import Settings
from bff.edge.statuses import STATUSES
from bff.telemetry.metrics import Metrics
from core_services.__main__ import NAMES, find_service
from core_services.__main__ import main as services_cli
from core_services.kit.errors import Problem
from core_services.kit.telemetry import Metrics as ServiceMetrics
from tests.contract.sizes import ROOT

_FENCE = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```[ ]*$", re.M | re.S)
_INLINE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Made by running the product: not in a clone.
_RUNTIME = (".venv/", ".data/")
_MEDIA_TYPE = re.compile(r"(application|multipart|text)/[\w.+-]+")
_SUFFIX = re.compile(r"\.(py|md|yaml|json|toml|graphql|jsonl)$")
_ENDINGS = {"counter": ("_total",), "histogram": ("", "_bucket", "_sum", "_count"), "gauge": ("",)}


@dataclass(frozen=True)
class Page:
    """One Markdown file; `path` is relative to the project."""

    path: Path
    text: str

    @property
    def fences(self) -> list[tuple[str, str]]:
        """(language, text) of every fenced block."""
        return [(match[1], match[2]) for match in _FENCE.finditer(self.text)]

    @property
    def inline(self) -> list[str]:
        """Inline code, line breaks in it as blanks."""
        prose = _FENCE.sub("", self.text)
        paragraphs = re.split(r"\n\s*\n", prose)
        return [" ".join(m[1].split()) for part in paragraphs for m in _INLINE.finditer(part)]

    @property
    def code(self) -> str:
        """All code, a piece a line."""
        return "\n".join([*self.inline, *(text for _, text in self.fences)])


def pages(root: Path = ROOT) -> list[Page]:
    """Every Markdown file of the project; what was installed or generated is not ours."""
    found: list[Path] = []
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if name[0] != "." and name != "node_modules"]
        found += [Path(folder, name) for name in files if name.endswith(".md")]
    return [
        Page(path.relative_to(root), path.read_text(encoding="utf-8")) for path in sorted(found)
    ]


def wrong_paths(page: Page) -> Iterator[str]:
    """Files and folders named in inline code that are not there; `<platform>` means any."""
    for word in page.inline:
        if not _is_path(word):
            continue
        pattern = re.sub(r"<[^>]+>", "*", word.rstrip("/"))
        if not any(ROOT.glob(pattern)):
            yield f"{page.path}: no file or folder {word}"


def _is_path(word: str) -> bool:
    if word.startswith(("/", "@", "-", *_RUNTIME)) or re.search(r"[\s:…=(\"]", word):
        return False
    return "/" in word and _MEDIA_TYPE.fullmatch(word) is None


def wrong_links(page: Page) -> Iterator[str]:
    """Relative links that lead nowhere."""
    for target in _LINK.findall(_FENCE.sub("", page.text)):
        if "://" in target or target.startswith("#"):
            continue
        if not (ROOT / page.path.parent / target.partition("#")[0]).exists():
            yield f"{page.path}: the link {target} leads nowhere"


@cache
def make_verbs() -> frozenset[str]:
    """The Makefile's verbs, as `make help` lists them."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z][a-z-]*):.*## ", text, re.M))


def wrong_make_verbs(page: Page) -> Iterator[str]:
    """`make` verbs the Makefile does not have."""
    for verb in re.findall(r"\bmake ([a-z][a-z-]*)", page.code):
        if verb not in make_verbs():
            yield f"{page.path}: the Makefile has no verb {verb}"


def wrong_commands(page: Page) -> Iterator[str]:
    """Verbs and options of the two command lines that do not exist."""
    programs = ((r"(?<![\w-])bff", cli), (r"python -m core_services", services_cli))
    for name, program in programs:
        for words in re.findall(rf"{name} ([a-zA-Z-][^`|)\n;&]*)", page.code):
            problem = _misspoken(program, words.split())
            if problem:
                yield f"{page.path}: {words.strip()}: {problem}"


def _misspoken(command: click.Command, words: list[str]) -> str | None:
    while isinstance(command, click.Group):
        if not words:
            return None
        found = command.commands.get(words[0])
        if found is None:
            return f"no verb {words[0]}"
        command = found.command if isinstance(found, Later) else found
        words = words[1:]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    named = [word.partition("=")[0].strip("'\"") for word in words if word.startswith("-")]
    return next((f"no option {name}" for name in named if name not in options), None)


def wrong_settings(page: Page) -> Iterator[str]:
    """Settings keys and variables that no model has."""
    for word in page.inline:
        if not _SUFFIX.search(word):
            for key in re.findall(_dotted_key(), word):
                if not _is_setting(key.split(".")):
                    yield f"{page.path}: no setting {key}"
    for variable in re.findall(r"\b(?:BFF|ACCOUNTS|CONTENT|NOTIFICATIONS)__[A-Z]\w*", page.code):
        if not _is_variable(variable):
            yield f"{page.path}: no setting is read from {variable}"
    for variable in re.findall(r"\bBFF_[A-Z]+\b", page.code):
        if variable not in _literals():
            yield f"{page.path}: nothing reads {variable}"


@cache
def _dotted_key() -> str:
    return rf"(?<![\w./])((?:{'|'.join(Settings.model_fields)})(?:\.[a-z_<][\w<>]*)+)"


def _is_variable(name: str) -> bool:
    program, _, rest = name.partition("__")
    if program == "BFF":
        return _is_setting(rest.lower().split("__"))
    kind = find_service(program.lower()).settings
    return name in {kind.variable(field) for field in kind.model_fields}


def _is_setting(parts: list[str], model: Any = Settings) -> bool:
    for part in parts:
        if get_origin(model) is dict:
            model = get_args(model)[1]
        elif isinstance(model, type) and issubclass(model, BaseModel):
            if part not in model.model_fields:
                return False
            model = model.model_fields[part].annotation
        else:
            return False
    return True


@cache
def metrics() -> dict[str, tuple[str, ...]]:
    """Every name Prometheus may show for our metrics, and its labels."""
    found: dict[str, tuple[str, ...]] = {}
    for registry in (Metrics("test").registry, ServiceMetrics("test").registry):
        for family in registry.collect():
            for ending in _ENDINGS[family.type]:
                found[family.name + ending] = _labels(registry, family)
    return found


def _labels(registry: CollectorRegistry, family: Metric) -> tuple[str, ...]:
    # What a collector of our own makes up when it is asked knows its labels itself.
    known: Any = registry._names_to_collectors.get(family.name, family)
    return tuple(known._labelnames)


def wrong_metrics(page: Page) -> Iterator[str]:
    """Metrics, labels, counted events and codes in labels that do not exist."""
    pattern = r"\b((?:facet|core_service)_[a-z][a-z_]*)(?:\{(\w+)=\"(\w+)\"\})?"
    for name, label, value in re.findall(pattern, page.code):
        if name not in metrics():
            yield f"{page.path}: no metric {name}"
        elif label and label not in metrics()[name]:
            yield f"{page.path}: {name} has no label {label}"
        elif label == "event" and value not in _literals():
            yield f"{page.path}: nothing counts the event {value}"
        elif label == "code" and value not in STATUSES:
            yield f"{page.path}: no code {value}"


def wrong_log_names(page: Page) -> Iterator[str]:
    """Log lines (written: log `name`) that nothing writes."""
    for name in re.findall(r"\b[Ll]og(?:\s+line)?\s+`([^`]+)`", page.text):
        if name not in _log_names():
            yield f"{page.path}: nothing logs {name}"


def wrong_codes(page: Page) -> Iterator[str]:
    """Error codes in inline code that neither the gateway nor a service has; verdicts on app builds
    look like codes."""
    for word in page.inline:
        looks_like_one = re.fullmatch(r"[A-Z]+(_[A-Z]+)+", word) and not word.startswith("BFF_")
        known = word in STATUSES or word in _service_codes() or word in _VERDICTS
        if looks_like_one and not known:
            yield f"{page.path}: no code {word}"


_VERDICTS = frozenset(one.value for one in Verdict)


@cache
def _service_codes() -> frozenset[str]:
    for name in NAMES:
        find_service(name)
    kinds, pending = set(), [Problem]
    while pending:
        kind = pending.pop()
        kinds.add(kind)
        pending += kind.__subclasses__()
    return frozenset(kind.code for kind in kinds)


def _sources() -> Iterator[ast.Module]:
    for room in ("bff", "core_services"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


@cache
def _literals() -> frozenset[str]:
    """Every string that stands in the code; sentences among them match no name."""
    nodes = (node for tree in _sources() for node in ast.walk(tree))
    return frozenset(
        node.value for node in nodes if isinstance(node, ast.Constant) and type(node.value) is str
    )


@cache
def _log_names() -> frozenset[str]:
    found = set()
    for tree in _sources():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log" | "_log")),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    found.add(name)
    return frozenset(found)


def code_tables(page: Page) -> dict[str, dict[str, tuple[int, int]]]:
    """Section → code → its two statuses, from the tables of docs/errors.md."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    section = ""
    for line in page.text.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        row = re.match(r"\| `([A-Z_]+)` \| (\d{3}) \| (\d{3}) \|", line)
        if row:
            found.setdefault(section, {})[row[1]] = (int(row[2]), int(row[3]))
    return found
