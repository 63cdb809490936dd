"""What makes one value of many."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.operands import decimal, word_of
from caffeconv.keras.rules.record import Rule

__all__ = ["ROWS"]

_OPERATIONS = {1: "SUM", 2: "ASUM", 3: "SUMSQ", 4: "MEAN"}
"""ReductionParameter.ReductionOp."""


def _reduction(site: Site) -> Sequence[Value]:
    param, value = site.layer.param.reduction_param, site.inputs[0]
    rank = value.held.rank
    if param.operation not in _OPERATIONS:
        return site.refused(f"operation: {word_of(param, 'operation')} is a fork's, which is not known")
    if rank is None:
        return site.unsupported("the axes of its bottom are not known")
    axis = param.axis % rank
    if axis > 1 and value.held.layout == "last":
        axes = tuple(range(1, rank - 1)) if axis == 2 else ()
        if not axes:
            value = site.brought(value, "axes")
    axes = tuple(sorted(value.held.axis(each) for each in range(axis, rank)))
    operation, coeff = _OPERATIONS[param.operation], decimal(param.coeff)
    edge = site.call("Reduction", value.edge, operation=operation, axes=axes, coeff=coeff)
    return (Value(edge, Held("axes", site.top())),)


def _parsed(site: Site) -> Sequence[Value]:
    """ParseNet's ParseOutput: the channel with the largest value at each pixel and, if asked for, that value."""
    value = site.brought(site.inputs[0], "last")
    if value.held.layout != "last":
        return site.unsupported("its bottom has no pixels")
    axis, tops = value.held.axis(1), []
    for number, name in zip(range(len(site.layer.tops)), ("", "value"), strict=False):
        edge = site.call("ArgMax", value.edge, name=name, axis=axis, top_k=1, out_max_val=bool(number))
        tops.append(Value(edge, Held("last", site.top(number))))
    return tops


def _arg_max(site: Site) -> Sequence[Value]:
    param, value = site.layer.param.argmax_param, site.inputs[0]
    rank = value.held.rank
    if rank is None:
        return site.unsupported("the axes of its bottom are not known")
    if param.HasField("axis"):
        value = site.brought(value, "axes") if value.held.layout == "flat" else value
        place = value.held.axis(param.axis % rank)
        edge = site.call("ArgMax", value.edge, axis=place, top_k=param.top_k, out_max_val=param.out_max_val)
        return (Value(edge, Held(value.held.layout, site.top())),)
    value = site.brought(value, "axes")
    flat = value.edge if rank == 2 else site.call("Flatten", value.edge, part="before", name="flatten")
    edge = site.call("ArgMaxOfSample", flat, top_k=param.top_k, out_max_val=param.out_max_val)
    top = site.top()
    if top is not None and len(top) > 3:
        edge = site.call("Reshape", edge, part="after", name="reshape", target_shape=(-1, param.top_k, *top[3:]))
    return (Value(edge, Held("axes", top)),)


ROWS = {
    "ArgMax":      Rule(build=_arg_max),
    "Reduction":   Rule(build=_reduction),
    "ParseOutput": Rule(build=_parsed),
}  # fmt: skip
