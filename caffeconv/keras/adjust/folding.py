"""BatchNormalizations with all four arrays, or none at all: worked into the layers before them."""

from __future__ import annotations

import dataclasses

import numpy as np

from caffeconv.keras.adjust.edits import argument, by_origin, has_class, replaced, without_arguments
from caffeconv.model import Array, Layer, LayerWeights, Net, Note, Result, Weight

__all__ = ["complete_batchnorm", "fold_batchnorm"]

_NORM = "BatchNormalization"
_NEUTRAL = {"gamma": 1, "beta": 0}


def complete_batchnorm(result: Result) -> Result:
    """`result` with gamma 1 and beta 0 wherever a BatchNormalization has none, as Keras' default arguments want it."""
    changed: dict[str, LayerWeights] = {}
    notes = []
    for layer in result.layers:
        missing = [name for name in _NEUTRAL if name not in {weight.name for weight in layer.weights}]
        if layer.weights and has_class(layer, _NORM) and missing:
            changed[layer.name] = _completed(layer)
            notes.append(Note("info", layer.origins[0], f"{' and '.join(missing)} added, which change nothing"))
    return replaced(result, changed, notes)


def _completed(layer: LayerWeights) -> LayerWeights:
    held = {weight.name: weight for weight in layer.weights}
    shape = held["moving_mean"].shape
    for name, value in _NEUTRAL.items():
        held.setdefault(name, Weight(name, np.broadcast_to(np.float32(value), shape), shape))
    weights = tuple(held[name] for name in (*_NEUTRAL, "moving_mean", "moving_variance"))
    return dataclasses.replace(layer, weights=weights, keras=without_arguments(layer, "center", "scale"))


def fold_batchnorm(result: Result, net: Net) -> Result:
    """`result` with every normalization that alone reads a convolution or Dense worked into that layer's arrays.

    y = (x·W + b − mean)·s + beta with s = gamma / √(variance + ε) becomes x·(W·s) + (b − mean)·s + beta. Scale and
    Bias, which are written as normalizations, are folded likewise. The folded layer gets a bias if it had none.
    """
    made, readers = by_origin(result), net.readers()
    indices = {layer.name: index for index, layer in enumerate(net.layers) if layer.blobs}
    holders: dict[int, int] = {}
    changed: dict[str, LayerWeights] = {}
    gone: set[str] = set()
    notes: list[Note] = []
    for index, layer in enumerate(net.layers):
        norm, source = made.get(layer.name), layer.sources[0] if layer.sources else None
        if norm is None or source is None or readers[source] != [index]:
            continue
        holder = net.layers[holders.get(source.layer, source.layer)]
        target = made.get(holder.name)
        if target is None or not _can_fold(holder, target, norm):
            continue
        folded = _folded(target, norm)
        made[holder.name] = changed[target.name] = folded
        gone.add(norm.name)
        holders[indices[norm.origins[-1]]] = indices[holder.name]
        notes.append(Note("info", layer.name, f'folded into "{target.name}", no layer of its own any more'))
    return replaced(result, changed, notes, gone)


def _can_fold(holder: Layer, target: LayerWeights, norm: LayerWeights) -> bool:
    """Whether the channels that are normalized are those that the layer puts out, and nothing comes in between."""
    if not has_class(norm, _NORM) or norm.before or argument(norm, "axis") is not None or len(holder.tops) != 1:
        return False
    if not has_class(target, "Conv", "DepthwiseConv", "Dense") or holder.param.convolution_param.relu:
        return False
    dense = has_class(target, "Dense")
    axis = holder.param.inner_product_param.axis if dense else holder.param.convolution_param.axis
    shape = holder.bottom_shapes[0] if holder.bottom_shapes else None
    if axis < 0 and shape is not None:
        axis += len(shape)
    return axis == 1 and norm.weights[-1].shape == (_outputs(target),)


def _outputs(layer: LayerWeights) -> int:
    kernel = layer.weights[0]
    if kernel.name == "depthwise_kernel":
        return kernel.shape[-2] * kernel.shape[-1]
    return kernel.shape[-2] if _is_transposed(layer) else kernel.shape[-1]


def _is_transposed(layer: LayerWeights) -> bool:
    return layer.keras is not None and layer.keras.class_name.endswith("Transpose")


def _folded(layer: LayerWeights, norm: LayerWeights) -> LayerWeights:
    """(k…, in, out), (k…, C, multiplier) or (k…, out, in), and (out) -> the same, in one layer."""
    held = {weight.name: weight.array.astype(np.float64) for weight in norm.weights}
    factor: Array = held.get("gamma", np.float64(1)) / np.sqrt(held["moving_variance"] + argument(norm, "epsilon"))
    kernel, *biases = layer.weights
    bias = biases[0].array if biases else np.float32(0)
    spread = factor
    if kernel.name == "depthwise_kernel":
        spread = factor.reshape(kernel.shape[-2:])
    elif _is_transposed(layer):
        spread = factor[:, np.newaxis]
    weights = (
        _float32(kernel.name, kernel.array * spread),
        _float32("bias", (bias - held["moving_mean"]) * factor + held.get("beta", np.float64(0))),
    )
    origins = (*layer.origins, *norm.origins)
    return dataclasses.replace(layer, weights=weights, keras=without_arguments(layer, "use_bias"), origins=origins)


def _float32(name: str, values: Array) -> Weight:
    array = values.astype(np.float32)
    return Weight(name, array, array.shape)
