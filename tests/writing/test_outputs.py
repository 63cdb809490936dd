"""No output is written over an input or another output, under whatever name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from caffeconv.errors import WriteError
from caffeconv.writing.outputs import check_apart, output_path
from tests.support.command import caffeconv
from tests.support.net_builder import one_line
from tests.support.places import FIXTURES

LENET = FIXTURES / "lenet_like"

Spelling = Callable[[Path], Path]


def folder_and_back(path: Path) -> Path:
    (path.parent / "sub").mkdir(exist_ok=True)
    return path.parent / "sub" / ".." / path.name


def symlink(path: Path) -> Path:
    link = path.parent / "link"
    link.symlink_to(path.name)
    return link


def symlink_to_symlink(path: Path) -> Path:
    symlink(path)
    (path.parent / "first").symlink_to("link")
    return path.parent / "first"


def through_a_linked_folder(path: Path) -> Path:
    (path.parent / "folder").symlink_to(path.parent, target_is_directory=True)
    return path.parent / "folder" / path.name


def hard_link(path: Path) -> Path:
    path.touch()
    os.link(path, path.parent / "hard")
    return path.parent / "hard"


SPELLINGS = [lambda path: path, folder_and_back, symlink, symlink_to_symlink, through_a_linked_folder, hard_link]
spelled = pytest.mark.parametrize("spell", SPELLINGS, ids=lambda spell: spell.__name__.strip("<>"))


@spelled
@pytest.mark.parametrize("there", [True, False], ids=["there", "not-yet"])
def test_one_file_by_two_names(spell: Spelling, there: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    if there:
        path.touch()
    other = spell(path)
    for outputs, inputs in (
        ([path], [other]),
        ([other], [path]),
        ([path, other], []),
        ([tmp_path / "y", other, path], []),
    ):
        with pytest.raises(WriteError) as refused:
            check_apart(outputs, inputs)
        assert "is a file of this conversion already" in one_line(refused.value)


def test_files_that_only_look_alike(tmp_path: Path) -> None:
    for name in ("x.h5", "y.h5"):
        (tmp_path / name).write_bytes(b"same")
    (tmp_path / "sub").mkdir()
    check_apart(
        [tmp_path / "x.h5", tmp_path / "y.h5", tmp_path / "sub" / "x.h5"], [tmp_path / "x", tmp_path / "x.h5.h5"]
    )
    check_apart([tmp_path / "new"], [tmp_path / "a" / "new", "b\0d"])


@spelled
@pytest.mark.parametrize("report", ["out.h5", "out.py", "names", "net.prototxt", "net.caffemodel"])
def test_the_report_is_no_other_file(spell: Spelling, report: str, tmp_path: Path) -> None:
    for name in ("net.prototxt", "net.caffemodel"):
        (tmp_path / name).write_bytes((LENET / name).read_bytes())
    (tmp_path / "names").write_text("conv1=first\n")
    path = spell(tmp_path / report)
    before = {each: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()}
    outcome = caffeconv(
        "-f", "py", "--report", path, "--rename", tmp_path / "names", tmp_path / "out", tmp_path / "net.prototxt",
        tmp_path / "net.caffemodel",
    )  # fmt: skip
    assert outcome.status == 1
    assert "is a file of this conversion already" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert {each: each.read_bytes() for each in tmp_path.iterdir() if each.is_file()} == before


def test_the_model_is_not_the_net(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_bytes((LENET / "net.prototxt").read_bytes())
    outcome = caffeconv("-f", "py", tmp_path / "net", tmp_path / "net.py", LENET / "net.caffemodel")
    assert (outcome.status, [path.name for path in tmp_path.iterdir()]) == (1, ["net.py"])


def test_what_is_not_written_hinders_nothing(tmp_path: Path) -> None:
    (tmp_path / "net.h5").write_bytes((LENET / "net.caffemodel").read_bytes())
    outcome = caffeconv("-f", "pickle", tmp_path / "net", LENET / "net.prototxt", tmp_path / "net.h5")
    assert (outcome.status, outcome.err) == (0, "")


def test_one_output_against_inputs(tmp_path: Path) -> None:
    assert output_path(tmp_path / "a", "hdf5", [tmp_path / "a"]) == tmp_path / "a.h5"
    with pytest.raises(WriteError, match="choose another name"):
        output_path(tmp_path / "a", "hdf5", [tmp_path / "b", tmp_path / "." / "a.h5"])
