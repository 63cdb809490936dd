"""What no net of `fixtures/` has: types of forks, and rare settings, in real Keras against plain formulas.

FORMULAS = (Case("plain", "FcRistretto", (3, 5), ((4, 5), (4,)), inner_product, "inner_product_param { … }"),)
test_computes_its_definition = computes_its_definition(FORMULAS)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from caffeconv.model import Array
from tests.support.described_models import Layers, assert_close, chain, one_layer

__all__ = [
    "IMAGE", "Arrays", "Case", "Formula", "computes_its_definition", "converted", "is_named_and_as_stored", "masked",
    "of_each",
]  # fmt: skip

Formula = Callable[..., Array]
Arrays = Mapping[str, tuple[int, ...]]
"""Name -> shape."""
Test = Callable[..., None]

IMAGE = (2, 4, 7, 6)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer on an input of shape `bottom`, with blobs of shapes `blobs`; `formula(x, *blobs)` is what it computes.

    `masks` counts the last blobs that hold zeros and ones.
    """

    name: str
    type: str
    bottom: tuple[int, ...]
    blobs: tuple[tuple[int, ...], ...]
    formula: Formula
    param: str = ""
    masks: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.type}-{self.name}"


def masked(formula: Formula) -> Formula:
    """W, b, mask of W, mask of b: what the mask has no one for is gone."""
    return lambda x, weight, bias, mask, bias_mask, *_: formula(x, weight * mask, bias * bias_mask)


def random_arrays(case: Case) -> list[Array]:
    """Positive, as variances and factors must be, and masks at the end."""
    random = np.random.default_rng(len(case.name))
    arrays = [random.uniform(0.1, 1.5, shape).astype("f4") for shape in case.blobs]
    if case.type.endswith("MarginInnerProduct"):
        arrays = [array / np.linalg.norm(array, axis=1, keepdims=True) for array in arrays]
    first_mask = len(arrays) - case.masks
    return [
        array if number < first_mask else (random.random(array.shape) < 0.6).astype("f4")
        for number, array in enumerate(arrays)
    ]


def converted(case: Case, folder: Path) -> tuple[Layers, list[Array]]:
    """The layer, converted, and its blobs."""
    blobs = random_arrays(case)
    net = one_layer(folder, case.type, case.param, case.bottom, blobs)
    return Layers(convert(net, **case.options), folder), blobs


def of_each(cases: Sequence[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases])


def computes_its_definition(cases: Sequence[Case]) -> Test:
    @of_each(cases)
    def test(case: Case, keras: ModuleType, tmp_path: Path) -> None:
        layers, blobs = converted(case, tmp_path)
        x = np.random.default_rng(7).normal(size=case.bottom).astype("f4")
        model = layers.load_into(chain(keras, layers.of["it"], np.moveaxis(x, 1, -1).shape[1:]))
        assert_close(model(np.moveaxis(x, 1, -1)), np.moveaxis(case.formula(x, *blobs), 1, -1))

    return test


def is_named_and_as_stored(stored: Mapping[str, Arrays]) -> Test:
    """Of types that no layer of Keras computes, with the names and shapes of their arrays."""

    @pytest.mark.parametrize("type_name", stored)
    def test(type_name: str, tmp_path: Path) -> None:
        arrays = stored[type_name]
        blobs = [np.random.default_rng(1).random(shape, np.float32) for shape in arrays.values()]
        result = convert(one_layer(tmp_path, type_name, "", (2, 5), blobs))
        (layer,) = result.layers
        assert (layer.keras, [weight.name for weight in layer.weights]) == (None, list(arrays))
        for weight, blob in zip(layer.weights, blobs, strict=True):
            assert (weight.array.shape, weight.array.dtype) == (blob.shape, blob.dtype)
            np.testing.assert_array_equal(weight.array, blob)
        # Local wants an image; its arrays are what counts here.
        warnings = [note.text for note in result.notes if note.level == "warning" and "axes, expected" not in note.text]
        assert warnings == [f"Keras has no layer for {type_name}: its arrays are as stored, in Caffe's order of axes"]

    return test
