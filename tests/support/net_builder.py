"""Small nets and files for tests. Files are written with the generated bindings and NumPy, never with caffeconv."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from google.protobuf import text_format

from caffe_proto import caffe_pb2
from caffeconv.model import Blob, Net, PartialShape
from caffeconv.net import State, StoredLayer, build_net, join_weights, keep_layers
from caffeconv.net.settling import settle_from_blobs

Array = npt.NDArray[Any]
Weights = Sequence[tuple[str, Sequence[Array | None]]]
"""Layer name and its arrays, in the order of the file; a name may come twice. `None`: left with its owner."""


def values(*shape: int, start: int = 1) -> npt.NDArray[np.float32]:
    """start, start + 1, ...: every value tells where it stood."""
    return np.arange(start, start + int(np.prod(shape)), dtype=np.float32).reshape(shape)


def input_text(name: str, *sizes: int) -> str:
    dims = " ".join(f"dim: {size}" for size in sizes)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


def layer_text(name: str, kind: str, bottoms: str = "", tops: str | None = None, more: str = "") -> str:
    """A layer; several bottoms or tops are parted by spaces, and the top is called as the layer if not given."""
    edges = [f'bottom: "{bottom}"' for bottom in bottoms.split()]
    edges += [f'top: "{top}"' for top in (name if tops is None else tops).split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(edges)} {more} }}\n'


def message_of(text: str) -> caffe_pb2.NetParameter:
    return text_format.Parse(text, caffe_pb2.NetParameter())


def net_of(
    text: str,
    weights: Weights | None = None,
    *,
    state: State | None = None,
    input_shapes: Mapping[str, PartialShape] | None = None,
    allow_missing: Collection[str] = (),
    legacy: bool = False,
    as_stored: bool = False,
) -> Net:
    """The net of a text in today's form, with weights if they are given; `legacy` gives their shapes four axes."""
    net = build_net("net", keep_layers(message_of(text), state or State()), input_shapes or {}, as_stored=as_stored)
    if weights is None:
        return net
    stored = [StoredLayer(name, tuple(_blob(array, legacy) for array in arrays)) for name, arrays in weights]
    return settle_from_blobs(join_weights(net, stored, allow_missing, as_stored=as_stored))


def _blob(array: Array | None, legacy: bool) -> Blob | None:
    if array is None:
        return None
    return Blob(array.reshape((1,) * (4 - array.ndim) + array.shape), True) if legacy else Blob(array)


def filled(text: str, **options: Any) -> Net:
    """The net with every layer's weights made up: blob k of a layer counts from 1000 k + 1 on.

    Which blobs there are is read off an empty join, which lists what it misses; so the text must be of known types.
    """
    from caffeconv.net.shapes import expected_blobs

    weights = []
    for layer in net_of(text, **options).layers:
        shapes = expected_blobs(layer.param, layer.bottom_shapes) or ()
        if shapes:
            arrays = [values(*(size or 1 for size in shape), start=1000 * k + 1) for k, shape in enumerate(shapes)]
            weights.append((layer.name, arrays))
    return net_of(text, weights, **options)


def write_caffemodel(path: Path, weights: Weights, text: str = "") -> Path:
    """A caffemodel with the layers of `text` and, by name, their weights; layers that `text` lacks stand behind.

    The latter have no type.
    """
    net = message_of(text)
    for name, arrays in weights:
        layer = next((each for each in net.layer if each.name == name and not each.blobs), None)
        if layer is None:
            layer = net.layer.add(name=name)
        for array in arrays:
            assert array is not None, "a caffemodel has each array where it belongs"
            blob = layer.blobs.add(data=np.ravel(array).tolist())
            blob.shape.dim.extend(array.shape)
    path.write_bytes(net.SerializeToString())
    return path


def write_snapshot(path: Path, weights: Weights) -> Path:
    """An HDF5 snapshot: `data/<layer>/<number>`."""
    with h5py.File(path, "w") as file:
        for name, arrays in weights:
            for number, array in enumerate(arrays):
                file[f"data/{name}/{number}"] = array
    return path


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def one_line(error: BaseException | str) -> str:
    """The text of an error, which must be one line and show no control character."""
    text = str(error)
    assert text
    assert re.search(r"[\x00-\x1f\x7f]", text) is None, repr(text)
    return text
