"""One form for what a running Caffe and what caffeconv say of a net, so that the two compare line by line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.support.places import FIXTURES

if TYPE_CHECKING:
    from caffeconv.model import Net

__all__ = ["MANIFEST", "of_caffe", "of_dicts", "of_net"]

MANIFEST: dict[str, Any] = json.loads((FIXTURES / "MANIFEST.json").read_text())

Listing = list[str]
Blobs = Iterable[tuple[str, Iterable[int | None] | None]]


def of_caffe(description: bytes) -> Listing:
    """Of the `caffe.json` that the probe writes."""
    says = json.loads(description)
    learned: dict[int, list[str]] = {}
    for key, (shape, digest) in says["weight_sha256"].items():
        learned.setdefault(int(key.split("|")[1]), []).append(f"{shape} {digest}")
    return [
        _line(layer["name"], layer["type"], learned.get(index, []), layer["bottoms"], layer["tops"])
        for index, layer in enumerate(says["layers"])
    ]


def of_dicts(layers: Iterable[Mapping[str, Any]]) -> Listing:
    """Of what `convert_caffemodel_to_dict` returns."""
    return [
        _line(layer["name"], layer["type"], map(_learned, layer["weights"]), layer["bottoms"], layer["tops"])
        for layer in layers
    ]


def of_net(net: Net) -> Listing:
    """Of a net, with its Split layers."""
    return [
        _line(
            layer.name,
            layer.type,
            [_learned(blob.array) for blob in layer.blobs],
            zip(layer.bottoms, layer.bottom_shapes, strict=True),
            zip(layer.tops, layer.top_shapes, strict=True),
        )
        for layer in net.layers
    ]


def _learned(array: Any) -> str:
    values = np.ascontiguousarray(array, "<f4")
    return f"{list(np.shape(array))} {hashlib.sha256(values.tobytes()).hexdigest()}"


def _line(name: str, kind: str, learned: Iterable[str], bottoms: Blobs, tops: Blobs) -> str:
    return f"{name} ({kind}): {_blobs(bottoms)} -> {_blobs(tops)}; {', '.join(learned)}"


def _blobs(blobs: Blobs) -> str:
    return ", ".join(f"{name} {None if shape is None else list(shape)}" for name, shape in blobs)
