"""What went into the layers of the nets in `fixtures/` and what came out, in real Caffe."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.support.places import FIXTURES

__all__ = ["Run", "listing"]


def listing(fixture: str) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = json.loads((FIXTURES / fixture / "caffe.json").read_text())["layers"]
    return layers


class Run:
    """A layer in real Caffe: what went in and what came out."""

    def __init__(self, fixture: str, first: str, last: str) -> None:
        layers = listing(fixture)
        names = [layer["name"] for layer in layers]
        begin, end = names.index(first), names.index(last)
        self.type: str = layers[begin]["type"]
        with np.load(FIXTURES / fixture / "activations.npz") as arrays:
            self.bottoms = [arrays[f"bottom|{begin}|{i}"] for i in range(len(layers[begin]["bottoms"]))]
            self.tops = [arrays[f"top|{end}|{i}"] for i in range(len(layers[end]["tops"]))]
