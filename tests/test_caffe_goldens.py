"""What caffeconv says of every net in `fixtures/` is what real Caffe said of it; no Caffe is needed for this."""

from __future__ import annotations

import pytest

import caffeconv
from caffeconv.net import insert_splits
from tests.support.caffe_listing import MANIFEST, of_caffe, of_dicts, of_net
from tests.support.places import FIXTURES

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


@pytest.mark.parametrize(("name", "state"), STATES)
def test_layers_and_shapes(name: str, state: str) -> None:
    said = of_caffe((FIXTURES / name / state).read_bytes())
    net = caffeconv.load_net(FIXTURES / name / "net.prototxt", **MANIFEST["fixtures"][name]["states"][state])
    assert of_net(insert_splits(net)) == [line.partition(";")[0] + "; " for line in said]


@pytest.mark.parametrize(("name", "weights"), WEIGHTS)
def test_weights_of_every_dialect(name: str, weights: str) -> None:
    listed = caffeconv.convert_caffemodel_to_dict(FIXTURES / name / "net.prototxt", FIXTURES / name / weights)
    assert of_dicts(listed) == of_caffe((FIXTURES / name / "caffe.json").read_bytes())
