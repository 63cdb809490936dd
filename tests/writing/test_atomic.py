"""Output files appear whole or not at all."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from caffeconv.errors import WriteError
from caffeconv.writing.atomic import replacing

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and devices")


@pytest.fixture(params=[pytest.param(b"old", id="replaces"), pytest.param(None, id="new")])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "out.h5"
    if request.param is not None:
        path.write_bytes(request.param)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_file_appears_when_the_block_ends(target: Path) -> None:
    before = contents(target.parent)
    with replacing(target) as temporary:
        assert temporary.parent == target.parent
        temporary.write_bytes(b"new")
        assert {name: data for name, data in contents(target.parent).items() if name == "out.h5"} == before
    assert contents(target.parent) == {"out.h5": b"new"}


@pytest.mark.parametrize("failure", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_nothing_changes_when_the_block_fails(target: Path, failure: BaseException) -> None:
    before = contents(target.parent)
    with pytest.raises(type(failure)) as caught, replacing(target) as temporary:
        temporary.write_bytes(b"half")
        raise failure
    assert caught.value is failure
    assert contents(target.parent) == before


def test_a_full_disk_is_one_line_that_names_the_output(target: Path) -> None:
    before = contents(target.parent)
    with pytest.raises(WriteError) as caught, replacing(target) as temporary:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")
    assert str(caught.value) == f"{target}: cannot be written: No space left on device"
    assert contents(target.parent) == before


def test_the_old_file_survives_when_the_last_step_fails(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(WriteError, match="Permission denied"), replacing(target):
        pass
    assert contents(tmp_path) == before


def test_data_reaches_the_disk_before_the_old_file_goes(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def noted(step: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            steps.append(step)
            return function(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("replace", Path.replace))
    existed = target.exists()
    with replacing(target):
        pass
    assert steps == (["fsync", "replace"] if existed else ["replace"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("missing/out.h5", r"there is no folder .*missing$", id="no-folder"),
        pytest.param("folder", r"this is a folder$", id="folder"),
        pytest.param("file/out.h5", r"there is no folder .*file$|Not a directory$", id="file-for-folder"),
        pytest.param("pipe", r"this is a device or a pipe, not a file$", id="pipe", marks=POSIX),
        pytest.param("loop", r"\w+", id="link-to-itself", marks=POSIX),
        pytest.param("x" * 300, r"[Nn]ame too long$", id="name-too-long", marks=POSIX),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "loop").symlink_to("loop")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(WriteError) as caught, replacing(tmp_path / name):
        pytest.fail("the block must not run")
    assert re.fullmatch(f"{re.escape(str(tmp_path / name))}: cannot be written: .*", str(caught.value))
    assert re.search(message, str(caught.value))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@POSIX
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(WriteError, match="cannot be written: Permission denied"), replacing(folder / "out.h5"):
        pytest.fail("the block must not run")


@POSIX
def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "data.h5").write_bytes(b"old")
    (tmp_path / "out.h5").symlink_to(Path("real") / "data.h5")
    with replacing(tmp_path / "out.h5") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "out.h5").is_symlink()
    assert contents(tmp_path / "real") == {"data.h5": b"new"}


@POSIX
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_a_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    previous = os.umask(umask)
    try:
        with replacing(tmp_path / "out.h5"):
            pass
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "out.h5").stat().st_mode) == mode


@pytest.mark.parametrize(
    "name", [pytest.param("ü" * 120, id="long-utf8"), pytest.param("name with spaces", id="spaces")]
)
def test_names(tmp_path: Path, name: str) -> None:
    with replacing(tmp_path / name) as temporary:
        temporary.write_bytes(b"new")
    assert contents(tmp_path) == {name: b"new"}
