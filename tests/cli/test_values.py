"""Numbers that are none, or cannot be meant, are told with layer, array and count; with --strict nothing is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from caffeconv.model import Array
from tests.support.command import caffeconv
from tests.support.net_builder import input_text, layer_text, values, write_caffemodel, write_text

TEXT = (
    input_text("data", 1, 3, 4, 4)
    + layer_text("conv", "Convolution", "data", more="convolution_param { num_output: 4 kernel_size: 2 }")
    + layer_text("bn", "BatchNorm", "conv")
    + layer_text("fc", "InnerProduct", "bn", more="inner_product_param { num_output: 300 }")
)
SOUND = {
    "conv": [values(4, 3, 2, 2), values(4)], "bn": [values(4), values(4), np.ones(1, "f4")],
    "fc": [values(300, 36), np.zeros(300, "f4")],
}  # fmt: skip
"""The kernel of `fc` is larger than what is copied whole."""


def changed(layer: str, number: int, **at: float) -> dict[str, list[Array]]:
    """The sound arrays with values put in at places, `_7=nan`, or everywhere, `all=0`."""
    weights = {name: [array.copy() for array in arrays] for name, arrays in SOUND.items()}
    for place, value in at.items():
        array = weights[layer][number].reshape(-1)
        array[slice(None) if place == "all" else int(place[1:])] = value
    return weights


def files(folder: Path, weights: Mapping[str, list[Array]]) -> tuple[Path, Path]:
    return (
        write_text(folder / "net.prototxt", TEXT),
        write_caffemodel(folder / "net.caffemodel", list(weights.items()), TEXT),
    )


NAN, INF = float("nan"), float("inf")
ODD = [
    pytest.param("conv", 0, {"_3": NAN, "_5": NAN}, "conv: kernel: 2 of 48 values are no numbers (NaN)", id="nan"),
    pytest.param("conv", 1, {"_0": -INF}, "conv: bias: 1 of 4 values are infinite", id="infinite"),
    pytest.param("conv", 0, {"all": 0}, "conv: kernel: all 48 values are zero", id="zeros"),
    pytest.param("fc", 0, {"all": 0}, "fc: kernel: all 10800 values are zero", id="zeros-large"),
    pytest.param("conv", 0, {"all": 1e-40}, "conv: kernel: all 48 values are denormal numbers", id="denormals"),
    pytest.param("fc", 0, {"all": -1e-39}, "fc: kernel: all 10800 values are denormal", id="denormals-large"),
    pytest.param("fc", 0, {"_35": NAN, "_9000": INF}, "fc: kernel: 1 of 10800 values are no numbers", id="both-large"),
    pytest.param("bn", 1, {"_2": -1e-3}, "bn: moving_variance: 1 of 4 variances are below zero", id="variance"),
    pytest.param("bn", 0, {"_1": NAN}, "bn: moving_mean: 1 of 4 values are no numbers (NaN)", id="statistics"),
]


@pytest.mark.parametrize(("layer", "number", "at", "said"), ODD)
@pytest.mark.parametrize("form", ["hdf5", "py", "keras"])
def test_a_warning_tells_layer_array_and_count(
    layer: str, number: int, at: dict[str, float], said: str, form: str, tmp_path: Path
) -> None:
    given = files(tmp_path, changed(layer, number, **at))
    outcome = caffeconv("-f", form, "--report", tmp_path / "r.json", tmp_path / "out", *given)
    assert outcome.status == 0
    assert f"warning: {said}" in outcome.err
    told = json.loads((tmp_path / "r.json").read_text())["layers"]
    assert any(said.partition(": ")[2] in note["text"] for each in told for note in each["notes"])


@pytest.mark.parametrize(("layer", "number", "at", "said"), ODD)
@pytest.mark.parametrize("form", ["hdf5", "py", "keras"])
def test_strict_leaves_what_was_there(
    layer: str, number: int, at: dict[str, float], said: str, form: str, tmp_path: Path
) -> None:
    given = files(tmp_path, changed(layer, number, **at))
    before = {tmp_path / f"out.{end}": end.encode() for end in ("h5", "py", "keras", "json")}
    for path, content in before.items():
        path.write_bytes(content)
    report = ("--report", tmp_path / "out.json")
    outcome = caffeconv("--strict", "-f", form, *report, tmp_path / "out", *given)
    assert outcome.status == 1
    assert said in outcome.err
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(tmp_path.iterdir())) == len(before) + len(given)


def test_a_pickle_tells_of_blobs(tmp_path: Path) -> None:
    given = files(tmp_path, changed("fc", 0, _7=NAN))
    outcome = caffeconv("-f", "pickle", tmp_path / "out", *given)
    assert (outcome.status, outcome.err) == (0, "warning: fc: blob 0: 1 of 10800 values are no numbers (NaN)\n")
    assert caffeconv("-f", "pickle", "--strict", tmp_path / "other", *given).status == 1
    assert not (tmp_path / "other.pkl").exists()


@pytest.mark.parametrize("form", ["hdf5", "py", "keras", "pickle"])
def test_sound_numbers_are_passed_over(form: str, tmp_path: Path) -> None:
    outcome = caffeconv("--strict", "-f", form, tmp_path / "out", *files(tmp_path, SOUND))
    assert (outcome.status, outcome.err) == (0, "")


def test_doubles_that_float32_cannot_hold(tmp_path: Path) -> None:
    text = input_text("data", 1, 4) + layer_text(
        "fc", "InnerProduct", "data", more="inner_product_param { num_output: 2 bias_term: false }"
    )
    from caffe_proto.caffe_pb2 import NetParameter

    net = NetParameter()
    blob = net.layer.add(name="fc", type="InnerProduct").blobs.add(double_data=[1, 1e300, -1e39, 0, INF, 1, 2, 3])
    blob.shape.dim.extend((2, 4))
    (tmp_path / "net.caffemodel").write_bytes(net.SerializeToString())
    given = write_text(tmp_path / "net.prototxt", text), tmp_path / "net.caffemodel"
    outcome = caffeconv(tmp_path / "out", *given)
    assert outcome.err == (
        "warning: fc: kernel: 2 of 8 values are beyond what float32 holds, and written as infinite\n"
        "warning: fc: kernel: 1 of 8 values are infinite\n"
    )
