"""The table of a run's bars is what pyarrow would make of all of them at once, however long the run was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.records import bar_table
from peaktrade_core.records.bar_table import BarTable, read_table, write_table
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.trading.events import BarDone
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture
def bars(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> list[BarDone]:
    """Return the bars of a session, longer than a batch, with denials and letters of all sorts in them."""
    record = run_shadow(steps=9000, seed=5, strategy="rsi_reversion")
    found = [e for e in read_journal(RunFolder(workspace.runs, record.session_id).journal) if type(e) is BarDone]
    assert len(found) > bar_table._BATCH
    found[10] = msgspec.structs.replace(found[10], risk_reasons=("A", "Ümläut"), risk_allowed=False)
    found[11] = msgspec.structs.replace(found[11], risk_reasons=("B",), risk_allowed=False)
    return found


def at_once(path: Path, bars: list[BarDone]) -> None:
    """Write the table as pyarrow does it by itself."""
    stamp = pa.timestamp("us", tz="UTC")
    kinds = {"ts": stamp, "ts_bar": stamp, "risk_reasons": pa.list_(pa.string())}
    values = zip(*map(msgspec.structs.astuple, bars), strict=True)
    columns = {n: pa.array(column, kinds.get(n)) for n, column in zip(BarDone.__struct_fields__, values, strict=True)}
    columns["ts_event"] = columns.pop("ts")
    columns["price"] = columns["close"]
    pq.write_table(pa.table(columns), path, compression="zstd")


def test_the_table_is_byte_for_byte_what_pyarrow_makes_of_all_bars_at_once(bars: list[BarDone], tmp_path: Path) -> None:
    at_once(tmp_path / "expected", bars)
    write_table(tmp_path / "table.parquet", bars)
    assert (tmp_path / "table.parquet").read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_session_writes_the_same_table_while_it_runs(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], tmp_path: Path
) -> None:
    folder = RunFolder(workspace.runs, run_shadow(steps=9000, seed=5).session_id)
    at_once(tmp_path / "expected", [e for e in read_journal(folder.journal) if type(e) is BarDone])
    assert folder.table.read_bytes() == (tmp_path / "expected").read_bytes()
    assert not list(folder.path.glob("*.tmp"))


def test_a_long_run_has_several_groups_of_rows_and_the_same_values(
    bars: list[BarDone], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_table, "_BATCH", 100)
    at_once(tmp_path / "expected", bars)
    table = BarTable(tmp_path / "table.parquet")
    for at in range(0, len(bars), 333):
        table.add(bars[at : at + 333])
    table.close()
    found = pq.ParquetFile(tmp_path / "table.parquet")
    assert found.num_row_groups == -(-len(bars) // 800)
    assert found.read().equals(pq.ParquetFile(tmp_path / "expected").read())


def test_a_run_without_bars_has_an_empty_table(tmp_path: Path) -> None:
    write_table(tmp_path / "table.parquet", [])
    columns = read_table(tmp_path / "table.parquet", ["ts_event", "equity"])
    assert {name: len(column) for name, column in columns.items()} == {"ts_event": 0, "equity": 0}


def test_what_cannot_be_written_is_said_at_the_end(bars: list[BarDone], tmp_path: Path) -> None:
    (tmp_path / ".table.parquet.tmp").mkdir()
    table = BarTable(tmp_path / "table.parquet")
    table.add(bars)
    with pytest.raises(EnvironmentFault, match=r"cannot write .*table\.parquet"):
        table.close()


def test_neither_writing_nor_reading_it_loads_pandas(bars: list[BarDone], tmp_path: Path) -> None:
    (tmp_path / "bars.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(bars[:20]))
    script = """if True:
        import sys, msgspec
        from pathlib import Path
        from peaktrade_core.records.bar_table import read_table, write_table
        from peaktrade_core.trading.events import BarDone
        folder = Path(sys.argv[1])
        bars = msgspec.json.Decoder(BarDone).decode_lines((folder / "bars.jsonl").read_bytes())
        write_table(folder / "table.parquet", bars)
        assert len(read_table(folder / "table.parquet", ["ts_event", "equity"])["equity"]) == 20
        sys.exit("pandas" in sys.modules)
    """
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=300)
