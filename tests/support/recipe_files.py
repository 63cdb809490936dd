"""The files that docs/recipes.md begins with, small: nets of the same layers and names, with few channels."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from caffe_proto import caffe_pb2
from caffeconv.model import Array
from tests.support.net_builder import filled, input_text, layer_text, write_caffemodel, write_text
from tests.support.places import FIXTURES

__all__ = [
    "ALPHABET_SIZE", "MEAN", "SIDE", "crnn_files", "lenet_files", "mtcnn_files", "resnet_files", "ssd_files",
    "trained_files", "vgg_files",
]  # fmt: skip

SIDE = 224
ALPHABET_SIZE = 37
MEAN = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
"""What stands in the file of means: blue, green, red."""

VGG_BLOCKS = ((2, 4), (2, 8), (3, 16), (3, 32), (3, 32))
"""Convolutions of each block and their channels, a sixteenth of VGG-16's."""


def vgg_files(folder: Path) -> None:
    text = input_text("data", 10, 3, SIDE, SIDE)
    before = "data"
    for block, (count, channels) in enumerate(VGG_BLOCKS, start=1):
        for number in range(1, count + 1):
            name = f"{block}_{number}"
            text += _convolution(f"conv{name}", before, channels, "kernel_size: 3 pad: 1")
            text += layer_text(f"relu{name}", "ReLU", f"conv{name}", f"conv{name}")
            before = f"conv{name}"
        text += _pooling(f"pool{block}", before, "pool: MAX kernel_size: 2 stride: 2")
        before = f"pool{block}"
    for number, size in ((6, 32), (7, 32), (8, 1000)):
        text += _inner_product(f"fc{number}", before, size)
        before = f"fc{number}"
        if number < 8:
            text += layer_text(f"relu{number}", "ReLU", before, before)
            text += layer_text(f"drop{number}", "Dropout", before, before)
    text += layer_text("prob", "Softmax", "fc8")
    _write(folder, "VGG_ILSVRC_16_layers_deploy.prototxt", "VGG_ILSVRC_16_layers.caffemodel", text, conv1_1=0.01)
    _write_image(folder / "cat.jpg", 300, 401)
    write_text(folder / "synset_words.txt", "".join(f"n{number:08} thing {number}\n" for number in range(1000)))
    mean = caffe_pb2.BlobProto(num=1, channels=3, height=4, width=5, data=MEAN.ravel().tolist())
    (folder / "imagenet_mean.binaryproto").write_bytes(mean.SerializeToString())


def trained_files(folder: Path) -> None:
    """VGG, and images with labels to train it on."""
    vgg_files(folder)
    generator = np.random.default_rng(7)
    np.save(folder / "images.npy", generator.uniform(-120, 150, (4, SIDE, SIDE, 3)).astype(np.float32))
    np.save(folder / "labels.npy", np.arange(4))


def ssd_files(folder: Path) -> None:
    """Two feature maps, as SSD has six, and 21 classes."""
    text = input_text("data", 1, 3, 300, 300)
    text += _convolution("conv4_3", "data", 8, "kernel_size: 5 stride: 16")
    text += _convolution("fc7", "conv4_3", 8, "kernel_size: 3 stride: 2 pad: 1")
    text += layer_text(
        "conv4_3_norm", "Normalize", "conv4_3",
        more="norm_param { across_spatial: false scale_filler { type: 'constant' value: 20 } channel_shared: false }",
    )  # fmt: skip
    sizes = (("conv4_3_norm", "min_size: 30 max_size: 60"), ("fc7", "min_size: 60 max_size: 111"))
    for source, size in sizes:
        for kind, outputs in (("loc", 4 * 4), ("conf", 4 * 21)):
            name = f"{source}_mbox_{kind}"
            text += _convolution(name, source, outputs, "kernel_size: 3 pad: 1")
            orders = " ".join(f"order: {axis}" for axis in (0, 2, 3, 1))
            text += layer_text(f"{name}_perm", "Permute", name, more=f"permute_param {{ {orders} }}")
            text += layer_text(f"{name}_flat", "Flatten", f"{name}_perm", more="flatten_param { axis: 1 }")
        variances = " ".join(f"variance: {number}" for number in (0.1, 0.1, 0.2, 0.2))
        more = f"prior_box_param {{ {size} aspect_ratio: 2 flip: true clip: false {variances} offset: 0.5 }}"
        text += layer_text(f"{source}_mbox_priorbox", "PriorBox", f"{source} data", more=more)
    for kind, ending, axis in (("loc", "_flat", 1), ("conf", "_flat", 1), ("priorbox", "", 2)):
        bottoms = " ".join(f"{source}_mbox_{kind}{ending}" for source, _ in sizes)
        text += layer_text(f"mbox_{kind}", "Concat", bottoms, more=f"concat_param {{ axis: {axis} }}")
    shape = "reshape_param { shape { dim: 0 dim: -1 dim: 21 } }"
    text += layer_text("mbox_conf_reshape", "Reshape", "mbox_conf", more=shape)
    text += layer_text("mbox_conf_softmax", "Softmax", "mbox_conf_reshape", more="softmax_param { axis: 2 }")
    text += layer_text("mbox_conf_flatten", "Flatten", "mbox_conf_softmax", more="flatten_param { axis: 1 }")
    text += layer_text(
        "detection_out", "DetectionOutput", "mbox_loc mbox_conf_flatten mbox_priorbox",
        more="include { phase: TEST } detection_output_param { num_classes: 21 nms_param { nms_threshold: 0.45 } }",
    )  # fmt: skip
    _write(
        folder, "deploy.prototxt", "VGG_VOC0712_SSD_300x300_iter_120000.caffemodel", text,
        conv4_3=0.01, conv4_3_norm=20, conv4_3_norm_mbox_loc=0.1, conv4_3_norm_mbox_conf=0.4, fc7_mbox_loc=0.5,
        fc7_mbox_conf=2,
    )  # fmt: skip
    _write_image(folder / "street.jpg", 200, 330)


def mtcnn_files(folder: Path) -> None:
    """Nets of the sizes that the real ones have, and of fewer layers; `faces` has each take some windows for one."""
    for number, side, faces in ((1, 12, -2), (2, 24, -1), (3, 48, 4)):
        scores, moves, points = (f"conv{number + 3}-{each}" for each in (1, 2, 3))
        text = input_text("data", 1, 3, side, side)
        if number == 1:
            text += _convolution("conv1", "data", 10, "kernel_size: 3")
            text += layer_text("PReLU1", "PReLU", "conv1", "conv1")
            text += _pooling("pool1", "conv1", "pool: MAX kernel_size: 2 stride: 2")
            text += _convolution("conv2", "pool1", 16, "kernel_size: 3")
            text += _convolution("last", "conv2", 32, "kernel_size: 3")
        else:
            text += _convolution("conv1", "data", 8, "kernel_size: 3")
            text += layer_text("prelu1", "PReLU", "conv1", "conv1")
            text += _pooling("pool1", "conv1", "pool: MAX kernel_size: 3 stride: 2")
            text += _inner_product("last", "pool1", 16)
        for name, outputs in ((scores, 2), (moves, 4), (points, 10))[: max(number, 2)]:
            end = _convolution(name, "last", outputs, "kernel_size: 1")
            text += end if number == 1 else _inner_product(name, "last", outputs)
        text += layer_text("prob1", "Softmax", scores)
        path = folder / f"det{number}.prototxt"
        _write(folder, path.name, f"det{number}.caffemodel", text, **{scores: faces, moves: 0.05})
        fields = 'input: "data"\n' + "".join(f"input_dim: {size}\n" for size in (1, 3, side, side))
        write_text(path, fields + text.partition("\n")[2])
    _write_image(folder / "people.jpg", 90, 120)


def resnet_files(folder: Path) -> None:
    """ResNet-50 as far as its first block, and its end."""
    text = input_text("data", 1, 3, SIDE, SIDE)
    text += _normalized("conv1", "data", 64, "kernel_size: 7 stride: 2 pad: 3", "bn_conv1", "scale_conv1")
    text += layer_text("conv1_relu", "ReLU", "conv1", "conv1")
    text += _pooling("pool1", "conv1", "pool: MAX kernel_size: 3 stride: 2")
    before = "pool1"
    for branch, channels, more in (("1", 16, "1"), ("2a", 4, "1"), ("2b", 4, "3 pad: 1"), ("2c", 16, "1")):
        name = f"2a_branch{branch}"
        source = "pool1" if branch in ("1", "2a") else before
        settings = f"bias_term: false kernel_size: {more}"
        text += _normalized(f"res{name}", source, channels, settings, f"bn{name}", f"scale{name}")
        if branch in ("2a", "2b"):
            text += layer_text(f"res{name}_relu", "ReLU", f"res{name}", f"res{name}")
        before = f"res{name}"
    text += layer_text("res2a", "Eltwise", "res2a_branch1 res2a_branch2c")
    text += layer_text("res2a_relu", "ReLU", "res2a", "res2a")
    text += _pooling("pool5", "res2a", "pool: AVE global_pooling: true")
    text += _inner_product("fc1000", "pool5", 1000) + layer_text("prob", "Softmax", "fc1000")
    _write(folder, "ResNet-50-deploy.prototxt", "ResNet-50-model.caffemodel", text)


def crnn_files(folder: Path) -> None:
    """Maps of height 1 and width 25, read from both ends."""
    indicator = "continuation_indicator_param { time_step: 25 batch_size: 1 }"
    text = layer_text("indicator", "ContinuationIndicator", tops="indicator", more=indicator)
    text += _convolution("conv1", "data", 4, "kernel_size: 3 pad: 1") + layer_text("relu1", "ReLU", "conv1", "conv1")
    text += _pooling("pool1", "conv1", "pool: MAX kernel_size: 4 stride: 4")
    text += _convolution("conv2", "pool1", 6, "kernel_h: 8 kernel_w: 1")
    orders = " ".join(f"order: {axis}" for axis in (3, 0, 1, 2))
    text += layer_text("permuted_data", "Permute", "conv2", more=f"permute_param {{ {orders} }}")
    cells = "recurrent_param { num_output: 5 }"
    text += layer_text("lstm1", "LSTM", "permuted_data indicator", more=cells)
    text += layer_text("reverse1", "Reverse", "permuted_data", more="reverse_param { axis: 0 }")
    text += layer_text("lstm2", "LSTM", "reverse1 indicator", more=cells)
    text += layer_text("reverse2", "Reverse", "lstm2", more="reverse_param { axis: 0 }")
    text += layer_text("both", "Concat", "lstm1 reverse2", more="concat_param { axis: 2 }")
    text += _inner_product("fc1x", "both", ALPHABET_SIZE, "axis: 2")
    _write(folder, "crnn.prototxt", "crnn.caffemodel", input_text("data", 1, 1, 32, 100) + text, fc1x=3)
    _write_image(folder / "line.jpg", 40, 110)


def lenet_files(folder: Path) -> None:
    """A net that real Caffe ran."""
    for ending in ("prototxt", "caffemodel"):
        shutil.copyfile(FIXTURES / "lenet_like" / f"net.{ending}", folder / f"lenet.{ending}")


def _convolution(name: str, bottom: str, outputs: int, more: str) -> str:
    return layer_text(name, "Convolution", bottom, more=f"convolution_param {{ num_output: {outputs} {more} }}")


def _pooling(name: str, bottom: str, more: str) -> str:
    return layer_text(name, "Pooling", bottom, more=f"pooling_param {{ {more} }}")


def _inner_product(name: str, bottom: str, outputs: int, more: str = "") -> str:
    return layer_text(name, "InnerProduct", bottom, more=f"inner_product_param {{ num_output: {outputs} {more} }}")


def _normalized(name: str, bottom: str, outputs: int, more: str, norm: str, scale: str) -> str:
    text = _convolution(name, bottom, outputs, more) + layer_text(norm, "BatchNorm", name, name)
    return text + layer_text(scale, "Scale", name, name, "scale_param { bias_term: true }")


def _write(folder: Path, prototxt: str, caffemodel: str, text: str, **factors: float) -> None:
    """A net and weights; a factor, by the name of a layer, makes its first array larger or smaller."""
    generator = np.random.default_rng(len(text))
    weights = []
    for layer in filled(text).layers:
        arrays = [_random(generator, blob.array.shape) for blob in layer.blobs]
        if layer.name in factors:
            arrays[0] = arrays[0] * np.float32(factors[layer.name])
        weights.append((layer.name, arrays))
    write_text(folder / prototxt, text)
    write_caffemodel(folder / caffemodel, [each for each in weights if each[1]])


def _random(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Matrices and kernels around 0; vectors, which are variances and factors too, above it."""
    if len(shape) < 2:
        return generator.uniform(0.1, 1, shape).astype(np.float32)
    spread = np.sqrt(6 / np.prod(shape[1:]))
    return generator.uniform(-spread, spread, shape).astype(np.float32)


def _write_image(path: Path, height: int, width: int) -> None:
    """A smooth JPEG, red, green, blue."""
    tf: Any = importlib.import_module("tensorflow")
    coarse = np.random.default_rng(height).uniform(0, 255, (6, 8, 3))
    pixels = tf.cast(tf.image.resize(coarse, (height, width)), tf.uint8)
    path.write_bytes(tf.io.encode_jpeg(pixels, quality=95).numpy())
