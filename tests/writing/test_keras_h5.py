"""Keras' HDF5 weight layout, read back by h5py's high-level interface and compared with Keras' own rules."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from caffeconv.errors import WriteError
from caffeconv.model import KerasCall, LayerWeights, Weight
from caffeconv.writing.keras_h5 import check_output_name, write_keras_h5

if TYPE_CHECKING:
    from pathlib import Path


def weight(name: str, *shape: int, dtype: str = "<f4") -> Weight:
    values = np.random.default_rng(len(name) + sum(shape)).standard_normal(shape).astype(dtype)
    return Weight(name, values, shape)


def layer(name: str, *weights: Weight) -> LayerWeights:
    return LayerWeights(name, "Convolution", (name,), weights)


NET = (
    layer("conv1", weight("kernel", 3, 3, 2, 4), weight("bias", 4)),
    layer("relu1"),
    layer("inception_3a/1x1", weight("kernel", 1, 1, 4, 5, dtype="<f8")),
    layer("größe ☃", weight("weights_0"), weight("weights_1", 0, 3)),
)


def stored(path: Path) -> dict[str, list[Any]]:
    """All weights by layer, read as Keras reads them."""
    with h5py.File(path, "r") as file:
        names = keras_reads(file, "layer_names")
        return {name: [file[name][weight][()] for weight in keras_reads(file[name], "weight_names")] for name in names}


def keras_reads(group: h5py.Group, name: str) -> list[str]:
    """`load_attributes_from_hdf5_group` of Keras 2 and 3."""
    if name in group.attrs:
        return [n.decode("utf8") if hasattr(n, "decode") else n for n in group.attrs[name]]
    data, chunk = [], 0
    while f"{name}{chunk}" in group.attrs:
        data += [n.decode("utf8") if hasattr(n, "decode") else n for n in group.attrs[f"{name}{chunk}"]]
        chunk += 1
    return data


def keras_writes(group: h5py.Group, name: str, data: list[bytes]) -> None:
    """`save_attributes_to_hdf5_group` of Keras 2 and 3, retold."""
    chunks, count = [np.asarray(data)], 1
    while any(chunk.nbytes > 64512 for chunk in chunks):
        count += 1
        chunks = np.array_split(np.asarray(data), count)
    for number, chunk in enumerate(chunks):
        group.attrs[f"{name}{number}" if count > 1 else name] = chunk


def test_layout(tmp_path: Path) -> None:
    write_keras_h5(tmp_path / "net.h5", NET, backend="theano")
    with h5py.File(tmp_path / "net.h5", "r") as file:
        assert set(file.attrs) == {"layer_names", "backend", "keras_version"}
        assert keras_reads(file, "layer_names") == ["conv1", "relu1", "inception_3a/1x1", "größe ☃"]
        # Old Keras calls .decode on both, which only fixed-length strings have.
        assert file.attrs["backend"].decode("utf8") == "theano"
        assert int(file.attrs["keras_version"].decode("utf8").split(".")[0]) >= 2
        assert keras_reads(file["conv1"], "weight_names") == ["conv1/kernel:0", "conv1/bias:0"]
        assert keras_reads(file["relu1"], "weight_names") == []
        paths: list[str] = []
        file.visititems(lambda path, item: paths.append(path) if isinstance(item, h5py.Dataset) else None)
        assert sorted(paths) == sorted([
            "conv1/conv1/bias:0", "conv1/conv1/kernel:0", "inception_3a/1x1/inception_3a/1x1/kernel:0",
            "größe ☃/größe ☃/weights_0:0", "größe ☃/größe ☃/weights_1:0",
        ])  # fmt: skip


def test_values(tmp_path: Path) -> None:
    write_keras_h5(tmp_path / "net.h5", NET)
    read = stored(tmp_path / "net.h5")
    assert list(read) == [layer.name for layer in NET]
    for layer in NET:
        for value, weight in zip(read[layer.name], layer.weights, strict=True):
            assert value.dtype == np.dtype("<f4") and value.shape == weight.shape
            np.testing.assert_array_equal(value, weight.view.astype("<f4"))


def test_a_view_may_have_more_axes_than_its_weight(tmp_path: Path) -> None:
    view = np.arange(120, dtype="<f4").reshape(5, 2, 3, 4).transpose(2, 3, 1, 0)
    write_keras_h5(tmp_path / "net.h5", [layer("fc", Weight("kernel", view, (24, 5)))])
    np.testing.assert_array_equal(stored(tmp_path / "net.h5")["fc"][0], view.reshape(24, 5))


def test_datasets_are_plain(tmp_path: Path) -> None:
    write_keras_h5(tmp_path / "net.h5", NET)
    with h5py.File(tmp_path / "net.h5", "r") as file:
        dataset = file["conv1/conv1/kernel:0"]
        assert dataset.chunks is None and dataset.compression is None and dataset.fillvalue == 0
        assert file.attrs.get_id("layer_names").get_type().is_variable_str() is False
    # 89 48 44 46 0d 0a 1a 0a | 00: the first version of the superblock, which every HDF5 reads
    assert (tmp_path / "net.h5").read_bytes()[:9] == bytes.fromhex("89 48 44 46 0d 0a 1a 0a 00")


def test_no_times(tmp_path: Path) -> None:
    write_keras_h5(tmp_path / "net.h5", NET)
    with h5py.File(tmp_path / "net.h5", "r") as file:
        objects = [file.id, *(file[path].id for path in ("conv1", "conv1/conv1", "conv1/conv1/kernel:0"))]
        for found in objects:
            # Header messages 0x0e and 0x12 are the two forms of a modification time.
            assert not h5py.h5o.get_info(found).hdr.mesg.present & (1 << 0x0E | 1 << 0x12)


def test_same_weights_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_keras_h5(tmp_path / name, NET)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    ("count", "length"),
    [
        pytest.param(0, 1, id="none"),
        pytest.param(1008, 64, id="just-fits"),
        pytest.param(1009, 64, id="one-more"),
        pytest.param(3000, 90, id="five"),
        pytest.param(11, 20000, id="three-to-one"),
    ],
)
def test_names_are_spread_as_keras_spreads_them(tmp_path: Path, count: int, length: int) -> None:
    names = [f"{number:05}".ljust(length, "x") for number in range(count)]
    write_keras_h5(tmp_path / "net.h5", [layer(name) for name in names])
    with h5py.File(tmp_path / "keras.h5", "w") as expected, h5py.File(tmp_path / "net.h5", "r") as got:
        keras_writes(expected, "layer_names", [name.encode() for name in names])
        chunks = {name for name in got.attrs if name.startswith("layer_names")}
        assert chunks == set(expected.attrs)
        for name in chunks:
            assert got.attrs[name].tolist() == expected.attrs[name].tolist()
        assert keras_reads(got, "layer_names") == names


def test_weight_names_are_spread_too(tmp_path: Path) -> None:
    names = [f"weights_{number}" for number in range(9)]
    prefix = "x" * 10000
    write_keras_h5(tmp_path / "net.h5", [layer(prefix, *(weight(name, 1) for name in names))])
    with h5py.File(tmp_path / "net.h5", "r") as file:
        assert set(file[prefix].attrs) == {"weight_names0", "weight_names1", "caffeconv"}
        assert keras_reads(file[prefix], "weight_names") == [f"{prefix}/{name}:0" for name in names]


def test_a_group_says_what_its_keras_layer_must_be(tmp_path: Path) -> None:
    dense = KerasCall("Dense", (("units", 3), ("use_bias", False)))
    described = dataclasses.replace(layer("fc", weight("kernel", 2, 3)), keras=dense, before=(KerasCall("Flatten"),))
    write_keras_h5(tmp_path / "net.h5", [described])
    with h5py.File(tmp_path / "net.h5", "r") as file:
        says = json.loads(file["fc"].attrs["caffeconv"].decode())
    assert says["keras"] == {"class_name": "Dense", "arguments": {"units": 3, "use_bias": False}}
    assert (says["before"], says["after"]) == ([{"class_name": "Flatten", "arguments": {}}], [])


def test_a_description_is_json_for_every_reader(tmp_path: Path) -> None:
    odd = KerasCall("ReLU", (("negative_slope", float("nan")), ("max_value", float("inf"))))
    write_keras_h5(tmp_path / "net.h5", [dataclasses.replace(layer("a"), keras=odd, origins=("a\ud800",))])
    with h5py.File(tmp_path / "net.h5", "r") as file:
        says = json.loads(file["a"].attrs["caffeconv"].decode(), parse_constant=pytest.fail)
    assert says["keras"]["arguments"] == {"negative_slope": "NaN", "max_value": "Infinity"}
    assert says["caffe_layers"] == ["a\\ud800"]


def test_a_description_that_has_no_room_is_left_out(tmp_path: Path) -> None:
    name = "x" * 33000
    write_keras_h5(tmp_path / "net.h5", [layer(name, weight("kernel", 1))])
    with h5py.File(tmp_path / "net.h5", "r") as file:
        assert set(file[name].attrs) == {"weight_names"}


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["a", "a/a"], id="below-itself"),
        pytest.param(["a/a", "a"], id="below-itself-first"),
        pytest.param(["a", "a/b", "a/b/c", "b"], id="nested"),
        pytest.param(["a", "a/a/a"], id="twice-below-itself"),
        pytest.param(["a/kernel:0", "a"], id="named-like-a-weight"),
        pytest.param(["..", "a/../b"], id="dots-are-a-name"),
        pytest.param(["A", "a"], id="case"),
        pytest.param(["model_weights", "layer_names", "a top_level_model_weights"], id="words-of-keras"),
    ],
)
def test_names_that_share_groups(tmp_path: Path, names: list[str]) -> None:
    layers = [layer(name, weight("kernel", 2, number + 1)) for number, name in enumerate(names)]
    write_keras_h5(tmp_path / "net.h5", layers)
    read = stored(tmp_path / "net.h5")
    assert list(read) == names
    for each in layers:
        np.testing.assert_array_equal(read[each.name][0], each.weights[0].view)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["a", "b", "a"], "two layers are called 'a'", id="duplicate"),
        pytest.param(["a", "a/a/kernel:0"], "'a' and 'a/a/kernel:0' would need the same place", id="group-on-weight"),
        pytest.param(["a/a/kernel:0/b", "a"], "'a' and 'a/a/kernel:0/b' would need the same place", id="below-weight"),
        pytest.param(["kernel:0", "kernel:0/kernel:0"], "would need the same place", id="deep-on-weight"),
        pytest.param([""], r"layer '': .*--slash", id="empty"),
        pytest.param(["/a"], r"layer '/a': .*--slash", id="leading-slash"),
        pytest.param(["a/"], r"layer 'a/': .*--slash", id="trailing-slash"),
        pytest.param(["a//b"], r"layer 'a//b': .*--slash", id="double-slash"),
        pytest.param(["a/./b"], r"layer 'a/\./b': .*--slash", id="dot"),
        pytest.param(["a\0b"], r"layer 'a\\x00b': .*NUL", id="nul"),
        pytest.param(["a\ud800"], r"layer 'a\\ud800': .*Unicode", id="surrogate"),
        pytest.param(["x" * 64513], "64513 bytes, HDF5 has room for 64512", id="too-long"),
        pytest.param(["x" * 64512], "64521 bytes, HDF5 has room for 64512", id="too-long-with-its-weight"),
        pytest.param(["top_level_model_weights"], "rename the layer", id="reserved"),
        pytest.param(["top_level_model_weights/a"], "rename the layer", id="below-reserved"),
        pytest.param(["model_weights", "x" * 40000], "rename the layer", id="reserved-where-names-are-spread"),
    ],
)
def test_names_that_cannot_be_kept(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(WriteError, match=message) as caught:
        write_keras_h5(tmp_path / "net.h5", [layer(name, weight("kernel", 2)) for name in names])
    assert str(caught.value).startswith(f"{tmp_path / 'net.h5'}: ") and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param([weight("kernel", 2), weight("kernel", 2)], "weight 'kernel' must have a name of its", id="twice"),
        pytest.param([weight("a/b", 2)], "weight 'a/b' must have a name of its own, without slashes", id="slash"),
        pytest.param([weight("", 2)], "weight '' must have a name", id="no-name"),
        pytest.param([Weight("kernel", np.zeros(6), (2, 2))], r"holds 6 values, expected \(2, 2\)", id="size"),
    ],
)
def test_weights_that_cannot_be_written(tmp_path: Path, weights: list[Weight], message: str) -> None:
    with pytest.raises(WriteError, match=f"layer 'a': .*{message}"):
        write_keras_h5(tmp_path / "net.h5", [layer("a", *weights)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.weights.h5", "a.b.weights.h5"])
def test_the_name_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    message = rf"Keras 3 takes \*\.weights\.h5 .* such as {name.removesuffix('.weights.h5')}\.h5$"
    with pytest.raises(WriteError, match=message):
        check_output_name(tmp_path / name)
    with pytest.raises(WriteError, match=message):
        write_keras_h5(str(tmp_path / name), NET)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["weights.h5", "x.h5", "x_weights.h5", "dir.weights.h5/x.h5"])
def test_other_names_are_fine(name: str) -> None:
    check_output_name(name)


def test_progress_ends_at_the_bytes_of_the_weights(tmp_path: Path) -> None:
    progress: list[int] = []
    write_keras_h5(tmp_path / "net.h5", NET, progress=progress.append)
    assert progress[-1] == 4 * (72 + 4 + 20 + 1)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
@pytest.mark.skipif(
    h5py.version.hdf5_version_tuple < (1, 14, 4), reason="HDF5 before 1.14.4 crashes on a file that it could not close"
)
@pytest.mark.parametrize("limit", [pytest.param(100, id="in-the-structure"), pytest.param(2**14, id="in-the-values")])
def test_what_the_disk_refuses(tmp_path: Path, limit: int) -> None:
    import resource

    (tmp_path / "net.h5").write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(WriteError, match=r"net\.h5: cannot be written: .*File too large") as caught:
            write_keras_h5(tmp_path / "net.h5", [layer("a", weight("kernel", 2**14))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["net.h5"]
    assert (tmp_path / "net.h5").read_bytes() == b"old"
