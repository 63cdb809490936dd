"""Changes within today's form: `input:` fields, BatchNorm's parameters, and types spelled as in V1."""

from __future__ import annotations

from caffe_proto import caffe_pb2
from caffeconv.model import Note
from caffeconv.reading.upgrade.words import CAFFE_V1_WORDS

__all__ = ["upgrade_net_batch_norm", "upgrade_net_input", "upgrade_type_spelling"]

_DIMS_PER_INPUT = 4
_BATCH_NORM_BLOBS = 3


def upgrade_type_spelling(net: caffe_pb2.NetParameter) -> tuple[Note, ...]:
    """Give `layer { type: CONVOLUTION }` the type that it means, in place; Caffe knows no layer of that type."""
    notes = []
    for layer in net.layer:
        today = CAFFE_V1_WORDS.get(layer.type) or layer.type
        if today != layer.type:
            notes.append(Note("info", layer.name or None, f"type {layer.type} is taken for today's {today}"))
            layer.type = today
    return tuple(notes)


def upgrade_net_input(net: caffe_pb2.NetParameter) -> tuple[Note, ...]:
    """Put an Input layer named "input" in front for the net's `input` fields, in place.

    As in Caffe, inputs without any shape are dropped. Where there are shapes, but fewer than inputs (Caffe reads past
    the end), the layer is made without shapes.
    """
    notes: tuple[Note, ...] = ()
    if net.input and (net.input_shape or net.input_dim):
        shapes = _input_shapes(net)
        if len(shapes) < len(net.input):
            notes = (Note("warning", "input", f"{len(net.input)} inputs have {len(shapes)} shapes, none is used"),)
            shapes = []
        longer = caffe_pb2.NetParameter()
        longer.layer.add(name="input", type="Input", top=net.input).input_param.shape.extend(shapes)
        longer.MergeFrom(net)  # layers behind layers, far quicker than one by one
        net.CopyFrom(longer)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
    return notes


def _input_shapes(net: caffe_pb2.NetParameter) -> list[caffe_pb2.BlobShape]:
    """A shape for each input, as far as they go; `input_shape` comes before the older `input_dim`."""
    count = len(net.input)
    if net.input_shape:
        return list(net.input_shape[:count])
    starts = range(0, min(count, len(net.input_dim) // _DIMS_PER_INPUT) * _DIMS_PER_INPUT, _DIMS_PER_INPUT)
    return [caffe_pb2.BlobShape(dim=net.input_dim[start : start + _DIMS_PER_INPUT]) for start in starts]


def upgrade_net_batch_norm(net: caffe_pb2.NetParameter) -> None:
    """Fix the three blobs of BatchNorm layers that name them in `param`, in place: no solver may change them."""
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == _BATCH_NORM_BLOBS:
            for spec in layer.param:
                spec.lr_mult = 0
                spec.decay_mult = 0
