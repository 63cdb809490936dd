"""A file on its way through the wing: opened once, its kind told once, its bytes handed on."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from caffeconv.reading import Kind, contents, read_contents
from caffeconv.reading.sniff import open_input
from tests.support.places import FIXTURES

LENET = FIXTURES / "lenet_like"
FILES = {
    Kind.PROTOTXT: LENET / "net.prototxt",
    Kind.CAFFEMODEL: LENET / "net.caffemodel",
    Kind.HDF5_SNAPSHOT: LENET / "net.caffemodel.h5",
}


@pytest.mark.parametrize("kind", FILES)
def test_what_a_file_holds(kind: Kind) -> None:
    read = read_contents(FILES[kind], *FILES)
    assert (read.kind, read.path) == (kind, str(FILES[kind]))
    assert "conv1" in {layer.name for layer in read.net.layer}
    assert len(read.blobs) == (0 if kind is Kind.PROTOTXT else 8)
    assert read.generation == (None if kind is Kind.HDF5_SNAPSHOT else "V2")


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_opened_once(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is open it may be gone, and something else in its place."""
    path = tmp_path / "it"
    shutil.copy(FILES[kind], path)

    def open_and_remove(*arguments: object) -> object:
        opened = open_input(*arguments)  # type: ignore[arg-type]  # as they came
        path.unlink()
        path.write_text("something else")
        return opened

    monkeypatch.setattr(contents, "open_input", open_and_remove)
    read = read_contents(path, kind)
    assert "conv1" in {layer.name for layer in read.net.layer}
    assert path.read_text() == "something else"
