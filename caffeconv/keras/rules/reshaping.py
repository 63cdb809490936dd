"""What gives the values of a blob other axes or another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from caffeconv.keras.building import Site, product, target
from caffeconv.keras.graph import Held, Value, keras_shape
from caffeconv.keras.rules.record import Rule
from caffeconv.model import PartialShape
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS"]


def _flatten(site: Site) -> Sequence[Value]:
    """All axes from the first behind the batch on as Keras flattens them; others in Caffe's order."""
    (value,), after = site.inputs, site.top()
    before = value.held.shape
    if before is None or after is None or after == before:
        return (Value(value.edge, _as_known(value.held, after)),)
    if len(after) == 2 and len(before) > 2 and site.layer.param.flatten_param.axis in (1, 1 - len(before)):
        flat = site.flattened(value, part="main", name="")
        return (flat,)
    return _reshaped(site, value, after)


def _reshape(site: Site) -> Sequence[Value]:
    """As Flatten where all axes behind the batch become one, else by Caffe's order of values."""
    (value,), after = site.inputs, site.top()
    before = value.held.shape
    if after is None or before is None:
        return site.unsupported("the shape of its bottom is not known")
    if after == before and None not in after:
        return (value,)
    if len(after) == 2 and len(before) > 2 and _keeps_batch(before, after):
        return (site.flattened(value, part="main", name=""),)
    return _reshaped(site, value, after)


def _as_known(held: Held, shape: PartialShape | None) -> Held:
    return held if shape is None else Held(held.layout, shape, held.segments)


def _keeps_batch(before: PartialShape, after: PartialShape) -> bool:
    """Whether each sample stays one: the sizes behind the first are as many, or the first is the same."""
    inner, outer = product(before[1:]), product(after[1:])
    if inner is not None and outer is not None:
        return inner == outer
    return before[0] == after[0]


def _reshaped(site: Site, value: Value, after: PartialShape) -> Sequence[Value]:
    before = value.held.shape
    assert before is not None
    if not _keeps_batch(before, after):
        return _reshaped_with_batch(site, value, after)
    short_after = _trimmed(after)
    if value.held.layout == "last" and len(after) >= 3 and after[1] == before[1] and len(before) >= 3:
        # Channels stay: pixels alone are arranged anew, which lie in the same order in Keras.
        edge = site.call("Reshape", value.edge, target_shape=target((*after[2:], after[1])))
        return (Value(edge, Held("last", after)),)
    value = site.brought(value, "axes")
    if len(after) >= 4 and (value.held.rank == 2 or len(short_after) < 3):
        if len(short_after) < 3:  # (N, C, 1, 1): the order is the same whichever axis comes last
            edge = site.call("Reshape", value.edge, target_shape=target((*after[2:], after[1])))
            return (Value(edge, Held("last", after)),)
        edge = site.call("Reshape", value.edge, target_shape=target(after[1:]))
        maps = site.brought(Value(edge, Held("axes", after)), "last", part="after")
        site.note(f"makes maps of a vector: in Keras by Reshape({after[1:]}) > Permute({(*range(2, len(after)), 1)})")
        return (maps,)
    edge = site.call("Reshape", value.edge, target_shape=target(after[1:]))
    return (Value(edge, Held("axes", after)),)


def _trimmed(shape: PartialShape) -> PartialShape:
    """Without the axes of size 1 behind the second."""
    end = next((axis for axis in range(len(shape), 2, -1) if shape[axis - 1] != 1), 2)
    return shape[:end]


def _reshaped_with_batch(site: Site, value: Value, after: PartialShape) -> Sequence[Value]:
    """Samples are joined or cut: the first axis is what the others leave."""
    unknown = [axis for axis, size in enumerate(after) if size is None and axis]
    if unknown:
        return site.unsupported(f"its shape {after} is not known")
    value = site.brought(value, "axes")
    edge = site.call("ReshapeAll", value.edge, shape=(-1, *(size or 1 for size in after[1:])))
    return (Value(edge, Held("axes", after)),)


def _permute(site: Site) -> Sequence[Value]:
    """SSD's Permute and the forks' Transpose; Keras' axes are moved, or only thought of otherwise."""
    (value,), after = site.inputs, site.top()
    message, field = ("permute_param", "order") if site.layer.type == "Permute" else ("transpose_param", "dim")
    settings = optional(site.layer.param, message)
    given = tuple(optional(settings, field) or ()) if settings is not None else ()
    before = value.held.shape
    if before is None or value.held.layout == "unknown":
        return site.unsupported("the axes of its bottom are not known")
    rank = len(before)
    order = (*given, *(axis for axis in range(rank) if axis not in given))
    if value.held.layout == "flat":
        value = site.brought(value, "axes")
    layout: Literal["last", "axes"] = "last" if rank > 3 and order[:2] == (0, 1) else "axes"
    held = Held(layout, after)
    wanted = (0, *order[2:], 1) if layout == "last" else order
    places = tuple(value.held.axis(axis) for axis in wanted)
    if places == tuple(range(rank)):
        return (Value(value.edge, held),)
    if places[0] == 0:
        return (Value(site.call("Permute", value.edge, dims=places[1:]), held),)
    return (Value(site.call("TransposeAll", value.edge, axes=places), held),)


def _reorganize(site: Site) -> Sequence[Value]:
    """YOLO's Reorg."""
    value = site.brought(site.inputs[0], "last")
    settings = optional(site.layer.param, "reorg_param")
    if settings is None or None in (keras_shape(value.held) or (None,))[1:]:
        return site.unsupported("the size of its bottom is not known")
    reverse = bool(optional(settings, "reverse"))
    edge = site.call("Reorganize", value.edge, stride=optional(settings, "stride") or 1, reverse=reverse)
    return (Value(edge, Held("last", site.top())),)


def _shuffle(site: Site) -> Sequence[Value]:
    """Channels of g groups, dealt out in turn (shuffle_channel_layer of ShuffleNet)."""
    value = site.brought(site.inputs[0], "last")
    settings = optional(site.layer.param, "shuffle_channel_param")
    group = optional(settings, "group") if settings is not None else None
    shape = value.held.shape
    if shape is None or len(shape) < 2 or shape[1] is None or not group or shape[1] % group:
        return site.unsupported("its channels or groups are not known")
    columns = shape[1] // group
    order = tuple(row * columns + column for column in range(columns) for row in range(group))
    return (Value(site.call("TakeAlong", value.edge, order=order, axis=value.held.axis(1)), value.held),)


def _reverse(site: Site) -> Sequence[Value]:
    """The forks' Reverse along an axis."""
    settings = optional(site.layer.param, "reverse_param")
    axis = optional(settings, "axis") if settings is not None else None
    value = site.inputs[0]
    rank = value.held.rank
    if rank is None:
        return site.unsupported("the axes of its bottom are not known")
    value = site.brought(value, "axes") if value.held.layout == "flat" else value
    place = value.held.axis((axis or 0) % rank)
    return (Value(site.call("Flip", value.edge, axis=place), value.held),)


ROWS = {
    "Flatten":        Rule(build=_flatten),
    "Reshape":        Rule(build=_reshape),
    "Permute":        Rule(build=_permute),
    "Reorg":          Rule(build=_reorganize),
    "Reverse":        Rule(build=_reverse),
    "ShuffleChannel": Rule(build=_shuffle),
    "Transpose":      Rule(build=_permute),
}  # fmt: skip
