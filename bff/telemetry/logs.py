"""Logs: one JSON object a line on stdout, with request and trace id, without personal data.

What may stand in a line is what callers pass; none passes variables, tokens, headers or bodies.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# What only the standard library's encoder would show by its repr stays that way.
_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


class _Direct(NamedTuple):
    """What an `InfoLogger` needs to know of `configure`."""

    service: str
    shown: bool
    out: _Lossy


_direct: _Direct | None = None


def configure(level: str, service_name: str) -> None:
    """Send every log of this process, the libraries' included, through one JSON renderer.

    Our own lines do not go through `logging`, which would take four fifths of what one costs.
    """
    global _direct
    out = _Lossy(sys.stdout.buffer)
    _direct = _Direct(service_name, LEVELS[level] <= LEVELS["info"], out)
    shared: list[Processor] = [
        _of_service(service_name),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_encoded)],
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", out)),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LEVELS[level])
    for noisy in ("httpx2", "httpcore2", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def logger(name: str) -> Any:
    """A logger that renders nothing until it is used."""
    return structlog.get_logger(name)


class InfoLogger:
    """Writes the same lines as `logger(…).info`, of values that JSON has. For what every request
    tells: structlog takes three times as long. Before `configure` they go its way."""

    def info(self, event: str, **fields: Any) -> None:
        """One line."""
        if _direct is None:
            structlog.get_logger().info(event, **fields)
        elif _direct.shown:
            fields["event"] = event
            fields["service"] = _direct.service
            fields["level"] = "info"
            fields["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            _direct.out.write(_encoded(fields, repr) + b"\n")
            _direct.out.flush()


class _Lossy:
    """Stdout for lines that no request may fail for.

    Failure policy: a full disk or a reader that left costs lines, not answers.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, line: bytes) -> None:
        try:
            self._file.write(line)
        except OSError:
            return

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            return


def _of_service(name: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = name
        return event

    return add


def _encoded(event: EventDict, default: Callable[[Any], Any]) -> bytes:
    """One line. What is no UTF-8, or a number no JSON reader promises to keep, must not cost it."""
    try:
        return orjson.dumps(event, default=default, option=_PLAIN)
    except TypeError:
        return json.dumps(event, default=default).encode()
