"""Pickles of builtins and NumPy arrays, checked by the standard library's own tools."""

from __future__ import annotations

import pickle
import pickletools
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.errors import WriteError
from caffeconv.model import Blob, Layer
from caffeconv.writing.pickled import write_pickle

if TYPE_CHECKING:
    from pathlib import Path

ALLOWED = {"numpy ndarray", "numpy dtype"}


def a_layer(name: str = "conv", blobs: tuple[Any, ...] = (), **fields: Any) -> Layer:
    stored = tuple(Blob(np.asarray(blob)) for blob in blobs)
    return Layer(name, "Convolution", LayerParameter(), blobs=stored, **fields)


NET = (
    a_layer("data", tops=("data", "label"), top_shapes=((10, 3, 224, 224), None)),
    a_layer(
        "conv1/7x7_s2",
        (np.arange(24, dtype="<f4").reshape(2, 3, 2, 2), np.array([0.5, -1.5], "<f8")),
        bottoms=("data",), bottom_shapes=((10, 3, 224, 224),), tops=("conv1",), top_shapes=((2**40, 0, 255, 256),),
    ),
    a_layer("größe ☃", (np.float32(3), np.zeros((0, 3), "<f4"), np.array([1, 2, 3], "<f2"))),
)  # fmt: skip


def loaded(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return pickle.loads(path.read_bytes())


def test_loads_as_plain_dicts(tmp_path: Path) -> None:
    write_pickle(tmp_path / "net.pkl", NET)
    data, conv, last = loaded(tmp_path / "net.pkl")
    assert data == {
        "name": "data", "type": "Convolution", "weights": [], "bottoms": [],
        "tops": [("data", (10, 3, 224, 224)), ("label", None)],
    }  # fmt: skip
    assert list(conv) == ["name", "type", "weights", "bottoms", "tops"]
    assert conv["bottoms"] == [("data", (10, 3, 224, 224))]
    assert conv["tops"] == [("conv1", (2**40, 0, 255, 256))]
    np.testing.assert_array_equal(conv["weights"][0], np.arange(24).reshape(2, 3, 2, 2))
    np.testing.assert_array_equal(conv["weights"][1], [0.5, -1.5])
    assert last["name"] == "größe ☃"
    assert [array.shape for array in last["weights"]] == [(), (0, 3), (3,)]
    assert last["weights"][0] == 3 and last["weights"][2].tolist() == [1, 2, 3]


def test_arrays_are_ordinary(tmp_path: Path) -> None:
    write_pickle(tmp_path / "net.pkl", NET)
    for array in [array for layer in loaded(tmp_path / "net.pkl") for array in layer["weights"]]:
        assert type(array) is np.ndarray and array.dtype == np.dtype("<f4")
        assert array.flags.c_contiguous and array.flags.writeable and array.flags.aligned
        array[...] = 7
        assert (array == 7).all()


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(np.arange(24.0).reshape(2, 3, 4).T, id="transposed"),
        pytest.param(np.arange(24, dtype=">f4")[::-2], id="backwards-swapped"),
        pytest.param(np.frombuffer(b"\0" + np.array([1, 2, 3], np.float32).tobytes(), "<f4", offset=1), id="unaligned"),
    ],
)
def test_views_are_stored_in_their_own_order(tmp_path: Path, view: Any) -> None:
    write_pickle(tmp_path / "net.pkl", [a_layer(blobs=(view,))])
    (layer,) = loaded(tmp_path / "net.pkl")
    np.testing.assert_array_equal(layer["weights"][0], view)


def test_names_public_numpy_and_nothing_else(tmp_path: Path) -> None:
    write_pickle(tmp_path / "net.pkl", NET)
    stream = (tmp_path / "net.pkl").read_bytes()
    opcodes = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(stream)]
    assert {argument for name, argument in opcodes if name == "GLOBAL"} == ALLOWED
    assert not {name for name, _ in opcodes} & {
        "STACK_GLOBAL",
        "INST",
        "OBJ",
        "EXT1",
        "EXT2",
        "EXT4",
        "PERSID",
        "BINPERSID",
    }
    assert [name for name, _ in opcodes].count("REDUCE") == 1, "numpy.dtype is the only function called"
    pickletools.dis(
        stream, out=(tmp_path / "dis").open("w", encoding="utf-8")
    )  # raises where the stack is not in order


def test_strings_with_what_utf8_lacks(tmp_path: Path) -> None:
    write_pickle(tmp_path / "net.pkl", [a_layer("a\ud800\0b")])
    assert loaded(tmp_path / "net.pkl")[0]["name"] == "a\ud800\0b"


@pytest.mark.parametrize("layers", [pytest.param([], id="no-layers"), pytest.param([a_layer("x")] * 2000, id="many")])
def test_lengths(tmp_path: Path, layers: list[Layer]) -> None:
    write_pickle(tmp_path / "net.pkl", layers)
    assert len(loaded(tmp_path / "net.pkl")) == len(layers)


def test_progress_ends_at_the_bytes_of_the_weights(tmp_path: Path) -> None:
    progress: list[int] = []
    write_pickle(tmp_path / "net.pkl", NET, progress=progress.append)
    assert progress[-1] == 4 * (24 + 2 + 1 + 0 + 3)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_what_the_disk_refuses(tmp_path: Path) -> None:
    import resource

    (tmp_path / "net.pkl").write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    try:
        with pytest.raises(WriteError, match=r"net\.pkl: cannot be written: File too large$"):
            write_pickle(tmp_path / "net.pkl", [a_layer(blobs=(np.zeros(2**16, "<f4"),))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pkl"]
    assert (tmp_path / "net.pkl").read_bytes() == b"old"
