"""Turns a net with weights into the arrays of Keras layers. Pure: no files, no output."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from caffeconv.errors import MismatchError
from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.given_shapes import flattening_notes
from caffeconv.keras.graph import Model, Node
from caffeconv.keras.rules.table import RULES
from caffeconv.model import Layer, LayerWeights, Net, Note, Result, Shape

__all__ = ["convert", "model_of", "result_of"]


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
        MismatchError: `flatten_shapes` does not fit the net, or is given with `flatten_order` `"chw"`, which reorders
            nothing; an argument is none of its words.
    """
    options = Options(
        flatten_order, flatten_shapes or {}, depthwise, include_unknown_layer_types, bgr_to_rgb, fold_batchnorm,
        complete_batchnorm,
    )  # fmt: skip
    return result_of(model_of(net, options), net, options, include_layers_without_weights)


def model_of(net: Net, options: Options) -> Model:
    """The graph of a net in Keras' words, from which its files are written.

    Raises:
        MismatchError: the options do not fit the net or each other, or are none of their words.
    """
    _check_word("flatten_order", options.flatten_order, ("hwc", "chw"))
    _check_word("depthwise", options.depthwise, ("depthwise", "conv2d"))
    _check_flatten_shapes(net, options.flatten_shapes)
    if options.flatten_order == "chw" and options.flatten_shapes:
        raise MismatchError(
            "leave out --flatten-shape: it serves to reorder, and --flatten-order chw keeps Caffe's order"
        )
    with np.errstate(all="ignore"):  # notes say where the outcome is no number
        model = assembled(net, options)
        if options.flatten_shapes:
            contradictions = tuple(flattening_notes(net, model, options.flatten_shapes))
            model = dataclasses.replace(model, notes=(*model.notes, *contradictions))
        if options.bgr_to_rgb or options.fold_batchnorm or options.complete_batchnorm:
            model = _adjusted(model, net, options)
    return model


def _adjusted(model: Model, net: Net, options: Options) -> Model:
    from caffeconv.keras import adjust

    if options.bgr_to_rgb:
        model = adjust.bgr_to_rgb(model, net)
    if options.fold_batchnorm:
        model = adjust.fold_batchnorm(model, net)
    return adjust.complete_batchnorm(model, net) if options.complete_batchnorm else model


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


def result_of(model: Model, net: Net, options: Options, include_weightless: bool) -> Result:
    """The graph, layer by layer of the net, as it is written to files of weights."""
    by_layer: dict[int, list[Node]] = {}
    for node in model.nodes:
        if node.origins:
            by_layer.setdefault(node.origins[0], []).append(node)
    layers: list[LayerWeights] = []
    fused = {origin for node in model.nodes for origin in node.origins[1:]}
    for index, layer in enumerate(net.layers):
        if index in fused:
            continue
        made = list(_layer_weights(net, layer, by_layer.get(index, [])))
        if not options.include_unknown:
            made = [each for each in made if each.keras is not None or not _as_stored(each)]
        layers += [each for each in made if each.weights or include_weightless]
    return Result(*_drop_repeated(layers, list(model.notes)))


def _as_stored(layer: LayerWeights) -> bool:
    return any(weight.name.startswith("weights_") for weight in layer.weights)


def _layer_weights(net: Net, layer: Layer, nodes: list[Node]) -> Iterator[LayerWeights]:
    """The Keras layers with arrays that a layer became, each with what stands before and behind it; or else the one
    that bears its name."""
    mains = [node for node in nodes if node.weights] or [node for node in nodes if node.part == "main"][-1:]
    if not mains:
        yield LayerWeights(layer.name, layer.type, (layer.name,))
        return
    for number, main in enumerate(mains):
        place = nodes.index(main)
        before = [node.call for node in nodes[:place] if node.part == "before" and node.call] if number == 0 else []
        after = [node.call for node in nodes[place:] if node.part == "after" and node.call] if number == 0 else []
        origins = tuple(net.layers[origin].name for origin in main.origins) if number == 0 else (layer.name,)
        yield LayerWeights(main.name, layer.type, origins, main.weights, main.call, tuple(before), tuple(after))


def _drop_repeated(layers: list[LayerWeights], notes: list[Note]) -> tuple[tuple[LayerWeights, ...], tuple[Note, ...]]:
    """Names are keys in every output: a layer without arrays gives way to its namesake; no two with arrays bear one."""
    kept: dict[str, LayerWeights] = {}
    for layer in layers:
        other = kept.get(layer.name)
        if other is None or not other.weights:
            kept[layer.name] = layer
        if other is not None:
            notes.append(Note("info", layer.name, "several layers bear this name; it is listed once"))
    return tuple(kept.values()), tuple(notes)
