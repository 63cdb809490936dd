"""A live Caffe runs the models that the user names; Keras, built from the conversion's own words, computes the same.

Every layer that learns is fed what Caffe fed it. `CAFFECONV_PYCAFFE` and `CAFFECONV_CROSSCHECK` are those of
`test_pycaffe`. What is left out is said in a warning of pytest's.
"""

from __future__ import annotations

import functools
import io
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caffeconv
from caffe_proto.caffe_pb2 import NetParameter
from caffeconv.model import Array
from caffeconv.net import ALL
from tests.judges.pycaffe_client import ask
from tests.judges.test_pycaffe import NO_CAFFE, pairs
from tests.support.described_models import KERAS, Described, Layers, chain
from tests.support.flattened_maps import channels_last, flattened, flattened_channels_last
from tests.support.places import SHARED

pytestmark = pytest.mark.skipif(NO_CAFFE is not None, reason=NO_CAFFE or "")

SEED = 4
SAMPLES = 2
"""Of a batch: the others would show nothing new."""

TOLERANCE = 1e-5
"""Of the largest number that a layer puts out. Measured: 2.3e-6 at most, in a convolution of 1152 products."""

MARKED = {"Embed", "LSTM", "RNN"}
AXIS = {"Convolution": "convolution_param", "InnerProduct": "inner_product_param"}


@dataclass(frozen=True, eq=False)
class Run:
    """A model in Caffe: its layers as `caffe.json` lists them, and what went into and came out of those that learn."""

    layers: list[dict[str, Any]]
    arrays: Any

    def find(self, name: str) -> int:
        return next(index for index, layer in enumerate(self.layers) if layer["name"] == name)

    def array(self, kind: str, name: str) -> Array:
        """The first bottom or top of a layer, of the samples that count."""
        array: Array = self.arrays[f"{kind}|{self.find(name)}|0"]
        return array[:SAMPLES]


@functools.lru_cache(maxsize=1)
def run_in_caffe(prototxt: Path, caffemodel: Path) -> tuple[Run, bytes]:
    """The run, and the file of weights that it was done with."""
    content = caffemodel.read_bytes()
    task = {"weights": caffemodel.name, "seed": SEED, "activations": True}
    files = answer(task, prototxt, {caffemodel.name: content})
    filled = completed(prototxt, caffemodel, files["caffe.json"])
    if filled != content:
        files = answer(task, prototxt, {caffemodel.name: filled})
    return Run(json.loads(files["caffe.json"])["layers"], np.load(io.BytesIO(files["activations.npz"]))), filled


def answer(task: dict[str, Any], prototxt: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    job = {"name": "model", "prototxt": "net.prototxt", **task}
    made = ask([job], {"net.prototxt": prototxt.read_bytes(), **files})["model"]
    if "error.txt" in made:
        pytest.skip(f"Caffe itself refuses it: {made['error.txt'].decode()[:300]}")
    return made


def completed(prototxt: Path, caffemodel: Path, description: bytes) -> bytes:
    """The file of weights; random ones for what Caffe misses in it, or for all if some are no numbers (encrypted)."""
    says = json.loads(description)
    given = {int(key.split("|")[1]) for key in says["weight_sha256"]}
    missing = {layer["name"] for index, layer in enumerate(says["layers"]) if layer["blobs"] and index not in given}
    net = caffeconv.load_net(prototxt, caffemodel, allow_missing=[ALL])
    usable = all(np.isfinite(blob.array).all() for layer in net.layers for blob in layer.blobs)
    if usable and not missing:
        return caffemodel.read_bytes()
    task = {"seed": SEED, "saves": {"random.caffemodel": "caffe"}}
    random = answer(task, prototxt, {})["random.caffemodel"]
    if not usable:
        return random
    layers = [layer for layer in NetParameter.FromString(random).layer if layer.name in missing]
    return caffemodel.read_bytes() + NetParameter(layer=layers).SerializeToString()  # two messages read as one


@pytest.mark.parametrize("keras_name", KERAS)
@pytest.mark.parametrize(("prototxt", "caffemodel"), pairs())
def test_keras_computes_what_a_running_caffe_computes(
    prototxt: Path, caffemodel: Path, keras_name: str, tmp_path: Path
) -> None:
    keras = pytest.importorskip(keras_name)
    run, content = run_in_caffe(prototxt, caffemodel)
    weights = tmp_path / caffemodel.name
    weights.write_bytes(content)
    net = caffeconv.load_net(prototxt, weights)
    layers = Layers(caffeconv.convert(net), tmp_path)
    assert set(layers.of) == {layer["name"] for layer in run.layers if layer["blobs"]}
    axes = {layer.name: getattr(layer.param, AXIS[layer.type]).axis for layer in net.layers if layer.type in AXIS}
    described = {layer["name"]: layer for each in layers.of.values() for layer in each}
    left_out = {name: reason for name, layer in described.items() if (reason := why_not(layer, run, axes))}
    if left_out:
        warnings.warn(f"{prototxt.parent.name}: not compared: {left_out}", stacklevel=1)
    assert not left_out or SHARED not in prototxt.resolve().parents
    compared = [layer for name, layer in described.items() if name not in left_out]
    assert not {name: error for name, error in compare(keras, layers, compared, run) if not error <= TOLERANCE}


def why_not(layer: Described, run: Run, axes: dict[str, int]) -> str | None:
    """Why nothing can be said here of a layer; `fixtures/` has nets for these."""
    kind, first = layer["caffe_type"], layer["caffe_layers"][0]
    if layer["keras"] is None:
        return "as stored: " + "; ".join(note["text"] for note in layer["notes"] if note["level"] == "warning")
    if kind in MARKED:
        return "its inputs are indices or sequences with marks, not any numbers"
    if kind == "Scale" and len(run.layers[run.find(first)]["bottoms"]) > 1:
        return "it has its factors from a second bottom"
    if axes.get(first, 1) != 1:
        return "its axis is not the one behind the batch"
    bottom = run.array("bottom", first)
    if not bottom.any():
        return "Caffe feeds it nothing but zeros"
    if is_vector(layer, bottom) and sum(map(np.prod, segments(first, run))) != bottom.shape[1]:
        return "the maps that its vector was made of are not known"
    return None


def is_vector(layer: Described, bottom: Array) -> bool:
    return layer["caffe_type"] == "InnerProduct" and bottom.ndim == 2


def segments(name: str, run: Run) -> list[tuple[int, ...]]:
    return flattened(run.layers[run.find(name)]["bottoms"][0], run.layers)


def compare(keras: Any, layers: Layers, described: list[Described], run: Run) -> Iterator[tuple[str, float]]:
    """The layers, and by how much of its largest output Keras is off."""
    given = {layer["name"]: in_keras_order(layer, run) for layer in described}
    models = {layer["name"]: chain(keras, [layer], given[layer["name"]].shape[1:]) for layer in described}
    if models:  # one model, so that the file is read once
        inputs, outputs = zip(*((model.inputs[0], model.outputs[0]) for model in models.values()), strict=True)
        layers.load_into(keras.Model(list(inputs), list(outputs)))
    for layer in described:
        name = layer["name"]
        got = np.asarray(models[name](given[name]))
        expected = channels_last(run.array("top", layer["caffe_layers"][-1]))
        assert got.shape == expected.shape, name
        assert np.isfinite(expected).all(), name
        yield name, np.abs(got - expected).max() / max(np.abs(expected).max(), np.finfo(expected.dtype).tiny)


def in_keras_order(layer: Described, run: Run) -> Array:
    """What Caffe fed the layer, with the axes, and vectors with the order, that they have in Keras."""
    first = layer["caffe_layers"][0]
    bottom = run.array("bottom", first)
    if is_vector(layer, bottom):
        return flattened_channels_last(bottom, segments(first, run))
    return channels_last(bottom)
