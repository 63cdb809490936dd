"""The plain way without Caffe: protobuf parses the whole caffemodel, arrays are made of its fields, h5py writes them.

python plain_protobuf.py CAFFEMODEL DESCRIPTION OUT.h5
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import plain_keras

from caffe_proto.caffe_pb2 import BlobProto, NetParameter, V1LayerParameter

_V1_TYPES = {V1LayerParameter.CONVOLUTION: "Convolution", V1LayerParameter.INNER_PRODUCT: "InnerProduct"}


def layers_of(caffemodel: Path) -> Iterator[tuple[str, str, list[npt.NDArray[np.float32]]]]:
    """Name, type and arrays of every layer."""
    net = NetParameter()
    net.ParseFromString(caffemodel.read_bytes())
    for layer in net.layer:
        yield layer.name, layer.type, [_array(blob) for blob in layer.blobs]
    for old in net.layers:
        yield old.name, _V1_TYPES.get(old.type, ""), [_array(blob) for blob in old.blobs]


def _array(blob: BlobProto) -> npt.NDArray[np.float32]:
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim)
    else:
        shape = (blob.num, blob.channels, blob.height, blob.width)
        while len(shape) > 1 and shape[0] == 1:
            shape = shape[1:]
    return np.array(blob.data, np.float32).reshape(shape)


if __name__ == "__main__":
    model, description, out = sys.argv[1:]
    plain_keras.write(out, layers_of(Path(model)), json.loads(Path(description).read_text())["flattened"])
