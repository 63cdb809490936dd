"""Looking up and replacing layers of a result by the Caffe layers that they come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from caffeconv.model import Array, KerasCall, LayerWeights, Note, Result, Weight

__all__ = ["argument", "by_origin", "changed_arrays", "has_class", "replaced", "without_arguments"]


def by_origin(result: Result) -> dict[str, LayerWeights]:
    """First Caffe layer -> the (first) layer with arrays that it became."""
    layers: dict[str, LayerWeights] = {}
    for layer in result.layers:
        if layer.weights:
            layers.setdefault(layer.origins[0], layer)
    return layers


def replaced(
    result: Result, changed: Mapping[str, LayerWeights], notes: Sequence[Note], gone: Collection[str] = ()
) -> Result:
    """`result` with the layers in `changed`, by name, in place of the old ones, and without those in `gone`."""
    layers = (changed.get(layer.name, layer) for layer in result.layers if layer.name not in gone)
    return Result(tuple(layers), (*result.notes, *notes))


def changed_arrays(layer: LayerWeights, changes: Mapping[str, Callable[[Array], Array]]) -> tuple[Weight, ...]:
    """The weights, those in `changes` with a view made from one that has the axes of its shape."""
    weights = []
    for weight in layer.weights:
        change = changes.get(weight.name)
        view = weight.view if change is None else change(weight.view.reshape(weight.shape))
        weights.append(Weight(weight.name, view, weight.shape))
    return tuple(weights)


def has_class(layer: LayerWeights, *prefixes: str) -> bool:
    """Whether the Keras layer is of a class whose name starts with one of `prefixes`."""
    return layer.keras is not None and layer.keras.class_name.startswith(prefixes)


def argument(layer: LayerWeights, name: str) -> Any:
    """What the Keras layer is told as `name`, or `None`."""
    return dict(layer.keras.arguments).get(name) if layer.keras is not None else None


def without_arguments(layer: LayerWeights, *names: str) -> KerasCall | None:
    """The Keras layer without some of its arguments."""
    if layer.keras is None:
        return None
    return KerasCall(layer.keras.class_name, tuple(item for item in layer.keras.arguments if item[0] not in names))
