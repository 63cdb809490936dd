"""What joins, cuts, repeats and selects along an axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Edge, Held, Value
from caffeconv.keras.rules.record import Rule
from caffeconv.model import MaybeShape, PartialShape
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS", "together"]


def together(site: Site, values: Sequence[Value]) -> tuple[Value, ...]:
    """Blobs of one rank in one layout: that of all if they agree, else with the channels last, or Caffe's axes."""
    layouts = {value.held.layout for value in values}
    ranks = {value.held.rank for value in values}
    if layouts == {"flat"} and len({value.held.segments for value in values}) == 1:
        return tuple(values)
    if len(layouts) == 1 and layouts != {"flat"}:
        return tuple(values)
    layout = "last" if ranks and all(rank is not None and rank > 3 for rank in ranks) else "axes"
    return tuple(site.brought(value, layout) for value in values)  # type: ignore[arg-type]


def _concat(site: Site) -> Sequence[Value]:
    param = site.layer.param.concat_param
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    rank = next((value.held.rank for value in site.inputs if value.held.rank is not None), None)
    if axis < 0 and rank is None:
        return site.unsupported("the axes of its bottoms are not known")
    axis = axis % rank if rank else axis
    if len(site.inputs) == 1:
        return site.inputs
    if axis == 1 and rank == 2 and any(value.held.layout == "flat" for value in site.inputs):
        segments: list[PartialShape] = []
        for value in site.inputs:
            segments += value.held.segments if value.held.layout == "flat" else [(value.held.shape or (None, None))[1:]]
        edge = site.call("Concatenate", *(value.edge for value in site.inputs), axis=1)
        return (Value(edge, Held("flat", site.top(), tuple(segments))),)
    values = together(site, site.inputs)
    held = Held(values[0].held.layout, site.top(), values[0].held.segments)
    last = rank is not None and held.axis(axis) == rank - 1
    place = -1 if last or (rank is None and axis == 1 and held.layout == "last") else held.axis(axis)
    if axis != 1:
        site.note(f"joins along axis {axis} of Caffe's, which is axis {place} in Keras")
    return (Value(site.call("Concatenate", *(value.edge for value in values), axis=place), held),)


def _slice(site: Site) -> Sequence[Value]:
    param = site.layer.param.slice_param
    (value,) = site.inputs
    shape = value.held.shape
    tops = len(site.layer.tops)
    if shape is None:
        return site.unsupported("the axes of its bottom are not known")
    axis = (param.slice_dim if param.HasField("slice_dim") else param.axis) % len(shape)
    sizes = [top[axis] if (top := site.top(number)) is not None else None for number in range(tops)]
    whole = [size for size in sizes if size is not None]
    if len(whole) < tops:
        return site.unsupported("the sizes of its tops are not known")
    ends = list(itertools.accumulate(whole))
    parts: list[tuple[PartialShape, ...]] = [()] * tops
    if value.held.layout == "flat" and axis == 1:
        cut = _segments_cut(value.held.segments, ends)
        if cut is None:
            value = site.brought(value, "axes")
        else:
            parts = cut
    if tops == 1:
        return (value,)
    place = value.held.axis(axis)
    edge = site.call("Split", value.edge, points=tuple(ends[:-1]), axis=place, outputs=tops)
    return tuple(
        Value(Edge(edge.node, number), Held(value.held.layout, site.top(number), parts[number] or value.held.segments))
        for number in range(tops)
    )


def _segments_cut(segments: Sequence[PartialShape], ends: Sequence[int]) -> list[tuple[PartialShape, ...]] | None:
    """Whole segments for each part, if they are cut between them only."""
    sizes = [math.prod(size for size in segment if size is not None) for segment in segments]
    if any(None in segment for segment in segments):
        return None
    bounds = [0, *itertools.accumulate(sizes)]
    places = [0, *ends]
    if any(place not in bounds for place in places):
        return None
    return [tuple(segments[bounds.index(start) : bounds.index(stop)]) for start, stop in itertools.pairwise(places)]


def _crop(site: Site) -> Sequence[Value]:
    """Bottom 0 with the sizes of bottom 1 from an axis on."""
    param, (first, *_) = site.layer.param.crop_param, site.inputs
    value = site.brought(first, "axes" if first.held.layout == "flat" else "last")
    before, after = value.held.shape, site.top()
    if before is None or after is None or None in before[1:] or None in after[1:] or value.held.layout == "unknown":
        return site.unsupported("the sizes of its bottoms are not known: give --input-shape")
    axis = param.axis % len(before)
    if axis == 0 and None in (before[0], after[0]):
        return site.unsupported("it crops the batch, whose size is not known: give --input-shape")
    offsets = list(param.offset) or [0]
    offsets = offsets * (len(before) - axis) if len(offsets) == 1 else offsets
    begins = [0] * axis + offsets
    return _cropped(site, value, begins, after)


def _cropped(site: Site, value: Value, begins: Sequence[int], after: MaybeShape) -> Sequence[Value]:
    before = value.held.shape
    assert before is not None and after is not None
    edges = [(begin, (old or 0) - (new or 0) - begin) for begin, old, new in zip(begins, before, after, strict=True)]
    edge, spatial = value.edge, edges[2:]
    layered = value.held.layout == "last" and len(spatial) <= 3
    for axis, (begin, end) in enumerate(edges):
        if (axis < 2 or not layered) and any((begin, end)):
            order, place = tuple(range(begin, (before[axis] or 0) - end)), value.held.axis(axis)
            name = ("items", "channels")[axis] if axis < 2 else f"axis{axis}"
            edge = site.call("TakeAlong", edge, name=name, part="before", order=order, axis=place)
    if layered and any(map(any, spatial)):
        cropping = tuple(spatial) if len(spatial) > 1 else spatial[0]
        edge = site.call(f"Cropping{len(spatial)}D", edge, cropping=cropping)
    return (Value(edge, Held(value.held.layout, after)),)


def _crop_center(site: Site) -> Sequence[Value]:
    """waifu2x's CropCenter: so many elements less on either end of each axis."""
    settings = optional(site.layer.param, "crop_center_param")
    margins = list(optional(settings, "crop_size") or ()) if settings is not None else []
    value = site.brought(site.inputs[0], "last")
    rank = value.held.rank
    if rank is None or rank < 3 or len(margins) != rank or margins[0] or margins[1] or value.held.layout != "last":
        return site.unsupported("it crops other axes than those of maps")
    cropping = tuple((margin, margin) for margin in margins[2:])
    cut = cropping if len(cropping) > 1 else cropping[0]
    edge = site.call(f"Cropping{len(cropping)}D", value.edge, cropping=cut)
    return (Value(edge, Held("last", site.top())),)


def _tile(site: Site) -> Sequence[Value]:
    """One axis several times behind itself."""
    param = site.layer.param.tile_param
    value = site.inputs[0]
    rank = value.held.rank
    if rank is None:
        return site.unsupported("the axes of its bottom are not known")
    axis = param.axis % rank
    if param.tiles == 1:
        return (value,)
    segments = value.held.segments * param.tiles if axis == 1 else value.held.segments
    place = value.held.axis(axis)
    edge = site.call("Concatenate", *[value.edge] * param.tiles, axis=-1 if place == rank - 1 else place)
    return (Value(edge, Held(value.held.layout, site.top(), segments)),)


def _split(site: Site) -> Sequence[Value]:
    return (site.inputs[0],) * len(site.layer.tops)


def _batch_reindex(site: Site) -> Sequence[Value]:
    value, indices = site.inputs[:2]
    held = Held(value.held.layout, site.top(), value.held.segments)
    return (Value(site.call("TakeItems", value.edge, indices.edge), held),)


def _filter(site: Site) -> Sequence[Value]:
    return site.unsupported(
        "how many items it lets through depends on their values, so that no layer of fixed shapes can: end the model "
        "at its bottoms, and take the items where the last bottom is not 0 outside of it"
    )


ROWS = {
    "BatchReindex": Rule(build=_batch_reindex),
    "Concat":       Rule(build=_concat),
    "Crop":         Rule(build=_crop),
    "Filter":       Rule(build=_filter),
    "Slice":        Rule(build=_slice),
    "Split":        Rule(build=_split),
    "Tile":         Rule(build=_tile),
    "CropCenter":   Rule(build=_crop_center),
}  # fmt: skip
