"""What the recipes leave behind, held against plain formulas and what real Caffe computed."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_proto import caffe_pb2
from caffeconv.model import Array
from tests.support.command import caffeconv
from tests.support.naive_layers import convolution, lstm, normalization
from tests.support.python_models import worst_error
from tests.support.recipe_files import ALPHABET_SIZE, MEAN, VGG_BLOCKS
from tests.support.recipe_runs import Folder, Left
from tests.support.whole_nets import first_and_last

__all__ = [
    "check_crnn", "check_moving", "check_mtcnn", "check_own_model", "check_resnet", "check_ssd", "check_transfer",
    "check_vgg", "is_close", "softmax",
]  # fmt: skip


def stored(caffemodel: Path) -> dict[str, list[Array]]:
    """The arrays of each layer, read with the bindings alone."""
    net = caffe_pb2.NetParameter.FromString(caffemodel.read_bytes())
    return {
        layer.name: [np.array(blob.data, np.float32).reshape(blob.shape.dim) for blob in layer.blobs]
        for layer in net.layer
    }


def pixels_of(path: Path, channels: int) -> Array:
    """A JPEG, as every decoder reads it whose transform is exact."""
    tf: Any = importlib.import_module("tensorflow")
    pixels: Array = tf.io.decode_jpeg(path.read_bytes(), channels=channels, dct_method="INTEGER_ACCURATE").numpy()
    return pixels.astype(float)


def resized(image: Array, height: int, width: int) -> Array:
    """Between the four nearest pixels, whose centres are at a half."""
    for axis, size in ((0, height), (1, width)):
        at = ((np.arange(size) + 0.5) * image.shape[axis] / size - 0.5).clip(0, image.shape[axis] - 1)
        before = np.floor(at).astype(int)
        after = np.minimum(before + 1, image.shape[axis] - 1)
        part = (at - before).reshape([-1 if each == axis else 1 for each in range(3)])
        image = np.take(image, before, axis) * (1 - part) + np.take(image, after, axis) * part
    return image


def softmax(x: Array) -> Array:
    powers: Array = np.exp(x - x.max(axis=-1, keepdims=True))
    total: Array = powers.sum(axis=-1, keepdims=True)
    return powers / total


def is_close(got: Array, expected: Array, tolerance: float = 1e-4) -> bool:
    return worst_error(np.asarray(got), np.asarray(expected)) < tolerance


def vgg(image: Array, arrays: dict[str, list[Array]]) -> Array:
    """(C, H, W) through 3 × 3 convolutions, each a sum of nine products, and maxima over 2 × 2."""
    x = image
    for block, (count, _) in enumerate(VGG_BLOCKS, start=1):
        for number in range(1, count + 1):
            kernel, bias = arrays[f"conv{block}_{number}"]
            _, rows, columns = x.shape
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            x = np.zeros((len(kernel), rows, columns)) + bias[:, None, None]
            for i, j in np.ndindex(3, 3):
                x += np.tensordot(kernel[:, :, i, j], padded[:, i : i + rows, j : j + columns], 1)
            x = np.maximum(x, 0)
        x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max(axis=(2, 4))
    x = x.ravel()
    for name in ("fc6", "fc7"):
        x = np.maximum(arrays[name][0] @ x + arrays[name][1], 0)
    return softmax(arrays["fc8"][0] @ x + arrays["fc8"][1])


def check_vgg(left: Left, folder: Folder) -> None:
    image = resized(pixels_of(folder.path / "cat.jpg", 3), 256, 256)[16:-16, 16:-16]
    blue_first = np.stack([image[..., 2] - 103.939, image[..., 1] - 116.779, image[..., 0] - 123.68])
    expected = vgg(blue_first, stored(folder.path / "VGG_ILSVRC_16_layers.caffemodel"))
    assert is_close(left["scores"], expected)
    assert list(left["best"]) == sorted(range(1000), key=lambda number: -expected[number])[:5]
    assert left["mean"].tolist() == [channel.mean() for channel in MEAN]


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """What two boxes (left, top, right, bottom) share, as a part of what they cover."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared)


def best_boxes(candidates: Iterable[tuple[float, Sequence[float]]], most: float) -> list[tuple[float, Sequence[float]]]:
    """Of scores and boxes those that share no more than `most` with any better one that is taken."""
    taken: list[tuple[float, Sequence[float]]] = []
    for score, box in sorted(candidates, key=lambda each: -each[0]):
        if all(overlap(box, other) <= most for _, other in taken):
            taken.append((score, box))
    return taken


def check_ssd(left: Left, folder: Folder) -> None:
    location, confidence, priors = left["location"][0], left["confidence"], left["priors"][0]
    assert priors.shape == (2, 4 * 4 * (19 * 19 + 10 * 10))
    expected = []
    for label in range(1, 21):
        candidates = []
        for prior in np.flatnonzero(confidence[:, label] > 0.5):
            x0, y0, x1, y1 = priors[0, 4 * prior : 4 * prior + 4]
            dx, dy, dw, dh = location[4 * prior : 4 * prior + 4] * priors[1, 4 * prior : 4 * prior + 4]
            x, y = (x0 + x1) / 2 + dx * (x1 - x0), (y0 + y1) / 2 + dy * (y1 - y0)
            width, height = (x1 - x0) * np.exp(dw), (y1 - y0) * np.exp(dh)
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            candidates.append((confidence[prior, label], box))
        assert len(candidates) <= 400
        expected += [(label, score, *box) for score, box in best_boxes(candidates, 0.45)]
    assert len(expected) > 20
    assert len(expected) < np.count_nonzero(confidence[:, 1:] > 0.5)
    np.testing.assert_allclose(left["found"], expected, rtol=1e-4, atol=1e-5)


def check_mtcnn(left: Left, folder: Folder) -> None:
    pnet, image = left["pnet"], left["image"]
    of_windows = pnet.build_model((12, 12, 3))
    pnet.load_weights(of_windows, "pnet.h5")
    of_one_size = importlib.import_module("pnet_90_120")
    fixed = of_one_size.build_model()
    of_one_size.load_weights(fixed, "pnet_90_120.h5")
    assert fixed.input_shape == (None, 90, 120, 3)

    boxes, scores = left["proposals"](image, 1)
    columns_first = (image.transpose(1, 0, 2) - 127.5) / 128
    windows = [(x, y) for x in range(0, 109, 2) for y in range(0, 79, 2)]
    parts = np.stack([columns_first[x : x + 12, y : y + 12] for x, y in windows])
    moves, faces = (np.asarray(each).reshape(len(windows), -1) for each in of_windows(parts))
    expected = [
        (face, (x + 12 * dx, y + 12 * dy, x + 12 + 12 * dw, y + 12 + 12 * dh))
        for (x, y), (dx, dy, dw, dh), (_, face) in zip(windows, moves, faces, strict=True)
        if face > 0.6
    ]
    assert 10 < len(expected) < len(windows)
    assert is_close(scores, np.array([score for score, _ in expected]))
    assert is_close(boxes, np.array([box for _, box in expected]))
    stay = left["kept"](boxes, scores)
    naive = best_boxes(zip(scores.tolist(), boxes.tolist(), strict=True), 0.7)
    assert [tuple(boxes[number]) for number in stay] == [tuple(box) for _, box in naive]

    cut = left["cut_out"](image, np.array([[10, 20, 34, 44]]), 24)
    np.testing.assert_allclose(cut[0], columns_first[10:34, 20:44], atol=1e-4)
    assert len(left["boxes"]) == len(left["scores"]) == len(left["points"]) > 0
    assert left["points"].shape[1:] == (5, 2)
    left["second"].set_weights([np.zeros_like(array) for array in left["second"].get_weights()])
    assert [len(each) for each in left["faces_in"](image)] == [0, 0, 0]


def check_resnet(left: Left, folder: Folder) -> None:
    arrays = stored(folder.path / "ResNet-50-model.caffemodel")
    kernel, bias = arrays["conv1"]
    mean, variance, factor = arrays["bn_conv1"]
    gamma, beta = arrays["scale_conv1"]
    window = np.moveaxis(left["pixels"][:, 97:104, 57:64], -1, 1)
    conv = convolution(window, kernel, bias, (2, 2), (0, 0), (1, 1))
    expected = normalization(conv, mean / factor, variance / factor, gamma, beta, 1e-5)
    assert is_close(left["expected"][:, 50, 30], expected[:, :, 0, 0])

    keras = folder.keras
    careless = keras.Sequential([keras.Input((224, 224, 3)), keras.layers.ZeroPadding2D(3)])
    careless.add(keras.layers.Conv2D(64, 7, strides=2, name="conv1"))
    careless.add(keras.layers.BatchNormalization(name="bn_conv1"))
    careless.load_weights("resnet50.h5", by_name=True)
    assert not is_close(careless.predict(left["pixels"], verbose=0), left["expected"], 1e-3)


def check_crnn(left: Left, folder: Folder) -> None:
    arrays = stored(folder.path / "crnn.caffemodel")
    line = (resized(pixels_of(folder.path / "line.jpg", 1), 32, 100) - 127.5) / 127.5
    kernel, bias = arrays["conv1"]
    x = convolution(line.transpose(2, 0, 1)[np.newaxis], kernel, bias, (1, 1), (1, 1), (1, 1))
    x = np.maximum(x, 0).reshape(1, 4, 8, 4, 25, 4).max(axis=(3, 5))
    kernel, bias = arrays["conv2"]
    x = convolution(x, kernel, bias, (1, 1), (0, 0), (1, 1))
    steps = x.transpose(3, 0, 1, 2).reshape(25, 1, -1)

    def ran(name: str, steps: Array) -> Array:
        inputs, bias, recurrent = arrays[name]
        return lstm(steps, inputs, recurrent, bias)

    both = np.concatenate([ran("lstm1", steps), ran("lstm2", steps[::-1])[::-1]], axis=2)
    kernel, bias = arrays["fc1x"]
    expected = both @ kernel.T + bias
    assert is_close(left["scores"], expected)

    alphabet = left["alphabet"]
    assert len(alphabet) == ALPHABET_SIZE
    for scores in (expected, np.random.default_rng(3).integers(0, 2, (40, 3, 4))):
        best = scores.argmax(axis=-1).T
        texts = ["".join(alphabet[label] for label, _ in itertools.groupby(row) if label) for row in best]
        assert left["decoded"](scores, blank=0) == texts
    with pytest.raises(ValueError, match="cardinality"):
        left["model"].predict([left["line"][np.newaxis], left["marks"]], verbose=0)

    shapes = "--input-shape", "data=2,1,32,100", "--input-shape", "indicator=25,2"
    assert caffeconv("-f", "py", *shapes, "crnn_of_two", "marked.prototxt", "crnn.caffemodel").status == 0
    two = importlib.import_module("crnn_of_two")
    model = two.build_model()
    two.load_weights(model, "crnn_of_two.h5")
    lines = np.stack([left["line"], left["line"][:, ::-1]])
    of_both = np.asarray(model([lines, np.tile(left["marks"], 2)]))
    for number, line in enumerate(lines):
        assert is_close(of_both[:, number : number + 1], left["model"]([line[np.newaxis], left["marks"]]))


def check_transfer(left: Left, folder: Folder) -> None:
    arrays = stored(folder.path / "VGG_ILSVRC_16_layers.caffemodel")
    learned = {layer.name: layer.get_weights() for layer in left["features"].layers if layer.weights}
    assert set(learned) == {name for name in arrays if name.startswith("conv")}
    for name, (kernel, _) in learned.items():
        same = np.array_equal(kernel, arrays[name][0].transpose(2, 3, 1, 0))
        assert same != name.startswith("conv5"), name
    again = folder.keras.models.load_model("flowers.keras")
    assert is_close(again.predict(left["images"], verbose=0), left["model"].predict(left["images"], verbose=0))


def check_moving(left: Left, folder: Folder) -> None:
    before = stored(folder.path / "VGG_ILSVRC_16_layers.caffemodel")["fc8"][1]
    again = folder.keras.models.load_model("trained.keras")
    assert not np.array_equal(again.get_layer("fc8").get_weights()[1], before)
    assert is_close(again.predict(np.load("images.npy"), verbose=0), np.load("scores.npy"))
    with pytest.raises(ValueError, match=r"must end in `\.weights\.h5`"):
        again.save_weights("again.h5")
    name = "VGG_ILSVRC_16_layers"
    assert caffeconv("-f", "keras", "vgg16", f"{name}_deploy.prototxt", f"{name}.caffemodel").status == 0
    keras_2 = importlib.import_module("tf_keras")
    for path in ("trained.keras", "vgg16.keras"):
        folder.keras.models.load_model(path)
        with pytest.raises(TypeError, match="Could not"):
            keras_2.models.load_model(path)


def check_own_model(left: Left, folder: Folder) -> None:
    given, expected = first_and_last("lenet_like")
    assert is_close(left["model"].predict(given, verbose=0), expected, 1e-5)
    assert left["stored"] == dict.fromkeys(["conv1", "conv2", "ip1", "ip2"], 2)
