"""Public prototxts of Caffe and its forks: each is read as real Caffe reads it, or refused for a reason that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

import caffeconv
from caffeconv.errors import ParseError
from caffeconv.net import insert_splits, settle_shapes
from caffeconv.net.shapes import expected_blobs
from tests.support.net_builder import one_line
from tests.support.places import SHARED
from tests.support.shared_data import PROTOTXTS, caffe_says, needs_prototxts

if TYPE_CHECKING:
    from pathlib import Path

    from caffeconv.model import MaybeShape

pytestmark = needs_prototxts

SOLVER = (
    "this is a solver, not a net; its net is what stands inside of net_param, which can be saved as a file of its own"
)
REFUSED = {
    "MyCaffe+MyCaffe__MyCaffe.test_test_data_models_bvlc_nin_train_val.prototxt": (
        # Real Caffe dies on it, too: "the definition includes both 'layer' and 'layers' fields".
        '"data" is given as layer and "conv1" as layers: a net must keep to one of both forms'
    ),
    "ducha-aiki+caffenet-benchmark__prototxt_activations_caffenet_lsuv_PReLU.prototxt": SOLVER,
    "ducha-aiki+caffenet-benchmark__prototxt_activations_caffenet_lsuv_RReLU.prototxt": SOLVER,
}
"""All that are refused, with the reasons given; every other file loads."""

NETS = [path for path in PROTOTXTS if not path.name.endswith(".caffe.prototxt")]
JUDGED = sorted((SHARED / "prototxts").glob("*.caffe.json"))


def named(path: Path) -> str:
    return path.name.removesuffix(".prototxt").removesuffix(".caffe.json")


def blobs(names: tuple[str, ...], shapes: tuple[MaybeShape, ...]) -> list[list[object]]:
    return [[name, None if shape is None else list(shape)] for name, shape in zip(names, shapes, strict=True)]


def test_the_folder_is_complete() -> None:
    assert (len(NETS), len(JUDGED)) == (115, 64)
    assert set(REFUSED) <= {path.name for path in NETS}


@pytest.mark.parametrize("path", JUDGED, ids=named)
def test_layers_and_shapes_are_those_of_caffe(path: Path) -> None:
    says = caffe_says(path)
    net = insert_splits(caffeconv.load_net(path.parent / says["prototxt"]))
    learned = [expected_blobs(layer.param, layer.bottom_shapes) for layer in net.layers]
    ours = [
        (layer.name, layer.type, blobs(layer.bottoms, layer.bottom_shapes), blobs(layer.tops, layer.top_shapes))
        for layer in settle_shapes(net).layers
    ]
    theirs = [(each["name"], each["type"], each["bottoms"], each["tops"]) for each in says["layers"]]
    assert ours == theirs
    assert [[list(shape) for shape in shapes or ()] for shapes in learned] == [each["blobs"] for each in says["layers"]]


@pytest.mark.parametrize(
    ("path", "phase"),
    [
        pytest.param(path, phase, id=f"{named(path)}-{phase}")
        for path in NETS
        for phase in ("TEST", "TRAIN")
        if path.name not in REFUSED and (phase == "TEST" or "train" in path.name)
    ],
)
def test_every_other_net_loads(path: Path, phase: Literal["TEST", "TRAIN"]) -> None:
    net = caffeconv.load_net(path, phase=phase)
    assert net.layers
    for note in net.notes:
        one_line(str(note))
    for layer in net.layers:
        assert (len(layer.bottoms), len(layer.tops)) == (len(layer.bottom_shapes), len(layer.top_shapes))


@pytest.mark.parametrize("path", [path for path in NETS if path.name in REFUSED], ids=named)
def test_the_others_are_refused_with_the_reason(path: Path) -> None:
    with pytest.raises(ParseError) as refused:
        caffeconv.load_net(path)
    assert one_line(refused.value) == f"{path}: {REFUSED[path.name]}"
