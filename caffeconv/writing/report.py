"""A conversion as JSON: what each layer became, the model, its weights, and all notes.

    {"version": "1.0",
     "layers": [{"name", "caffe_type", "caffe_layers", "before", "keras", "after", "weights", "notes"}, …],
     "notes": […],
     "net": {"name", "layers": […]},
     "model": {"name", "turned", "inputs": […], "outputs": […], "nodes": […]}}

`docs/report.schema.json` is the schema. `layers` and `notes` are those of `caffeconv.keras.description`, `net` and
`model` those of `graph_description`. The first number of the version goes up when a field goes or means something
else, the second when there are more fields.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from caffeconv.keras.description import describe_result, json_safe
from caffeconv.keras.graph import Model
from caffeconv.model import Net, Note, Result, StrPath
from caffeconv.writing.atomic import appearing
from caffeconv.writing.graph_description import describe_model, describe_net

__all__ = ["VERSION", "report_of", "reporting"]

VERSION = "1.0"
"""Of the schema."""


def report_of(net: Net, model: Model, result: Result, stored: Mapping[str, str]) -> dict[str, Any]:
    """The report as plain data that every reader of JSON takes.

    Args:
        net: what was converted.
        model: its graph.
        result: what is written of it.
        stored: name of a node with weights -> the name of its layer in `result`.
    """
    told: dict[str, Any] = json_safe({"net": describe_net(net, model), "model": describe_model(net, model, stored)})
    return {"version": VERSION, **describe_result(result), **told}


def reporting(
    path: StrPath, net: Net, model: Model, result: Result, stored: Mapping[str, str], found: Sequence[Note] = ()
) -> contextlib.AbstractContextManager[None]:
    """Write `report_of` a conversion; the file appears when the block ends well, and only then.

    `found` are further notes, all there when the block ends.

    Raises WriteError when the file cannot be written; what was at `path` is still there then.
    """

    def text() -> str:
        told = report_of(net, model, dataclasses.replace(result, notes=(*result.notes, *found)), stored)
        return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    return appearing(path, text)
