from __future__ import annotations

import collections
import gc
import hashlib
import math
import mmap
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caffe_proto.caffe_pb2 import BlobProto, LayerParameter, NetParameter, V1LayerParameter
from caffeconv.errors import ParseError
from tests.support import wire_writer as write
from tests.support.readers import read_caffemodel
from tests.support.shared_data import MODELS, caffe_says, needs_models, weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caffeconv.model import Blob, Note

Read = tuple[NetParameter, tuple["Blob", ...], tuple["Note", ...]]


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Read]:
    def write_and_read(content: bytes) -> Read:
        path = tmp_path / "x.caffemodel"
        path.write_bytes(content)
        return read_caffemodel(path)

    return write_and_read


def layers_of(net: NetParameter) -> list[Any]:
    return [*net.layer, *net.layers]


def error_of(read: Callable[[bytes], Read], content: bytes) -> str:
    with pytest.raises(ParseError) as error:
        read(content)
    message = str(error.value)
    assert "\n" not in message
    return message.partition("x.caffemodel: ")[2]


# --- shapes -----------------------------------------------------------------------------------------------------------

SIX = write.packed_floats(5, range(6))
LEGACY_2311 = write.number(1, 2) + write.number(2, 3) + write.number(3, 1) + write.number(4, 1)


@pytest.mark.parametrize(
    ("blob", "shape", "legacy"),
    [
        pytest.param(write.shape(2, 3) + SIX, (2, 3), False, id="shape"),
        pytest.param(SIX + write.shape(2, 3), (2, 3), False, id="shape-after-data"),
        pytest.param(
            write.chunk(7, write.number(1, 2) + write.number(1, 3)) + SIX, (2, 3), False, id="dims-not-packed"
        ),
        pytest.param(
            write.chunk(7, write.number(1, 2)) + write.shape(3) + SIX, (2, 3), False, id="shape-in-two-pieces"
        ),
        pytest.param(write.packed_floats(5, [7]), (), False, id="no-shape-is-a-scalar"),
        pytest.param(write.shape() + write.packed_floats(5, [7]), (), False, id="empty-shape-is-a-scalar"),
        pytest.param(write.shape(0, 4), (0, 4), False, id="no-values"),
        pytest.param(LEGACY_2311 + SIX, (2, 3, 1, 1), True, id="legacy"),
        pytest.param(LEGACY_2311 + write.shape(3, 2) + SIX, (2, 3, 1, 1), True, id="legacy-wins"),
        pytest.param(write.number(1, 9) + write.shape(6), (9, 0, 0, 0), True, id="one-legacy-size-is-enough"),
        pytest.param(
            write.number(1, 3)
            + write.number(2, 1)
            + write.number(3, 2)
            + write.number(4, 1)
            + write.number(5, 1)
            + write.packed_floats(6, range(6))
            + write.packed_floats(7, range(6)),
            (3, 1, 2, 1, 1),
            True,
            id="c3d",
        ),
        pytest.param(
            write.number(1, 3)
            + write.number(2, 1)
            + write.number(3, 2)
            + write.number(4, 1)
            + write.number(7777, 1)
            + SIX,
            (3, 1, 1, 2, 1),
            True,
            id="ljpadam",
        ),
        pytest.param(
            SIX
            + write.shape(6)
            + write.packed_floats(10, range(6))
            + write.packed_doubles(11, range(6))
            + write.number(12, 3),
            (6,),
            False,
            id="xilinx-extras",
        ),
        pytest.param(
            SIX + write.shape(6) + write.loose_floats(10, [1]) + write.loose_floats(12, [0.5]) + write.number(16, 1),
            (6,),
            False,
            id="gongcheng-extras",
        ),
        pytest.param(write.shape(6) + SIX + write.packed_floats(6, range(5)), (6,), False, id="diff-is-passed-over"),
    ],
)
def test_shape(read: Callable[[bytes], Read], blob: bytes, shape: tuple[int, ...], legacy: bool) -> None:
    _, (result,), notes = read(write.layer("fc", "InnerProduct", blob))
    assert (result.shape, result.legacy, notes) == (shape, legacy, ())
    start = 7 if shape == () else 0
    np.testing.assert_array_equal(result.array.ravel(), np.arange(start, start + math.prod(shape)))


@pytest.mark.parametrize(
    ("blob", "line"),
    [
        pytest.param(write.shape(2, 4) + SIX, "shape (2, 4) needs 8 values, got 6", id="count"),
        pytest.param(SIX, "shape () needs 1 values, got 6", id="neither"),
        pytest.param(b"", "shape () needs 1 values, got 0", id="empty"),
        pytest.param(
            write.number(1, 6) + SIX, "shape (6, 0, 0, 0) needs 0 values, got 6", id="legacy-sizes-default-to-0"
        ),
        pytest.param(write.shape(-2, -3) + SIX, "shape (-2, -3) has a negative size", id="negative"),
        pytest.param(write.number(1, -1) + SIX, "shape (-1, 0, 0, 0) has a negative size", id="legacy-negative"),
        pytest.param(write.shape(2**62, 2**62), f"shape ({2**62}, {2**62}) needs {2**124} values, got 0", id="huge"),
        pytest.param(write.shape(0, 2**31, 2**31), "beyond Caffe's limits", id="huge-but-nothing"),
        pytest.param(write.shape(*[1] * 33) + write.packed_floats(5, [1]), "more than 32 axes", id="axes"),
        pytest.param(write.chunk(7, write.number(1, 1) * 40), "more than 32 axes", id="axes-not-packed"),
        pytest.param(
            write.shape(1) + write.chunk(5, b"\1\2\3"), "3 bytes of float32, not a multiple of 4", id="ragged"
        ),
        pytest.param(
            write.shape(1) + write.chunk(8, b"\1" * 12), "12 bytes of float64, not a multiple of 8", id="ragged-8"
        ),
        pytest.param(write.number(10, 9) + write.chunk(12, b"\1\2"), "raw_data_type 9 is unknown", id="raw-type"),
    ],
)
def test_shape_is_held_against_the_values(read: Callable[[bytes], Read], blob: bytes, line: str) -> None:
    message = error_of(read, write.layer("fc", "InnerProduct", write.blob(2), blob))
    assert message.startswith("layer 'fc' blob 1: ")
    assert line in message


# --- values -----------------------------------------------------------------------------------------------------------

VALUES = [0.5, -1.25, math.inf, 5e-324, 3.0, -0.0]
FLOATS = np.array(VALUES, np.float32)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(write.packed_floats(5, VALUES), FLOATS, id="packed"),
        pytest.param(write.loose_floats(5, VALUES), FLOATS, id="not-packed"),
        pytest.param(write.packed_floats(5, VALUES[:2]) + write.packed_floats(5, VALUES[2:]), FLOATS, id="two-chunks"),
        pytest.param(write.loose_floats(5, VALUES[:3]) + write.packed_floats(5, VALUES[3:]), FLOATS, id="mixed"),
        pytest.param(
            write.loose_floats(5, VALUES[:3]) + write.number(99, 1) + write.loose_floats(5, VALUES[3:]),
            FLOATS,
            id="two-runs",
        ),
        pytest.param(write.packed_floats(5, []) + write.packed_floats(5, VALUES), FLOATS, id="empty-chunk-first"),
        pytest.param(write.packed_doubles(8, VALUES), np.array(VALUES), id="double"),
        pytest.param(write.loose_doubles(8, VALUES), np.array(VALUES), id="double-not-packed"),
        pytest.param(
            write.packed_floats(5, range(6)) + write.packed_doubles(8, VALUES), np.array(VALUES), id="double-wins"
        ),
        pytest.param(
            write.number(10, 0) + write.chunk(12, struct.pack("<6d", *VALUES)), np.array(VALUES), id="raw-double"
        ),
        pytest.param(write.number(10, 1) + write.chunk(12, struct.pack("<6f", *VALUES)), FLOATS, id="raw-float"),
        pytest.param(
            write.number(10, 2) + write.chunk(12, struct.pack("<6e", *VALUES)),
            np.array(VALUES, np.float16),
            id="raw-half",
        ),
        pytest.param(
            write.number(10, 3) + write.chunk(12, struct.pack("<6i", *range(-3, 3))),
            np.arange(-3, 3, dtype="i4"),
            id="raw-int",
        ),
        pytest.param(
            write.number(10, 4) + write.chunk(12, struct.pack("<6I", *range(6))),
            np.arange(6, dtype="u4"),
            id="raw-unsigned",
        ),
        pytest.param(
            write.number(10, 5) + write.chunk(12, bytes([1, 0, 1, 0, 0, 1])),
            np.array([1, 0, 1, 0, 0, 1], bool),
            id="raw-bool",
        ),
        pytest.param(
            write.packed_floats(5, range(6)) + write.number(10, 1) + write.chunk(12, struct.pack("<6f", *VALUES)),
            FLOATS,
            id="raw-wins",
        ),
        pytest.param(
            write.packed_floats(5, VALUES) + write.chunk(12, b"no raw_data_type"), FLOATS, id="bytes-of-another-fork"
        ),
        pytest.param(write.chunk(12, struct.pack("<6d", *VALUES)), np.array(VALUES), id="raw-type-defaults-to-double"),
    ],
)
@pytest.mark.parametrize("offset", range(4))
def test_values(read: Callable[[bytes], Read], fields: bytes, expected: np.ndarray[Any, Any], offset: int) -> None:
    net = write.chunk(1, "n" * offset) + write.layer("a", "Scale", write.shape(2, 3) + fields)
    _, (blob,), _ = read(net)
    assert blob.array.dtype == expected.dtype
    assert blob.array.tobytes() == expected.tobytes()
    assert not blob.array.flags.writeable


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(write.packed_floats(5, VALUES) + write.packed_doubles(8, VALUES), None, id="the-same"),
        pytest.param(
            write.packed_floats(5, [0.1] * 6) + write.packed_doubles(8, [0.1] * 6), None, id="as-far-as-floats-tell"
        ),
        pytest.param(
            write.packed_floats(5, [math.nan] * 6) + write.packed_doubles(8, [math.nan] * 6), None, id="not-a-number"
        ),
        pytest.param(
            write.packed_floats(5, range(6)) + write.loose_doubles(8, VALUES), "data beside double_data", id="others"
        ),
        pytest.param(
            write.packed_doubles(8, VALUES) + write.loose_floats(5, VALUES[:4]), "data beside double_data", id="fewer"
        ),
        pytest.param(
            write.number(10, 1) + write.chunk(12, struct.pack("<6f", *VALUES)) + write.packed_floats(5, range(6)),
            "data beside raw_data",
            id="raw",
        ),
    ],
)
def test_two_fields_with_values(read: Callable[[bytes], Read], fields: bytes, told: str | None) -> None:
    one = write.layer("a", "Scale", write.blob(2), write.shape(2, 3) + fields)
    old = write.chunk(2, write.chunk(4, "a") + write.chunk(6, write.shape(2, 3) + fields))
    for net, number in ((one, 1), (old, 0)):
        _, _, notes = read(net)
        assert len(notes) == (told is not None)
        assert all((note.level, note.layer) == ("warning", "a") for note in notes)
        assert all(note.text.startswith(f"blob {number} holds {told}, with other values") for note in notes)


def test_values_of_one_piece_are_views_that_keep_the_file_mapped(tmp_path: Path) -> None:
    size = 1 << 20
    loose = np.zeros(size, [("tag", "u1"), ("value", "<f4")])
    loose["tag"], loose["value"] = 5 << 3 | 5, np.arange(size)
    for fields in (write.chunk(5, np.arange(size, dtype="<f4").tobytes()), loose.tobytes()):
        path = tmp_path / "x.caffemodel"
        path.write_bytes(write.layer("fc", "InnerProduct", write.shape(1024, 1024) + fields))
        tracemalloc.start()
        _, (blob,), _ = read_caffemodel(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < size
        gc.collect()
        np.testing.assert_array_equal(blob.array.ravel(), np.arange(size))


@given(
    st.lists(
        st.lists(st.floats(width=32, allow_nan=False), max_size=40).flatmap(
            lambda v: st.tuples(st.booleans(), st.just(v))
        )
    )
)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mixture_of_packed_and_not(tmp_path: Path, pieces: list[tuple[bool, list[float]]]) -> None:
    data = b"".join((write.packed_floats if packed else write.loose_floats)(5, values) for packed, values in pieces)
    expected = BlobProto.FromString(data).data
    path = tmp_path / "x.caffemodel"
    path.write_bytes(write.layer("a", "Scale", write.shape(len(expected)) + data))
    _, (blob,), _ = read_caffemodel(path)
    assert blob.array.tobytes() == np.array(expected, np.float32).tobytes()


# --- what goes to the bindings ----------------------------------------------------------------------------------------


def test_net_holds_all_but_the_values(read: Callable[[bytes], Read]) -> None:
    stored = NetParameter(name="net", input=["data"], input_dim=[1, 3, 4, 4], force_backward=True, debug_info=True)
    stored.input_shape.add().dim.extend([1, 3])
    stored.state.stage.append("deploy")
    conv = stored.layer.add(name="conv", type="Convolution", bottom=["data"], top=["conv"], phase=1, loss_weight=[0.5])
    conv.param.add(name="w", lr_mult=2)
    conv.include.add(phase=1)
    conv.exclude.add(stage=["train"])
    conv.convolution_param.num_output = 2
    conv.convolution_param.weight_filler.type = "msra"
    stored.layer.add(name="loss", type="SoftmaxWithLoss").softmax_param.axis = 2
    stored.layer[1].loss_param.ignore_label = 255
    expected = NetParameter.FromString(stored.SerializeToString())
    for index, values in enumerate(([1, 2], [3])):
        conv.blobs.add(data=values).shape.dim.append(len(values))
        expected.layer[0].blobs.add(payload=index)
    net, blobs, notes = read(stored.SerializeToString())
    assert net == expected
    assert [blob.array.tolist() for blob in blobs] == [[1, 2], [3]]
    assert notes == ()


def test_v1_net(read: Callable[[bytes], Read]) -> None:
    stored = NetParameter(name="net")
    conv = stored.layers.add(name="conv", type=V1LayerParameter.CONVOLUTION, bottom=["data"], top=["conv"], param=["w"])
    conv.blobs_lr.extend([1, 2])
    conv.weight_decay.extend([1, 0])
    conv.blob_share_mode.append(V1LayerParameter.PERMISSIVE)
    conv.include.add(phase=1)
    conv.convolution_param.num_output = 2
    expected = NetParameter.FromString(stored.SerializeToString())
    conv.blobs.add(num=1, channels=1, height=1, width=2, data=[1, 2])
    expected.layers[0].blobs.add(payload=0)
    net, (blob,), notes = read(stored.SerializeToString())
    assert net == expected
    assert blob.legacy
    assert notes == ()


@pytest.mark.parametrize("number", [40, 43, 10000, 2**31 - 1])
def test_v1_type_that_caffe_lacks_survives(read: Callable[[bytes], Read], number: int) -> None:
    net, _, _ = read(write.v1_layer("bn", number, write.blob(2)))
    assert not net.layers[0].HasField("type")
    assert net.layers[0].type_word == str(number)


def test_v0_net(read: Callable[[bytes], Read]) -> None:
    one, two = write.blob(3), write.blob(2)
    content = write.v0_layer("conv", "conv", one, two, bottom="data", top="c") + write.v0_layer(
        "fc", "innerproduct", two, bottom="c", top="f"
    )
    net, blobs, _ = read(content)
    assert [(outer.layer.name, outer.layer.type, *outer.bottom, *outer.top) for outer in net.layers] == [
        ("conv", "conv", "data", "c"),
        ("fc", "innerproduct", "c", "f"),
    ]
    assert [[blob.payload for blob in outer.layer.blobs] for outer in net.layers] == [[0, 1], [2]]
    assert [blob.shape for blob in blobs] == [(3,), (2,), (2,)]


def test_private_fields_never_come_from_a_file(read: Callable[[bytes], Read]) -> None:
    forged = write.number(10000, 5)
    net, blobs, _ = read(
        write.layer("a", "Scale", write.blob(2) + forged, extra=forged + write.chunk(10001, "x"))
        + write.v1_layer("b", 4, write.blob(2), extra=write.chunk(10001, "x"))
    )
    assert net.layer[0] == LayerParameter(name="a", type="Scale", blobs=[BlobProto(payload=0)])
    assert net.layers[0] == V1LayerParameter(name="b", type=V1LayerParameter.CONVOLUTION, blobs=[BlobProto(payload=1)])
    assert len(blobs) == 2


@pytest.mark.parametrize(
    "clash",
    [
        pytest.param(write.chunk(146, "a string where recurrent_param is"), id="string"),
        pytest.param(write.chunk(145, b"\xff\xff\xff"), id="damaged-message"),
        pytest.param(write.number(149, 3), id="number"),
        pytest.param(write.chunk(106, write.number(1, 7)), id="another-type's-own"),
    ],
)
def test_field_that_is_not_the_types_own_is_left_out(read: Callable[[bytes], Read], clash: bytes) -> None:
    net, _, notes = read(write.layer("a", "Scale", write.blob(2), extra=clash))
    assert net.layer[0] == LayerParameter(name="a", type="Scale", blobs=[BlobProto(payload=0)])
    assert notes == ()


@pytest.mark.parametrize(
    "clash",
    [
        pytest.param(b"engine: CUDNN", id="string"),
        pytest.param(b"\xe5\xe5\xe5", id="not-utf-8"),
    ],
)
def test_own_field_that_is_no_such_message_is_dropped_and_noted(read: Callable[[bytes], Read], clash: bytes) -> None:
    content = write.layer("a", "Convolution", write.blob(2), extra=write.chunk(106, clash) + write.chunk(4, "top"))
    with pytest.raises(DecodeError):
        NetParameter.FromString(content)
    net, blobs, (note,) = read(content)
    assert net.layer[0] == LayerParameter(name="a", type="Convolution", top=["top"], blobs=[BlobProto(payload=0)])
    assert blobs[0].shape == (2,)
    assert (note.level, note.layer) == ("warning", "a")
    assert "convolution_param (field 106)" in note.text


def test_names_that_are_not_utf_8_are_taken_for_latin_1(read: Callable[[bytes], Read]) -> None:
    name, net_name = b"\xe4\xb6", b"N\xe9t"
    param = write.chunk(6, write.chunk(1, b"\xfcber"))
    stored = write.chunk(1, name) + write.chunk(2, "Scale") + write.chunk(3, "\u00e4 in UTF-8") + param
    net, _, _ = read(write.chunk(1, net_name) + write.chunk(100, stored))
    assert (net.name, net.layer[0].name, net.layer[0].param[0].name) == ("N\u00e9t", "\u00e4\u00b6", "\u00fcber")
    assert net.layer[0].bottom == ["\u00e4 in UTF-8"]


# --- damage -----------------------------------------------------------------------------------------------------------


def small_net() -> bytes:
    return (
        write.chunk(1, "net")
        + write.layer(
            "conv1", "Convolution", write.blob(2, 3), write.blob(2), extra=write.chunk(106, write.number(1, 2))
        )
        + write.v1_layer("ip", 14, LEGACY_2311 + write.packed_floats(5, range(6)))
        + write.v0_layer("old", "conv", write.shape(3) + write.loose_floats(5, range(3)), bottom="a", top="b")
    )


def test_file_cut_anywhere_is_refused_or_ends_with_a_whole_layer(read: Callable[[bytes], Read]) -> None:
    content = small_net()
    whole, blobs, _ = read(content)
    ends = set()
    for end in range(len(content)):
        try:
            net, kept, _ = read(content[:end])
        except ParseError:
            continue
        ends.add(len(net.layer) + len(net.layers))
        assert list(net.layer) == list(whole.layer)[: len(net.layer)]
        assert list(net.layers) == list(whole.layers)[: len(net.layers)]
        assert [blob.array.tolist() for blob in kept] == [blob.array.tolist() for blob in blobs[: len(kept)]]
        assert end == len(net.SerializeToString()) or content[end] in (0xA2, 0x12)
    assert ends == {0, 1, 2}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        pytest.param(
            write.layer("conv2", "Convolution", write.shape(256) + write.packed_floats(5, range(256)))[: -1024 + 7],
            "layer 'conv2' blob 0: EOF at byte 36, expected 1024 bytes, got 7",
            id="in-values",
        ),
        pytest.param(
            write.layer("conv2", "Convolution", write.blob(2), write.shape(6) + SIX)[:-26],
            "layer 'conv2' blob 1: EOF at byte 42, expected 31 bytes, got 5",
            id="between-shape-and-values",
        ),
        pytest.param(
            write.layer("conv2", "Convolution", write.shape(3) + write.loose_floats(5, range(3)))[:-1],
            "layer 'conv2' blob 0: EOF at byte 41, expected 4 bytes, got 3",
            id="in-values-not-packed",
        ),
        pytest.param(write.layer("a", "Scale")[:-3], "layer 'a': EOF at byte 8, expected 5 bytes, got 2", id="in-type"),
        pytest.param(
            write.v0_layer("old", "conv", write.blob(9), bottom="a", top="b")[:-10],
            "layer 'old' blob 0: EOF at byte 25, expected 36 bytes, got 32",
            id="v0",
        ),
        pytest.param(
            write.layer("a", "Scale") + b"\xa2", "after layer 'a': EOF at byte 13, expected 2 bytes, got 1", id="in-tag"
        ),
        # 0a 01 "n"; layer of 2 bytes: type, 127 bytes long
        pytest.param(
            bytes.fromhex("0a016e a20602 127f"),
            "layer 0 (no name): EOF at byte 8, expected 127 bytes, got 0",
            id="length-beyond-the-file",
        ),
        # a layer of 2 bytes whose type says 127, more than its layer has, though the file goes on
        pytest.param(
            bytes.fromhex("a20602 127f") + write.layer("b", "Scale", write.blob(40)),
            "layer 0 (no name): end of the message at byte 5, expected 127 bytes, got 0",
            id="length-beyond-the-layer",
        ),
        pytest.param(
            write.layer("a", "Scale", bytes.fromhex("0b")),
            "layer 'a' blob 0: byte 15 has wire type 3, which no Caffe file uses",
            id="group",
        ),
        pytest.param(
            write.layer("a", "Scale", bytes.fromhex("00 00")),
            "layer 'a' blob 0: byte 15 is not the start of a field",
            id="field-number-0",
        ),
        pytest.param(
            write.layer("a", "Scale", b"\x08" + b"\xff" * 10 + b"\x01"),
            "layer 'a' blob 0: byte 16 starts a number of more than 10 bytes",
            id="endless-number",
        ),
        pytest.param(
            write.layer("a", "Scale", b"\x3a" + b"\xff" * 9 + b"\x01"),
            f"layer 'a' blob 0: EOF at byte 26, expected {2**64 - 1} bytes, got 0",
            id="longest-length",
        ),
    ],
)
def test_damage_is_located(read: Callable[[bytes], Read], content: bytes, line: str) -> None:
    assert error_of(read, content) == line


def test_other_kind_of_file(read: Callable[[bytes], Read]) -> None:
    with pytest.raises(
        ParseError, match=r"is a prototxt \(text\); the caffemodel \(binary weights\) was expected here"
    ):
        read(b"name: 'x'")


def test_nested_lengths_do_not_recurse(read: Callable[[bytes], Read]) -> None:
    nested = b""
    for _ in range(2000):
        nested = write.chunk(1, nested)
    assert len(read(write.chunk(2, nested) + write.layer("a", "Scale", write.blob(2)))[1]) == 1


def mutations() -> Iterator[st.SearchStrategy[bytes]]:
    content = small_net()
    position = st.integers(0, len(content) - 1)
    yield st.tuples(position, st.integers(0, 255)).map(
        lambda edit: content[: edit[0]] + bytes([edit[1]]) + content[edit[0] + 1 :]
    )
    yield st.tuples(position, st.binary(max_size=12)).map(lambda e: content[: e[0]] + e[1] + content[e[0] :])
    yield st.tuples(position, position).map(lambda e: content[: min(e)] + content[max(e) :])
    yield st.binary(max_size=60).map(lambda tail: write.chunk(1, "x") + tail)
    yield st.binary(max_size=60).map(lambda inner: write.chunk(100, write.chunk(1, "a") + write.chunk(7, inner)))
    yield st.binary(max_size=60).map(lambda inner: write.layer("a", "Convolution", extra=write.chunk(106, inner)))


@given(st.one_of(*mutations()))
@example(b"\x0a\x00")
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_net_or_a_parse_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.caffemodel"
    path.write_bytes(content)
    try:
        net, blobs, _ = read_caffemodel(path)
    except ParseError as error:
        assert "\n" not in str(error)
        return
    payloads = [
        blob.payload for layer in [*layers_of(net), *(outer.layer for outer in net.layers)] for blob in layer.blobs
    ]
    assert sorted(payloads) == list(range(len(blobs)))
    assert sum(blob.array.nbytes for blob in blobs) <= len(content)
    assert all(isinstance(layer.name, str) for layer in net.layer)


# --- real files -------------------------------------------------------------------------------------------------------


@needs_models
@pytest.mark.parametrize("folder", [pytest.param(folder, id=folder.name) for folder in MODELS])
def test_values_of_real_models_are_those_that_caffe_has(folder: Path) -> None:
    path = weights_of(folder)
    if path.suffix != ".caffemodel" or not (folder / "caffe.json").exists():
        pytest.skip("real Caffe does not read this file")
    net, blobs, notes = read_caffemodel(path)
    stored = {layer.name: [blobs[blob.payload].array for blob in layer.blobs] for layer in layers_of(net)}
    hashes: dict[str, dict[int, str]] = collections.defaultdict(dict)
    for key, (_, sha256) in caffe_says(folder / "caffe.json")["weight_sha256"].items():
        _, _, layer, index = key.split("|")
        hashes[layer][int(index)] = sha256
    ours = {
        layer: {index: hashlib.sha256(stored[layer][index].astype("<f4").tobytes()).hexdigest() for index in of_layer}
        for layer, of_layer in hashes.items()
        if layer in stored
    }
    assert ours == {layer: of_layer for layer, of_layer in hashes.items() if layer in stored}
    assert len(ours) > len(hashes) / 2
    assert notes == ()


@needs_models
@pytest.mark.parametrize("folder", [pytest.param(folder, id=folder.name) for folder in MODELS])
def test_real_models_parse_as_the_bindings_parse_them(folder: Path) -> None:
    path = weights_of(folder)
    if path.suffix != ".caffemodel":
        pytest.skip("not a binary caffemodel")
    net, blobs, _ = read_caffemodel(path)
    parsed = NetParameter.FromString(path.read_bytes())
    pairs = list(zip(layers_of(net), layers_of(parsed), strict=True))
    for ours, theirs in pairs:
        assert (ours.name, ours.type, ours.bottom, ours.top) == (theirs.name, theirs.type, theirs.bottom, theirs.top)
        for blob, proto in zip([blobs[blob.payload] for blob in ours.blobs], theirs.blobs, strict=True):
            if proto.data:
                np.testing.assert_array_equal(blob.array.ravel(), np.array(proto.data, np.float32))
            if proto.HasField("shape"):
                assert blob.shape == tuple(proto.shape.dim)
            elif proto.HasField("num"):
                assert blob.shape == (proto.num, proto.channels, proto.height, proto.width)


@pytest.mark.skipif(sys.platform != "linux", reason="needs files with holes")
def test_values_beyond_2_gb_are_not_touched(tmp_path: Path) -> None:
    """4 GB of values that are a hole in the file."""
    head = write.chunk(1, "net")
    size = 1 << 32
    blob_head = write.shape(size // 4) + write.varint(5 * 8 + 2) + write.varint(size)
    blob_length = len(blob_head) + size
    layer_head = (
        write.chunk(1, "fc") + write.chunk(2, "InnerProduct") + write.varint(7 * 8 + 2) + write.varint(blob_length)
    )
    start = head + write.varint(100 * 8 + 2) + write.varint(len(layer_head) + blob_length) + layer_head + blob_head
    path = tmp_path / "x.caffemodel"
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + size)
    before = resident_bytes()
    _, (blob,), _ = read_caffemodel(path)
    assert blob.shape == (size // 4,)
    assert resident_bytes() - before < 1 << 24
    blob.array[: 1 << 24].max()
    assert resident_bytes() - before > 1 << 25


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * mmap.PAGESIZE
