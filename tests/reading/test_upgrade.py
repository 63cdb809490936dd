"""Upgrades: real Caffe's own tool is the judge of every step; what it has no answer to is asked of the message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from caffe_proto.caffe_pb2 import (
    BlobProto,
    BlobShape,
    LayerParameter,
    NetParameter,
    ParamSpec,
    V0LayerParameter,
    V1LayerParameter,
)
from caffeconv.errors import ParseError
from caffeconv.model import Note
from caffeconv.reading.prototxt import parse_prototxt
from caffeconv.reading.upgrade import upgrade_net
from caffeconv.reading.upgrade.words import CAFFE_V1_WORDS, FORK_V1_WORDS
from tests.support.places import UPGRADE, UPGRADED
from tests.support.readers import read_prototxt

NETS = sorted(path for path in UPGRADE.glob("*.prototxt") if not path.name.endswith(UPGRADED))
PRIVATE = 10000
LOST_BY_CAFFE = "not V0"
"""A layer of V1 among those of V0 in the goldens, of which Caffe keeps no more than bottoms and tops."""


def upgrade_text(text: str) -> tuple[NetParameter, tuple[Note, ...]]:
    net, _ = parse_prototxt(text.encode(), "net.prototxt")
    return upgrade_net(net)


def one_layer(net: NetParameter) -> LayerParameter:
    upgraded, notes = upgrade_net(net)
    assert notes == ()
    (layer,) = upgraded.layer
    return layer


def fields_set(message: Any) -> set[str]:
    """The full names of all fields that are set anywhere inside a message."""
    names = set()
    for field, value in message.ListFields():
        names.add(field.full_name)
        if field.message_type is not None:
            for inner in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
                names |= fields_set(inner)
    return names


class TestAsCaffe:
    @pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
    def test_same_net_as_caffes_tool(self, path: Path) -> None:
        expected = text_format.Parse(path.with_suffix(UPGRADED).read_text(), NetParameter())
        upgraded, _ = upgrade_net(read_prototxt(path)[0])
        for layer, caffes in zip(upgraded.layer, expected.layer, strict=True):
            if layer.name == LOST_BY_CAFFE:
                assert caffes == LayerParameter(bottom=layer.bottom, top=layer.top)
                caffes.CopyFrom(layer)
        assert upgraded == expected

    @pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
    def test_same_net_from_binary(self, path: Path) -> None:
        net, _ = read_prototxt(path)
        assert upgrade_net(NetParameter.FromString(net.SerializeToString()))[0] == upgrade_net(net)[0]

    @pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
    def test_argument_stays_and_nothing_is_shared(self, path: Path) -> None:
        net, _ = read_prototxt(path)
        before = net.SerializeToString(deterministic=True)
        upgraded, _ = upgrade_net(net)
        assert net.SerializeToString(deterministic=True) == before
        for layer in upgraded.layer:
            layer.Clear()
        assert net.SerializeToString(deterministic=True) == before

    @pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
    def test_upgraded_net_stays_as_it_is(self, path: Path) -> None:
        upgraded, _ = upgrade_net(read_prototxt(path)[0])
        assert upgrade_net(upgraded) == (upgraded, ())

    def test_goldens_have_every_field(self) -> None:
        messages: list[Any] = [V0LayerParameter, V1LayerParameter]
        messages += [
            type(getattr(V1LayerParameter(), field.name))
            for field in V1LayerParameter.DESCRIPTOR.fields
            if field.message_type is not None and field.number < PRIVATE and not isinstance(field.default_value, list)
        ]
        every = {field.full_name for kind in messages for field in kind.DESCRIPTOR.fields if field.number < PRIVATE}
        used = set().union(*(fields_set(read_prototxt(path)[0]) for path in NETS))
        assert every - used == set()

    def test_types_are_the_words_of_the_schema(self) -> None:
        words = {value.name for value in V1LayerParameter.LayerType.DESCRIPTOR.values if value.number < PRIVATE}
        assert set(CAFFE_V1_WORDS) == words
        assert not words & set(FORK_V1_WORDS)


class TestV0:
    def test_field_of_another_type_is_named(self) -> None:
        upgraded, notes = upgrade_text('layers { layer { name: "r" type: "relu" num_output: 3 scale: 2 group: 2 } }')
        assert not upgraded.layer[0].HasField("convolution_param")
        assert notes == (
            Note("warning", "r", "a relu layer has no num_output, it is skipped"),
            Note("warning", "r", "a relu layer has no group, it is skipped"),
        )

    def test_layer_of_v1_among_v0_is_kept(self) -> None:
        net, notes = upgrade_text(
            'layers { layer { name: "a" type: "relu" } top: "s" } layers { name: "b" type: INNER_PRODUCT bottom: "s" '
            'top: "t" blobs { data: 7 } inner_product_param { num_output: 5 } }'
        )
        assert [(layer.name, layer.type, list(layer.top)) for layer in net.layer] == [
            ("a", "ReLU", ["s"]), ("b", "InnerProduct", ["t"]),
        ]  # fmt: skip
        assert (net.layer[1].inner_product_param.num_output, list(net.layer[1].blobs[0].data)) == (5, [7])
        assert notes == (
            Note("info", "b", "a layer of 2014 (V1) among layers of 2013 (V0), where Caffe would lose it"),
        )

    @pytest.mark.parametrize(
        ("kind", "parameter", "pad"),
        [
            pytest.param("CONVOLUTION", "convolution_param", [3], id="convolution"),
            pytest.param("POOLING", "pooling_param", 3, id="pooling"),
        ],
    )
    def test_padding_goes_to_a_layer_of_v1_too(self, kind: str, parameter: str, pad: object) -> None:
        net, _ = upgrade_text(
            'layers { layer { name: "p" type: "padding" pad: 3 } bottom: "d" top: "p" } '
            f'layers {{ name: "c" type: {kind} bottom: "p" top: "c" {parameter} {{ pad: 1 stride: 2 }} }}'
        )
        (layer,) = net.layer
        assert (list(layer.bottom), getattr(layer, parameter).pad) == (["d"], pad)

    def test_type_of_a_fork_stays(self) -> None:
        upgraded, notes = upgrade_text('layers { layer { name: "a" type: "maxout" } }')
        assert (upgraded.layer[0].type, notes) == ("maxout", ())

    @pytest.mark.parametrize(
        ("reader", "padding", "problem"),
        [
            pytest.param('{ name: "r" type: "relu" } bottom: "p"', 'bottom: "d" top: "p"',
                         r"pad \(padding\): feeds r \(relu\), expected a conv or pool layer", id="feeds another kind"),
            pytest.param('{ name: "r" type: "padding" } bottom: "p"', 'bottom: "d" top: "p"',
                         r"pad \(padding\): feeds r \(padding\)", id="feeds padding"),
            pytest.param('{ name: "r" type: "conv" } bottom: "p" bottom: "d"', 'bottom: "d" top: "p"',
                         r"r \(conv\): has 2 bottoms, expected 1", id="two bottoms"),
            pytest.param('{ name: "r" type: "pool" } bottom: "p"', 'top: "p"',
                         r"pad \(padding\): has 0 bottoms and 1 tops, expected one of each", id="no source"),
            pytest.param('{ name: "r" type: "pool" } bottom: "p"', 'bottom: "d" top: "p" top: "q"',
                         r"pad \(padding\): has 1 bottoms and 2 tops", id="two tops"),
        ],
    )  # fmt: skip
    def test_padding_where_caffe_allows_none(self, reader: str, padding: str, problem: str) -> None:
        text = f'input: "d" layers {{ layer {{ name: "pad" type: "padding" }} {padding} }} layers {{ layer {reader} }}'
        with pytest.raises(ParseError, match=problem):
            upgrade_text(text)


class TestTypes:
    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("BN", "BN"), ("CROP", "Crop"), ("UPSAMPLE", "Upsample"), ("RELU6", "ReLU6"), ("NORMALIZE", "Normalize"),
            ("CONVOLUTION3D", "Convolution3D"), ("LOCAL", "Local"), ("PRELU", "PReLU"), ("LSTM", "LSTM"),
            ("NO_SUCH_TYPE", "NO_SUCH_TYPE"), ('"Convolution"', "Convolution"), ('"CONVOLUTION"', "Convolution"),
            ("InnerProduct", "InnerProduct"), ("OfAFork", "OfAFork"), ("4", "Convolution"), ("43", "V1:43"),
        ],
    )  # fmt: skip
    def test_v1_word_in_a_text(self, word: str, expected: str) -> None:
        upgraded, _ = upgrade_text(f"layers {{ type: {word} }}")
        assert upgraded.layer[0].type == expected

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            pytest.param("12 02 28 04", "Convolution", id="Caffe's own"),
            pytest.param("12 02 28 2b", "V1:43", id="number of a fork"),
            pytest.param("12 04 28 2a 28 2b", "V1:43", id="given twice, the last counts"),
            pytest.param("12 03 22 01 61", "", id="none"),
            pytest.param("12 03 2a 01 2b", "", id="of another wire type"),
        ],
    )
    def test_v1_number_in_a_binary(self, data: str, expected: str) -> None:
        net = NetParameter.FromString(bytes.fromhex(data))  # layers (2) { type (5): varint }
        assert one_layer(net).type == expected

    def test_data_layer_by_todays_name_is_a_data_layer(self) -> None:
        upgraded, _ = upgrade_text('layers { type: "Data" data_param { crop_size: 5 } }')
        assert upgraded.layer[0].transform_param.crop_size == 5

    def test_v1_word_in_todays_form(self) -> None:
        upgraded, notes = upgrade_text(
            'layer { name: "a" type: "CONVOLUTION" } layer { type: "BN" } layer { type: "LRN" }'
        )
        assert [layer.type for layer in upgraded.layer] == ["Convolution", "BN", "LRN"]
        assert notes == (Note("info", "a", "type CONVOLUTION is taken for today's Convolution"),)


class TestV1:
    def test_blobs_that_only_have_a_payload(self) -> None:
        old = V1LayerParameter(name="a", type="CONVOLUTION", blobs=[BlobProto(payload=7), BlobProto(payload=0)])
        layer = one_layer(NetParameter(layers=[old]))
        assert layer == LayerParameter(name="a", type="Convolution", blobs=[BlobProto(payload=7), BlobProto(payload=0)])

    def test_blobs_of_v0_that_only_have_a_payload(self) -> None:
        old = V1LayerParameter(layer=V0LayerParameter(name="a", type="conv", blobs=[BlobProto(payload=7)]))
        layer = one_layer(NetParameter(layers=[old]))
        assert layer == LayerParameter(name="a", type="Convolution", blobs=[BlobProto(payload=7)])

    def test_parameters_of_forks_come_along(self) -> None:
        upgraded, _ = upgrade_text("layers { type: BN bn_param { } prelu_param { channel_shared: true } }")
        assert upgraded.layer[0].HasField("bn_param")
        assert upgraded.layer[0].prelu_param.channel_shared

    @pytest.mark.parametrize("old", ['name: "b" type: RELU', 'layer { name: "b" type: "relu" }'])
    def test_both_forms_in_one_net(self, old: str) -> None:
        with pytest.raises(ParseError, match='"a" is given as layer and "b" as layers'):
            upgrade_text(f'layer {{ name: "a" }} layers {{ {old} }}')


class TestInputs:
    @pytest.mark.parametrize(
        ("text", "count"),
        [
            pytest.param('input: "a" input: "b" input_dim: [1, 2, 3, 4]', 1, id="dims for one of two"),
            pytest.param('input: "a" input_dim: [1, 2, 3]', 0, id="three dims"),
            pytest.param('input: "a" input: "b" input_shape { dim: 1 }', 1, id="a shape for one of two"),
        ],
    )
    def test_fewer_shapes_than_inputs(self, text: str, count: int) -> None:
        upgraded, notes = upgrade_text(text)
        (layer,) = upgraded.layer
        inputs = text.count("input:")
        assert (layer.name, layer.type, list(layer.top)) == ("input", "Input", ["a", "b"][:inputs])
        assert list(layer.input_param.shape) == []
        assert notes == (Note("warning", "input", f"{inputs} inputs have {count} shapes, none is used"),)

    def test_order_of_many_layers(self) -> None:
        body = "".join(f'layer {{ name: "{i}" }}' for i in range(20))
        upgraded, _ = upgrade_text('input: "a" input_shape { dim: [5, 6] }' + body)
        assert [layer.name for layer in upgraded.layer] == ["input", *map(str, range(20))]
        assert list(upgraded.layer[0].input_param.shape) == [BlobShape(dim=[5, 6])]


class TestBatchNorm:
    def test_keeps_what_else_the_specs_say(self) -> None:
        layer = one_layer(NetParameter(layer=[LayerParameter(type="BatchNorm", param=[ParamSpec(name="m")] * 3)]))
        assert list(layer.param) == [ParamSpec(name="m", lr_mult=0, decay_mult=0)] * 3
