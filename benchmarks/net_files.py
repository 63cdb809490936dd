"""The nets to measure with, as files with random weights of a fixed seed.

    python net_files.py NAME FOLDER [--divisor N]

NAME is vgg16, resnet152, alexnet or squeezenet; layers-N for a net of N thin layers, megabytes-N for one of few
thick ones. Writes to FOLDER what a user would have, `NAME.prototxt` and `NAME.caffemodel`, and `NAME.json`, a
`Description`. All channels are divided by N, which gives tiny nets of the same form.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from google.protobuf import text_format
from nets import Layer, Net, make_net

from caffe_proto.caffe_pb2 import BlobProto, NetParameter

__all__ = ["Description", "write_net"]

_SEED = 20140904
_POOL = 1_000_003  # random values, of which every array takes the next ones; prime, so that arrays of one size differ

_V1_TYPES = {
    "Convolution": "CONVOLUTION",
    "Dropout": "DROPOUT",
    "InnerProduct": "INNER_PRODUCT",
    "Pooling": "POOLING",
    "ReLU": "RELU",
    "Softmax": "SOFTMAX",
}


@dataclasses.dataclass(frozen=True)
class Description:
    """What is known of a net on disk, as its JSON file has it."""

    layers: int
    arrays: int
    bytes: int
    flattened: Mapping[str, Sequence[int]]


def write_net(net: Net, folder: Path, name: str) -> Description:
    """Write prototxt, caffemodel and description; arrays go to the disk as they are made, none is kept."""
    text = "".join(_text(net))
    (folder / f"{name}.prototxt").write_text(text)
    message = text_format.Parse(text, NetParameter())
    stored = message.layers if net.legacy else message.layer
    with (folder / f"{name}.caffemodel").open("wb") as file:
        file.write(
            NetParameter(name=message.name, input=message.input, input_dim=message.input_dim).SerializeToString()
        )
        values = _Values()
        for layer, header in zip(net.layers, stored, strict=True):
            _write_layer(file, layer, header.SerializeToString(), net.legacy, values)
        size = file.tell()
    arrays = sum(len(layer.shapes) for layer in net.layers)
    description = Description(len(net.layers), arrays, size, net.flattened)
    (folder / f"{name}.json").write_text(json.dumps(dataclasses.asdict(description)))
    return description


class _Values:
    """Random values without end, in whatever portions they are asked for."""

    def __init__(self) -> None:
        self._pool = np.random.default_rng(_SEED).standard_normal(_POOL, np.float32).astype("<f4")
        self._place = 0

    def take(self, count: int) -> Iterator[memoryview]:
        while count:
            portion = self._pool[self._place : self._place + count]
            yield portion.data.cast("B")
            count -= portion.size
            self._place = (self._place + portion.size) % _POOL


def _text(net: Net) -> Iterator[str]:
    yield f'name: "{net.name}"\ninput: "data"\n' + "".join(f"input_dim: {size}\n" for size in net.input)
    for layer in net.layers:
        edges = "".join(f'  bottom: "{bottom}"\n' for bottom in layer.bottoms) + f'  top: "{layer.top}"\n'
        field, kind = ("layers", _V1_TYPES[layer.type]) if net.legacy else ("layer", f'"{layer.type}"')
        parameters = f"  {layer.parameters}\n" if layer.parameters else ""
        yield f'{field} {{\n  name: "{layer.name}"\n  type: {kind}\n{edges}{parameters}}}\n'


def _write_layer(file: BinaryIO, layer: Layer, header: bytes, legacy: bool, values: _Values) -> None:
    """NetParameter.layers (2) with its blobs (6), or NetParameter.layer (100) with its blobs (7)."""
    field, blobs_field = (2, 6) if legacy else (100, 7)
    starts = [_blob_start(shape, legacy) for shape in layer.shapes]
    sizes = [len(start) + 4 * math.prod(shape) for start, shape in zip(starts, layer.shapes, strict=True)]
    fronts = [_tag(blobs_field) + _varint(size) for size in sizes]
    file.write(_tag(field) + _varint(len(header) + sum(map(len, fronts)) + sum(sizes)) + header)
    for shape, front, start in zip(layer.shapes, fronts, starts, strict=True):
        file.write(front + start)
        file.writelines(values.take(math.prod(shape)))


def _blob_start(shape: tuple[int, ...], legacy: bool) -> bytes:
    """BlobProto up to its values: the shape, and tag and length of the packed `data` (5)."""
    if legacy:
        four = (1,) * (4 - len(shape)) + shape
        message = BlobProto(num=four[0], channels=four[1], height=four[2], width=four[3])
    else:
        message = BlobProto(shape={"dim": shape})
    return message.SerializeToString() + _tag(5) + _varint(4 * math.prod(shape))


def _tag(field: int) -> bytes:
    return _varint(field << 3 | 2)


def _varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def main(arguments: Iterable[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--divisor", type=int, default=1)
    given = parser.parse_args(None if arguments is None else list(arguments))
    given.folder.mkdir(parents=True, exist_ok=True)
    write_net(make_net(given.name, given.divisor), given.folder, given.name)


if __name__ == "__main__":
    main()
