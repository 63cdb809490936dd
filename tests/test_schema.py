"""The schema itself: complete for Caffe 1.0, private where forks add to it, harmless beside a real Caffe."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pb2, text_format

from caffe_proto import caffe_pb2
from tests.support.places import CHECKOUT, SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK = SHARED / "tools" / "check_schema.py"

PRIVATE = 10000  # numbers of fork fields and fork enum words start here
PRIVATE_IN_LAYER = 11000  # R-FCN's LayerParameter wrote 10000 and 10001

FILE = descriptor_pb2.FileDescriptorProto()
caffe_pb2.DESCRIPTOR.CopyToProto(FILE)


def all_messages() -> Iterator[descriptor_pb2.DescriptorProto]:
    for message in FILE.message_type:
        yield message
        yield from message.nested_type


def run(code: str) -> None:
    """Runs `code` in a fresh interpreter in which warnings are errors."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def net(text: str) -> caffe_pb2.NetParameter:
    return text_format.Parse(text, caffe_pb2.NetParameter())


def test_identity() -> None:
    assert (FILE.package, FILE.name) == ("caffe_proto", "caffe_proto/caffe.proto")


def test_every_field_of_caffe_is_there() -> None:
    """Caffe 1.0 declares 63 messages with 423 fields; the numbers of all others are private."""
    numbers = [[field.number for field in message.field if field.number < PRIVATE] for message in all_messages()]
    assert (sum(map(bool, numbers)), sum(map(len, numbers))) == (63, 423)


@pytest.mark.skipif(not CHECK.exists(), reason="the facts of Caffe's schema are not here")
def test_agrees_with_the_facts() -> None:
    done = subprocess.run([sys.executable, CHECK], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "63 messages, 423 fields checked, 0 differences" in done.stdout


def test_nothing_is_required() -> None:
    required = descriptor_pb2.FieldDescriptorProto.LABEL_REQUIRED
    assert [field.name for message in all_messages() for field in message.field if field.label == required] == []


def test_fork_fields_of_layers_keep_clear_of_numbers_that_forks_wrote() -> None:
    """The largest number of Caffe's own fields is 148, clip_param."""
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields
    assert [field.name for field in fields if 148 < field.number < PRIVATE_IN_LAYER] == []


def test_fork_enum_words_are_private() -> None:
    """The largest number of Caffe's own words is 39, DECONVOLUTION."""
    enums = [*FILE.enum_type, *(enum for message in all_messages() for enum in message.enum_type)]
    assert [value.name for enum in enums for value in enum.value if 39 < value.number < PRIVATE] == []


def test_fork_fields_of_v1_layers_are_fields_of_layers() -> None:
    """So that an upgrade can copy them by name."""
    today = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name
    forks = [field for field in caffe_pb2.V1LayerParameter.DESCRIPTOR.fields if field.number >= PRIVATE_IN_LAYER]
    assert len(forks) > 10
    assert [field.name for field in forks if today[field.name].message_type is not field.message_type] == []


@pytest.mark.parametrize(
    ("message", "field", "default"),
    [
        pytest.param(caffe_pb2.BatchNormParameter, "eps", 1e-5, id="BatchNorm-eps"),
        pytest.param(caffe_pb2.ConvolutionParameter, "bias_term", True, id="Convolution-has-bias"),
        pytest.param(caffe_pb2.ConvolutionParameter, "group", 1, id="Convolution-one-group"),
        pytest.param(caffe_pb2.ScaleParameter, "bias_term", False, id="Scale-no-bias"),
        pytest.param(caffe_pb2.InnerProductParameter, "axis", 1, id="InnerProduct-axis"),
        pytest.param(caffe_pb2.PoolingParameter, "round_mode", 0, id="Pooling-rounds-up"),
        pytest.param(caffe_pb2.ReshapeParameter, "num_axes", -1, id="Reshape-to-the-end"),
        pytest.param(caffe_pb2.NetState, "phase", 1, id="NetState-TEST"),
    ],
)
def test_defaults_of_caffe(message: Any, field: str, default: Any) -> None:
    assert getattr(message(), field) == pytest.approx(default)


def test_bytes_of_caffe() -> None:
    """The numbers are those on disk, written down from the wire format."""
    data = bytes.fromhex(
        "1205 220120 2804"  # layers (2): name (4): " "; type (5): CONVOLUTION
        "a206 24"  # layer (100), 36 bytes
        "0a02 6970 120c 496e6e657250726f64756374"  # name (1): "ip", type (2): "InnerProduct"
        "3a0b 3a03 0a0103 2a04 0000803f"  # blobs (7): shape (7) { dim (1): [3] }, data (5): [1]
        "aa07 02 0805"  # inner_product_param (117): num_output (1): 5
    )
    parsed = caffe_pb2.NetParameter.FromString(data)
    expected = net("""
        layers { name: " " type: CONVOLUTION }
        layer {
          name: "ip" type: "InnerProduct" blobs { shape { dim: 3 } data: 1 } inner_product_param { num_output: 5 }
        }
    """)
    assert parsed == expected


@pytest.mark.parametrize(
    ("settings", "path", "value"),
    [
        pytest.param(
            "permute_param { order: 0 order: 2 order: 3 order: 1 }", "permute_param.order", [0, 2, 3, 1], id="SSD"
        ),
        pytest.param("prior_box_param { min_size: 30.0 step: 8 }", "prior_box_param.min_size", [30], id="SSD-prior"),
        pytest.param("norm_param { across_spatial: false }", "norm_param.channel_shared", True, id="SSD-default"),
        pytest.param("upsample_param { scale: 2 }", "upsample_param.scale", 2, id="upsample-whole"),
        pytest.param("upsample_param { scale: 1.5 }", "upsample_param.scale", 1.5, id="upsample-fraction"),
        pytest.param("interp_param { height: 33 }", "interp_param.zoom_factor", 1, id="PSPNet"),
        pytest.param("bn_param { bn_mode: INFERENCE }", "bn_param.bn_mode", 1, id="SegNet"),
        pytest.param("bn_param { frozen: true }", "bn_param.eps", pytest.approx(1e-5), id="TSN"),
        pytest.param("roi_pooling_param { pooled_w: 7 }", "roi_pooling_param.pooled_w", 7, id="Fast-R-CNN"),
        pytest.param("lstm_param { num_output: 128 }", "lstm_param.num_output", 128, id="caffe-lstm"),
        pytest.param("convolution3d_param { kernel_depth: 3 }", "convolution3d_param.kernel_depth", 3, id="C3D"),
        pytest.param("quantization_param { fl_params: 7 }", "quantization_param.fl_params", [7], id="Ristretto"),
        pytest.param(
            "quantization_param { scale_in: [1.5, 2] }", "quantization_param.scale_in", [1.5, 2], id="Intel-int8"
        ),
        pytest.param('engine: "MKLDNN"', "engine", "MKLDNN", id="Intel-engine"),
        pytest.param("forward_type: FLOAT16", "forward_type", 2, id="NVIDIA"),
        pytest.param("pooling_param { ceil_mode: false }", "pooling_param.ceil_mode", False, id="ceil_mode"),
        pytest.param("dropout_param { scale_train: false }", "dropout_param.scale_train", False, id="R-CNN-dropout"),
        pytest.param("batch_norm_param { scale_bias: true }", "batch_norm_param.scale_bias", True, id="NVIDIA-scale"),
    ],
)
def test_fork_settings_by_name(settings: str, path: str, value: object) -> None:
    found: Any = net(f"layer {{ {settings} }}").layer[0]
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("layer { convolution_param { engine: MKL2017 } }", id="engine"),
        pytest.param("layer { pooling_param { pool: AVE_EXC_PAD } }", id="pool"),
        pytest.param("layer { eltwise_param { operation: MIN } }", id="eltwise"),
        pytest.param("layer { loss_param { normalization: PRE_FIXED } }", id="normalization"),
        pytest.param("layer { data_param { backend: DATUMFILE } }", id="database"),
        pytest.param("layer { reduction_param { operation: TOPK } }", id="reduction"),
        pytest.param("layer { include { phase: INT8 } }", id="phase"),
        pytest.param("layers { type: BN bn_param { scale_filler { value: 1 } } }", id="V1-BN"),
        pytest.param("layers { type: CROP }", id="V1-CROP"),
        pytest.param("layers { type: CONVOLUTION3D convolution_param { temporal_pad: 1 } }", id="V1-C3D"),
        pytest.param("layers { type: UNPOOLING unpooling_param { unpool_size: 14 } }", id="V1-DeconvNet"),
    ],
)
def test_fork_enum_words(text: str) -> None:
    assert net(text).ByteSize() > 0


CAFFE = """
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe")
layer = file.message_type.add(name="LayerParameter")
layer.field.add(name="name", number=1, type=9, label=1)
layer.field.add(name="engine", number=149, type=9, label=1)
root = file.message_type.add(name="NetParameter")
root.field.add(name="layer", number=100, type=11, label=3, type_name=".caffe.LayerParameter")
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
descriptor = descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
class_of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory().GetPrototype
Theirs = class_of(descriptor)
"""
OURS = """
from caffe_proto import caffe_pb2
"""
BOTH = """
theirs = Theirs.FromString(bytes.fromhex("a206 0a 0a0163 aa09 04 4d4b4c32"))
assert (theirs.layer[0].name, theirs.layer[0].engine) == ("c", "MKL2")
ours = caffe_pb2.NetParameter.FromString(theirs.SerializeToString())
assert (ours.layer[0].name, ours.layer[0].engine) == ("c", "")
assert ours.SerializeToString() == theirs.SerializeToString()
"""


@pytest.mark.parametrize(
    "imports", [pytest.param(CAFFE + OURS, id="caffe-first"), pytest.param(OURS + CAFFE, id="caffe-second")]
)
def test_lives_beside_a_real_caffe(imports: str) -> None:
    run(imports + BOTH)


def test_registers_no_file_of_caffes_name() -> None:
    run(
        OURS
        + """
from google.protobuf import descriptor_pool
for find in ("FindFileByName", "FindMessageTypeByName"):
    for name in ("caffe.proto", "caffe.NetParameter"):
        try:
            getattr(descriptor_pool.Default(), find)(name)
        except KeyError:
            continue
        raise SystemExit(f"{name} is registered")
"""
    )


def test_the_smoke_test_passes_here() -> None:
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tests" / "judges" / "protobufs_smoke.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("protobuf ")
