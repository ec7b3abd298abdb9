"""What a check found, told to people, to machines and to the annotations of a code host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

Level = Literal["error", "warning", "notice"]
# Of GitHub's workflow commands; others read them too.
_IN_MESSAGE = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTY = (*_IN_MESSAGE, (":", "%3A"), (",", "%2C"))


class Place(NamedTuple):
    """A line of a file, from 1."""

    file: Path
    line: int = 1

    @property
    def shown(self) -> str:
        """Relative to the working folder where it is below it: so are annotations matched."""
        here = Path.cwd()
        path = self.file.absolute()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)


class Finding(NamedTuple):
    """One thing found: `title` names what it is about (an operation, a schema), `message` says
    what is wrong and the way out."""

    level: Level
    title: str
    message: str
    place: Place

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "level": self.level,
            "title": self.title,
            "message": self.message,
            "file": self.place.shown,
            "line": self.place.line,
        }

    def as_text(self) -> str:
        """For people, without colours."""
        mark = {"error": "✗", "warning": "!", "notice": "·"}[self.level]
        where = f"{plain(self.place.shown)}:{self.place.line}"
        return f"{mark} {where} {plain(self.title)}: {plain_lines(self.message)}"


def plain(text: str) -> str:
    """A text of one line as it may be shown on a terminal: what would move the cursor, or begin a
    line that a code host reads, is written as its escape. Logs and manifests are others' words."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def plain_lines(text: str) -> str:
    """The same for a text that may have several lines."""
    return "\n".join(map(plain, text.split("\n")))


def failed(findings: Iterable[Finding]) -> bool:
    """Whether there is an error among them."""
    return any(one.level == "error" for one in findings)


def counted(number: int, thing: str) -> str:
    """`1 release`, `2 releases`."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def annotated(findings: Iterable[Finding]) -> Iterator[str]:
    """One line for each, `::error file=…,line=…,title=…::…`."""
    for one in findings:
        file = _escaped(one.place.shown, _IN_PROPERTY)
        title = _escaped(one.title, _IN_PROPERTY)
        message = _escaped(one.message, _IN_MESSAGE)
        yield f"::{one.level} file={file},line={one.place.line},col=1,title={title}::{message}"


def _escaped(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    for plain, written in pairs:
        text = text.replace(plain, written)
    return text
