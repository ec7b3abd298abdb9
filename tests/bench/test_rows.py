"""The bench's rows still answer what the bench expects: what it compares stays comparable."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from tests.bench.asking import PLAIN, POST
from tests.bench.load import closed_loop
from tests.bench.measure import PHASES, Phase, started
from tests.bench.rows import ROWS, Row, Start
from tests.bench.setting import Setting
from tests.harness.databases import not_proven

CHECKED = [Phase("get", "GET", PLAIN), Phase("post", "POST", POST), PHASES["gzip"]]


async def calls_of(setting: Setting, rows: Sequence[Row], said: list[str]) -> list[float]:
    """Calls a request, asked one after another, of the rows that answer right; what was said of
    the others goes to `said`."""
    calls: list[float] = []
    async with started(setting, rows, CHECKED, said.append) as running:
        for one in running:
            before = sum((await setting.stubs.calls()).values())
            load = await closed_loop(one.port, one.asks[PLAIN], 1, 0.2)
            assert load.bad == 0
            calls.append((sum((await setting.stubs.calls()).values()) - before) / load.done)
    return calls


async def test_our_rows_answer_right(setting: Setting) -> None:
    """Our gateway, in production settings over the stub services, answers every viewer what the
    bench works out by hand, in both modes and codings; compiled it takes four calls."""
    said: list[str] = []
    calls = await calls_of(setting, [ROWS["facet"], ROWS["facet-generic"]], said)
    assert said == []
    assert calls[0] == 4.0


async def test_ended_row_is_left_out(setting: Setting) -> None:
    """A gateway that does not start costs its own row only, and its log says why."""

    def start(setting: Setting, port: int) -> Start:
        return Start([sys.executable, "-c", "import sys; sys.exit('no such port')"], {})

    said: list[str] = []
    calls = await calls_of(setting, [Row("gone", "gone", start), ROWS["floor"]], said)
    assert len(calls) == len(said) == 1
    assert "gone is left out" in said[0]
    assert "no such port" in said[0]


@pytest.mark.verify
@pytest.mark.timeout(900)  # the first run installs the peers
async def test_peers_answer_right(setting: Setting) -> None:
    """Every peer starts and answers every viewer exactly what we do."""
    peers = [row for row in ROWS.values() if not row.name.startswith("facet")]
    said: list[str] = []
    await calls_of(setting, peers, said)
    if any("no Node.js" in text for text in said):
        not_proven("Node.js", "install Node.js 20 or newer, with npm on PATH")
    assert said == []
