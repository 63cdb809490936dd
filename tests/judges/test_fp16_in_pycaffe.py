"""Models with 16-bit weights, which stock Caffe refuses, compute what a live Caffe does with the same weights widened.

The file is widened here by protobuf and NumPy alone. The models lie beside the checkout where they exist.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_proto.caffe_pb2 import NetParameter
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import model_of
from caffeconv.model import Array
from caffeconv.net.loading import load_net
from caffeconv.writing.keras_archive import write_keras_archive
from tests.judges.pycaffe_client import ask
from tests.judges.test_pycaffe import NO_CAFFE
from tests.support.archives import loaded
from tests.support.graph_runs import array_of
from tests.support.places import SHARED
from tests.support.python_models import worst_error, written
from tests.support.shared_data import weights_of

FOLDERS = sorted(path.parent for path in SHARED.glob("*models/*fp16/deploy.prototxt"))

pytestmark = [
    pytest.mark.skipif(NO_CAFFE is not None, reason=NO_CAFFE or ""),
    pytest.mark.skipif(not FOLDERS, reason="no folders of public models beside the checkout"),
]

RAW_DATA = 12
"""The number of NVIDIA's field for what is not float32, which our schema does not have."""
TOLERANCE = 1e-4


def widened(content: bytes) -> tuple[bytes, int]:
    """The file with every 16-bit array as float32, and how many there were."""
    unknown = pytest.importorskip("google.protobuf.unknown_fields")
    net, count = NetParameter.FromString(content), 0
    layers: list[Any] = [*net.layer, *net.layers]
    for layer in layers:
        for blob in layer.blobs:
            raw = [each.data for each in unknown.UnknownFieldSet(blob) if each.field_number == RAW_DATA]
            if raw:
                blob.DiscardUnknownFields()
                blob.data.extend(np.frombuffer(raw[0], "<f2").astype(np.float32).tolist())
                count += 1
    return net.SerializeToString(), count


def run_in_caffe(prototxt: Path, weights: bytes) -> tuple[Array, dict[str, Array]]:
    """The input and the outputs of a net of one input; Caffe draws the input at random."""
    job = {"name": "model", "prototxt": "net.prototxt", "weights": "w.caffemodel", "seed": 3, "net_run": True}
    made = ask([job], {"net.prototxt": prototxt.read_bytes(), "w.caffemodel": weights})["model"]
    assert "error.txt" not in made, made["error.txt"].decode()
    with np.load(io.BytesIO(made["net_run.npz"])) as arrays:
        named = {key: arrays[key] for key in arrays}
    (given,) = (array for key, array in named.items() if key.startswith("in|"))
    return given, {key[4:]: array for key, array in named.items() if key.startswith("out|")}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_computes_what_caffe_does_with_the_weights_widened(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras")
    prototxt = folder / "deploy.prototxt"
    weights, count = widened(weights_of(folder).read_bytes())
    assert count > 0
    given, expected = run_in_caffe(prototxt, weights)
    net = load_net(prototxt, weights_of(folder))
    ((name, _),) = (made := written(net, tmp_path)).inputs()
    got = dict(made.run({name: given}))
    assert got.keys() == expected.keys()
    assert all(worst_error(got[blob], array) < TOLERANCE for blob, array in expected.items())

    model = model_of(net, Options())
    write_keras_archive(tmp_path / "out.keras", net, model)
    tensors = loaded(tmp_path / "out.keras")(np.moveaxis(given, 1, -1), training=False)
    tensors = tensors if isinstance(tensors, list | tuple) else [tensors]
    for (blob, _), tensor in zip(model.outputs, tensors, strict=True):
        assert worst_error(array_of(tensor), expected[blob]) < TOLERANCE
