"""Units of systemd: written for this workspace, hardened, understood by systemd, and told when they differ."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.schedule import service
from peaktrade_core.schedule.service import NAMES, install, status, unit_texts


@pytest.fixture(autouse=True)
def no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no systemd of this machine."""
    monkeypatch.setattr(service, "_active", lambda _: "inactive")


def test_the_units_name_workspace_program_and_the_only_places_to_write(home: Path, tmp_path: Path) -> None:
    found = install(home, tmp_path / "units", 8123)
    assert [(unit.name, unit.file) for unit in found] == [(name, "as written") for name in NAMES]
    watch, dashboard = ((tmp_path / "units" / name).read_text() for name in NAMES)
    assert f'watch --home "{home}"\n' in watch
    assert f'dashboard --home "{home}" --host 127.0.0.1 --port 8123\n' in dashboard
    for text in (watch, dashboard):
        assert "$" not in text
        for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "UMask=0077", f'ReadWritePaths="{home}" "'):
            assert line in text
    assert "KillMode=process" in watch  # runs that it started go on


def test_another_port_or_a_changed_file_is_told(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    assert [unit.file for unit in status(home, folder, 8000)] == ["absent", "absent"]
    install(home, folder, 8000)
    assert [unit.file for unit in status(home, folder, 8001)] == ["as written", "differs"]
    (folder / NAMES[0]).write_bytes(b"\xff mine")
    assert [unit.file for unit in status(home, folder, 8000)] == ["differs", "as written"]


@pytest.mark.parametrize("name", ["a\nExecStart=x", 'a"b', "a%h", "a$b", "a\\b", "ä"])
def test_a_path_that_a_unit_could_read_in_another_way_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a unit of systemd takes"):
        unit_texts(tmp_path / name, 8000)


def test_the_command_writes_them_says_how_to_start_them_and_what_stands(
    home: Path, tmp_path: Path, peaktrade: Callable[..., Any]
) -> None:
    to = ("--to", str(tmp_path / "units"))
    before = peaktrade("service", "status", *to)
    assert (before.code, "peaktrade service install" in before.stdout) == (1, True)
    assert peaktrade("service", "install", "--dry-run").stdout.count("[Service]") == 2
    assert not (tmp_path / "units").exists()
    written = peaktrade("service", "install", *to)
    assert written.code == 0
    assert "systemctl --user enable --now" in written.stdout
    assert peaktrade("service", "status", *to).code == 1  # they do not run


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_them(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "units"
    install(home, folder, 8000)
    told = subprocess.run(
        ["systemd-analyze", "--user", "verify", *(str(folder / name) for name in NAMES)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )
    ours = [line for line in told.stderr.splitlines() if str(folder) in line or "peaktrade" in line]
    assert [line for line in ours if "Unknown" in line or "Invalid" in line or "Failed to parse" in line] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_little_that_they_could_harm(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    install(home, folder, 8000)
    for name in NAMES:
        told = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", str(folder / name)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        if "exposure level" not in told:
            pytest.skip("this systemd judges no file")
        assert float(told.rpartition(":")[2].split()[0]) <= 4.5


def test_the_watcher_is_asked_for_signs_of_life_and_both_speak_json(home: Path) -> None:
    watch, dashboard = unit_texts(home, 8000).values()
    assert "Type=notify\nNotifyAccess=main\nWatchdogSec=180\n" in watch
    assert "Environment=PEAKTRADE_LOG=json\n" in watch
    assert "Environment=PEAKTRADE_LOG=json\n" in dashboard
