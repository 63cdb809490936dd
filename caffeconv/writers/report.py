"""A conversion as JSON: for every layer the Keras layers it needs around its weights, and all notes.

    {"layers": [{"name", "caffe_type", "caffe_layers", "before", "keras", "after", "weights", "notes"}, …],
     "notes": […]}

The fields are those of `caffeconv.description`.
"""

from __future__ import annotations

import json

from caffeconv.description import describe_result
from caffeconv.model import Result
from caffeconv.writers.atomic import StrPath, replacing

__all__ = ["write_report"]


def write_report(path: StrPath, result: Result) -> None:
    """Write what a conversion made of every layer.

    Raises WriteError when the file cannot be written; what was at `path` is still there then.
    """
    text = json.dumps(describe_result(result), indent=1, ensure_ascii=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", "utf-8")
