"""Nets to measure with: the real ones' layers, names and parameter shapes. `net_files` writes them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping

__all__ = ["NETS", "Layer", "Net", "make_net"]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer; `shapes` are those of its learned arrays, `parameters` is text as it stands in a prototxt."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    top: str
    parameters: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Net:
    """A net. `legacy` writes it as Caffe did in 2014: `layers`, and arrays with num, channels, height and width.

    `flattened` names the InnerProducts behind feature maps, with these maps' channels, height and width.
    """

    name: str
    input: tuple[int, ...]
    layers: tuple[Layer, ...]
    legacy: bool = False
    flattened: Mapping[str, tuple[int, int, int]] = dataclasses.field(default_factory=dict)


# ---- layers -----------------------------------------------------------------------------------------------------


def _convolution(
    name: str,
    bottom: str,
    channels: int,
    outputs: int,
    kernel: int,
    *,
    bias: bool = True,
    group: int = 1,
    more: str = "",
) -> Layer:
    text = f"num_output: {outputs} kernel_size: {kernel}" + more
    text += "" if bias else " bias_term: false"
    text += f" group: {group}" if group > 1 else ""
    shapes = ((outputs, channels // group, kernel, kernel), (outputs,))[: 1 + bias]
    return Layer(name, "Convolution", (bottom,), name, f"convolution_param {{ {text} }}", shapes)


def _dense(name: str, bottom: str, inputs: int, outputs: int) -> Layer:
    text = f"inner_product_param {{ num_output: {outputs} }}"
    return Layer(name, "InnerProduct", (bottom,), name, text, ((outputs, inputs), (outputs,)))


def _pooling(name: str, bottom: str, kernel: int, stride: int, method: str = "MAX") -> Layer:
    text = f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} }}"
    return Layer(name, "Pooling", (bottom,), name, text)


def _in_place(name: str, kind: str, blob: str, parameters: str = "") -> Layer:
    return Layer(name, kind, (blob,), blob, parameters)


def _head(bottom: str, inputs: int, outputs: int, classes: int) -> Iterator[Layer]:
    """The three InnerProducts behind the feature maps of VGG and AlexNet."""
    for name, source, rows, columns in (("fc6", bottom, outputs, inputs), ("fc7", "fc6", outputs, outputs)):
        yield _dense(name, source, columns, rows)
        yield _in_place(f"relu{name[2:]}", "ReLU", name)
        yield _in_place(f"drop{name[2:]}", "Dropout", name, "dropout_param { dropout_ratio: 0.5 }")
    yield _dense("fc8", "fc7", outputs, classes)
    yield Layer("prob", "Softmax", ("fc8",), "prob")


def _normalized(
    suffix: str, bottom: str, convolution: Layer, channels: int, *, activation: str | None
) -> Iterator[Layer]:
    """A convolution with BatchNorm and Scale behind it, in place, named as in the ResNets."""
    top = convolution.name
    yield convolution
    shapes = ((channels,), (channels,), (1,))
    statistics = "batch_norm_param { use_global_stats: true }"
    yield dataclasses.replace(_in_place(f"bn{suffix}", "BatchNorm", top, statistics), shapes=shapes)
    scale = _in_place(f"scale{suffix}", "Scale", top, "scale_param { bias_term: true }")
    yield dataclasses.replace(scale, shapes=((channels,), (channels,)))
    if activation is not None:
        yield _in_place(activation, "ReLU", top)


# ---- nets -------------------------------------------------------------------------------------------------------


def _vgg16(divisor: int) -> Net:
    """VGG_ILSVRC_16_layers (Simonyan and Zisserman 2014)."""
    layers: list[Layer] = []
    bottom, channels = "data", 3
    for stage, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
        for number in range(1, depth + 1):
            name = f"conv{stage}_{number}"
            layers.append(_convolution(name, bottom, channels, width // divisor, 3, more=" pad: 1"))
            layers.append(_in_place(f"relu{stage}_{number}", "ReLU", name))
            bottom, channels = name, width // divisor
        layers.append(_pooling(f"pool{stage}", bottom, 2, 2))
        bottom = f"pool{stage}"
    layers += _head(bottom, channels * 49, 4096 // divisor, 1000 // divisor)
    return Net("VGG_ILSVRC_16_layers", (10, 3, 224, 224), tuple(layers), True, {"fc6": (channels, 7, 7)})


def _alexnet(divisor: int) -> Net:
    """bvlc_alexnet (Krizhevsky, Sutskever and Hinton 2012), with convolutions in two groups."""
    one, two, three = 96 // divisor, 256 // divisor, 384 // divisor
    layers = [_convolution("conv1", "data", 3, one, 11, more=" stride: 4"), _in_place("relu1", "ReLU", "conv1")]
    for number, width in ((1, one), (2, two)):
        layers += [Layer(f"norm{number}", "LRN", (f"conv{number}",), f"norm{number}", "lrn_param { local_size: 5 }")]
        layers += [_pooling(f"pool{number}", f"norm{number}", 3, 2)]
        if number == 1:
            layers += [_convolution("conv2", "pool1", width, two, 5, group=2, more=" pad: 2")]
            layers += [_in_place("relu2", "ReLU", "conv2")]
    for name, bottom, channels, outputs, group in (
        ("conv3", "pool2", two, three, 1), ("conv4", "conv3", three, three, 2), ("conv5", "conv4", three, two, 2),
    ):  # fmt: skip
        layers += [_convolution(name, bottom, channels, outputs, 3, group=group, more=" pad: 1")]
        layers += [_in_place(f"relu{name[-1]}", "ReLU", name)]
    layers += [_pooling("pool5", "conv5", 3, 2), *_head("pool5", two * 36, 4096 // divisor, 1000 // divisor)]
    return Net("AlexNet", (10, 3, 227, 227), tuple(layers), False, {"fc6": (two, 6, 6)})


def _resnet152(divisor: int) -> Net:
    """ResNet-152 (He, Zhang, Ren and Sun 2015)."""
    channels = 64 // divisor
    stem = _convolution("conv1", "data", 3, channels, 7, bias=False, more=" pad: 3 stride: 2")
    layers = list(_normalized("_conv1", "data", stem, channels, activation="conv1_relu"))
    layers.append(_pooling("pool1", "conv1", 3, 2))
    bottom = "pool1"
    for stage, depth in enumerate((3, 8, 36, 3), start=2):
        narrow = (64 << (stage - 2)) // divisor
        for number in range(depth):
            letter = "abc"[number] if depth == 3 else "a" if number == 0 else f"b{number}"
            block = tuple(_bottleneck(f"{stage}{letter}", bottom, channels, narrow, 1 + (stage > 2), number == 0))
            layers += block
            bottom, channels = block[-1].top, 4 * narrow
    layers.append(_pooling("pool5", bottom, 7, 1, "AVE"))
    layers.append(_dense("fc1000", "pool5", channels, 1000 // divisor))
    layers.append(Layer("prob", "Softmax", ("fc1000",), "prob"))
    return Net("ResNet-152", (1, 3, 224, 224), tuple(layers))


def _bottleneck(name: str, bottom: str, channels: int, narrow: int, stride: int, first: bool) -> Iterator[Layer]:
    wide = 4 * narrow
    stride = stride if first else 1
    shortcut = bottom
    if first:
        shortcut = f"res{name}_branch1"
        projection = _convolution(shortcut, bottom, channels, wide, 1, bias=False, more=f" stride: {stride}")
        yield from _normalized(f"{name}_branch1", bottom, projection, wide, activation=None)
    source, inputs = bottom, channels
    steps = (("a", narrow, 1, f" stride: {stride}"), ("b", narrow, 3, " pad: 1"), ("c", wide, 1, ""))
    for letter, outputs, kernel, more in steps:
        suffix = f"{name}_branch2{letter}"
        convolution = _convolution(f"res{suffix}", source, inputs, outputs, kernel, bias=False, more=more)
        activation = f"res{suffix}_relu" if letter != "c" else None
        yield from _normalized(suffix, source, convolution, outputs, activation=activation)
        source, inputs = convolution.name, outputs
    yield Layer(f"res{name}", "Eltwise", (shortcut, source), f"res{name}")
    yield _in_place(f"res{name}_relu", "ReLU", f"res{name}")


def _squeezenet(divisor: int) -> Net:
    """SqueezeNet v1.1 (Iandola and others 2016)."""
    channels = 64 // divisor
    layers = [
        _convolution("conv1", "data", 3, channels, 3, more=" stride: 2"),
        _in_place("relu_conv1", "ReLU", "conv1"),
    ]
    layers.append(_pooling("pool1", "conv1", 3, 2))
    bottom = "pool1"
    for number, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64), start=2):
        narrow, wide, name = squeezed // divisor, 4 * squeezed // divisor, f"fire{number}"
        branches = (
            ("squeeze1x1", bottom, channels, narrow, 1, ""),
            ("expand1x1", f"{name}/squeeze1x1", narrow, wide, 1, ""),
            ("expand3x3", f"{name}/squeeze1x1", narrow, wide, 3, " pad: 1"),
        )
        for branch, source, inputs, outputs, kernel, more in branches:
            layers.append(_convolution(f"{name}/{branch}", source, inputs, outputs, kernel, more=more))
            layers.append(_in_place(f"{name}/relu_{branch}", "ReLU", f"{name}/{branch}"))
        halves = (f"{name}/expand1x1", f"{name}/expand3x3")
        layers.append(Layer(f"{name}/concat", "Concat", halves, f"{name}/concat"))
        bottom, channels = f"{name}/concat", 2 * wide
        if number in (3, 5):
            layers.append(_pooling(f"pool{number}", bottom, 3, 2))
            bottom = f"pool{number}"
    layers += [_in_place("drop9", "Dropout", bottom), _convolution("conv10", bottom, channels, 1000 // divisor, 1)]
    layers += [_in_place("relu_conv10", "ReLU", "conv10"), _pooling("pool10", "conv10", 14, 1, "AVE")]
    return Net("SqueezeNet", (10, 3, 227, 227), (*layers, Layer("prob", "Softmax", ("pool10",), "prob")))


def _thin(count: int, divisor: int) -> Net:
    """`count` layers: over and over a small convolution, BatchNorm, Scale and ReLU."""
    channels = 16 // divisor
    layers: list[Layer] = []
    bottom = "data"
    for number in range(1, math.ceil(count / 4) + 1):
        convolution = _convolution(f"conv{number}", bottom, channels, channels, 3, bias=False, more=" pad: 1")
        layers += _normalized(f"{number}", bottom, convolution, channels, activation=f"relu{number}")
        bottom = convolution.name
    return Net(f"{count} layers", (1, channels, 8, 8), tuple(layers[:count]))


def _thick(megabytes: int, divisor: int) -> Net:
    """Convolutions of nine megabytes each, as many as it takes."""
    channels = 512 // divisor
    layers: list[Layer] = []
    bottom = "data"
    for number in range(1, round(megabytes * 1e6 / (4 * 9 * 512**2)) + 1):
        layers.append(_convolution(f"conv{number}", bottom, channels, channels, 3, more=" pad: 1"))
        bottom = f"conv{number}"
    return Net(f"{megabytes} megabytes", (1, channels, 8, 8), tuple(layers))


NETS: Mapping[str, Callable[[int], Net]] = {
    "vgg16": _vgg16,
    "resnet152": _resnet152,
    "alexnet": _alexnet,
    "squeezenet": _squeezenet,
}
"""Name on the command line to what makes the net, given the divisor of its channels."""


def make_net(name: str, divisor: int = 1) -> Net:
    """The net of that name. Raises KeyError for a name that is none."""
    kind, _, size = name.partition("-")
    if kind == "layers":
        return _thin(int(size), divisor)
    if kind == "megabytes":
        return _thick(int(size), divisor)
    return NETS[name](divisor)
