"""Turns a net with weights into the arrays of Keras layers. Pure: no files, no output."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from caffeconv.errors import MismatchError, UnsupportedError
from caffeconv.keras.rules.flattening import Order, trace_orders
from caffeconv.keras.rules.normalization import fusable_scales
from caffeconv.keras.rules.record import Context, Parts
from caffeconv.keras.rules.segments import (
    Along,
    Segments,
    given_segments,
    order_remarks,
    segments_of,
    static_segments,
)  # fmt: skip
from caffeconv.keras.rules.table import RULES
from caffeconv.model import Layer, LayerWeights, Net, Note, Result, Shape, Weight

__all__ = ["convert"]


@dataclasses.dataclass(frozen=True, eq=False)
class _Plan:
    """What is decided for the whole net before any layer is converted."""

    orders: tuple[tuple[Order | None, ...], ...]
    scales: Mapping[int, int]
    flatten_order: Literal["hwc", "chw"]
    flatten_shapes: Mapping[str, Shape]
    depthwise: Literal["depthwise", "conv2d"]
    include_weightless: bool
    include_unknown: bool


def convert(
    net: Net,
    *,
    include_layers_without_weights: bool = False,
    include_unknown_layer_types: bool = True,
    flatten_order: Literal["hwc", "chw"] = "hwc",
    flatten_shapes: Mapping[str, Shape] | None = None,
    depthwise: Literal["depthwise", "conv2d"] = "depthwise",
    bgr_to_rgb: bool = False,
    fold_batchnorm: bool = False,
    complete_batchnorm: bool = False,
) -> Result:
    """The arrays of `net` for Keras, channels last, in the order in which each Keras layer loads them.

    Args:
        net: a net with weights, from `load_net`.
        include_layers_without_weights: list such layers, too, with no arrays.
        include_unknown_layer_types: write the arrays of layer types without a rule as they are stored, under
            `weights_0`, `weights_1`, …; otherwise leave such layers out.
        flatten_order: `"hwc"` reorders what stands behind flattened feature maps to Keras' order, `"chw"` keeps
            Caffe's (for a model that works channels-first, or has `Permute((3, 1, 2))` before its Flatten).
        flatten_shapes: name of a layer -> (C, H, W) of the flattened maps it stands behind, where untraceable.
        depthwise: what a convolution with as many groups as input channels becomes.
        bgr_to_rgb: turn the first convolutions round for images whose channels are red, green, blue.
        fold_batchnorm: work every normalization that alone reads a convolution or Dense into that layer.
        complete_batchnorm: add gamma 1 and beta 0 where a BatchNormalization has none.

    Returns:
        Views of the net's arrays, and notes on everything that was fused, reordered, left out or not known.

    Raises:
        MismatchError: `flatten_shapes` does not fit the net, or an argument is none of its words.
    """
    _check_word("flatten_order", flatten_order, ("hwc", "chw"))
    _check_word("depthwise", depthwise, ("depthwise", "conv2d"))
    _check_flatten_shapes(net, flatten_shapes or {})
    plan = _Plan(
        trace_orders(net, {name: rule.order for name, rule in RULES.items()}),
        fusable_scales(net),
        flatten_order,
        flatten_shapes or {},
        depthwise,
        include_layers_without_weights,
        include_unknown_layer_types,
    )
    with np.errstate(all="ignore"):  # notes say where the outcome is no number
        result = _convert_layers(net, plan)
        if bgr_to_rgb or fold_batchnorm or complete_batchnorm:
            result = _adjust(result, net, bgr_to_rgb, fold_batchnorm, complete_batchnorm)
    return result


def _adjust(result: Result, net: Net, to_rgb: bool, fold: bool, complete: bool) -> Result:
    from caffeconv.keras import adjust

    if to_rgb:
        result = adjust.bgr_to_rgb(result, net)
    if fold:
        result = adjust.fold_batchnorm(result, net)
    return adjust.complete_batchnorm(result) if complete else result


def _check_word(name: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise MismatchError(f'{name} "{word}": expected {" or ".join(words)}')


def _check_flatten_shapes(net: Net, shapes: Mapping[str, Shape]) -> None:
    layers = {layer.name: layer for layer in reversed(net.layers)}
    for name, shape in shapes.items():
        if name not in layers:
            raise MismatchError(f'the net has no layer "{name}" to give a flattened shape to')
        rule = RULES.get(layers[name].type)
        if rule is None or not rule.along:
            raise MismatchError(f"{name} ({layers[name].type}) is of no type that reads flattened maps")
        if len(shape) < 2 or min(shape) < 1:
            raise MismatchError(f"{name}: the flattened shape {shape}, expected C,H,W")


def _convert_layers(net: Net, plan: _Plan) -> Result:
    fused = set(plan.scales.values())
    layers: list[LayerWeights] = []
    notes = list(net.notes)
    if not any(layer.blobs for layer in net.layers):
        notes.append(Note("warning", None, "no layer has weights; was the net loaded without a caffemodel?"))
    for index, layer in enumerate(net.layers):
        if index in fused:
            continue
        notes.extend(_remarks(layer, index, plan))
        convert_one = _convert_layer if layer.blobs else _describe_weightless
        converted, said = convert_one(net, index, plan)
        layers.extend(converted)
        notes.extend(said)
    return Result(*_drop_repeated(layers, notes))


def _convert_layer(net: Net, index: int, plan: _Plan) -> tuple[Sequence[LayerWeights], list[Note]]:
    layer = net.layers[index]
    rule = RULES.get(layer.type)
    reason = f"type {layer.type} is not known"
    if rule is not None and rule.weights and rule.convert is not None:
        scale = net.layers[plan.scales[index]] if index in plan.scales else None
        order = plan.orders[index][0] if plan.orders[index] else None
        segments, static = _segments(layer, index, rule.along, plan)
        context = Context(segments, order, scale, plan.depthwise, plan.flatten_order, static)
        try:
            parts = rule.convert(layer, context)
        except UnsupportedError as error:
            if layer.name in plan.flatten_shapes:
                raise MismatchError(f"{layer.name} ({layer.type}): {error}") from None
            reason = f"{layer.type}: {error}"
        else:
            return _assemble(layer, scale, parts), list(_say(layer, parts))
    if not plan.include_unknown:
        return (), [Note("warning", layer.name, f"{reason}; left out")]
    weights = tuple(Weight(f"weights_{number}", blob.array, blob.shape) for number, blob in enumerate(layer.blobs))
    stored = LayerWeights(layer.name, layer.type, (layer.name,), weights)
    return (stored,), [Note("warning", layer.name, f"{reason}; its arrays are written as stored")]


def _describe_weightless(net: Net, index: int, plan: _Plan) -> tuple[Sequence[LayerWeights], list[Note]]:
    layer = net.layers[index]
    rule = RULES.get(layer.type)
    parts = Parts(None, ())
    if rule is not None and rule.convert is not None and not rule.weights:
        parts = rule.convert(layer, Context())
    notes: list[Note] = []
    if parts.before:
        chain = " > ".join(map(str, (*parts.before, parts.keras)))
        notes = [Note("info", layer.name, f"pools in Keras by {chain}"), *_say(layer, parts)]
    return _assemble(layer, None, parts) if plan.include_weightless else (), notes


def _assemble(layer: Layer, scale: Layer | None, parts: Parts) -> tuple[LayerWeights, ...]:
    origins = (layer.name,) if scale is None else (layer.name, scale.name)
    main = LayerWeights(layer.name, layer.type, origins, parts.weights, parts.keras, parts.before, parts.after)
    return (main, *parts.extra)


def _say(layer: Layer, parts: Parts) -> Iterator[Note]:
    yield from (Note("info", layer.name, text) for text in parts.notes)
    yield from (Note("warning", layer.name, text) for text in parts.warnings)


def _segments(layer: Layer, index: int, along: Along, plan: _Plan) -> tuple[Segments, Segments]:
    """How the inputs of a layer are made up where they are flattened; see `Context.segments` and `Context.static`."""
    given = given_segments(plan.flatten_shapes[layer.name]) if layer.name in plan.flatten_shapes else None
    if plan.flatten_order == "chw" or not layer.bottoms:
        return given or (), ()
    orders = plan.orders[index]
    static = static_segments(layer, orders[2]) if len(orders) > 2 else ()
    if given is not None:
        return given, static
    return segments_of(layer, along, orders[0]), static


def _remarks(layer: Layer, index: int, plan: _Plan) -> Iterator[Note]:
    rule = RULES.get(layer.type)
    if plan.flatten_order == "hwc" and rule is not None:
        note, warning = order_remarks(layer, plan.orders[index], rule.order)
        if note is not None:
            yield Note("info", layer.name, note)
        if warning is not None:
            yield Note("warning", layer.name, warning)


def _drop_repeated(layers: list[LayerWeights], notes: list[Note]) -> tuple[tuple[LayerWeights, ...], tuple[Note, ...]]:
    """Names are keys in every output: a layer without arrays gives way to its namesake.

    Two namesakes with arrays cannot come from a join by name, but from an extra layer's made-up name they can.
    """
    kept: dict[str, LayerWeights] = {}
    for layer in layers:
        other = kept.get(layer.name)
        if other is not None and other.weights and layer.weights:
            raise MismatchError(f'two layers with weights are both called "{layer.name}"; rename one in the prototxt')
        if other is None or not other.weights:
            kept[layer.name] = layer
        if other is not None:
            notes.append(Note("info", layer.name, "several layers bear this name; it is listed once"))
    return tuple(kept.values()), tuple(notes)
