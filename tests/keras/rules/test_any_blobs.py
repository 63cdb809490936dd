"""No blobs, however odd, make a rule do anything but refuse them or give arrays that fit their shapes."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import UnsupportedError
from caffeconv.keras.graph import UNKNOWN, Held, Layout
from caffeconv.keras.rules.record import Context
from caffeconv.keras.rules.table import WEIGHTED
from caffeconv.model import Blob, Layer, MaybeShape, Shape, Weight, whole

SMALL = st.integers(1, 4)
SHAPES = st.lists(st.integers(0, 4), max_size=5).map(tuple)
AXES = st.integers(-3, 5)
SETTINGS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "convolution_param": {"group": SMALL, "axis": AXES, "kernel_depth": SMALL, "pad_l": SMALL, "pad_type": SMALL},
    "inner_product_param": {"axis": AXES, "transpose": st.booleans()},
    "scale_param": {"axis": AXES},
    "bias_param": {"axis": AXES},
    "prelu_param": {"channel_shared": st.booleans()},
    "recurrent_param": {"expose_hidden": st.booleans()},
}
LISTS = ("kernel_size", "stride", "pad", "dilation")

Draw = st.DrawFn
Drawn = tuple[LayerParameter, list[Shape], Shape]
"""A parameter, blobs and a bottom that belong together."""


def convolution(draw: Draw) -> Drawn:
    kernel = draw(st.lists(SMALL, min_size=1, max_size=3))
    group, inputs, outputs = draw(SMALL), draw(SMALL), draw(SMALL)
    param = LayerParameter()
    param.convolution_param.group = group
    param.convolution_param.kernel_size.extend(kernel)
    for name in draw(st.sets(st.sampled_from(LISTS[1:]))):
        getattr(param.convolution_param, name).extend(draw(st.lists(SMALL, min_size=len(kernel), max_size=len(kernel))))
    return param, [(group * outputs, inputs, *kernel), (group * outputs,)], (2, group * inputs, *(9 for _ in kernel))


def time_convolution(draw: Draw) -> Drawn:
    depth, size, inputs, outputs = (draw(SMALL) for _ in range(4))
    param = LayerParameter()
    param.convolution3d_param.kernel_depth = depth
    param.convolution3d_param.kernel_size.append(size)
    return param, [(outputs, inputs, depth, size, size)], (2, inputs, 9, 9, 9)


def masked(sound: Callable[[Draw], Drawn], statistics: bool = False) -> Callable[[Draw], Drawn]:
    def draw_masked(draw: Draw) -> Drawn:
        param, blobs, bottom = sound(draw)
        return param, [*blobs, *blobs, *([(1, 1, 1, 2)] if statistics else [])], bottom

    return draw_masked


def normalized_convolution(draw: Draw) -> Drawn:
    param, (kernel, vector), bottom = convolution(draw)
    return param, [kernel, *[vector] * 4], bottom


def inner_product(draw: Draw) -> Drawn:
    outputs, maps = draw(SMALL), draw(st.lists(SMALL, min_size=1, max_size=3))
    return LayerParameter(), [(outputs, math.prod(maps)), (outputs,)], (2, *maps)


def normalization(draw: Draw) -> Drawn:
    channels = draw(SMALL)
    vector = draw(st.sampled_from([(channels,), (1, channels, 1, 1)]))
    form = draw(st.sampled_from(["vv", "vv1", "vvvv", "vv1v", "vvvv1", "vv1vv"]))
    return LayerParameter(), [vector if letter == "v" else (1,) for letter in form], (2, channels, 3, 2)


def affine(draw: Draw) -> Drawn:
    bottom = draw(st.lists(SMALL, min_size=2, max_size=5))
    start = draw(st.integers(1, len(bottom)))
    blob = tuple(bottom[start : draw(st.integers(start, len(bottom)))])
    param = LayerParameter()
    param.scale_param.axis = param.bias_param.axis = start
    return param, [blob] * draw(st.integers(1, 2)), tuple(bottom)


def recurrent(form: str, gates: int) -> Callable[[Draw], Drawn]:
    """`form` names the blobs: x, s and h for matrices of the input, a static one and the state, b for the bias."""

    def draw_recurrent(draw: Draw) -> Drawn:
        units, inputs, static = draw(SMALL), draw(SMALL), draw(SMALL)
        rows = gates * units
        shapes = {"x": (rows, inputs), "s": (rows, static), "h": (rows, units), "b": (rows,)}
        return LayerParameter(), [shapes[letter] for letter in form], (3, 2, inputs)

    return draw_recurrent


def vectors(count: int) -> Callable[[Draw], Drawn]:
    def draw_vectors(draw: Draw) -> Drawn:
        channels = draw(SMALL)
        return LayerParameter(), [draw(st.sampled_from([(channels,), (1,), ()]))] * count, (2, channels, 3, 2)

    return draw_vectors


SOUND: dict[str, Callable[[Draw], Drawn]] = {
    **dict.fromkeys(("Convolution3D", "Deconvolution3D"), time_convolution),
    **dict.fromkeys(("BatchNorm", "BN", "SyncBN"), normalization),
    **dict.fromkeys(("Scale", "Bias"), affine),
    "CConvolution": masked(convolution),
    "CInnerProduct": masked(inner_product),
    "ConvolutionBNFixed": normalized_convolution,
    "EltwiseAffine": vectors(2),
    "LSTM": recurrent("xbh", 4),
    "LayerNorm": vectors(2),
    "Lstm": recurrent("xhb", 4),
    "RNN": recurrent("xbhhb", 1),
    "SqueezeConvolution": masked(convolution, statistics=True),
    "SqueezeInnerProduct": masked(inner_product, statistics=True),
}
SOUND_IN_FAMILY: dict[str, Callable[[Draw], Drawn]] = {"convolution": convolution, "inner_product": inner_product}
"""For the types that are not above."""


@st.composite
def layers(draw: Draw, name: str) -> Layer:
    """A sound layer, and in most cases something done to it that makes it odd."""
    sound = SOUND.get(name) or SOUND_IN_FAMILY.get(LAYER_TYPES[name].family) or vectors(1)
    param, blobs, bottom = sound(draw)
    param.name, param.type = "it", name
    blobs = blobs[: draw(st.integers(1, len(blobs)))] if draw(st.booleans()) else blobs
    bottoms: tuple[MaybeShape, ...] = (bottom,) if draw(st.booleans()) else draw(st.sampled_from([(), (None,)]))
    if bottoms and bottoms[0] is not None and draw(st.integers(0, 3)) == 0:
        bottoms = (tuple(None if draw(st.booleans()) else size for size in bottom),)
    match draw(st.sampled_from(["sound", "sound", "blob", "blobs", "bottom", "setting"])):
        case "blob":
            at = draw(st.integers(0, len(blobs)))
            blobs = [*blobs[:at], draw(SHAPES), *blobs[at + draw(st.integers(0, 1)) :]]
        case "blobs":
            blobs = draw(st.lists(SHAPES, max_size=6))
        case "bottom":
            bottoms = tuple(draw(st.lists(st.one_of(st.none(), SHAPES), max_size=3)))
        case "setting":
            message = draw(st.sampled_from(sorted(SETTINGS)))
            for field, values in SETTINGS[message].items():
                setattr(getattr(param, message), field, draw(values))
            getattr(param.convolution_param, draw(st.sampled_from(LISTS))).extend(draw(SHAPES))
    arrays = tuple(Blob(np.ones(shape, np.float32)) for shape in blobs)
    return Layer("it", name, param, tuple(map(str, range(len(bottoms)))), (), arrays, bottoms)


@st.composite
def holdings(draw: Draw, shape: MaybeShape) -> Held:
    """A way to hold a blob of that shape; now and then one that does not belong to it."""
    layout: Layout = draw(st.sampled_from(["last", "axes", "flat", "unknown"]))
    if draw(st.integers(0, 5)) == 0:
        shape = draw(st.one_of(st.none(), SHAPES))
    if layout == "unknown" or shape is None:
        return draw(st.sampled_from([UNKNOWN, Held(layout, shape)]))
    shape = tuple(None if draw(st.integers(0, 5)) == 0 else size for size in shape)
    segments = tuple(draw(st.lists(SHAPES.filter(bool), max_size=3))) if layout == "flat" else ()
    return Held(layout, shape, segments)


@st.composite
def contexts(draw: Draw, layer: Layer) -> Context:
    segments: tuple[Shape, ...] | None = draw(st.sampled_from([(), (), None]))
    shape = whole(layer.bottom_shapes[0]) if layer.bottom_shapes else None
    if shape and draw(st.booleans()):
        segments = (shape[1:] or (1,),)
    elif draw(st.integers(0, 4)) == 0:
        segments = tuple(draw(st.lists(SHAPES.filter(bool), max_size=3)))
    held = draw(holdings(layer.bottom_shapes[0] if layer.bottom_shapes else None))
    static: tuple[Shape, ...] | None = draw(st.sampled_from([(), ((2, 3),), None]))
    scale = None
    if layer.type == "BatchNorm" and draw(st.booleans()):
        scale = dataclasses.replace(draw(layers("Scale")), blobs=layer.blobs[: draw(st.integers(0, 2))])
    return Context(segments, held, scale, draw(st.sampled_from(["depthwise", "conv2d"])), static)


@pytest.mark.parametrize("name", sorted(WEIGHTED))
def test_refuses_or_fits(name: str) -> None:
    seen: Counter[bool] = Counter()
    convert = WEIGHTED[name].convert
    assert convert is not None

    @given(layers(name).flatmap(lambda layer: st.tuples(st.just(layer), contexts(layer))))
    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    def refuses_or_fits(drawn: tuple[Layer, Context]) -> None:
        try:
            parts = convert(*drawn)
        except UnsupportedError as error:
            assert "\n" not in str(error)
            seen[False] += 1
            return
        seen[True] += 1
        assert parts.weights
        for weight in (*parts.weights, *(weight for extra in parts.extra for weight in extra.weights)):
            check(weight)

    refuses_or_fits()
    assert seen[True] > 3
    assert seen[False] > 3


def check(weight: Weight) -> None:
    assert math.prod(weight.view.shape) == math.prod(weight.shape) > 0
    assert weight.array.shape == weight.shape
    assert np.isfinite(weight.array).all()
