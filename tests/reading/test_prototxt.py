"""Reading nets as text: what is read, what is passed over with a note, what is refused and where it says so."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from caffe_proto import caffe_pb2
from caffe_proto.caffe_pb2 import (
    BlobProto,
    ConvolutionParameter,
    LayerParameter,
    NetParameter,
    ParamSpec,
    V0LayerParameter,
    V1LayerParameter,
)
from caffeconv.errors import CaffeconvError, ParseError
from caffeconv.model import Note
from caffeconv.reading.prototxt import parse_prototxt
from caffeconv.reading.upgrade import upgrade_net
from tests.support.places import FIXTURES, UPGRADE
from tests.support.readers import read_prototxt
from tests.support.shared_data import MODELS, PROTOTXTS, needs_prototxts

OLD_NETS = sorted(UPGRADE.glob("*.prototxt"))
NETS = [*OLD_NETS, *sorted(FIXTURES.rglob("*.prototxt"))]


def read(text: str) -> NetParameter:
    """The net of a text that must be read without a note."""
    net, notes = parse_prototxt(text.encode(), "net.prototxt")
    assert notes == ()
    return net


def layers(*layer: LayerParameter) -> NetParameter:
    return NetParameter(layer=layer)


A = LayerParameter(name="a")
CONV = LayerParameter(convolution_param=ConvolutionParameter(num_output=16))


NOT_READ = {
    "ducha-aiki+caffenet-benchmark__prototxt_activations_caffenet_lsuv_PReLU.prototxt": "this is a solver, not a net",
    "ducha-aiki+caffenet-benchmark__prototxt_activations_caffenet_lsuv_RReLU.prototxt": "this is a solver, not a net",
}


class TestSyntax:
    """Real Caffe 1.0 reads every text here, to the message beside it."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param('layer { name: "a" }', layers(A), id="plain"),
            pytest.param('layer: { name: "a" }', layers(A), id="colon before a block"),
            pytest.param('layer < name: "a" >', layers(A), id="angle brackets"),
            pytest.param("layer{name:'a'}", layers(A), id="single quotes, no spaces"),
            pytest.param('layer { name\n:\n"a"\n}', layers(A), id="anywhere on lines"),
            pytest.param('\tlayer\t{\tname: "a"\t}\v\f', layers(A), id="tabs and feeds"),
            pytest.param('layer { name: "a" };', layers(A), id="semicolon behind a block"),
            pytest.param('# c "\nlayer { # }\nname: "a" #"\n}', layers(A), id="comments"),
            pytest.param('layer { name: "a#b" }', layers(LayerParameter(name="a#b")), id="no comment in a string"),
            pytest.param('layer: [{ name: "a" }, < >]', layers(A, LayerParameter()), id="list of blocks"),
            pytest.param("layer { param [] }", layers(LayerParameter()), id="empty list"),
            pytest.param(
                'layer { bottom: ["x", \'y\'] bottom: "z" }',
                layers(LayerParameter(bottom=["x", "y", "z"])),
                id="list of values",
            ),
            pytest.param(
                'layer { bottom: "x"; bottom: "y", }',
                layers(LayerParameter(bottom=["x", "y"])),
                id="semicolon and comma",
            ),
            pytest.param(
                'layer { name: "a" \'b\'\n# c\n"c" }', layers(LayerParameter(name="abc")), id="adjacent strings"
            ),
            pytest.param(
                r"""layer { name: "\n\t\"\'\\\x41\101\0" }""",
                layers(LayerParameter(name="\n\t\"'\\AA\0")),
                id="escapes",
            ),
            pytest.param("layer { convolution_param { num_output: 16 } }", layers(CONV), id="decimal"),
            pytest.param("layer { convolution_param { num_output: 0x10 } }", layers(CONV), id="hexadecimal"),
            pytest.param("layer { convolution_param { num_output: 020 } }", layers(CONV), id="octal"),
            pytest.param(
                "layer { loss_weight: [1, -1., .5, 1e-5, 1E+5, 1.5f, inf, -Infinity] }",
                layers(LayerParameter(loss_weight=[1, -1, 0.5, 1e-5, 1e5, 1.5, float("inf"), float("-inf")])),
                id="floats",
            ),
            pytest.param(
                "layer { propagate_down: [true, false, t, f, True, False, 1, 0] }",
                layers(LayerParameter(propagate_down=[True, False] * 4)),
                id="booleans",
            ),
            pytest.param("layer { phase: TEST }", layers(LayerParameter(phase="TEST")), id="enum by word"),
            pytest.param("layer { phase: 1 }", layers(LayerParameter(phase="TEST")), id="enum by number"),
            pytest.param(
                'layers { type: RELU layer { name: "x" } }',
                NetParameter(layers=[V1LayerParameter(type="RELU", layer=V0LayerParameter(name="x"))]),
                id="older generations",
            ),
            pytest.param(
                "layer { blobs { shape { dim: 2 } data: [1, 2] double_data: 0.1 } }",
                layers(LayerParameter(blobs=[BlobProto(shape={"dim": [2]}, data=[1, 2], double_data=[0.1])])),
                id="weights",
            ),
        ],
    )
    def test_reads(self, text: str, expected: NetParameter) -> None:
        assert read(text) == expected
        assert text_format.Parse(text, NetParameter()) == expected

    def test_nan_is_a_float(self) -> None:
        (weight,) = read("layer { loss_weight: NaN }").layer[0].loss_weight
        assert weight != weight

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            pytest.param(b'\xef\xbb\xbflayer { name: "a" }', "a", id="UTF-8 with a byte order mark"),
            pytest.param(b'\xff\xfel\0a\0y\0e\0r\0{\0n\0a\0m\0e\0:\0"\0a\0"\0}\0', "a", id="UTF-16, little end first"),
            pytest.param(b'\xfe\xff\0l\0a\0y\0e\0r\0{\0n\0a\0m\0e\0:\0"\0a\0"\0}', "a", id="UTF-16, big end first"),
            pytest.param(b'# r\xe9seau\r\nlayer {\r\n name: "caf\xe9"\r\n}\r\n', "caf\xe9", id="Latin-1, CRLF"),
            pytest.param('# 网络\nlayer { name: "层" }'.encode(), "层", id="Chinese in UTF-8"),
            pytest.param(b'# \xcd\xf8\xc2\xe7\nlayer { name: "a" }', "a", id="Chinese comment in GBK"),
            pytest.param("layer\u00a0{\u3000name: 'a' }".encode(), "a", id="spaces pasted from a web page"),
        ],
    )
    def test_reads_encodings(self, data: bytes, name: str) -> None:
        net, notes = parse_prototxt(data, "net.prototxt")
        assert [layer.name for layer in net.layer] == [name]
        assert notes == ()


class TestRefused:
    """Real Caffe 1.0 refuses every text here."""

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            pytest.param('layer {\n  name: "a"\n', '1:7: this bracket of "layer" is never closed', id="open layer"),
            pytest.param("layer { foo {\n[ }", '2:3: "}" does not close the "[" of line 2', id="crossed brackets"),
            pytest.param("layer { foo { ", "1:13: this bracket is never closed", id="open unknown block"),
            pytest.param("layer { }\n }", "2:2: expected the name of a field, got }", id="one bracket too many"),
            pytest.param("layer { > }", "1:9: expected the name of a field, got >", id="wrong bracket"),
            pytest.param('layer {\n\tname: "a\n"}', '2:8: expected a value of "name", got a string that is not closed',
                         id="open string"),
            pytest.param("layer { name: }", '1:15: expected a value of "name", got }', id="no value"),
            pytest.param("layer { name: ", '1:15: expected a value of "name", got the end of the file', id="cut off"),
            pytest.param('layer { name "a" }', '1:14: expected ":" after "name", got "a"', id="no colon"),
            pytest.param('layer { foo "a" }', '1:13: expected ":" or "{" after "foo", got "a"', id="unknown, no colon"),
            pytest.param("layer { foo: }", '1:14: expected a value of "foo", got }', id="unknown, no value"),
            pytest.param("layer: 5", '1:8: expected "{" after "layer", got 5', id="value for a block"),
            pytest.param("layer { name { } }", '1:14: expected ":" after "name", got {', id="block for a value"),
            pytest.param("layer { name: { } }", '1:15: expected a value of "name", got {', id="block after a colon"),
            pytest.param("layer { bottom: ['a' 'b' top] }", '1:26: expected "," or "]" in a list, got top', id="list"),
            pytest.param("layer { bottom: ['a',] }", '1:22: expected a value of "bottom", got ]', id="comma in a list"),
            pytest.param("layer { name: a }", "1:15: name: expected a string in quotes, got a", id="word for a string"),
            pytest.param("layer { bottom: 1 }", "1:17: bottom: expected a string in quotes, got 1", id="number for it"),
            pytest.param('layer { name: "\\d" }', "1:15: name: escape \\d in a string is not known", id="escape"),
            pytest.param('layer { phase: "TEST" }', "1:16: phase: expected a word without quotation marks",
                         id="string for a word"),
            pytest.param("layer { propagate_down: TRUE }", "1:25: propagate_down: expected true or false, got TRUE",
                         id="boolean"),
            pytest.param("layer { loss_weight: 1.2.3 }", "1:22: loss_weight: expected a number, got 1.2.3", id="float"),
            pytest.param("layer { loss_weight: 010 }", "1:22: loss_weight: expected a number, got 010", id="octal"),
            pytest.param("layer { loss_weight: x }", "1:22: loss_weight: expected a number, got x", id="no float"),
            pytest.param("input_dim: 3.0 layer { }", "1:12: input_dim: expected an integer, got 3.0", id="fraction"),
            pytest.param("input_dim: 08 layer { }", "1:12: input_dim: expected an integer, got 08", id="no octal"),
            pytest.param("input_dim: +3 layer { }", "1:12: input_dim: expected an integer, got +3", id="plus"),
            pytest.param("input_dim: 2147483648 layer { }", "1:12: input_dim: 2147483648 is out of range", id="int32"),
            pytest.param("input_dim: -2147483649 layer { }", "1:12: input_dim: -2147483649 is out of", id="below"),
            pytest.param("layer { convolution_param { num_output: -1 } }", "1:41: num_output: -1 is out of range",
                         id="uint32 below"),
            pytest.param(f"input_dim: {'9' * 9999} layer {{ }}", "is out of range", id="endless number"),
            pytest.param('layer { name: "a"\n\tname: "b" }', '2:2: "name" is given twice, first on line 1',
                         id="value twice"),
            pytest.param("layer { relu_param { } relu_param { negative_slope: 2 } }", '1:24: "relu_param" is given',
                         id="block twice"),
            pytest.param("layer { convolution_param { num_output: [4, 5] } }", 'num_output" is given twice, and its',
                         id="list of several"),
            pytest.param("layer { name: 'a' // c\n}", "1:19: expected the name of a field, got /: begin a comment "
                         "with #, and not as in", id="C++ comment"),
            pytest.param("layer { convolution_param { num_output: 1\nlayer { } }", '2:1: "layer" inside of '
                         '"convolution_param": is a bracket missing above?', id="bracket forgotten before a layer"),
            pytest.param("layer { 1: 2 }", "1:9: expected the name of a field, got 1", id="field by number"),
        ],
    )  # fmt: skip
    def test_syntax(self, text: str, problem: str) -> None:
        with pytest.raises(ParseError) as caught:
            parse_prototxt(text.encode(), "net.prototxt")
        assert str(caught.value).startswith("net.prototxt:")
        assert problem in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_escapes_that_make_no_utf8(self) -> None:
        text = 'layer {\n foo: 1 name: "\\xff" }'
        with pytest.raises(ParseError, match=r"^net\.prototxt:2:22: [^\n]*utf-8"):
            parse_prototxt(text.encode(), "net.prototxt")

    @pytest.mark.parametrize(
        "value", ["{{ classes }}", "${CLASSES}", "$CLASSES", "__classes__", "@CLASSES@", "%(classes)d", "{% raw %}"]
    )
    def test_placeholder(self, value: str) -> None:
        text = f"layer {{\n  convolution_param {{ num_output: {value} }}\n}}"
        with pytest.raises(ParseError, match=re.escape(f"net.prototxt:2:35: the placeholder {value} of a template")):
            parse_prototxt(text.encode(), "net.prototxt")

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            pytest.param('{"layer": []}', "a JSON document", id="JSON"),
            pytest.param("\n[1, 2]", "a JSON document", id="JSON list"),
            pytest.param("<!DOCTYPE html>\n<html></html>", "an HTML page", id="HTML"),
            pytest.param('<?xml version="1.0"?><net name="x"/>', "an XML document of OpenVINO", id="XML"),
            pytest.param("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer", id="LFS"),
            pytest.param("#!/usr/bin/env python\nimport caffe\n", "a Python program", id="Python"),
            pytest.param("# a net\nfrom caffe import layers as L\n", "a Python program", id="Python without #!"),
            pytest.param("name: x\nlayers:\n  - type: conv\n", "a YAML document", id="YAML"),
            pytest.param("[net]\nbatch=1\n", "a Darknet configuration", id="Darknet"),
            pytest.param("7767517\n75 83\nInput data 0 1 data\n", "an ncnn parameter file", id="ncnn"),
        ],
    )
    def test_other_kinds_of_text(self, text: str, kind: str) -> None:
        with pytest.raises(ParseError, match=re.escape(f"x.prototxt: this is {kind}")):
            parse_prototxt(text.encode(), "x.prototxt")

    @pytest.mark.parametrize(
        ("text", "advice"),
        [
            pytest.param(
                'net: "a/train.prototxt"\nbase_lr: 0.1', 'its net is named by net: "a/train.prototxt"', id="net"
            ),
            pytest.param('train_net: "t"\nsolver_mode: GPU', 'its net is named by train_net: "t"', id="train_net"),
            pytest.param("base_lr: 1 net_param { layer { } }", "stands inside of net_param", id="net inside"),
            pytest.param("base_lr: 1 max_iter: 5", "give the net that it trains", id="no net"),
        ],
    )
    def test_solver(self, text: str, advice: str) -> None:
        with pytest.raises(ParseError, match=r"^solver\.prototxt: this is a solver, not a net; ") as caught:
            parse_prototxt(text.encode(), "solver.prototxt")
        assert advice in str(caught.value)

    @pytest.mark.parametrize("text", ["", "# nothing\n", 'name: "x"', 'item { name: "dog" label: 1 }'])
    def test_no_layer(self, text: str) -> None:
        with pytest.raises(ParseError, match=r"^x: there is no layer in it"):
            parse_prototxt(text.encode(), "x")

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"\x0a\x05LeNet\xa2\x06\x04\x0a\x02ip", id="a caffemodel"),
            pytest.param(b"PK\x03\x04\x14\x00\x00\x00", id="ZIP"),
            pytest.param(b"\x89HDF\r\n\x1a\n\x00\x00", id="HDF5"),
        ],
    )
    def test_binary(self, data: bytes) -> None:
        with pytest.raises(ParseError, match=r"^x: this is binary data"):
            parse_prototxt(data, "x")

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ParseError, match=r"absent\.prototxt cannot be read: No such file"):
            read_prototxt(tmp_path / "absent.prototxt")
        with pytest.raises(ParseError, match=re.escape(str(tmp_path))):
            read_prototxt(tmp_path)


class TestPassedOver:
    """What forks add: read around it, and say so once."""

    @pytest.mark.parametrize(
        "field",
        [
            pytest.param("foo: 1", id="number"),
            pytest.param("foo: -1.5e3f", id="float"),
            pytest.param("foo: -inf", id="negative word"),
            pytest.param("foo: WORD", id="word"),
            pytest.param('foo: "a" \'b\'\n"}"', id="strings"),
            pytest.param("foo { a: 1 b < c: '}' > }", id="block"),
            pytest.param("foo: { a: [1, {}] }", id="block after a colon"),
            pytest.param("foo < >", id="angle brackets"),
            pytest.param("foo: [1, 2, 3]", id="list"),
            pytest.param("foo: [{ a: 1 }, < >]", id="list of blocks"),
            pytest.param("foo: 1,", id="comma"),
            pytest.param("foo { path: C:\\data\\x it: don't }", id="not even tokens"),
            pytest.param("foo " + "{" * 50_000 + "}" * 50_000, id="deep"),
            pytest.param("foo { \"'" + "\\'\\\"" * 50_000 + "\n}", id="quotes behind backslashes"),
        ],
    )
    @pytest.mark.parametrize("place", ["layer", "parameter"])
    def test_unknown_field(self, field: str, place: str) -> None:
        if place == "layer":
            text, where = f'layer {{ {field} name: "a" bottom: "b" }}', "foo"
            expected = layers(LayerParameter(name="a", bottom=["b"]))
        else:
            text, where = f'layer {{ name: "a" relu_param {{ {field} }} bottom: "b" }}', "relu_param.foo"
            expected = layers(LayerParameter(name="a", bottom=["b"], relu_param={}))
        net, notes = parse_prototxt(text.encode(), "x")
        assert net == expected
        assert notes == (Note("warning", "a", f'line 1: unknown field "{where}" skipped'),)

    def test_one_note_for_a_hundred(self) -> None:
        text = "".join(f'layer {{ name: "l{i}"\n foo: {i} param {{ foo: 1 }} }}\n' for i in range(100))
        net, notes = parse_prototxt(text.encode(), "x")
        assert net == layers(*(LayerParameter(name=f"l{i}", param=[ParamSpec()]) for i in range(100)))
        assert notes == (
            Note("warning", "l0", 'line 2: unknown field "foo" skipped (and 99 more, the last on line 200)'),
            Note("warning", "l0", 'line 2: unknown field "param.foo" skipped (and 99 more, the last on line 200)'),
        )

    def test_names_of_layers_in_notes(self) -> None:
        text = (
            'foo: 1 state { foo: 2 } layer { foo1: 1 name: "a" param { name: "p" } } '
            'layers { layer { foo2: 1 name: "b" } } layer { foo3: 1 } [x.y]: 1'
        )
        _, notes = parse_prototxt(text.encode(), "x")
        assert [(note.layer, re.findall('"(.*)"', note.text)) for note in notes] == [
            (None, ["foo"]), (None, ["state.foo"]), ("a", ["foo1"]), ("b", ["layer.foo2"]), (None, ["foo3"]),
            (None, ["[...]"]),
        ]  # fmt: skip

    @pytest.mark.parametrize("value", ["NO_SUCH_WORD", "99", "-1", "10000"])
    def test_unknown_enum_value(self, value: str) -> None:
        text = f'layer {{ name: "a" relu_param {{ engine: {value} negative_slope: 0.5 }} }}'
        net, notes = parse_prototxt(text.encode(), "x")
        assert net == layers(LayerParameter(name="a", relu_param={"negative_slope": 0.5}))
        assert notes == (Note("warning", "a", f"line 1: unknown value {value} of relu_param.engine skipped"),)

    @pytest.mark.parametrize(
        "field",
        [
            pytest.param("engine: NO_SUCH_WORD;", id="word"),
            pytest.param("engine: 99,", id="number"),
            pytest.param("negative_slope: [];", id="list"),
            pytest.param("foo: 1;", id="unknown field"),
        ],
    )
    def test_separator_goes_with_what_is_passed_over(self, field: str) -> None:
        net, notes = parse_prototxt(f"layer {{ relu_param {{ {field} }} }}".encode(), "x")
        assert net == layers(LayerParameter(relu_param={}))
        assert len(notes) == 1

    def test_enum_words_of_forks_are_known(self) -> None:
        net = read("layer { relu_param { engine: MKL2017 } }")
        assert net.layer[0].relu_param.HasField("engine")

    @pytest.mark.parametrize(
        ("written", "read", "told"),
        [
            pytest.param("kernel_size: 3 kernel_size: 3", {"kernel_size": 3}, "info kernel_size; they are the same"),
            pytest.param("kernel_size: [3, 3]", {"kernel_size": 3}, "info kernel_size; they are the same"),
            pytest.param("kernel_size: [5]", {"kernel_size": 5}, None),
            pytest.param("stride: 2, stride: [2, 2]", {"stride": 2}, "info stride; they are the same"),
            pytest.param("pool: MAX pool: MAX pool: MAX", {"pool": 0}, "info pool; they are the same"),
            pytest.param(
                "kernel_size: 3 kernel_size: 5", {"kernel_h": 3, "kernel_w": 5}, "info kernel_size: they are taken for"
            ),
            pytest.param("pad: [1, 0]", {"pad_h": 1, "pad_w": 0}, "info pad: they are taken for pad_h and pad_w"),
            pytest.param("kernel_size: 3 stride: [1, 2, 2]", {}, "warning stride, for 3 axes: the window is left open"),
            pytest.param("kernel_size: [1, 2, 3] pad: 2", {"pad": 2}, "warning kernel_size, for 3 axes: the window"),
            pytest.param("engine: CUDNN engine: CAFFE", {"engine": 1}, "info engine: the last counts"),
            pytest.param("kernel_size: []", {}, "warning kernel_size takes one value, the empty list is skipped"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_several_values_for_one(self, written: str, read: dict[str, int], told: str | None) -> None:
        net, notes = parse_prototxt(f'layer {{ name: "a" pooling_param {{ {written} }} }}'.encode(), "x")
        assert net == layers(LayerParameter(name="a", pooling_param=read))
        said = [f"{note.level} {note.text}" for note in notes]
        short = [line.replace("line 1: pooling_param.", "").replace(" has several values, as only forks allow", "")
                 for line in said]  # fmt: skip
        assert len(short) == (told is not None)
        assert all(line.startswith(str(told)) for line in short)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            pytest.param('bias_filler { value: 1 value: 2 type: "constant" type: "xavier" }', 2, id="values"),
            pytest.param("bias_filler { value: 1 } bias_filler { value: 3 } bias_filler { value: 4 }", 4, id="blocks"),
            pytest.param("bias_filler { value: [1, 5] }", 5, id="list"),
        ],
    )
    def test_fillers_count_for_little(self, text: str, value: float) -> None:
        net, notes = parse_prototxt(f"layer {{ convolution_param {{ {text} }} }}".encode(), "x")
        assert net.layer[0].convolution_param.bias_filler.value == value
        assert {note.level for note in notes} == {"info"}

    @pytest.mark.parametrize("name", ["resize_param", "distort_param"])
    def test_what_only_training_needs_counts_for_little(self, name: str) -> None:
        block = f"{name} {{ prob: 0.5 }} {name} {{ prob: 0.25 }}" if name == "resize_param" else f"{name} {{ }} " * 2
        net, notes = parse_prototxt(f"layer {{ transform_param {{ {block} crop_size: 3 }} }}".encode(), "x")
        assert net.layer[0].transform_param.crop_size == 3
        assert [note.level for note in notes] == ["info"]

    @pytest.mark.parametrize(
        ("value", "word"), [("NO_SUCH_TYPE", "NO_SUCH_TYPE"), ("43", "43"), ('"Convolution"', "Convolution")]
    )
    def test_v1_type_that_is_no_word_of_caffe(self, value: str, word: str) -> None:
        net, notes = parse_prototxt(f'layers {{ name: "a" type: {value} top: "t" }}'.encode(), "x")
        assert net == NetParameter(layers=[V1LayerParameter(name="a", type_word=word, top=["t"])])
        what = "has quotation marks, which Caffe refuses" if '"' in value else "is none of Caffe's words for a layer"
        assert notes == (Note("info", "a", f"line 1: type {value} {what} in layers"),)

    def test_type_without_quotation_marks(self) -> None:
        net, notes = parse_prototxt(b'layer { type: CONVOLUTION name: "a" }', "x")
        assert net == layers(LayerParameter(name="a", type="CONVOLUTION"))
        assert notes == (
            Note("info", "a", "line 1: type CONVOLUTION has no quotation marks, which Caffe wants"),
        )  # fmt: skip

    def test_private_fields_are_not_for_texts(self) -> None:
        net, notes = parse_prototxt(b'layers { blobs { payload: 3 } type_word: "x" }', "x")
        assert net == NetParameter(layers=[V1LayerParameter(blobs=[BlobProto()])])
        assert len(notes) == 2


def written_integers(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """Decimal, hexadecimal and octal."""
    numbers = st.integers(lowest, highest) | st.sampled_from([lowest, highest])
    forms = st.sampled_from(
        [lambda sign, n: f"{sign}{n}", lambda sign, n: f"{sign}0x{n:X}", lambda sign, n: f"{sign}0{n:o}"]
    )
    return st.builds(lambda form, number: form("-" * (number < 0), abs(number)), forms, numbers)


STRING = st.lists(
    st.text(st.characters(exclude_characters='"\\\n', exclude_categories=["Cc", "Cs"]), max_size=5)
    | st.sampled_from(["\\n", '\\"', "\\\\", "\\x4", "\\x41", "\\0", "\\101", "\\303\\251", "'"]),
    max_size=4,
).map(lambda parts: '"' + "".join(parts) + '"')
FLOAT = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.floats(allow_nan=False, width=32).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(
        ["1.", ".5", "-.5", "1.5f", "2f", "1E+5", "1e39", "-1e39", "3.4028235e38", "1e-46", "1e999", "-inf", "Infinity"]
    ),
)
VALUES = {
    FieldDescriptor.CPPTYPE_BOOL: st.sampled_from(["true", "True", "t", "1", "false", "False", "f", "0"]),
    FieldDescriptor.CPPTYPE_DOUBLE: FLOAT,
    FieldDescriptor.CPPTYPE_FLOAT: FLOAT,
    FieldDescriptor.CPPTYPE_INT32: written_integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: written_integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_STRING: st.lists(STRING, min_size=1, max_size=2).map(" ".join),
    FieldDescriptor.CPPTYPE_UINT32: written_integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: written_integers(0, 2**64 - 1),
}
PRIVATE = 10000
DEEPEST = 4


def written_value(field: Any, depth: int) -> st.SearchStrategy[str]:
    if field.message_type is not None:
        return st.builds("{}{}{}".format, st.just("{"), written_fields(field.message_type, depth + 1), st.just("}"))
    if field.enum_type is not None:
        values = field.enum_type.values
        words = [value.name for value in values]
        return st.sampled_from([*words, *(str(value.number) for value in values if value.number < PRIVATE)])
    return VALUES[field.cpp_type]


@st.composite
def written_fields(draw: st.DrawFn, descriptor: Any, depth: int = 0) -> str:
    """Some fields of a message as one may write them."""
    known = [
        field
        for field in descriptor.fields
        if field.name not in ("payload", "type_word") and (depth < DEEPEST or field.message_type is None)
    ]
    text = ""
    for field in (
        draw(st.lists(st.sampled_from(known), max_size=5, unique_by=lambda field: field.name)) if known else []
    ):
        colon = draw(st.sampled_from([": ", " : ", ":\n", " " if field.message_type else ":"]))
        value = written_value(field, depth)
        if isinstance(field.default_value, list):
            items = draw(st.lists(value, min_size=1, max_size=3))
            if draw(st.booleans()):
                text += f"{field.name}{colon}[{', '.join(items)}]"
            else:
                text += " ".join(f"{field.name}{colon}{item}" for item in items)
        else:
            text += f"{field.name}{colon}{draw(value)}"
        text += draw(st.sampled_from([" ", "\n", ", ", ";", " # { \n"]))
    return text


ABOUT: dict[str, tuple[str, str | dict[str, str]]] = {
    "GongCheng1919+Quantitative-and-ternary-caffe-for-network-compression__examples_cifar10_vgg11": (
        "type: DROPOUT", 'type: "DROPOUT"',
    ),
    "MyCaffe+MyCaffe__MyCaffe.test_test_data_models_tft_Tft_traffic_tft_traffic_train_test": (r"source: C:.*", ""),
    "yjxiong+caffe__models_C3D_train": (
        r"scale_ratios:.*|(?<=pool: MAX)\s*kernel_size: \[1.*\s*stride:.*|(?<=: )\[2, 2, 2\]", {"[2, 2, 2]": "2"},
    ),
}  # fmt: skip
"""What keeps protobuf's own parser from reading a file, and what to write there instead, perhaps by what it is."""


class TestLikeProtobuf:
    """Protobuf's own parser of texts, told to pass over unknown fields, makes the same message."""

    @settings(deadline=None, max_examples=150)
    @given(written_fields(NetParameter.DESCRIPTOR))
    def test_any_field(self, text: str) -> None:
        expected = text_format.Parse(text + "layer { }", NetParameter())
        assert read(text + "layer { }") == expected

    @pytest.mark.parametrize("message", ["LayerParameter", "V1LayerParameter"])
    @settings(deadline=None, max_examples=150)
    @given(data=st.data())
    def test_any_field_of_a_layer(self, message: str, data: st.DataObject) -> None:
        field = "layers" if message == "V1LayerParameter" else "layer"
        descriptor = caffe_pb2.DESCRIPTOR.message_types_by_name[message]
        text = f"{field} {{ {data.draw(written_fields(descriptor, 1))} }}"
        assert read(text) == text_format.Parse(text, NetParameter())

    @pytest.mark.parametrize("path", NETS, ids=lambda path: f"{path.parent.name}/{path.stem}")
    def test_fixtures(self, path: Path) -> None:
        self.check(path)

    @needs_prototxts
    @pytest.mark.parametrize("path", [*PROTOTXTS, *(folder / "deploy.prototxt" for folder in MODELS)],
                             ids=lambda path: f"{path.parent.name}/{path.stem}")  # fmt: skip
    def test_public_nets(self, path: Path) -> None:
        if path.name not in NOT_READ:
            self.check(path)

    @staticmethod
    def check(path: Path) -> None:
        data = path.read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        pattern, instead = ABOUT.get(path.stem, ("", ""))
        text = re.sub(pattern, lambda m: instead if isinstance(instead, str) else instead.get(m.group(), ""), text)
        net, _ = read_prototxt(path)
        assert net == text_format.Parse(text, NetParameter(), allow_unknown_field=True)


TOKENS = [
    "layer",
    "layers",
    "name",
    "type",
    "phase",
    "input_dim",
    "bottom",
    "relu_param",
    "engine",
    "blobs",
    "data",
    "foo",
    "param",
    "lr_mult",
    ":",
    ":",
    ":",
    "{",
    "}",
    "<",
    ">",
    "[",
    "]",
    '"',
    "'",
    '"a"',
    "'b'",
    "1",
    "-1",
    "0x1",
    "08",
    "1e9",
    "inf",
    "CONVOLUTION",
    "TEST",
    "true",
    ",",
    ";",
    ".",
    "#",
    "\\",
    '"\\xff"',
    "[a.b]",
    "-",
    "\u00e9",
    "${x}",
    "\n",
    "\u3000",
]


class TestFuzz:
    """Whatever comes: a net, or one of our errors."""

    @staticmethod
    def check(data: bytes) -> None:
        try:
            net, _ = parse_prototxt(data, "x")
        except ParseError as error:
            assert "\n" not in str(error)
            assert str(error).startswith("x:")
            return
        with contextlib.suppress(ParseError):
            upgrade_net(net)

    @settings(deadline=None, max_examples=200)
    @given(st.binary(max_size=200))
    def test_bytes(self, data: bytes) -> None:
        self.check(data)

    @settings(deadline=None, max_examples=400)
    @given(st.lists(st.sampled_from(TOKENS), max_size=40).map(" ".join))
    def test_tokens(self, text: str) -> None:
        self.check(text.encode())

    @settings(deadline=None, max_examples=300)
    @given(st.data())
    def test_mutations(self, data: st.DataObject) -> None:
        tokens = re.findall(r"\w+|\s+|[^\w\s]", data.draw(st.sampled_from(OLD_NETS)).read_text("utf-8")[:3000])
        for _ in range(data.draw(st.integers(1, 5))):
            at = data.draw(st.integers(0, len(tokens) - 1))
            other = data.draw(st.sampled_from([*"{}<>[]:;,\"'#\\-", "", "\0", "\u00e9", tokens[at], tokens[at // 2]]))
            tokens[at : at + data.draw(st.integers(0, 2))] = [other]
        self.check("".join(tokens).encode())


@needs_prototxts
class TestPublicNets:
    @pytest.mark.parametrize("path", [*PROTOTXTS, *(folder / "deploy.prototxt" for folder in MODELS)],
                             ids=lambda path: f"{path.parent.name}/{path.stem}")  # fmt: skip
    def test_reads(self, path: Path) -> None:
        if path.name in NOT_READ:
            with pytest.raises(CaffeconvError, match=NOT_READ[path.name]):
                read_prototxt(path)
            return
        net, _ = read_prototxt(path)
        blocks = re.findall(r"(?m)^\s*layers?\s*:?\s*\{", re.sub(r"#.*", "", path.read_text("latin-1")))
        of_v0 = [layer for layer in net.layers if layer.HasField("layer")]
        assert 0 < len(blocks) <= len(net.layer) + len(net.layers) + len(of_v0)
