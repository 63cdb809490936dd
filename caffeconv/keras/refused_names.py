r"""Names of layers that Keras does not take, as tried with tf-keras 2.21 and Keras 3.15 on TensorFlow 2.21.

A name becomes a scope of TensorFlow's: tf-keras takes none but `[A-Za-z0-9.][A-Za-z0-9_.\/>-]*` when a layer is made,
and none with a backslash when the model runs; Keras 3 takes any without a slash, and refuses those of other characters
than `[A-Za-z0-9_.>-]` when the model runs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from caffeconv.model import Note, Result

__all__ = ["with_name_notes"]

_TAKEN_INSIDE = re.compile(r"[A-Za-z0-9_./>-]*")
_TF_KERAS_FIRST = re.compile(r"[A-Za-z0-9.]")
_SHOWN = 5
_LONGEST = 100


def with_name_notes(result: Result) -> Result:
    """The result with notes on names of layers with weights that a Keras refuses, one for all of a kind.

    A warning, but for slashes: names with them are common, and `by_name` works with them in Keras 2.
    """
    names = [layer.name for layer in result.layers if layer.weights]
    never = [name for name in names if not _TAKEN_INSIDE.fullmatch(name)]
    rest = [name for name in names if name not in set(never)]
    not_tf_keras = [name for name in rest if not _TF_KERAS_FIRST.match(name)]
    not_keras_3 = [name for name in rest if "/" in name]
    notes = [
        *_note("warning", never, "--keras-names, or --rename", "neither tf-keras nor Keras 3 on TensorFlow takes"),
        *_note("warning", not_tf_keras, "--keras-names, or --rename", "tf-keras does not take"),
        *_note("info", not_keras_3, "--slash, --keras-names or --rename", "Keras 3 takes no slash, which is in"),
    ]
    return dataclasses.replace(result, notes=(*result.notes, *notes)) if notes else result


def _note(level: str, names: Sequence[str], options: str, what: str) -> list[Note]:
    if not names:
        return []
    shown = ", ".join(f'"{name if len(name) <= _LONGEST else name[:_LONGEST] + "…"}"' for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    noun = "the name" if len(names) == 1 else "the names"
    text = f"give {options}, for Keras models: {what} {noun} {shown}{more}"
    return [Note("warning" if level == "warning" else "info", None, text)]
