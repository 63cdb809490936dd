"""A conversion as JSON: for every layer the Keras layers it needs around its weights, and all notes.

    {"layers": [{"name", "caffe_type", "caffe_layers", "before", "keras", "after", "weights", "notes"}, …],
     "notes": […]}

The fields are those of `caffeconv.keras.description`.
"""

from __future__ import annotations

import contextlib
import json

from caffeconv.keras.description import describe_result
from caffeconv.model import Result, StrPath
from caffeconv.writing.atomic import appearing

__all__ = ["reporting"]


def reporting(path: StrPath, result: Result) -> contextlib.AbstractContextManager[None]:
    """Write what a conversion made of every layer; the file appears when the block ends well, and only then.

    Raises WriteError when the file cannot be written; what was at `path` is still there then.
    """
    return appearing(path, json.dumps(describe_result(result), indent=1, ensure_ascii=False) + "\n")
