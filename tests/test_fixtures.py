"""The fixtures are listed, unchanged, small and cover what Caffe can build; caffeconv says of them what Caffe said.

No Caffe is needed for this; `judges/test_pycaffe.py` asks one.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import caffeconv
from caffeconv.net import insert_splits
from tests.support.caffe_listing import MANIFEST, of_caffe, of_dicts, of_net
from tests.support.places import FIXTURES

LIMIT = 5_000_000
NEED_FILES = {"Data", "HDF5Data", "ImageData", "WindowData"}
"""Layer types that Caffe builds only with a data set at hand."""
NEED_CODE = {"Python"}
"""Layer types whose meaning is a program of the user's."""

NAMES = sorted(MANIFEST["fixtures"])
RUN = [name for name in NAMES if "activations.npz" in MANIFEST["fixtures"][name]["files"]]
STATES = [
    pytest.param(name, state, id=f"{name}-{state}")
    for name, entry in MANIFEST["fixtures"].items()
    for state in entry["states"]
]
WEIGHTS = [
    pytest.param(name, weights, id=f"{name}-{weights}")
    for name, entry in MANIFEST["fixtures"].items()
    for weights in entry["weights"]
]


def test_every_folder_is_listed() -> None:
    assert sorted(path.parent.name for path in FIXTURES.glob("*/net.prototxt")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_listed_and_unchanged(name: str) -> None:
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in (FIXTURES / name).iterdir()
    }
    assert files == MANIFEST["fixtures"][name]["files"]


def test_they_stay_small() -> None:
    assert sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file()) < LIMIT


def test_every_layer_type_of_caffe_is_covered() -> None:
    covered = {kind for entry in MANIFEST["fixtures"].values() for kind in entry["covers"]}
    assert covered == set(MANIFEST["versions"]["layer_types"]) - NEED_FILES - NEED_CODE


@pytest.mark.parametrize("name", [name for name in NAMES if MANIFEST["fixtures"][name]["weights"]])
def test_nets_with_weights_learn(name: str) -> None:
    assert json.loads((FIXTURES / name / "caffe.json").read_text())["weight_sha256"]


@pytest.mark.parametrize("name", RUN)
def test_activations_are_complete(name: str) -> None:
    with np.load(FIXTURES / name / "activations.npz") as arrays:
        for index, layer in enumerate(json.loads((FIXTURES / name / "caffe.json").read_text())["layers"]):
            for side in ("bottom", "top") if layer["blobs"] else ():
                for position, (blob, shape) in enumerate(layer[f"{side}s"]):
                    array = arrays[f"{side}|{index}|{position}"]
                    assert (array.dtype, list(array.shape)) == (np.float32, shape), blob
                    assert np.isfinite(array).all()
                    assert array.any(), f"{layer['name']}: {side} {blob} is all zeros"


@pytest.mark.parametrize(("name", "state"), STATES)
def test_layers_and_shapes(name: str, state: str) -> None:
    said = of_caffe((FIXTURES / name / state).read_bytes())
    net = caffeconv.load_net(FIXTURES / name / "net.prototxt", **MANIFEST["fixtures"][name]["states"][state])
    assert of_net(insert_splits(net)) == [line.partition(";")[0] + "; " for line in said]


@pytest.mark.parametrize(("name", "weights"), WEIGHTS)
def test_weights_of_every_dialect(name: str, weights: str) -> None:
    listed = caffeconv.convert_caffemodel_to_dict(FIXTURES / name / "net.prototxt", FIXTURES / name / weights)
    assert of_dicts(listed) == of_caffe((FIXTURES / name / "caffe.json").read_bytes())
