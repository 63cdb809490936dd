"""A conversion as plain data: what a program, or a person, needs to build the Keras model around the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from caffeconv.model import KerasCall, LayerWeights, Note, Result

__all__ = ["describe_layer", "describe_note", "describe_result", "json_safe"]


def describe_result(result: Result) -> dict[str, Any]:
    """`result` as JSON can hold it: `layers`, and the `notes` that belong to no layer of it.

    Each layer has the fields of `describe_layer` and its own `notes`.
    """
    owner = {origin: layer.name for layer in result.layers for origin in layer.origins}
    said: dict[str | None, list[dict[str, Any]]] = {}
    for note in result.notes:
        said.setdefault(owner.get(note.layer or ""), []).append(describe_note(note))
    layers = [describe_layer(layer) | {"notes": said.get(layer.name, [])} for layer in result.layers]
    return {"layers": layers, "notes": said.get(None, [])}


def describe_layer(layer: LayerWeights) -> dict[str, Any]:
    """One layer as JSON can hold it.

    `name`: in the output. `caffe_type`, `caffe_layers`: what it comes from. `keras`: `class_name` and `arguments` of
    the layer under which the weights are right, or null. `before`, `after`: such layers that must stand around it.
    `weights`: `name` and `shape`, in load order.
    """
    described = {
        "name": layer.name,
        "caffe_type": layer.type,
        "caffe_layers": list(layer.origins),
        "before": [_describe_call(call) for call in layer.before],
        "keras": _describe_call(layer.keras) if layer.keras is not None else None,
        "after": [_describe_call(call) for call in layer.after],
        "weights": [{"name": weight.name, "shape": list(weight.shape)} for weight in layer.weights],
    }
    safe: dict[str, Any] = json_safe(described)
    return safe


def _describe_call(call: KerasCall) -> dict[str, Any]:
    return {"class_name": call.class_name, "arguments": dict(call.arguments)}


def describe_note(note: Note) -> dict[str, Any]:
    """One note as JSON can hold it, with the fields of `Note`."""
    safe: dict[str, Any] = json_safe({"level": note.level, "layer": note.layer, "text": note.text})
    return safe


def json_safe(value: Any) -> Any:
    """`value` as every reader of JSON takes it: lists for tuples, Python's numbers for NumPy's.

    JSON has no numbers that are not finite, so these are the words "NaN", "Infinity" and "-Infinity", which `float`
    takes; what is no Unicode in a text is escaped, as in "\\ud800".
    """
    if isinstance(value, Mapping):
        return {json_safe(key): json_safe(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(each) for each in value]
    if isinstance(value, np.generic):
        return json_safe(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value
