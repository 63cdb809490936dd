"""Layer by layer, what a real Caffe says of nets: the fixtures, and the nets beside the checkout where they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import text_format

from caffe_proto.caffe_pb2 import TRAIN, LayerParameter, NetParameter
from caffeconv.net.shapes import expected_blobs, infer_top_shapes
from tests.support.places import FIXTURES, SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from caffeconv.model import MaybeShape

FOUND = [
    *sorted(FIXTURES.glob("*/caffe.json")),
    *sorted(SHARED.glob("models/*/caffe.json")),
    *sorted(SHARED.glob("prototxts/*.caffe.json")),
]


def _params(net: NetParameter) -> dict[tuple[str, str], list[LayerParameter]]:
    """The layers of a net by name and type, `input:` fields among them."""
    params: dict[tuple[str, str], list[LayerParameter]] = {}
    if net.input:
        source = LayerParameter(name="input", type="Input")
        source.input_param.shape.extend(net.input_shape)
        for start in range(0, len(net.input_dim), 4):
            source.input_param.shape.add().dim.extend(net.input_dim[start : start + 4])
        params["input", "Input"] = [source]
    for layer in net.layer:
        if layer.include and all(rule.HasField("phase") and rule.phase == TRAIN for rule in layer.include):
            continue
        params.setdefault((layer.name, layer.type), []).append(layer)
    return params


def _param_of(said: dict[str, Any], params: dict[tuple[str, str], list[LayerParameter]]) -> LayerParameter:
    """The parameter of a layer that Caffe lists, under the bottoms and tops that it has there."""
    candidates = params.get((said["name"], said["type"]), [])
    param = LayerParameter(name=said["name"], type=said["type"])
    if candidates:
        param.CopyFrom(candidates.pop(0) if len(candidates) > 1 else candidates[0])
    else:
        assert said["type"] == "Split", said["name"]
    del param.bottom[:], param.top[:]
    param.bottom.extend(name for name, _ in said["bottoms"])
    param.top.extend(name for name, _ in said["tops"])
    return param


@pytest.mark.skipif(not FOUND, reason="neither fixtures nor ../shared are here")
@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}-{path.name[:40]}") for path in FOUND])
def test_layers_are_those_of_caffe(path: Path) -> None:
    said = json.loads(path.read_text())
    prototxt = path.parent / said.get("prototxt", "net.prototxt")
    net = NetParameter()
    text_format.Parse(prototxt.read_text(errors="replace"), net, allow_unknown_field=True)
    if net.layers:
        pytest.skip("a net of the old form, which has to be upgraded first")
    params = _params(net)
    known: dict[str, MaybeShape] = {}
    for layer in said["layers"]:
        param = _param_of(layer, params)
        bottoms = tuple(known[name] for name in param.bottom)
        tops, reason, _ = infer_top_shapes(param, bottoms)
        assert reason is None, layer["name"]
        assert expected_blobs(param, bottoms) == tuple(map(tuple, layer["blobs"])), layer["name"]
        known.update(zip(param.top, tops, strict=True))
    # Caffe lists each blob with its last shape, that of the last layer that wrote it in place.
    assert known == {name: tuple(shape) for layer in said["layers"] for name, shape in layer["tops"]}
