"""Shows that the bindings work under the protobuf that is installed; needs no pytest.

    python tests/judges/protobufs_smoke.py

Any warning about the bindings is an error. The bytes of every message are exchanged with protobuf's pure Python
implementation, which runs in a second process.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import google.protobuf
import numpy as np
from google.protobuf import text_format
from google.protobuf.internal import api_implementation

warnings.simplefilter("error")
# protobuf 3.20 itself uses what Python 3.12 deprecates
warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"google\.protobuf\.internal\.well_known_types")
ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
sys.path.insert(0, str(ROOT))

from caffe_proto import caffe_pb2  # noqa: E402

if TYPE_CHECKING:
    from google.protobuf.message import Message

TEXT = """
name: "small"
layers { name: "conv1" type: CONVOLUTION convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "norm" type: "Normalize" norm_param { across_spatial: false } convolution_param { engine: MKL2017 } }
"""

BINARY = bytes.fromhex(
    "0a01 6e"  # name: "n"
    "a206 1b"  # layer, 27 bytes
    "0a01 63 1205 5363616c65"  # name: "c", type: "Scale"
    "3a0f 2a08 0000803f 000000c0 3a03 0a01 02"  # blobs: data [1, -2], shape { dim: 2 }
)


def check_text() -> None:
    """A net with layers of two generations, a fork's parameter and a fork's enum word."""
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    assert net.layers[0].type == caffe_pb2.V1LayerParameter.CONVOLUTION
    assert net.layers[0].convolution_param.kernel_size == [3]
    assert net.layer[0].norm_param.across_spatial is False
    assert net.layer[0].convolution_param.engine == caffe_pb2.ConvolutionParameter.MKL2017


def check_binary() -> None:
    """A layer with one blob, which NumPy can take over."""
    net = caffe_pb2.NetParameter()
    net.ParseFromString(BINARY)
    blob = net.layer[0].blobs[0]
    assert (net.name, net.layer[0].name, net.layer[0].type, list(blob.shape.dim)) == ("n", "c", "Scale", [2])
    np.testing.assert_array_equal(np.asarray(blob.data, np.float32), np.array([1, -2], np.float32))


def check_library() -> None:
    """Nets of two generations with their weights, held against what real Caffe says of them."""
    from caffeconv import convert_caffemodel_to_dict

    for name in ("lenet_like", "legacy_v0"):
        folder = FIXTURES / name
        says = json.loads((folder / "caffe.json").read_text())["weight_sha256"]
        layers = convert_caffemodel_to_dict(folder / "net.prototxt", folder / "net.caffemodel")
        ours = {
            f"w|{index}|{layer['name']}|{number}": [list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
            for index, layer in enumerate(layers)
            for number, array in enumerate(layer["weights"])
        }
        assert ours == says, name


def with_defaults(message: Message) -> Message:
    """`message` with each single value set, explicitly, to what it is by default."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is None and not isinstance(field.default_value, list):
            setattr(message, field.name, field.default_value)
    return message


def messages_as_hex() -> str:
    """One line for each message of the schema: its name and its bytes with all defaults written out."""
    names = sorted(caffe_pb2.DESCRIPTOR.message_types_by_name)
    messages = [with_defaults(getattr(caffe_pb2, name)()) for name in names]
    return "\n".join(f"{message.DESCRIPTOR.name} {message.SerializeToString().hex()}" for message in messages)


def parsed_again(lines: str) -> str:
    """`lines` after every message in them has been parsed and written again."""
    again = []
    for line in lines.splitlines():
        name, _, data = line.partition(" ")
        message = getattr(caffe_pb2, name)()
        message.ParseFromString(bytes.fromhex(data))
        assert message == with_defaults(getattr(caffe_pb2, name)()), name
        again.append(f"{name} {message.SerializeToString().hex()}")
    return "\n".join(again)


def main() -> None:
    if sys.argv[1:] == ["--echo"]:
        assert api_implementation.Type() == "python"
        sys.stdout.write(parsed_again(sys.stdin.read()))
        return
    check_text()
    check_binary()
    check_library()
    ours = messages_as_hex()
    assert parsed_again(ours) == ours
    command = [sys.executable, __file__, "--echo"]
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    echo = subprocess.run(command, input=ours, env=environment, capture_output=True, text=True, check=False)
    assert echo.returncode == 0, echo.stderr
    assert echo.stdout == ours
    version, kind = google.protobuf.__version__, api_implementation.Type()
    print(f"protobuf {version} ({kind}), Python {sys.version.split()[0]}: {len(ours.splitlines())} messages, 4 nets")


if __name__ == "__main__":
    main()
