"""Whole nets of `fixtures/` written in Keras by hand, as a user would; `folded` ones have no BatchNormalization."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from caffeconv.model import Array
from tests.support.places import FIXTURES

__all__ = ["depthwise_net", "encoder_decoder", "first_and_last", "lenet_like", "residual_block"]


def first_and_last(name: str) -> tuple[Array, Array]:
    """What went into the net in real Caffe and what came out, channels last."""
    folder = FIXTURES / name
    last = len(json.loads((folder / "caffe.json").read_text())["layers"]) - 1
    with np.load(folder / "activations.npz") as arrays:
        return np.moveaxis(arrays["top|0|0"], 1, -1), np.moveaxis(arrays[f"top|{last}|0"], 1, -1)


def lenet_like(keras: Any) -> Any:
    k = keras.layers
    image = keras.Input((16, 18, 1))
    x = k.Conv2D(6, 3, name="conv1")(image)
    x = k.MaxPooling2D(3, 2, padding="same")(x)  # Caffe rounds up: one more window at the end
    x = k.ReLU()(k.Conv2D(8, 3, name="conv2")(x))
    x = k.Flatten()(k.MaxPooling2D(2, 2, padding="same")(x))
    x = k.Dense(20, activation="relu", name="ip1")(x)
    return keras.Model(image, k.Dense(5, activation="softmax", name="ip2")(x))


def residual_block(keras: Any, folded: bool = False) -> Any:
    k = keras.layers

    def normalized(x: Any, name: str, epsilon: float = 1e-5) -> Any:
        return x if folded else k.BatchNormalization(epsilon=epsilon, name=f"{name}_bn")(x)

    image = keras.Input((9, 8, 3))
    x = k.Conv2D(6, 3, strides=2, use_bias=folded, name="conv1")(k.ZeroPadding2D(1)(image))
    x = k.ReLU()(normalized(x, "conv1"))
    shortcut = normalized(k.Conv2D(8, 1, use_bias=folded, name="block_shortcut")(x), "block_shortcut")
    x = k.Conv2D(8, 3, padding="same", name="block_a")(x)
    x = k.ReLU()(normalized(x, "block_a", 1e-3))
    x = normalized(k.Conv2D(8, 3, padding="same", use_bias=folded, name="block_b")(x), "block_b")
    x = k.GlobalAveragePooling2D()(k.ReLU()(k.Add()([shortcut, x])))
    return keras.Model(image, k.Dense(4, activation="softmax", name="fc")(x))


def depthwise_net(keras: Any, folded: bool = False) -> Any:
    k = keras.layers
    image = keras.Input((12, 12, 3))
    x = k.Conv2D(8, 3, strides=2, use_bias=folded, name="conv1")(k.ZeroPadding2D(1)(image))
    x = x if folded else k.BatchNormalization(epsilon=1e-5, name="conv1_bn")(x)
    x = k.PReLU(shared_axes=[1, 2], name="conv1_prelu")(x)
    x = k.DepthwiseConv2D(3, padding="same", use_bias=folded, name="conv2_dw")(x)
    x = x if folded else k.BatchNormalization(epsilon=1e-5, name="conv2_dw_bn")(x)
    x = k.PReLU(shared_axes=[1, 2, 3], name="conv2_dw_prelu")(x)
    x = k.LeakyReLU(0.1)(k.Conv2D(6, 1, name="conv2_pw")(x))
    x = k.DepthwiseConv2D(3, strides=2, depth_multiplier=2, name="conv3_dw")(k.ZeroPadding2D(1)(x))
    x = k.Conv2D(5, 1, name="classes")(k.AveragePooling2D(3, 1)(x))
    return keras.Model(image, k.Softmax()(k.Flatten()(x)))


def encoder_decoder(keras: Any) -> Any:
    k = keras.layers
    image = keras.Input((9, 11, 2))
    down = k.Conv2D(4, 3, strides=2, activation="relu", name="down1")(k.ZeroPadding2D(1)(image))
    x = k.Conv2D(6, 3, strides=2, activation="relu", name="down2")(k.ZeroPadding2D(1)(down))
    x = k.Conv2DTranspose(4, 4, strides=2, padding="same", name="up1")(x)
    x = k.Concatenate()([k.Cropping2D(((1, 0), (0, 0)))(x), down])
    x = k.Conv2D(3, 1, name="mix")(x)
    x = k.Conv2DTranspose(3, 4, strides=2, padding="same", use_bias=False, name="up2")(x)
    return keras.Model(image, k.Softmax()(k.Cropping2D(((0, 1), (0, 1)))(x)))
