"""The two functions of the tool this descends from: their arguments, their results, and what they print."""

from __future__ import annotations

import inspect
import pickle
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

import caffeconv
from caffeconv import convert_caffemodel_to_dict, convert_caffemodel_to_keras
from caffeconv.errors import CaffeconvError, MismatchError, UnsupportedError, WriteError
from tests.support.net_builder import input_text, layer_text, values, write_caffemodel, write_text
from tests.support.places import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

LENET = (FIXTURES / "lenet_like" / "net.prototxt", FIXTURES / "lenet_like" / "net.caffemodel")
SPLITS = FIXTURES / "splits" / "net.prototxt"


def datasets(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, each: found.update({name: each[()]}) if isinstance(each, h5py.Dataset) else None)
    return found


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        pytest.param(
            convert_caffemodel_to_keras,
            {
                "output_filename": inspect.Parameter.empty,
                "prototxt_filename": inspect.Parameter.empty,
                "caffemodel_filename": inspect.Parameter.empty,
                "include_layers_without_weights": False,
                "include_unknown_layer_types": True,
                "keras_backend": "tf",
                "verbose": True,
            },
            id="keras",
        ),
        pytest.param(
            convert_caffemodel_to_dict,
            {
                "prototxt_filename": inspect.Parameter.empty,
                "caffemodel_filename": inspect.Parameter.empty,
                "out_path": None,
                "verbose": False,
            },
            id="dict",
        ),
    ],
)
def test_arguments(function: Any, arguments: dict[str, Any]) -> None:
    """By position and by name, in this order; what was added since goes by name alone."""
    parameters = inspect.signature(function).parameters.values()
    by_position = {each.name: each.default for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD}
    assert list(by_position.items()) == list(arguments.items())
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters if each.name not in arguments)


class TestToKeras:
    def test_a_file_is_written_and_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        result = convert_caffemodel_to_keras(tmp_path / "out", *LENET)
        assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]
        assert sorted(datasets(tmp_path / "out.h5")) == sorted(
            f"{layer.name}/{layer.name}/{weight.name}:0" for layer in result.layers for weight in layer.weights
        )
        out, err = capsys.readouterr()
        assert out.splitlines()[-1].startswith(f"{tmp_path / 'out.h5'}: 4 layers with weights, 8 arrays")
        assert "note: ip1: kernel rows reordered from channels-first (8×3×3)" in err
        assert err.count("\n") == len(result.notes)

    def test_quiet(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        prototxt, caffemodel = map(str, LENET)
        convert_caffemodel_to_keras(str(tmp_path / "out"), prototxt, caffemodel, False, True, "tf", False)
        assert capsys.readouterr() == ("", "")

    def test_values(self, tmp_path: Path) -> None:
        convert_caffemodel_to_keras(tmp_path / "out", *LENET, verbose=False)
        caffe = {layer["name"]: layer["weights"] for layer in convert_caffemodel_to_dict(*LENET)}
        keras = datasets(tmp_path / "out.h5")
        np.testing.assert_array_equal(keras["conv1/conv1/kernel:0"], caffe["conv1"][0].transpose(2, 3, 1, 0))
        np.testing.assert_array_equal(keras["conv1/conv1/bias:0"], caffe["conv1"][1])
        np.testing.assert_array_equal(keras["ip2/ip2/kernel:0"], caffe["ip2"][0].T)

    def test_layers_without_weights(self, tmp_path: Path) -> None:
        for include, first in ((False, b"conv1"), (True, b"data")):
            convert_caffemodel_to_keras(tmp_path / "out", *LENET, include, verbose=False)
            with h5py.File(tmp_path / "out.h5") as file:
                assert file.attrs["layer_names"][0] == first

    def test_unknown_types(self, tmp_path: Path) -> None:
        text = input_text("data", 1, 3) + layer_text("odd", "Strange", "data")
        files = write_text(tmp_path / "p", text), write_caffemodel(tmp_path / "c", [("odd", [values(3)])])
        convert_caffemodel_to_keras(tmp_path / "out", *files, verbose=False)
        np.testing.assert_array_equal(datasets(tmp_path / "out.h5")["odd/odd/weights_0:0"], values(3))
        convert_caffemodel_to_keras(tmp_path / "out", *files, include_unknown_layer_types=False, verbose=False)
        assert datasets(tmp_path / "out.h5") == {}

    @pytest.mark.parametrize(
        ("backend", "attribute"), [("tf", b"tensorflow"), ("theano", b"theano"), ("cntk", b"cntk")]
    )
    def test_backends(self, backend: str, attribute: bytes, tmp_path: Path) -> None:
        convert_caffemodel_to_keras(tmp_path / "out", *LENET, keras_backend=backend, verbose=False)
        kernel = convert_caffemodel_to_dict(*LENET)[1]["weights"][0].transpose(2, 3, 1, 0)
        with h5py.File(tmp_path / "out.h5") as file:
            assert file.attrs["backend"] == attribute
        stored = datasets(tmp_path / "out.h5")["conv1/conv1/kernel:0"]
        np.testing.assert_array_equal(stored, kernel[::-1, ::-1] if backend == "theano" else kernel)

    def test_an_unknown_backend(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError):
            convert_caffemodel_to_keras(tmp_path / "out", *LENET, keras_backend="torch", verbose=False)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["out.h5", "out.hdf5"])
    def test_an_ending_that_is_there_is_kept(self, name: str, tmp_path: Path) -> None:
        convert_caffemodel_to_keras(tmp_path / name, *LENET, verbose=False)
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_an_old_file_survives_a_failure(self, tmp_path: Path) -> None:
        (tmp_path / "out.h5").write_bytes(b"old")
        with pytest.raises(CaffeconvError):
            convert_caffemodel_to_keras(tmp_path / "out", LENET[0], tmp_path / "nothing", verbose=False)
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("out.h5", b"old")]

    def test_missing_weights(self, tmp_path: Path) -> None:
        text = LENET[0].read_text() + layer_text(
            "more", "Convolution", "pool2", more="convolution_param { num_output: 1 kernel_size: 1 }"
        )
        prototxt = write_text(tmp_path / "net.prototxt", text)
        with pytest.raises(
            MismatchError, match=r'^more \(Convolution\) has no weights .* "--allow-missing more" goes on'
        ):
            convert_caffemodel_to_keras(tmp_path / "out", prototxt, LENET[1], verbose=False)
        result = convert_caffemodel_to_keras(
            tmp_path / "out", prototxt, LENET[1], verbose=False, allow_missing=["more"]
        )
        assert "more" not in {layer.name for layer in result.layers}


class TestToDict:
    def test_keys_and_types(self) -> None:
        layers = convert_caffemodel_to_dict(*LENET)
        for layer in layers:
            assert list(layer) == ["name", "type", "weights", "bottoms", "tops"]
            assert all(type(array) is np.ndarray and array.dtype == np.float32 for array in layer["weights"])
            assert all(array.flags.c_contiguous and array.flags.writeable for array in layer["weights"])
            for name, shape in (*layer["bottoms"], *layer["tops"]):
                assert type(name) is str
                assert type(shape) is tuple

    def test_split_layers_are_listed(self, tmp_path: Path) -> None:
        weights = write_caffemodel(tmp_path / "c", [("none", [values(1)])])
        with_splits = convert_caffemodel_to_dict(SPLITS, weights)
        without = convert_caffemodel_to_dict(SPLITS, weights, split_layers=False)
        assert {"data_data_0_split"} <= {layer["name"] for layer in with_splits}
        written = [layer["name"] for layer in with_splits if not layer["name"].endswith("_split")]
        assert [layer["name"] for layer in without] == written
        assert without[1]["bottoms"] == [("data", (2, 3, 4, 5))]

    def test_unknown_shapes_are_none(self, tmp_path: Path) -> None:
        text = layer_text("conv", "Convolution", "data", more="convolution_param { num_output: 1 kernel_size: 1 }")
        files = (
            write_text(tmp_path / "p", text),
            write_caffemodel(tmp_path / "c", [("conv", [values(1, 2, 1, 1), values(1)])]),
        )
        (layer,) = convert_caffemodel_to_dict(*files)
        assert (layer["bottoms"], layer["tops"]) == ([("data", None)], [("conv", None)])

    def test_the_pickle_holds_what_is_returned(self, tmp_path: Path) -> None:
        layers = convert_caffemodel_to_dict(*LENET, tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["out.pkl"]
        loaded = pickle.loads((tmp_path / "out.pkl").read_bytes())
        assert len(loaded) == len(layers)
        for ours, theirs in zip(layers, loaded, strict=True):
            assert {**ours, "weights": 0} == {**theirs, "weights": 0}
            for array, other in zip(ours["weights"], theirs["weights"], strict=True):
                assert (array.shape, array.dtype, array.tobytes()) == (other.shape, other.dtype, other.tobytes())

    def test_nothing_is_printed(self, capsys: pytest.CaptureFixture[str]) -> None:
        convert_caffemodel_to_dict(*LENET)
        assert capsys.readouterr() == ("", "")

    def test_verbose(self, capsys: pytest.CaptureFixture[str]) -> None:
        convert_caffemodel_to_dict(*LENET, verbose=True)
        out, err = capsys.readouterr()
        assert all(layer["name"] in out for layer in convert_caffemodel_to_dict(*LENET))
        assert err == ""

    def test_arrays_are_the_callers_own(self) -> None:
        first = convert_caffemodel_to_dict(*LENET)[1]["weights"][0]
        kept = first.copy()
        first[:] = 0
        np.testing.assert_array_equal(convert_caffemodel_to_dict(*LENET)[1]["weights"][0], kept)

    def test_an_input_is_never_the_output(self, tmp_path: Path) -> None:
        model = write_caffemodel(tmp_path / "x.pkl", [("conv1", [values(1)])])
        before = model.read_bytes()
        with pytest.raises(WriteError, match="is a file of this conversion already"):
            convert_caffemodel_to_dict(SPLITS, model, tmp_path / "x")
        assert model.read_bytes() == before


def test_the_result_is_the_librarys_own(tmp_path: Path) -> None:
    assert isinstance(convert_caffemodel_to_keras(tmp_path / "out", *LENET, verbose=False), caffeconv.Result)
