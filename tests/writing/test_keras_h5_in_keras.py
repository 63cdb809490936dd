"""The weight files in real Keras 2 (tf-keras) and real Keras 3, by name and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from caffeconv.model import LayerWeights, Weight
from caffeconv.writing.keras_h5 import write_keras_h5

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS: dict[str, dict[str, tuple[int, ...]]] = {
    "conv": {"kernel": (3, 3, 3, 4), "bias": (4,)},
    "bn": {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
    "fc": {"kernel": (144, 5), "bias": (5,)},
}


@pytest.fixture(scope="module", params=["tf_keras", "keras"])
def keras(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def weights_of(name: str, shapes: dict[str, tuple[int, ...]]) -> LayerWeights:
    rng = np.random.default_rng(len(name))
    weights = (
        # Stored the other way round, as Caffe's are.
        Weight(weight, rng.random(shape[::-1], np.float32).T, shape)
        for weight, shape in shapes.items()
    )
    return LayerWeights(name, "Convolution", (name,), tuple(weights))


def a_model(keras: Any, names: dict[str, str]) -> Any:
    layers = keras.layers
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", name=names["conv"])(image)
    x = layers.BatchNormalization(name=names["bn"])(x)
    x = layers.Flatten(name="flatten")(layers.ReLU(name="relu")(x))
    return keras.Model(image, layers.Dense(5, name=names["fc"])(x))


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize(
    ("suffix", "more"),
    [
        pytest.param("h5", 0, id="h5"),
        pytest.param("hdf5", 0, id="hdf5"),
        pytest.param("h5", 3000, id="spread-names"),
    ],
)
def test_loads(tmp_path: Path, keras: Any, by_name: bool, suffix: str, more: int) -> None:
    layers = [weights_of(name, shapes) for name, shapes in ARRAYS.items()]
    without_weights = [LayerWeights(f"{number}_{'x' * 60}", "ReLU", ()) for number in range(more)]
    path = tmp_path / f"net.{suffix}"
    write_keras_h5(path, [layers[0], *without_weights, *layers[1:]])
    model = a_model(keras, {name: name for name in ARRAYS})
    model.load_weights(str(path), by_name=by_name)
    for layer in layers:
        got = model.get_layer(layer.name).get_weights()
        for value, weight in zip(got, layer.weights, strict=True):
            np.testing.assert_array_equal(value, weight.view, strict=True)


def test_loads_by_names_with_slashes_in_keras_2(tmp_path: Path) -> None:
    keras = pytest.importorskip("tf_keras")
    names = {"conv": "a", "bn": "a/b", "fc": "a/a"}
    layers = [weights_of(names[name], shapes) for name, shapes in ARRAYS.items()]
    write_keras_h5(tmp_path / "net.h5", layers)
    model = a_model(keras, names)
    model.load_weights(str(tmp_path / "net.h5"), by_name=True)
    for layer in layers:
        for value, weight in zip(model.get_layer(layer.name).get_weights(), layer.weights, strict=True):
            np.testing.assert_array_equal(value, weight.view, strict=True)


def test_loads_in_order_where_names_have_slashes(tmp_path: Path, keras: Any) -> None:
    """Keras 3 has no layers called so, but reads the file."""
    layers = [weights_of(f"block/../{name}", shapes) for name, shapes in ARRAYS.items()]
    write_keras_h5(tmp_path / "net.h5", layers)
    model = a_model(keras, {name: name for name in ARRAYS})
    model.load_weights(str(tmp_path / "net.h5"))
    np.testing.assert_array_equal(model.get_layer("fc").get_weights()[0], layers[2].weights[0].view)
