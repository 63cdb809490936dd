"""The fixtures themselves: listed, unchanged, small, and covering what Caffe can build."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from tests.support.caffe_listing import MANIFEST
from tests.support.places import FIXTURES

LIMIT = 5_000_000
NEED_FILES = {"Data", "HDF5Data", "ImageData", "WindowData"}
"""Layer types that Caffe builds only with a data set at hand."""
NEED_CODE = {"Python"}
"""Layer types whose meaning is a program of the user's."""

NAMES = sorted(MANIFEST["fixtures"])
RUN = [name for name in NAMES if "activations.npz" in MANIFEST["fixtures"][name]["files"]]


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
