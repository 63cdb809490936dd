"""A conversion as JSON: for every layer the Keras layers it needs around its weights, and all notes.

    {"layers": [{"name", "caffe_type", "caffe_layers", "before", "keras", "after", "weights", "notes"}, …],
     "notes": […]}

The fields are those of `caffeconv.keras.description`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from caffeconv.keras.description import describe_result
from caffeconv.model import Result, StrPath
from caffeconv.writing.atomic import replacing

__all__ = ["reporting"]


@contextlib.contextmanager
def reporting(path: StrPath, result: Result) -> Iterator[None]:
    """Write what a conversion made of every layer; the file appears when the block ends well, and only then.

    Raises WriteError when the file cannot be written; what was at `path` is still there then.
    """
    text = json.dumps(describe_result(result), indent=1, ensure_ascii=False)
    with replacing(path) as temporary:
        # A name that came from no text may hold what is no character.
        temporary.write_text(text + "\n", "utf-8", errors="backslashreplace")
        yield
