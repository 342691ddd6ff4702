"""The monitor: tables and live views that say what the journal says, and read only what is new."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.fleet.cli_monitor import screen_of
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.monitor import Follower, line_of
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.runs.card import card_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show.sparkline import BLOCKS, meter, spark_text
from peaktrade_core.trading.events import BarDone
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import command, environment, until


def test_a_follower_gives_each_event_once_however_the_file_grows(
    run_shadow: Callable, workspace: Workspace, tmp_path: Path
) -> None:
    journal = RunFolder(workspace.runs, run_shadow(steps=80).session_id).journal
    data, events = journal.read_bytes(), list(read_journal(journal))
    growing = tmp_path / "events.jsonl"
    follower, got = Follower(growing), []
    assert follower.new() == []
    for start in range(0, len(data), 777):
        with growing.open("ab") as file:
            file.write(data[start : start + 777])
        got += follower.new()
    assert got == events
    assert follower.new() == []


def test_a_follower_begins_behind_what_is_there_even_in_the_middle_of_a_line(
    run_shadow: Callable, workspace: Workspace, tmp_path: Path
) -> None:
    data = RunFolder(workspace.runs, run_shadow(steps=30).session_id).journal.read_bytes()
    cut = data.rindex(b"\n", 0, -200) + 40
    growing = tmp_path / "events.jsonl"
    growing.write_bytes(data[:cut])
    follower = Follower(growing)
    with growing.open("ab") as file:
        file.write(data[cut:])
    seen = follower.new()
    assert len(seen) == data[data.rindex(b"\n", 0, cut) :].count(b"\n") - 1
    assert follower.broken == 0


def test_a_broken_line_is_counted_and_passed_over(tmp_path: Path, run_shadow: Callable, workspace: Workspace) -> None:
    lines = RunFolder(workspace.runs, run_shadow(steps=20).session_id).journal.read_bytes().splitlines(keepends=True)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join((*lines[:5], b"\xff{broken\n", *lines[5:])))
    follower = Follower(path, from_end=False)
    assert len(follower.new()) == len(lines)
    assert follower.broken == 1


def test_every_kind_of_event_is_one_line(run_shadow: Callable, workspace: Workspace) -> None:
    for event in read_journal(RunFolder(workspace.runs, run_shadow(steps=500).session_id).journal):
        line = line_of(event)
        assert "\n" not in line
        if isinstance(event, BarDone):
            assert line.startswith(f"Step {event.step} | ")
            assert f"Signal: {event.signal} | Equity: {event.equity:,.2f}" in line


def test_overview_and_run_show_the_same_figures_as_the_record(peaktrade: Callable, run_shadow: Callable) -> None:
    record = run_shadow(steps=200)
    assert "No run is active" in peaktrade("monitor", "overview").stdout
    shown = json.loads(peaktrade("monitor", "overview", "--include-inactive", "--json").stdout)
    assert shown["totals"]["runs"] == 1
    assert shown["runs"][0]["equity"] == record.metrics["equity_end"]
    assert record.session_id in peaktrade("monitor", "overview", "--max-age-hours", 1).stdout
    one = json.loads(peaktrade("monitor", "run", "--run-id", record.session_id, "--limit", 5, "--json").stdout)
    assert [bar["step"] for bar in one["bars"]] == [195, 196, 197, 198, 199]
    assert one["bars"][-1]["equity"] == record.metrics["equity_end"]
    assert "Max" not in peaktrade("monitor", "run", record.session_id).stderr


def test_unknown_runs_and_contradictions_are_said(peaktrade: Callable) -> None:
    for words in (
        ("monitor", "run", "nix"),
        ("fleet", "stop", "nix"),
        ("fleet", "tail", "../x"),
        ("monitor", "follow", "nix"),
    ):
        done = peaktrade(*words)
        assert done.code == 4, words
        assert "no run" in done.stderr
    assert peaktrade("monitor", "run").code == 2
    assert peaktrade("fleet", "stop", "x", "--all").code == 2
    assert peaktrade("monitor", "overview", "--only-active", "--include-inactive").code == 2


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 50), (200, 60)])
def test_a_followed_run_fits_its_screen_and_is_green_while_it_goes_well(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], width: int, height: int
) -> None:
    record, views = run_shadow(seed=1, steps=300), Views.of(workspace)
    ended = card_of(views, views.run(record.run_id))
    assert (ended.planned, ended.share, ended.left_s, len(ended.equity)) == (300, 1.0, None, 120)
    now = msgspec.structs.replace(ended.run, state="running", ended_at=None, step=75, exposure=450.0)
    card = ended._replace(run=now, left_s=570.0)
    events = views.tail_events(record.run_id, 15)
    lines = screen_of(card, events, width, height, "utf-8")
    told = [click.unstyle(line) for line in lines]
    assert max(map(len, told)) <= width
    assert len(told) <= max(height, 27)
    said = dict(
        re.split(r" {2,}", line.strip(), maxsplit=1) for line in told if line.startswith("  ") and line.count("  ") > 1
    )
    assert said["Bars done"].endswith("75 of 300 bars, 9 m 30 s left")
    assert any("● RUN" in line and "\x1b[32m" in line for line in lines)
    assert set(said["Equity lately"]) <= set(BLOCKS)
    halted = card._replace(run=msgspec.structs.replace(now, halted="drawdown"))
    assert not any(
        "HALTED" in line and "\x1b[32m" in line for line in screen_of(halted, events, width, height, "utf-8")
    )
    assert "\n".join(screen_of(card, events, width, height, "ascii")).isascii()


@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=300), st.integers(1, 80), st.floats(0.0, 2.0))
def test_blocks_and_bars_of_a_terminal_keep_their_width(values: list[float], width: int, share: float) -> None:
    known = [value for value in values if not math.isnan(value)]
    told, bar = spark_text(values, width), meter(share, width)
    assert len(told) == min(len(known), width)
    assert len(bar) == width
    assert ("░" not in bar) is (share >= 1.0)
    assert ("█" in bar) is ((share > 0.0 and width > 1) or share >= 1.0)
    if told and max(known) > min(known) and len(known) <= width:
        assert {told[known.index(max(known))], told[known.index(min(known))]} == {BLOCKS[-1], BLOCKS[0]}


def test_follow_ends_with_its_run_or_with_ctrl_c(workspace: Workspace, launch: Callable, start: Callable) -> None:
    run_id = launch()
    until(lambda: Views.of(workspace).run(run_id).step)
    stopped = start("monitor", "follow", run_id, "--refresh-interval", 0.2)
    assert stopped.stdout.readline()
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(60) == 130
    watching = start("fleet", "tail", run_id, "--follow", "--json", "--limit", 3)
    first = json.loads(watching.stdout.readline())
    list(Fleet.of(workspace).stop([Views.of(workspace).run(run_id)], by="kim", reason="test"))
    rest = [json.loads(line) for line in watching.stdout]
    numbers = [event["seq"] for event in (first, *rest)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert rest[-1]["type"] == "end"
    assert rest[-1]["status"] == "aborted"


def test_in_a_terminal_what_was_filled_and_denied_stays_in_sight(run_shadow: Callable, home: Path) -> None:
    record = run_shadow(steps=500, position_fraction=0.2)
    master, slave = os.openpty()
    args = command("monitor", "follow", record.session_id)
    with subprocess.Popen(args, stdout=slave, stderr=slave, stdin=slave, env=environment(home)) as running:
        os.close(slave)
        told = b""
        with contextlib.suppress(OSError):  # the other end is closed when it ended
            while data := os.read(master, 1 << 16):
                told += data
        assert running.wait(60) == 0
    os.close(master)
    assert b"denial" in told
    assert b"Step " not in told
    assert b"Ctrl-C" not in told  # it has ended
