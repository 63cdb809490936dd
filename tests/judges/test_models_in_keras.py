"""Public models, each by the Python that is written for it, compute what real Caffe computed, inside and at the end.

Which Keras runs them is taken from the environment: KERAS_BACKEND, and TF_USE_LEGACY_KERAS for tf_keras. The models lie
beside the checkout where they exist.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.keras.graph import Model
from caffeconv.model import Array, Net
from caffeconv.net.loading import load_net
from tests.support.places import SHARED
from tests.support.python_models import Outputs, broken_nodes, worst_error, written
from tests.support.shared_data import caffe_says, weights_of

FOLDERS = [
    path.parent for base in ("models", "more_models") for path in sorted(SHARED.glob(f"{base}/*/caffe_outputs.npz"))
]

pytestmark = pytest.mark.skipif(not FOLDERS, reason="no folders of public models beside the checkout")

LEGACY = os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true")

TOLERANCE = 1e-4
"""Of the largest number in a blob."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_written_model_computes_what_caffe_computed(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf_keras" if LEGACY else "keras")
    net, given, expected = computed_by_caffe(folder)

    def outputs(net: Net, model: Model) -> Outputs:
        """What the model gives as it is, and the blobs inside that Caffe saved."""
        return (*model.outputs, *inside(net, model, expected))

    got: dict[str, Array] = dict(written(net, tmp_path, outputs).run(given))
    if not expected:
        pytest.skip("Caffe's own numbers overflow")
    assert expected.keys() <= got.keys()
    errors = {name: worst_error(got[name], array) for name, array in expected.items()}
    assert {name: error for name, error in errors.items() if error > TOLERANCE} == {}


def computed_by_caffe(folder: Path) -> tuple[Net, dict[str, Array], dict[str, Array]]:
    """The net, what it was given, and its finite blobs, but for those that a model leaves out."""
    with np.load(folder / "caffe_outputs.npz") as arrays:
        golden = {key: arrays[key] for key in arrays}
    given = {key[3:]: scaled(array) for key, array in golden.items() if key.startswith("in|")}
    net = loaded(folder, given)
    blobs = {plain(key.partition("|")[2], net): array for key, array in golden.items() if not key.startswith("in|")}
    expected = {
        name: array
        for name, array in blobs.items()
        if name not in given and makers(net, name)[-1] not in losses(net) and np.isfinite(array).all()
    }
    return net, given, expected


def scaled(array: Array) -> Array:
    """Pictures as they were fed to Caffe."""
    if array.dtype != np.uint8:
        return array
    return np.asarray((array.astype(np.float32) - 127.5) * 0.0078125, np.float32)


def loaded(folder: Path, given: dict[str, Array]) -> Net:
    """The net, for inputs of the size that Caffe was given."""
    prototxt = folder / caffe_says(folder / "caffe.json").get("prototxt", "deploy.prototxt")
    net = load_net(prototxt, weights_of(folder), allow_missing="all")
    said = {
        top: shape
        for layer in net.layers
        if not layer.bottoms
        for top, shape in zip(layer.tops, layer.top_shapes, strict=True)
    }
    other: dict[str, Any] = {
        name: array.shape for name, array in given.items() if name in said and (said[name] or ())[1:] != array.shape[1:]
    }
    return load_net(prototxt, weights_of(folder), allow_missing="all", input_shapes=other) if other else net


def makers(net: Net, blob: str) -> list[int]:
    return [index for index, layer in enumerate(net.layers) if blob in layer.tops]


def losses(net: Net) -> set[int]:
    """Layers that a model leaves out."""
    return {
        i
        for i, layer in enumerate(net.layers)
        if layer.type in LAYER_TYPES and LAYER_TYPES[layer.type].family == "losses"
    }


def plain(name: str, net: Net) -> str:
    """The blob that one of Caffe's own Splits hands on: `<blob>_<layer>_<top>_split_<number>`."""
    if makers(net, name) or "_split_" not in name:
        return name
    return next(top for layer in net.layers for top in layer.tops if name.startswith(f"{top}_{layer.name}_"))


def inside(net: Net, model: Model, names: Any) -> Outputs:
    taken, broken = {name for name, _ in model.outputs}, broken_nodes(model)
    found = {
        net.layers[source.layer].tops[source.top]: value
        for source, value in model.values.items()
        if value.held.layout != "unknown" and value.edge.node not in broken
    }
    return tuple((name, found[name]) for name in names if name in found and name not in taken)
