"""What layers of Caffe compute that no layer of Keras does, as functions of channels-last tensors.

A model that is written as Python holds the source of those that it uses, as it stands here, each with a class of its
name (`CLASSES`); in a model that is written as an archive they are taken apart into Keras' own operations. So they use
nothing but `ops` (`keras.ops`, or its like, bound by those who compute), `math`, `itertools`, Python's numbers, the
operators of tensors, and functions of the same file; and their lines are as ruff would have them at 88 columns, too.
Sources: the files of `src/caffe/layers` of Caffe 1.0, or of the fork that is named.

One file a family of layer types, and `regions`, which several detectors take. A class with weights is in `WEIGHTED`: its function takes them behind the tensors, in
load order.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from caffeconv.keras.functions import (
    activation,
    convolution,
    data,
    detection,
    elementwise,
    inner_product,
    normalization,
    pooling,
    recurrent,
    reduction,
    regions,
    reshaping,
    slicing,
    upsampling,
)

__all__ = ["CLASSES", "WEIGHTED", "bound", "helpers_of"]

_FILES = (
    activation, convolution, data, detection, elementwise, inner_product, normalization, pooling, recurrent, reduction,
    regions, reshaping, slicing, upsampling,
)  # fmt: skip

WEIGHTED: Mapping[str, Callable[..., Any]] = {
    name: each for file in _FILES for name, each in vars(file).get("WEIGHTED", {}).items()
}
"""Class with weights -> what it computes."""
CLASSES: Mapping[str, Callable[..., Any]] = {
    **{name: each for file in _FILES for name, each in file.CLASSES.items()},
    **WEIGHTED,
}
"""Class of a written model -> what it computes."""


def helpers_of(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The functions of its file that a function calls, and those that these call, in the order of the file."""
    names = vars(inspect.getmodule(function))
    found: set[str] = set()
    left = [function]
    while left:
        for name in _names_in(left.pop()):
            helper = names.get(name)
            if not isinstance(helper, types.FunctionType) or helper.__module__ != function.__module__:
                continue
            if name not in found and helper is not function:
                found.add(name)
                left.append(helper)
    return [names[name] for name in names if name in found]


def _names_in(function: Callable[..., Any]) -> Iterator[str]:
    """The global names that a function reads, and those that the functions within it read."""
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        yield from (each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL")
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]


def bound(class_name: str, ops: Any) -> Callable[..., Any]:
    """The function of a class, computing with these operations, and so are its helpers."""
    function = CLASSES[class_name]
    names: dict[str, Any] = {**vars(inspect.getmodule(function)), "ops": ops}
    for each in (*helpers_of(function), function):
        assert isinstance(each, types.FunctionType)
        names[each.__name__] = types.FunctionType(each.__code__, names, each.__name__, each.__defaults__)
    bound_function: Callable[..., Any] = names[function.__name__]
    return bound_function
