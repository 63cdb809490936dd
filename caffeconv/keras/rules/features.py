"""Rules whose arrays have a value for each feature, and what is said where features change their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from caffeconv.keras.rules.arrays import features_channels_last
from caffeconv.keras.rules.record import Context, Convert, Parts
from caffeconv.model import Layer, Shape

__all__ = ["by_feature", "flattened_from", "unknown_order"]


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
