"""Operations of Keras 3 in place of those that `functions` computes with: nothing is computed, each call is recorded.

A recording is a list of steps, each an operation or a layer of Keras' own with the arguments of every call of it. What
stands between them are `Tensor`s: which call made it, its shape as far as that is known, its type. Constants are NumPy
arrays, and what is computed of constants alone is one.

The operations are the classes of `keras.src.ops`, which is where Keras itself says that they are when it saves a model;
their homes and arguments are the same from Keras 3.0 on.
"""

from __future__ import annotations

import dataclasses
import math
import string
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.model import Array, MaybeShape, PartialShape, Weight

__all__ = ["Operations", "Step", "Tensor"]

Operand: TypeAlias = "Tensor | Array | float"

_HOMES = {"Sigmoid": "nn", "TopK": "math", "Cast": "core"}
"""Modules of `keras.src.ops` other than `numpy`."""


@dataclasses.dataclass(eq=False)
class Step:
    """A layer of Keras, or, where it has no `name`, an operation; `calls` are the arguments of each call of it."""

    class_name: str
    config: dict[str, Any]
    calls: list[list[Any]]
    name: str | None = None
    weights: tuple[Weight, ...] = ()

    @property
    def module(self) -> str:
        return "keras.layers" if self.name is not None else f"keras.src.ops.{_HOMES.get(self.class_name, 'numpy')}"


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """One output of one call of a step, batch included in its `shape`."""

    ops: Operations
    step: Step
    call: int
    output: int
    sizes: MaybeShape
    dtype: str = "float32"

    __array_ufunc__ = None  # so that an array leaves array · tensor to the tensor

    @property
    def shape(self) -> PartialShape:
        """Raises UnsupportedError where not even the number of axes is known."""
        if self.sizes is None:
            raise UnsupportedError("the shape of its bottom is not known")
        return self.sizes

    def __add__(self, other: Operand) -> Tensor:
        return self if _is_all(other, 0) else self.ops.by_value("Add", self, other)

    def __sub__(self, other: Operand) -> Tensor:
        return self.ops.by_value("Subtract", self, other)

    def __mul__(self, other: Operand) -> Tensor:
        return self if _is_all(other, 1) else self.ops.by_value("Multiply", self, other)

    def __truediv__(self, other: Operand) -> Tensor:
        return self.ops.by_value("Divide", self, other)

    def __getitem__(self, key: Any) -> Tensor:
        raise UnsupportedError("Keras has no operation in all its versions that takes a part of a batch")

    __radd__ = __add__
    __rmul__ = __mul__


def _is_all(value: Operand, number: float) -> bool:
    return not isinstance(value, Tensor) and bool(np.all(np.asarray(value) == number))


def _broadcast(*shapes: MaybeShape) -> MaybeShape:
    """The shape of what is computed value by value; a size that is not known repeats nothing."""
    if any(shape is None for shape in shapes):
        return None
    rank = max(len(shape or ()) for shape in shapes)
    full = [(1,) * (rank - len(shape or ())) + tuple(shape or ()) for shape in shapes]
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*full, strict=True))


class Operations:
    """`ops` for functions of tensors; what they call is in `steps`. What is like `keras.ops` has no words of its own.

    The functions raise UnsupportedError where they need a size that is not known. `place` is the name of the node that
    is taken apart, after which its layers are called.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.place = ""

    def layer(
        self, class_name: str, value: Any, shapes: Sequence[MaybeShape], name: str, weights: Sequence[Weight] = (),
        **config: Any,
    ) -> list[Tensor]:  # fmt: skip
        """A layer of Keras, called with a tensor or a list of them; its outputs, of these shapes."""
        step = Step(class_name, config, [], name, tuple(weights))
        self.steps.append(step)
        return self.again(step, value, shapes)

    def again(self, step: Step, value: Any, shapes: Sequence[MaybeShape]) -> list[Tensor]:
        """Another call of a step."""
        step.calls.append([value] if value is not None else [])
        return [Tensor(self, step, len(step.calls) - 1, number, shape) for number, shape in enumerate(shapes)]

    def by_value(self, class_name: str, *values: Operand, dtype: str = "float32") -> Tensor:
        """An operation value by value, on one or two operands."""
        return self._call(class_name, list(values), _broadcast(*map(_sizes, values)), {}, dtype)

    def _call(
        self, class_name: str, arguments: list[Any], shape: MaybeShape, config: dict[str, Any], dtype: str = "float32"
    ) -> Tensor:
        return self._calls(class_name, arguments, [shape], config, [dtype])[0]

    def _calls(
        self, class_name: str, arguments: list[Any], shapes: Sequence[MaybeShape], config: dict[str, Any],
        dtypes: Sequence[str],
    ) -> list[Tensor]:  # fmt: skip
        step = Step(class_name, config, [arguments])
        self.steps.append(step)
        return [
            Tensor(self, step, 0, number, shape, dtype)
            for number, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
        ]

    def abs(self, x: Tensor) -> Tensor:
        """Value by value."""
        return self.by_value("Absolute", x)

    def exp(self, x: Tensor) -> Tensor:
        """Value by value."""
        return self.by_value("Exp", x)

    def log(self, x: Tensor) -> Tensor:
        """Value by value."""
        return self.by_value("Log", x)

    def sqrt(self, x: Tensor) -> Tensor:
        """Value by value."""
        return self.by_value("Sqrt", x)

    def sigmoid(self, x: Tensor) -> Tensor:
        """Value by value."""
        return self.by_value("Sigmoid", x)

    def tanh(self, x: Tensor) -> Tensor:
        """Value by value."""
        return self.by_value("Tanh", x)

    def floor(self, x: Tensor) -> Tensor:
        """Value by value."""
        return self.by_value("Floor", x)

    def maximum(self, x: Tensor, y: Operand) -> Tensor:
        """Value by value."""
        return self.by_value("Maximum", x, y)

    def minimum(self, x: Tensor, y: Operand) -> Tensor:
        """Value by value."""
        return self.by_value("Minimum", x, y)

    def greater(self, x: Tensor, y: Operand) -> Tensor:
        """Value by value."""
        return self.by_value("Greater", x, y, dtype="bool")

    def equal(self, x: Tensor, y: Operand) -> Tensor:
        """Value by value."""
        return self.by_value("Equal", x, y, dtype="bool")

    def where(self, condition: Tensor, x: Operand, y: Operand) -> Tensor:
        """Value by value, the one or the other."""
        return self.by_value("Where", condition, x, y)

    def power(self, x: Tensor, y: Operand) -> Tensor:
        """Value by value."""
        return x if _is_all(y, 1) else self.by_value("Power", x, y)

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        """To another type."""
        return x if x.dtype == dtype else self._call("Cast", [x], x.sizes, {"dtype": dtype}, dtype)

    def convert_to_tensor(self, values: Any, dtype: str = "int32") -> Array:
        """A constant."""
        return np.asarray(values, np.dtype(dtype))

    def repeated(self, x: Tensor, values: Array) -> Tensor:
        """A constant as an output, which Keras has of inputs alone: added to 0, made of any x."""
        zeros = self.by_value("ZerosLike", x)
        zero = self.sum(zeros, range(len(x.shape)))
        return self.by_value("Add", zero, values)

    def reshape(self, x: Tensor | Array, shape: Sequence[int | None]) -> Any:
        """With -1 for one size."""
        if isinstance(x, np.ndarray):
            return x.reshape([_known(size) for size in shape])
        target = [_known(size) for size in shape]
        rest = x.sizes if x.sizes is not None and None not in x.sizes else None
        found = math.prod(size or 0 for size in rest) if rest is not None else 0
        left = math.prod(size for size in target if size != -1)
        whole = found // left if rest is not None and left else None
        shape = [whole if size == -1 else size for size in target]
        return self._call("Reshape", [x], tuple(shape), {"newshape": target}, x.dtype)

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """The batch among the axes."""
        shape = tuple(x.shape[axis] for axis in axes)
        return self._call("Transpose", [x], shape, {"axes": list(axes)}, x.dtype)

    def expand_dims(self, x: Tensor, axis: int) -> Tensor:
        """An axis of one."""
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        return self._call("ExpandDims", [x], shape, {"axis": axis}, x.dtype)

    def pad(self, x: Tensor, widths: Sequence[tuple[int, int]], constant_values: float = 0.0) -> Tensor:
        """With a constant."""
        if not any(map(any, widths)):
            return x
        shape = tuple(None if n is None else n + sum(each) for n, each in zip(x.shape, widths, strict=True))
        arguments = [x, constant_values] if constant_values else [x]
        return self._call("Pad", arguments, shape, {"pad_width": [list(each) for each in widths]})

    def average_pool(self, x: Tensor, size: Any, strides: Any, padding: str) -> Tensor:
        """Windows that lie inside."""
        return self._pool("AveragePooling", x, size, strides, padding)

    def max_pool(self, x: Tensor, size: Any, strides: Any, padding: str) -> Tensor:
        """Windows that lie inside."""
        return self._pool("MaxPooling", x, size, strides, padding)

    def _pool(self, class_name: str, x: Tensor, size: Any, strides: Any, padding: str) -> Tensor:
        axes = len(x.shape) - 2
        kernels, steps = ([each] * axes if isinstance(each, int) else list(each) for each in (size, strides))
        if all(kernel == step == 1 for kernel, step in zip(kernels, steps, strict=True)):
            return x
        axes_of = zip(x.shape[1:-1], kernels, steps, strict=True)
        pooled = (None if n is None else (n - kernel) // step + 1 for n, kernel, step in axes_of)
        shape = (x.shape[0], *pooled, x.shape[-1])
        # The operations do without pairs that were stored as lists on no backend but TensorFlow, the layers on all.
        return self.layer(
            f"{class_name}{axes}D", x, [shape], f"{self.place}_pool", pool_size=kernels, strides=steps, padding=padding
        )[0]

    def mean(self, x: Tensor, axis: Sequence[int], keepdims: bool = False) -> Tensor:
        """Over axes."""
        return self._reduce("Mean", x, axis, keepdims)

    def sum(self, x: Tensor, axis: Sequence[int], keepdims: bool = False) -> Tensor:
        """Over axes."""
        return self._reduce("Sum", x, axis, keepdims)

    def _reduce(self, class_name: str, x: Tensor, axis: Sequence[int], keepdims: bool) -> Tensor:
        gone = {each % len(x.shape) for each in axis}
        kept = ((1 if number in gone else n, number in gone) for number, n in enumerate(x.shape))
        shape = tuple(n for n, reduced in kept if keepdims or not reduced)
        return self._call(class_name, [x], shape, {"axis": list(axis), "keepdims": keepdims})

    def split(self, x: Tensor, points: Sequence[int], axis: int) -> list[Tensor]:
        """Cut before these places."""
        place = axis % len(x.shape)
        ends = [*points, x.shape[place]]
        parts = [None if end is None else end - start for start, end in zip([0, *points], ends, strict=True)]
        shapes = [(*x.shape[:place], part, *x.shape[place + 1 :]) for part in parts]
        config = {"indices_or_sections": list(points), "axis": axis}
        return self._calls("Split", [x], shapes, config, [x.dtype] * len(parts))

    def take(self, x: Tensor, indices: Operand, axis: int) -> Tensor:
        """Elements along an axis."""
        place = axis % len(x.shape)
        shape = (*x.shape[:place], *(_sizes(indices) or ()), *x.shape[place + 1 :])
        return self._call("Take", [x, indices], shape, {"axis": axis}, x.dtype)

    def flip(self, x: Tensor, axis: int) -> Tensor:
        """The other way round."""
        return self._call("Flip", [x], x.sizes, {"axis": axis}, x.dtype)

    def concatenate(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        """One behind the other."""
        first = parts[0].shape
        sizes = [part.shape[axis] for part in parts]
        known = [size for size in sizes if size is not None]
        whole = sum(known) if len(known) == len(sizes) else None
        shape = (*first[:axis], whole, *first[axis + 1 :])
        return self._call("Concatenate", [list(parts)], shape, {"axis": axis})

    def stack(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        """Along a new axis."""
        first = parts[0].shape
        place = axis % (len(first) + 1)
        shape = (*first[:place], len(parts), *first[place:])
        return self._call("Stack", [list(parts)], shape, {"axis": axis})

    def top_k(self, x: Tensor, k: int) -> list[Tensor]:
        """The largest values along the last axis, and their indices."""
        shape = (*x.shape[:-1], k)
        return self._calls("TopK", [x], [shape, shape], {"k": k, "sorted": True}, [x.dtype, "int32"])

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """(…, a), (a, b) -> (…, b)."""
        return self._call("Matmul", [x, y], (*x.shape[:-1], y.shape[1]), {})

    def einsum(self, subscripts: str, *operands: Tensor | Array) -> Tensor:
        """Sums of products over named axes."""
        sizes: dict[str, int | None] = {}
        taken, _, given = subscripts.partition("->")
        for letters, operand in zip(taken.split(","), operands, strict=True):
            sizes.update(zip((c for c in letters if c in string.ascii_letters), operand.shape, strict=True))
        shape = tuple(sizes[letter] for letter in given)
        return self._call("Einsum", list(operands), shape, {"subscripts": subscripts})


def _sizes(value: Operand) -> MaybeShape:
    return value.sizes if isinstance(value, Tensor) else np.shape(value)


def _known(size: int | None) -> int:
    if size is None:
        raise UnsupportedError("a size of its bottom is not known")
    return int(size)
