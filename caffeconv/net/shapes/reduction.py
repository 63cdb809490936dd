"""What makes one value of many: output shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import canonical_axis, require_rank
from caffeconv.net.shapes.row import Row, Shapes, of_known

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _reduction(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Reduction`: the axes before `axis`; all from there on are reduced."""
    return (bottoms[0][: canonical_axis(param.reduction_param.axis, len(bottoms[0]))],)


def _arg_max(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`ArgMax`: `top_k` along `axis`; without `axis` (N, 1, top_k), or (N, 2, top_k) with `out_max_val`, 1-padded."""
    settings = param.argmax_param
    shape = list(bottoms[0])
    if settings.HasField("axis"):
        axis = canonical_axis(settings.axis, len(shape))
        candidates = shape[axis]
        shape[axis] = settings.top_k
    else:
        if not shape:
            raise ValueError("the bottom has no axes")
        candidates = math.prod(shape[1:])
        shape = [shape[0], 1 + settings.out_max_val, settings.top_k, *[1] * (len(shape) - 3)]
    if settings.top_k < 1 or settings.top_k > candidates:
        raise ValueError(f"the top {settings.top_k} of {candidates}")
    return (tuple(shape),)


def _parse_output(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """ParseNet's `ParseOutput`: (N, C, H, W) to (N, 1, H, W), twice with its values."""
    num, _, *sizes = require_rank(bottoms[0], 4)
    return ((num, 1, *sizes),) * 2


ROWS = {
    "ArgMax":      Row(1, of_known(_arg_max)),
    "Reduction":   Row(1, of_known(_reduction)),
    "ParseOutput": Row(1, of_known(_parse_output)),
}  # fmt: skip
