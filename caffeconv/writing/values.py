"""What was seen of arrays on their way into a file, told where the numbers are odd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from caffeconv.model import Array, LayerWeights, Note
from caffeconv.writing.tiles import Seen

__all__ = ["Examine", "Written", "value_notes", "written_arrays"]

_MAPS = frozenset({"kernel", "depthwise_kernel", "recurrent_kernel", "embeddings"})
"""Arrays that make everything the same if they are all zeros; a bias, or a scale that starts at 0, may well be."""


class Written(NamedTuple):
    """An array that was written, of a layer of Caffe's, and what was seen of its values."""

    layer: str
    array: str
    view: Array
    seen: Seen


Examine: TypeAlias = Callable[[Sequence[Written]], None]
"""Called with all arrays that have values, once they are written, before the file takes its place; may raise."""


def written_arrays(layers: Iterable[LayerWeights], seen: Iterable[Seen]) -> list[Written]:
    """What was seen of the layers' arrays, in order, each with its names; those without values are never looked at."""
    arrays = ((layer.origins[0], weight) for layer in layers for weight in layer.weights if weight.view.size)
    return [Written(name, weight.name, weight.view, each) for (name, weight), each in zip(arrays, seen, strict=True)]


def value_notes(arrays: Iterable[Written]) -> Iterator[Note]:
    """A warning for each array with values that are no numbers, or cannot be meant."""
    for array in arrays:
        for text in _odd(array):
            yield Note("warning", array.layer, f"{array.array}: {text}")


def _odd(array: Written) -> Iterator[str]:
    size, seen = array.view.size, array.seen
    if seen.nan:
        yield f"{seen.nan} of {size} values are no numbers (NaN)"
    if seen.infinite:
        beyond = seen.infinite - int(np.isinf(array.view).sum()) if array.view.dtype.itemsize > 4 else 0
        if beyond:
            yield f"{beyond} of {size} values are beyond what float32 holds, and written as infinite"
        if seen.infinite > beyond:
            yield f"{seen.infinite - beyond} of {size} values are infinite"
    if seen.only_zeros and array.array in _MAPS:
        yield f"all {size} values are zero"
    elif seen.only_denormal and array.array in _MAPS:
        yield f"all {size} values are denormal numbers, as good as zero: were the right bytes read?"
    if array.array == "moving_variance" and (negative := int((array.view < 0).sum())):
        yield f"{negative} of {size} variances are below zero"
