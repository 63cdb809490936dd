"""Layers that learn, in the nets of `fixtures/`: what real Keras makes of them against what real Caffe put out.

    CAFFE = learned("PReLU")
    test_computes_what_caffe_computes = computes_what_caffe_computes(CAFFE)

The Keras layers are built from the conversion's own words. Keras works channels last, recurrent layers batch first; the
arrays of `activations.npz` are brought to that order here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any

import pytest

from caffeconv.keras.functions import WEIGHTED
from caffeconv.model import Array
from tests.support.caffe_runs import Run, listing
from tests.support.described_models import Described, Layers, assert_close, chain
from tests.support.flattened_maps import channels_last, flattened_channels_last
from tests.support.places import FIXTURES

__all__ = [
    "RUN",
    "SCALES",
    "Case",
    "Order",
    "by_feature",
    "computes_what_caffe_computes",
    "has_a_class_of_ours",
    "in_caffes_order",
    "learned",
    "maps_last",
    "of_each",
    "what_keras_makes",
]  # fmt: skip

FUSED = {
    "batch_norm/with_scale": "scale",
    "batch_norm/in_place": "in_place_scale",
    "batch_norm/factor_1": "scale_without_bias",
    "batch_norm_edges/apart_bn": "apart_scale",
    "batch_norm_edges/vector_bn": "vector_scale",
    "batch_norm_edges/volume_bn": "volume_scale",
    "batch_norm_old_params/bn": "scale",
    "flattened_features/norm": "norm_scale",
    "batch_statistics/of_batch_scaled": "scale_of_batch",
    "over_batch/of_batch_scaled": "scale_of_batch",
    "depthwise_net/conv1_bn": "conv1_scale",
    "depthwise_net/conv2_dw_bn": "conv2_dw_scale",
    "residual_block/conv1/bn": "conv1/scale",
    "residual_block/block/shortcut/bn": "block/shortcut/scale",
    "residual_block/block/a/bn": "block/a/scale",
    "residual_block/block/b/bn": "block/b/scale",
}
"""BatchNorm -> the Scale that alone reads it. In batch_norm_edges, `shared_bn` has a second reader, and so on."""

SCALES = {f"{norm.split('/')[0]}/{scale}" for norm, scale in FUSED.items()}
RUN = sorted(path.parent.name for path in FIXTURES.glob("*/activations.npz"))

Order = Callable[[Run], tuple[list[Array], list[Array]]]
"""What goes into the Keras layer and what must come out, as often as the layer runs."""
Test = Callable[..., None]


def maps_last(run: Run) -> tuple[list[Array], list[Array]]:
    return [channels_last(x) for x in run.bottoms], [channels_last(y) for y in run.tops]


def in_caffes_order(run: Run) -> tuple[list[Array], list[Array]]:
    """No maps, or layers between others that keep Caffe's axes in Keras."""
    return run.bottoms, run.tops


def by_feature(*segments: tuple[int, ...]) -> Order:
    """Vectors of flattened maps, each feature by itself."""

    def order(run: Run) -> tuple[list[Array], list[Array]]:
        x, y = run.bottoms[0], run.tops[0]
        return [flattened_channels_last(x, segments)], [flattened_channels_last(y, segments)]

    return order


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer that learns: the order of its arrays in Keras, or why no layer of Keras computes it (`stored`).

    `by_batch`: it takes the statistics of each batch, as Keras does in training.
    """

    fixture: str
    index: int
    order: Order = maps_last
    stored: str = ""
    by_batch: bool = False

    @property
    def id(self) -> str:
        return f"{self.fixture}/{self.name}"

    @property
    def layer(self) -> dict[str, Any]:
        """As real Caffe lists it."""
        return listing(self.fixture)[self.index]

    @property
    def name(self) -> str:
        name: str = self.layer["name"]
        return name

    @property
    def type(self) -> str:
        kind: str = self.layer["type"]
        return kind

    @property
    def caffe_layers(self) -> list[str]:
        """The layer, and the Scale that is fused into it."""
        return [self.name, FUSED[self.id]] if self.id in FUSED else [self.name]

    @property
    def run(self) -> Run:
        return Run(self.fixture, self.name, self.caffe_layers[-1])


def learned(
    *types: str,
    order: Order = maps_last,
    orders: Mapping[str, Order] | None = None,
    stored: Mapping[str, str] | None = None,
    by_batch: Collection[str] = (),
) -> dict[str, Case]:
    """The layers of such types, but for each Scale that is fused into a BatchNorm; `orders` and so on are by id."""
    orders, stored = orders or {}, stored or {}
    cases = (
        Case(fixture, index)
        for fixture in RUN
        for index, layer in enumerate(listing(fixture))
        if layer["blobs"] and layer["type"] in types
    )
    found = {
        case.id: dataclasses.replace(
            case, order=orders.get(case.id, order), stored=stored.get(case.id, ""), by_batch=case.id in by_batch
        )
        for case in cases
        if case.id not in SCALES
    }
    unknown = {*orders, *stored, *by_batch} - set(found)
    assert not unknown, f"no layer of {types}: {unknown}"
    return found


def of_each(cases: Mapping[str, Case], stored: bool = False) -> pytest.MarkDecorator:
    """A test for each of the cases that Keras computes, or for each that it does not."""
    return pytest.mark.parametrize(
        "case", [pytest.param(case, id=name) for name, case in cases.items() if bool(case.stored) is stored]
    )


def what_keras_makes(case: Case, layers: Layers) -> list[Described]:
    """The Keras layers of a case, which are of it and of nothing else."""
    described = layers.of[case.name]
    assert described[0]["caffe_layers"] == case.caffe_layers
    return described


def computes_what_caffe_computes(cases: Mapping[str, Case]) -> Test:
    @of_each(cases)
    def test(case: Case, keras: ModuleType, conversions: Mapping[str, Layers]) -> None:
        layers = conversions[case.fixture]
        described = what_keras_makes(case, layers)
        for x, y in zip(*case.order(case.run), strict=True):
            model = layers.load_into(chain(keras, described, x.shape[1:]))
            assert_close(model(x, training=case.by_batch), y)

    return test


def has_a_class_of_ours(cases: Mapping[str, Case]) -> Test:
    """What no layer of Keras computes comes as stored, for a class that takes it so, with a note."""

    @of_each(cases, stored=True)
    def test(case: Case, conversions: Mapping[str, Layers]) -> None:
        (described,) = conversions[case.fixture].of[case.name]
        assert described["keras"]["class_name"] in WEIGHTED
        assert [weight["shape"] for weight in described["weights"]] == case.layer["blobs"]
        assert any("a layer of your own, or that of --format py" in note["text"] for note in described["notes"])

    return test
