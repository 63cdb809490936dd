"""Rules made of rules, and those that many types have: by feature, with masks, as stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from caffeconv.errors import UnsupportedError
from caffeconv.keras.rules.arrays import features_channels_last
from caffeconv.keras.rules.operands import take
from caffeconv.keras.rules.record import Context, Convert, Parts
from caffeconv.model import Array, Blob, Layer, Shape, Weight

__all__ = ["by_feature", "flattened_from", "stored", "unknown_order", "without_masks"]


def flattened_from(segments: Sequence[Shape]) -> str:
    """How flattened maps are reordered, for a note."""
    shapes = " + ".join("×".join(map(str, segment)) for segment in segments)
    return f"from channels-first ({shapes}) to channels-last, as Keras flattens"


def unknown_order(layer: Layer, arrays: str) -> str:
    """The warning where features may have to be reordered; `arrays` with their verb are left as they are."""
    return (
        f"the order of its inputs cannot be known, the {arrays} left in Caffe's (channels first): "
        f"give --input-shape, or --flatten-shape {layer.name}=C,H,W if it stands behind flattened feature maps"
    )


def by_feature(rule: Convert) -> Convert:
    """The rule for a type that works value by value and may stand behind flattened maps, as an InnerProduct may."""

    def convert(layer: Layer, context: Context) -> Parts:
        parts = rule(layer, context)
        if context.segments is None:
            return dataclasses.replace(parts, warnings=(*parts.warnings, unknown_order(layer, "arrays are")))
        if not context.segments:
            return parts
        return dataclasses.replace(
            parts,
            weights=tuple(features_channels_last(weight, context.segments) for weight in parts.weights),
            notes=(*parts.notes, f"values reordered {flattened_from(context.segments)}"),
        )

    return convert


def without_masks(rule: Convert, statistics: int = 0) -> Convert:
    """The rule for a type of the pruning forks: arrays, then masks of some of them, then so many blobs of statistics.

    Each array is multiplied with the mask of its shape (Auto_pruning's `cconv_layer.cpp`: W·mask).
    """

    def convert(layer: Layer, context: Context) -> Parts:
        allowed = (number + statistics for number in (2, 3, 4))
        arrays = take(layer, *allowed)
        arrays = arrays[: len(arrays) - statistics]
        half = (len(arrays) + 1) // 2
        pruned = dataclasses.replace(layer, blobs=tuple(map(Blob, _masked(arrays[:half], arrays[half:]))))
        parts = rule(pruned, context)
        return dataclasses.replace(parts, notes=(*parts.notes, "its pruning masks are multiplied in"))

    return convert


def _masked(arrays: Sequence[Array], masks: Sequence[Array]) -> list[Array]:
    if any(array.shape != mask.shape for array, mask in zip(arrays, masks, strict=False)):
        shapes = [array.shape for array in (*arrays, *masks)]
        raise UnsupportedError(f"blobs of shapes {shapes}, expected arrays, then masks of the same shapes")
    return [array * mask for array, mask in zip(arrays, masks, strict=False)] + list(arrays[len(masks) :])


def stored(*names: str) -> Convert:
    """A rule that writes the arrays as they are, under `names`."""

    def convert(layer: Layer, _: Context) -> Parts:
        if not 1 <= len(layer.blobs) <= len(names):
            raise UnsupportedError(f"{len(layer.blobs)} blobs, expected {', '.join(names)}")
        arrays = take(layer, len(layer.blobs))
        weights = tuple(Weight(name, array, array.shape) for name, array in zip(names, arrays, strict=False))
        warning = f"Keras has no layer for {layer.type}: its arrays are as stored, in Caffe's order of axes"
        return Parts(None, weights, warnings=(warning,))

    return convert
