from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from aos.kernel.errors import NotAllowedNow, SettingInvalid
from aos.local.stack_files import in_use, make_keys, start_log


def test_keys_are_made_once_and_kept_to_their_owner(tmp_path: Path) -> None:
    file = tmp_path / "home" / "keys.json"
    keys = make_keys(file)
    assert make_keys(file) == keys
    assert len(set(keys)) == 2
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_spoilt_keys_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{}")
    with pytest.raises(SettingInvalid, match=r"keys\.json"):
        make_keys(file)


def test_data_belongs_to_one_stack_at_a_time(tmp_path: Path) -> None:
    with in_use(tmp_path), pytest.raises(NotAllowedNow, match="Another stack"), in_use(tmp_path):
        pass
    with in_use(tmp_path):
        pass


def test_a_log_starts_empty_and_the_last_one_is_kept(tmp_path: Path) -> None:
    log = start_log(tmp_path / "logs" / "host.log")
    log.write_text("old")
    assert not start_log(log).exists()
    assert (log.parent / "host.previous.log").read_text() == "old"
