"""Output shapes of layers with a full weight matrix: inner products, embeddings, recurrent layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.model import Shape
from caffeconv.net.shapes.axes import canonical_axis, require_rank
from caffeconv.net.shapes.params import optional, required

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = [
    "embed", "inner_product", "lstm", "lstm_of_sequences", "lstm_unit", "margin_inner_product", "require_plain", "rnn",
]  # fmt: skip

Shapes = tuple[Shape, ...]


def inner_product(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`InnerProduct`: the axes before `axis`, then num_output."""
    return (_product(bottoms[0], param.inner_product_param.axis, param.inner_product_param.num_output),)


def margin_inner_product(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """SphereFace's `MarginInnerProduct`: like InnerProduct; the second top is the annealing factor, (1)."""
    settings = required(param, "margin_inner_product_param")
    axis = optional(settings, "axis")
    return _product(bottoms[0], 1 if axis is None else axis, required(settings, "num_output")), (1,)


def _product(shape: Shape, axis: int, outputs: int) -> Shape:
    return (*shape[: canonical_axis(axis, len(shape))], outputs)


def embed(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Embed`: num_output values for each element of the bottom."""
    return ((*bottoms[0], param.embed_param.num_output),)


def lstm(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`LSTM`: (T, N, H); with `expose_hidden` also the last hidden and cell state, (1, N, H) each."""
    return _recurrent(param, bottoms, states=2)


def rnn(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`RNN`: (T, N, H); with `expose_hidden` also the last hidden state, (1, N, H)."""
    return _recurrent(param, bottoms, states=1)


def _recurrent(param: LayerParameter, bottoms: Shapes, states: int) -> Shapes:
    """Bottoms are x (T, N, …), cont (T, N), perhaps a static input (N, …), and the exposed states' first values."""
    settings = param.recurrent_param
    require_plain(settings)
    inputs, continuation = bottoms[:2]
    if len(inputs) < 3:
        raise ValueError(f"the bottom has {len(inputs)} axes, expected 3 or more")
    if continuation != inputs[:2]:
        raise ValueError(f"continuation indicators of shape {continuation} for a sequence of shape {inputs}")
    length, streams = inputs[:2]
    top = (length, streams, settings.num_output)
    return (top, *[(1, *top[1:])] * states) if settings.expose_hidden else (top,)


def require_plain(settings: Message) -> None:
    """Check that a recurrent layer is none of a fork's bidirectional, stacked or batch-first ones."""
    for name, plain in (("bidirectional", False), ("num_layers", 1), ("batch_first", False)):
        if optional(settings, name) not in (None, plain):
            raise ValueError(f"{name} is an option of a fork, whose layout is not known")


def lstm_unit(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`LSTMUnit`: the new cell and hidden state, each like the cell state (1, N, H) in bottom 0."""
    cell, gates = bottoms[:2]
    require_rank(cell, 3)
    if cell[0] != 1 or gates != (*cell[:2], 4 * cell[2]):
        raise ValueError(f"gates of shape {gates} for a cell state of shape {cell}")
    return cell, cell


def lstm_of_sequences(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """The forks' `Lstm`: (T, N, …) to (T, N, H) where time and batch are two axes, (T·N, …) to (T·N, H) where one."""
    settings = required(param, "lstm_param")
    require_plain(settings)
    shape = bottoms[0]
    return ((*shape[: 2 if len(shape) == 3 else 1], required(settings, "num_output")),)
