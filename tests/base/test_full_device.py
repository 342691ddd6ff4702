"""A device on which there is no room: the sentence names the file, which the system does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.files import write_plain
from peaktrade_core.records.folder import RunFolder

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
SAID = "cannot write .*code.json: No space left on device; check the permissions and the free space of "


def test_a_file_that_finds_no_room_is_named(tmp_path: Path) -> None:
    (tmp_path / "code.json").symlink_to(FULL)
    with pytest.raises(EnvironmentFault, match=SAID):
        write_plain(tmp_path / "code.json", b"x")


def test_a_session_that_finds_no_room_names_the_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "shadow_1")
    (folder.stage() / "code.json").symlink_to(FULL)
    with pytest.raises(EnvironmentFault, match=SAID):
        folder.create({}, {"code.json": b"x"})
    assert list(tmp_path.iterdir()) == []
