from __future__ import annotations

import collections
import hashlib
import mmap
import os
import struct
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.errors import ParseError
from caffeconv.reading import Kind, read_contents
from caffeconv.reading.sniff import detect_kind, open_input
from tests.support.readers import detect_maker, read_snapshot
from tests.support.shared_data import MODELS, caffe_says, needs_models, weights_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from caffeconv.model import Array

SIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def mapped(array: Array) -> bool:
    """Whether the values lie in the mapped file."""
    return isinstance(array.base, mmap.mmap)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lenet_iter_10.caffemodel.h5"


def test_layers_and_parameters(path: Path) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.create_group("data")
        data["conv1/0"], data["conv1/1"] = SIX, SIX[0]
        data["inception_3a/1x1/0"] = SIX
        data.create_group("inception_3a/relu_1x1")
        data["scalar/0"] = np.float32(7)
        data["double/0"] = SIX.astype(np.float64)
        file["diff/conv1/0"] = SIX
    net, blobs, notes = read_snapshot(path)
    assert {layer.name: [blobs[blob.payload].array.tolist() for blob in layer.blobs] for layer in net.layer} == {
        "data": [],
        "conv1": [SIX.tolist(), SIX[0].tolist()],
        "inception_3a/1x1": [SIX.tolist()],
        "inception_3a/relu_1x1": [],
        "scalar": [7.0],
        "double": [SIX.tolist()],
    }
    assert {layer.type for layer in net.layer} == {""}
    assert [blob.array.dtype.str for blob in blobs] == ["<f4", "<f4", "<f8", "<f4", "<f4"]
    assert notes == ()
    assert all(mapped(blob.array) and not blob.array.flags.writeable and not blob.legacy for blob in blobs)


def test_layer_whose_name_begins_another(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data/conv/0"], file["data/conv/1/0"] = SIX, SIX[0]
    net, blobs, _ = read_snapshot(path)
    assert {layer.name: [blobs[blob.payload].shape for blob in layer.blobs] for layer in net.layer} == {
        "conv": [(2, 3)],
        "conv/1": [(3,)],
    }


@pytest.mark.parametrize(
    ("tracked", "order"),
    [
        pytest.param(True, ["z", "b/y", "b/x", "a"], id="tracked"),
        pytest.param(False, ["a", "b/x", "b/y", "z"], id="not"),
    ],
)
def test_order_of_layers(path: Path, tracked: bool, order: list[str]) -> None:
    with h5py.File(path, "w", track_order=tracked) as file:
        data = file.create_group("data", track_order=tracked)
        data.create_group("z")
        data.create_group("b", track_order=tracked)
        data["b"].create_group("y")
        data["b"].create_group("x")
        data.create_group("a")
    net, _, _ = read_snapshot(path)
    assert [layer.name for layer in net.layer] == order


def test_parameters_are_in_numeric_order(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for index in range(12):
            file[f"data/dense/{index}"] = np.full(1, index, np.float32)
    net, blobs, _ = read_snapshot(path)
    assert [blobs[blob.payload].array[0] for blob in net.layer[0].blobs] == list(range(12))


def test_parameter_stored_with_its_owner_keeps_its_place(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data/owner/0"] = SIX
        file["data/sharer/1"] = SIX[0]
    net, blobs, (note,) = read_snapshot(path)
    sharer = net.layer[1]
    assert [blob.HasField("payload") for blob in sharer.blobs] == [False, True]
    assert blobs[sharer.blobs[1].payload].shape == (3,)
    assert (note.level, note.layer) == ("info", "sharer")


def test_other_datasets_are_noted(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data/conv/0"], file["data/conv/weights"], file["data/conv/1000"] = SIX, SIX, SIX
    net, blobs, notes = read_snapshot(path)
    assert (len(net.layer[0].blobs), len(blobs)) == (1, 1)
    assert [(note.level, note.layer) for note in notes] == [("warning", "conv")] * 2


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"chunks": (1, 3)}, id="chunked"),
        pytest.param({"compression": "gzip", "shuffle": True}, id="gzip"),
        pytest.param({"dtype": ">f4"}, id="big-endian"),
        pytest.param({"dtype": ">f8"}, id="big-endian-double"),
        pytest.param({"dtype": "<f2"}, id="half"),
    ],
)
def test_values_stored_in_other_ways(path: Path, options: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data/conv/0", data=SIX, **options)
    _, (blob,), _ = read_snapshot(path)
    np.testing.assert_array_equal(blob.array, SIX)
    assert blob.array.dtype == np.dtype(options.get("dtype", "<f4")).newbyteorder("<")
    assert not blob.array.flags.writeable


def test_file_with_user_block(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["data/conv/0"] = SIX
    _, (blob,), _ = read_snapshot(path)
    np.testing.assert_array_equal(blob.array, SIX)


def test_name_that_is_not_utf_8(path: Path) -> None:
    with h5py.File(path, "w") as file:
        h5py.h5g.create(file.create_group("data").id, b"\xe4\xb6")
    net, _, _ = read_snapshot(path)
    assert [layer.name for layer in net.layer] == ["\u00e4\u00b6"]


def soft_link(file: h5py.File) -> None:
    file["elsewhere/0"] = SIX
    file["data/conv"] = h5py.SoftLink("/elsewhere")


def external_link(file: h5py.File) -> None:
    with h5py.File(f"{file.filename}.other", "w") as other:
        other["conv/0"] = SIX
    file["data/conv"] = h5py.ExternalLink(f"{file.filename}.other", "/conv")


def external_root(file: h5py.File) -> None:
    with h5py.File(f"{file.filename}.other", "w") as other:
        other["conv/0"] = SIX
    file["data"] = h5py.ExternalLink(f"{file.filename}.other", "/")


def external_values(file: h5py.File) -> None:
    file.create_dataset("data/conv/0", (2, 3), "<f4", external=[("/etc/hostname", 0, 24)])


def virtual(file: h5py.File) -> None:
    with h5py.File(f"{file.filename}.other", "w") as other:
        other["x"] = SIX
    layout = h5py.VirtualLayout((2, 3), "<f4")
    layout[:] = h5py.VirtualSource(f"{file.filename}.other", "x", (2, 3))
    file.create_virtual_dataset("data/conv/0", layout)


def cycle(file: h5py.File) -> None:
    file["data/a/b/0"] = SIX
    file["data/a/b/again"] = file["data"]


def twice(file: h5py.File) -> None:
    file["data/a/0"] = SIX
    file["data/b"] = file["data/a"]


def deep(file: h5py.File) -> None:
    file["data" + "/x" * 100 + "/0"] = SIX


def absurd_chunked(file: h5py.File) -> None:
    file.create_dataset("data/conv/0", (1 << 20, 1 << 20), "<f4", chunks=(64, 64))


def absurd_chunk(file: h5py.File) -> None:
    file.create_dataset("data/conv/0", data=SIX[0], chunks=(1 << 20,), maxshape=(None,), compression="gzip")


def never_written(file: h5py.File) -> None:
    file.create_dataset("data/conv/0", (1 << 20, 1 << 20), "<f4")


def integers(file: h5py.File) -> None:
    file["data/conv/0"] = SIX.astype(int)


def strings(file: h5py.File) -> None:
    file["data/conv/0"] = "text"


def nothing(file: h5py.File) -> None:
    file["data/conv/0"] = h5py.Empty("f4")


@pytest.mark.parametrize(
    ("build", "line"),
    [
        pytest.param(soft_link, "'conv' is a link to elsewhere", id="soft-link"),
        pytest.param(external_link, "'conv' is a link to elsewhere", id="external-link"),
        pytest.param(external_root, "'data' is a link to elsewhere", id="external-root"),
        pytest.param(
            external_values, "layer 'conv': parameter 0: its values lie in another file", id="external-values"
        ),
        pytest.param(virtual, "layer 'conv': parameter 0: its values lie in another file", id="virtual"),
        pytest.param(cycle, "do not form a tree", id="cycle"),
        pytest.param(twice, "do not form a tree", id="one-group-twice"),
        pytest.param(deep, "do not form a tree", id="deep"),
        pytest.param(
            absurd_chunked, f"parameter 0: shape {(1 << 20, 1 << 20)} needs {1 << 42} bytes, but 0", id="chunked"
        ),
        pytest.param(absurd_chunk, f"parameter 0: shape (3,) needs {1 << 22} bytes", id="chunk"),
        pytest.param(never_written, f"needs {1 << 42} bytes, but 0 are stored", id="never-written"),
        pytest.param(integers, "parameter 0: holds int64; Caffe stores float32 or float64", id="integers"),
        pytest.param(strings, "parameter 0: holds object", id="strings"),
        pytest.param(nothing, "parameter 0: holds float32", id="null"),
    ],
)
def test_what_no_snapshot_has_is_refused(path: Path, build: Callable[[h5py.File], None], line: str) -> None:
    with h5py.File(path, "w") as file:
        build(file)
    with pytest.raises(ParseError) as error:
        read_snapshot(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert line in message
    assert "\n" not in message


def test_values_beyond_the_end_of_the_file(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data/conv/0"] = np.zeros(10_000, np.float32)
    os.truncate(path, path.stat().st_size - 1000)
    with pytest.raises(ParseError, match="cannot be read as HDF5"):
        read_snapshot(path)


def test_dataset_that_claims_bytes_beyond_the_end(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data/conv/0"] = SIX
        offset = file["data/conv/0"].id.get_offset()
    content = path.read_bytes()
    end = len(content) - 4
    path.write_bytes(content.replace(struct.pack("<BBQQ", 3, 1, offset, 24), struct.pack("<BBQQ", 3, 1, end, 24)))
    with pytest.raises(ParseError, match=r"parameter 0: expected 24 bytes|invalid dataset size"):
        read_snapshot(path)


@pytest.mark.parametrize(
    ("names", "maker"),
    [
        pytest.param(["data/conv/0"], "caffe", id="snapshot"),
        pytest.param(["data"], None, id="images"),
        pytest.param(["iter", "learned_net"], "caffe solver", id="solver"),
        pytest.param(["model_weights/x/0"], "keras", id="keras"),
        pytest.param(["_layer_checkpoint_dependencies/x", "data/conv/0"], "keras", id="keras-3"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_maker(path: Path, names: list[str], maker: str | None) -> None:
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = SIX
    assert detect_maker(path) == maker
    kind = detect_kind(path)
    assert (kind is Kind.HDF5_SNAPSHOT) == (maker == "caffe")
    if maker != "caffe":
        with pytest.raises(ParseError, match="Caffe's HDF5 snapshot was expected here"):
            open_input(path, Kind.HDF5_SNAPSHOT)


@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(2000)])
def test_damaged_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for read in (read_snapshot, detect_kind, read_contents):
        with pytest.raises(ParseError, match="cannot be read as HDF5"):
            read(path)


def test_empty_file(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(ParseError, match="is empty"):
        read_contents(path, Kind.HDF5_SNAPSHOT)


def test_missing_file(path: Path) -> None:
    with pytest.raises(ParseError, match="cannot be read"):
        read_snapshot(path)


def small_snapshot(path: Path) -> bytes:
    with h5py.File(path, "w") as file:
        file["data/conv/0"], file["data/conv/1"] = SIX, SIX[0]
        file.create_group("data/relu")
    return path.read_bytes()


@given(edit=st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_bytes_give_a_net_or_a_parse_error(path: Path, edit: st.DataObject) -> None:
    content = bytearray(small_snapshot(path))
    position = edit.draw(st.integers(0, len(content) - 1))
    content[position] = edit.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        net, blobs, _ = read_snapshot(path)
    except ParseError as error:
        assert "\n" not in str(error)
        return
    assert sum(blob.array.nbytes for blob in blobs) <= 64 * len(content)
    assert all(isinstance(layer, LayerParameter) for layer in net.layer)


@needs_models
def test_values_of_a_real_snapshot_are_those_that_caffe_has() -> None:
    folders = [folder for folder in MODELS if weights_of(folder).suffix == ".h5"]
    for folder in folders:
        net, blobs, notes = read_snapshot(weights_of(folder))
        ours = {
            (layer.name, index): hashlib.sha256(blobs[blob.payload].array.tobytes()).hexdigest()
            for layer in net.layer
            for index, blob in enumerate(layer.blobs)
        }
        says = caffe_says(folder / "caffe.json")["weight_sha256"]
        theirs = {(key.split("|")[2], int(key.split("|")[3])): sha256 for key, (_, sha256) in says.items()}
        assert ours == theirs
        assert notes == ()
        assert collections.Counter(mapped(blob.array) for blob in blobs) == {True: len(blobs)}
    assert folders
