"""BatchNorm in its dialects, and what else brings values to a scale of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site
from caffeconv.keras.graph import Edge, Held, Value
from caffeconv.keras.rules.affine import affine, batch_normalization, optional_vectors, same_size
from caffeconv.keras.rules.arrays import statistics, vector
from caffeconv.keras.rules.learning import as_stored, learned, rectified
from caffeconv.keras.rules.operands import bottom_shape, channel_count, decimal, take
from caffeconv.keras.rules.record import Context, Parts, Rule, kept_held
from caffeconv.keras.rules.wrapping import by_feature, stored
from caffeconv.model import Array, KerasCall, Layer, Net, Weight
from caffeconv.net.shapes.axes import agree, with_unknown
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS", "fusable_scales"]

_CAFFE_EPSILON = 1e-5
_LEARN = 0
"""BNParameter.BNMode."""
_LACKING = "its scale_bias is true, but of its scale and shift there is none in the file: gamma and beta are left out"
_OUTSIDE = "add_eps_before_sqrt is false, and Keras adds epsilon before it takes the root"
_OF_BATCH = "Caffe takes mean and variance of each batch, not the stored ones"

Affine: TypeAlias = tuple[Array | None, Array | None]
Statistics: TypeAlias = tuple[Array, Array, Array | None]


def _batch_norm(layer: Layer, context: Context) -> Parts:
    """mean (C), variance (C), factor (1) -> [gamma, beta,] moving_mean, moving_variance (`batch_norm_layer.cpp`).

    Forks store scale and shift in the same layer: five blobs, told apart by which one has a single element.
    """
    blobs = take(layer, 2, 3, 4, 5)
    single = [blob.size == 1 for blob in blobs]
    own: Affine = (None, None)
    lacking: tuple[str, ...] = ()
    if len(blobs) == 2:
        return _folded(blobs)
    if len(blobs) == 3:
        stored: Statistics = (blobs[0], blobs[1], blobs[2])
        lacking = (_LACKING,) if layer.param.batch_norm_param.scale_bias else ()
    elif len(blobs) == 4 and single[2] and not single[3]:
        stored, own = (blobs[0], blobs[1], blobs[2]), (blobs[3], None)
    elif len(blobs) == 4 or (single[4] and not single[2]):
        stored, own = (blobs[2], blobs[3], None), (blobs[0], blobs[1])
    elif single[2] and blobs[0].ndim == 4 and blobs[0].shape[0] == 1:
        stored, own = (blobs[3], blobs[4], None), (blobs[0], blobs[1])
    elif single[2]:
        stored, own = (blobs[0], blobs[1], blobs[2]), (blobs[3], blobs[4])
    else:
        raise UnsupportedError(f"blobs of shapes {[blob.shape for blob in blobs]}, which is no known form of it")
    parts = _normalized(layer, context, layer.param.batch_norm_param.eps, own, stored)
    return dataclasses.replace(parts, warnings=(*parts.warnings, *lacking))


def _fork_batch_norm(layer: Layer, context: Context) -> Parts:
    """BN of SegNet (scale, shift) and of yjxiong, PSPNet, happynear (scale, shift, mean, variance)."""
    blobs = take(layer, 2, 4)
    warnings = (f"its bn_mode is LEARN: {_OF_BATCH}",) if _learns(layer) else ()
    if len(blobs) == 2:
        if not _takes_batches(layer):
            return _folded(blobs)
        same_size(*blobs)
        return dataclasses.replace(affine(blobs[0], blobs[1]), warnings=warnings)
    gamma, beta, mean, variance = blobs
    epsilon = layer.param.bn_param.eps if layer.param.bn_param.HasField("eps") else _CAFFE_EPSILON
    parts = _normalized(layer, context, epsilon, (gamma, beta), (mean, variance, None))
    return dataclasses.replace(parts, warnings=(*parts.warnings, *warnings))


def _normalized(layer: Layer, context: Context, epsilon: float, own: Affine, stored: Statistics) -> Parts:
    gamma, beta = own
    mean, variance, factor = stored
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    if factor is not None and factor.size != 1:
        raise UnsupportedError(f"a moving-average factor of shape {factor.shape}")
    if context.scale is not None:
        scale, *shifts = take(context.scale, 1, 2)
        same_size(mean, scale, *shifts, *(blob for blob in own if blob is not None))
        gamma, beta = _after(gamma, beta, scale, shifts[0] if shifts else None)
        notes = (f"fused with {context.scale.name} (Scale) into one BatchNormalization",)
    if factor is not None and factor.reshape(-1)[0] == 0:
        warnings = ("its moving-average factor is 0, so mean and variance are zeros, as in Caffe",)
    if layer.param.batch_norm_param.HasField("use_global_stats") and not layer.param.batch_norm_param.use_global_stats:
        warnings += (f"its use_global_stats is false: {_OF_BATCH}",)
    same_size(mean, variance, *(blob for blob in (gamma, beta) if blob is not None))
    moving = statistics(mean, variance, factor)
    if not layer.param.batch_norm_param.add_eps_before_sqrt:
        moving = moving[0], _with_epsilon_outside(moving[1], decimal(epsilon))
        notes += (f"its variance is (sqrt(variance) + {decimal(epsilon):g})² - {decimal(epsilon):g}: {_OUTSIDE}",)
    weights = (*optional_vectors(gamma=gamma, beta=beta), *moving)
    call = batch_normalization(weights, decimal(epsilon), _channel_axis(layer, context))
    return Parts(call, weights, notes=notes, warnings=warnings)


def _with_epsilon_outside(variance: Weight, epsilon: float) -> Weight:
    """(C) -> (C), by which sqrt(variance + epsilon) in Keras is sqrt(variance) + epsilon of Synopsys' fork."""
    deviation = np.sqrt(variance.view.astype(np.float64)) + epsilon
    return vector(variance.name, (deviation * deviation - epsilon).astype(np.float32))


def _channel_axis(layer: Layer, context: Context) -> int:
    """Where Keras finds the axis that Caffe has behind the batch: last, but for a blob whose axes it keeps."""
    shape = bottom_shape(layer)
    return 1 if shape is not None and len(shape) > 2 and context.keeps_axes else -1


def _after(gamma: Array | None, beta: Array | None, scale: Array, shift: Array | None) -> Affine:
    """One affine map after another: (x·gamma + beta)·scale + shift."""
    if gamma is None:
        return scale, shift
    scale = scale.reshape(-1)
    moved = None if beta is None else beta.reshape(-1) * scale
    both = moved + shift.reshape(-1) if moved is not None and shift is not None else moved if shift is None else shift
    return gamma.reshape(-1) * scale, both


def _folded(blobs: list[Array]) -> Parts:
    """Two blobs: statistics were folded into scale and shift, y = x·scale + shift."""
    same_size(*blobs)
    warning = "stores scale and shift only, taken as statistics already folded in (y = x·scale + shift)"
    return dataclasses.replace(affine(blobs[0], blobs[1]), warnings=(warning,))


def _normalize(layer: Layer, _: Context) -> Parts:
    """One scale a channel, or one for all (SSD's `normalize_layer.cpp`): Keras has no layer for it, the array is gamma.

    (C) or () -> (C)
    """
    (blob,) = take(layer, 1)
    channels = channel_count(layer)
    if blob.size != 1 and channels is not None and blob.size != channels:
        raise UnsupportedError(f"a scale of shape {blob.shape} for {channels} channels")
    gamma = np.broadcast_to(blob.reshape(-1), (channels,)) if blob.size == 1 and channels else blob
    return Parts(None, (vector("gamma", gamma),))


def fusable_scales(net: Net) -> dict[int, int]:
    """BatchNorm index -> index of the Scale that alone reads its output, channel by channel."""
    scales: dict[int, int] = {}
    for source, indices in net.readers().items():
        norm, scale = net.layers[source.layer], net.layers[indices[0]]
        if (
            norm.type == "BatchNorm"
            and norm.blobs
            and not norm.param.batch_norm_param.relu
            and len(indices) == 1
            and scale.type == "Scale"
            and len(scale.bottoms) == 1
            and scale.blobs
            and _is_along_channels(scale)
            and all(blob.shape == (norm.blobs[0].array.size,) for blob in scale.blobs)
        ):
            scales[source.layer] = indices[0]
    return scales


def _is_along_channels(scale: Layer) -> bool:
    """An axis counted from the end is that of the channels only if the rank is known."""
    shape, axis = scale.bottom_shapes[0], scale.param.scale_param.axis
    return axis == 1 or (shape is not None and axis + len(shape) == 1)


def _normalized_here(site: Site) -> Sequence[Value]:
    """As the arrays say, or by the statistics of each batch, in a class of ours; a rectifier may follow."""
    tops = learned(site, ROWS[LAYER_TYPES[site.layer.type].like or site.layer.type])
    if _takes_batches(site.layer):
        tops = _by_batch(site, tops)
    return rectified(site, tops, 0.0) if site.layer.param.batch_norm_param.relu else tops


def _takes_batches(layer: Layer) -> bool:
    """Whether mean and variance are those of each batch in a test, too."""
    param = layer.param.batch_norm_param
    return (param.HasField("use_global_stats") and not param.use_global_stats) or _learns(layer)


def _learns(layer: Layer) -> bool:
    """Whether SegNet's BN is in the mode in which it learns, and says so: other forks have the type without modes."""
    param = layer.param.bn_param
    return layer.type != "BatchNorm" and param.HasField("bn_mode") and param.bn_mode == _LEARN


def _by_batch(site: Site, tops: Sequence[Value]) -> Sequence[Value]:
    number = tops[0].edge.node
    node = site.growing.nodes[number]
    if node.call is None or node.call.class_name != "BatchNormalization":
        return tops
    if not site.layer.param.batch_norm_param.add_eps_before_sqrt:
        return site.blocked(tops, "it adds eps behind the root of the variance of each batch, which nothing here does")
    built = KerasCall("BatchStatistics", node.call.arguments)
    if len(site.layer.blobs) == 2:  # all that it stores is scale and shift, and epsilon is Caffe's
        epsilon = site.layer.param.bn_param.eps if site.layer.param.bn_param.HasField("eps") else _CAFFE_EPSILON
        others = tuple(each for each in node.call.arguments if each[0] != "epsilon")
        built = KerasCall("BatchStatistics", (("epsilon", decimal(epsilon)), *others))
    site.growing.nodes[number] = dataclasses.replace(node, built=built)
    return tops


def _lrn(site: Site) -> Sequence[Value]:
    """Across channels, or within each (`lrn_layer.cpp`, where k counts across channels only)."""
    param, value = site.layer.param.lrn_param, site.brought(site.inputs[0], "last")
    size, alpha, beta = param.local_size, decimal(param.alpha), decimal(param.beta)
    if value.held.layout == "unknown":
        return site.unsupported("the axes of its bottom are not known")
    where = f"{size}×{size} pixels of each channel" if param.norm_region else f"{size} neighbouring channels"
    site.note(f"needs a layer of your own, or that of --format py: divided by a power of the mean square of {where}")
    if param.norm_region:
        edge = site.call("LRNWithin", value.edge, size=size, alpha=alpha, beta=beta)
    else:
        edge = site.call("LRN", value.edge, size=size, alpha=alpha, beta=beta, k=decimal(param.k))
    return (Value(edge, Held("last", site.top())),)


def _mvn(site: Site) -> Sequence[Value]:
    """Over the pixels of each channel, or of all (`mvn_layer.cpp`)."""
    param, value = site.layer.param.mvn_param, site.brought(site.inputs[0], "last")
    rank = value.held.rank
    if rank is None or rank < 3 or value.held.layout != "last":
        return site.unsupported("its bottom has no pixels")
    axes = tuple(range(1, rank if param.across_channels else rank - 1))
    variance, eps = param.normalize_variance, decimal(param.eps)
    over = "all values of a sample (across_channels)" if param.across_channels else "the pixels of each channel"
    scaled = f" and divided by their standard deviation + {eps:g}" if variance else ""
    site.note(f"needs a layer of your own, or that of --format py: less the mean over {over}{scaled}")
    edge = site.call("MVN", value.edge, axes=axes, normalize_variance=variance, eps=eps)
    return (Value(edge, Held("last", site.top())),)


def _normalized_by_length(site: Site) -> Sequence[Value]:
    """SSD's Normalize: divided by the L2 norm over the channels, or over the whole sample, times gamma."""
    value = site.brought(site.inputs[0], "last")
    parts = _normalize(site.layer, Context(held=value.held))
    settings = optional(site.layer.param, "norm_param")
    across = optional(settings, "across_spatial") if settings is not None else None
    eps = optional(settings, "eps") if settings is not None else None
    spatial = across is None or bool(across)
    call = KerasCall("Normalize", (("across_spatial", spatial), ("eps", 1e-10 if eps is None else decimal(eps))))
    edge = site.add(call, (value.edge,), weights=parts.weights)
    over = "all values of a sample, C, H and W (across_spatial)" if spatial else "the channels of each pixel"
    site.note(f"needs a layer of your own, or that of --format py: x divided by its L2 norm over {over}, times gamma")
    return (Value(edge, Held(value.held.layout, site.top())),)


def _layer_normalized(site: Site) -> Sequence[Value]:
    """Each sample as a whole, then values of its shape for all samples (Synopsys' `layer_norm_layer.cpp`).

    gamma (C, axes…), beta likewise -> (axes…, C)
    """
    rule, settings = ROWS["LayerNorm"], optional(site.layer.param, "layer_norm_param")
    first = site.inputs[0]
    value = site.brought(first, "axes" if first.held.layout == "flat" else "last")
    shape = value.held.shape
    if not site.layer.blobs and (settings is None or settings.elementwise_affine):
        raise UnsupportedError(
            "its weights are missing; for the fork that has none, write layer_norm_param { elementwise_affine: false }"
        )
    if shape is None or value.held.layout == "unknown":
        return as_stored(site, rule, "the axes of its bottom are not known: give --input-shape")
    names = ("epsilon", "eps") if settings is not None else ()
    given = [decimal(each) for name in names if (each := optional(settings, name)) is not None]
    arguments: list[tuple[str, object]] = [("axis", list(range(1, len(shape)))), ("epsilon", (*given, 1e-5)[0])]
    if not site.layer.blobs:
        call = KerasCall("LayerNormalization", (*arguments, ("center", False), ("scale", False)))
        return (Value(site.add(call, (value.edge,)), value.held),)
    arrays = take(site.layer, 2)
    if not all(agree(with_unknown(shape[1:]), array.shape) for array in arrays):
        raise UnsupportedError(f"arrays of shapes {[array.shape for array in arrays]} for samples of {shape[1:]}")
    turned = [np.moveaxis(array, 0, -1) if value.held.layout == "last" else array for array in arrays]
    weights = tuple(Weight(name, each, each.shape) for name, each in zip(("gamma", "beta"), turned, strict=True))
    call = KerasCall("LayerNormalization", tuple(arguments))
    return (Value(site.add(call, (value.edge,), weights=weights), value.held),)


def _moving(site: Site) -> Sequence[Value]:
    """happynear's MovingNormalize: by the mean norm of many batches, which it moves with each, in a test as well."""
    value, rule = site.brought(site.inputs[0], "axes"), ROWS["MovingNormalize"]
    shape, tops = value.held.shape, len(site.layer.tops)
    if shape is None or len(shape) < 2 or any(size != 1 for size in shape[2:]):
        return as_stored(site, rule, "it is known for vectors alone: of maps it reads norms that do not belong to them")
    weights = stored("scale")(site.layer, Context()).weights
    call = KerasCall("MovingNormalize", (("tops", tops),))
    edge = site.add(call, (value.edge,), weights=weights, outputs=tops)
    site.note(
        "needs a layer of your own, or that of --format py: x divided by the stored norm, into which that of the batch "
        "goes; Caffe stores the outcome with each batch, here every batch is the first"
    )
    return (Value(edge, Held("axes", shape)), Value(Edge(edge.node, 1), Held("axes", (1,))))[:tops]


_NORM = "BatchNormalization"
_NORM_BLOBS = "mean, variance, factor; forks: with scale, shift in several orders"
_NORM_WEIGHTS = "[gamma, beta,] moving_mean, moving_variance"
_BN_BLOBS = "scale, shift, [mean, variance]"
_BN_WEIGHTS = "gamma, beta, moving_mean, moving_variance"

ROWS = {
    "BatchNorm": Rule(
        _NORM_BLOBS, _NORM, _NORM_WEIGHTS, by_feature(_batch_norm),
        held=kept_held, build=_normalized_here, along="features",
    ),
    "LRN": Rule(build=_lrn),
    "MVN": Rule(build=_mvn),
    "BN": Rule(
        _BN_BLOBS, _NORM, _BN_WEIGHTS, by_feature(_fork_batch_norm),
        held=kept_held, build=_normalized_here, along="features",
    ),
    "LayerNorm": Rule(
        "[gamma, beta]", "LayerNormalization", "gamma, beta", stored("gamma", "beta"),
        build=_layer_normalized, may_lack=True,
    ),
    "MovingNormalize": Rule("scale", "a layer of your own", "scale", stored("scale"), build=_moving),
    "Normalize": Rule("scale", "a layer of your own", "gamma", _normalize, build=_normalized_by_length),
}  # fmt: skip
