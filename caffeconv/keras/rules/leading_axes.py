"""Layers whose channels stand behind another axis than the first: the axes before them are one batch to Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from caffeconv.keras.building import Site, product
from caffeconv.keras.graph import Edge, Held, Value
from caffeconv.keras.rules.learning import learned
from caffeconv.keras.rules.record import Rule
from caffeconv.model import whole

__all__ = ["apart", "axis_of_channels", "behind_axis", "can_be_joined", "joined"]


def axis_of_channels(site: Site) -> int:
    """Where a convolution has its channels, counted from the front if the rank of its bottom is known."""
    axis, rank = site.layer.param.convolution_param.axis, site.inputs[0].held.rank
    return axis + rank if axis < 0 and rank is not None else axis


def behind_axis(site: Site, rule: Rule, axis: int) -> Sequence[Value]:
    """A layer with weights, over the axes from `axis` on, which is that of the channels."""
    site = dataclasses.replace(site, each_bottom=True)
    if not all(can_be_joined(site, number, axis) for number in range(len(site.inputs))):
        reason = f"convolves behind axis {axis}, and not all sizes of its bottom are known: give --input-shape"
        return site.blocked(learned(site, rule), reason)
    maps = tuple(joined(site, value, axis) for value in site.inputs)
    made = learned(dataclasses.replace(site, inputs=maps), rule)
    return tuple(apart(site, value.edge, number, axis) for number, value in enumerate(made))


def can_be_joined(site: Site, number: int, axis: int) -> bool:
    """Whether the sizes of a bottom and of its top are known, but perhaps for the first."""
    shapes = site.inputs[number].held.shape, site.top(number)
    return all(shape is not None and axis < len(shape) and whole(shape[1:]) is not None for shape in shapes)


def joined(site: Site, value: Value, axis: int) -> Value:
    """(before…, C, axes…) -> (samples, axes…, C)."""
    value = site.brought(value, "axes", part="glue")
    shape = value.held.shape or ()
    edge = _moved(site, value.edge, (*range(axis), *range(axis + 1, len(shape)), axis))
    edge = site.call("ReshapeAll", edge, part="glue", name="join", shape=(-1, *shape[axis + 1 :], shape[axis]))
    return Value(edge, Held("last", (product(shape[:axis]), *shape[axis:])))


def apart(site: Site, edge: Edge, number: int, axis: int) -> Value:
    """(samples, axes…, C) -> the layer's top of that number, (before…, C, axes…)."""
    top = site.top(number) or ()
    lead = (-1, *top[1:axis]) if axis else ()
    edge = site.call("ReshapeAll", edge, part="glue", name="part", shape=(*lead, *top[axis + 1 :], top[axis]))
    last = len(top) - 1
    edge = _moved(site, edge, (*range(axis), last, *range(axis, last)))
    site.growing.reordered.add(edge.node)
    return Value(edge, Held("axes", top))


def _moved(site: Site, edge: Edge, axes: Sequence[int]) -> Edge:
    if list(axes) == sorted(axes):
        return edge
    if axes[0]:
        return site.call("TransposeAll", edge, part="glue", name="transpose", axes=tuple(axes))
    return site.call("Permute", edge, part="glue", name="permute", dims=tuple(axes[1:]))
