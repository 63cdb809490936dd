"""The records that pass from stage to stage: frozen, with tuples inside.

Up to `Net` the words are Caffe's (blob, bottom, top); from `Weight` on they are Keras'.
Arrays are views wherever that is possible, most of them into the mapped input file, and read-only:
nothing is copied before a writer asks for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from caffeconv.errors import CaffeconvError

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = [
    "MAX_AXES", "MAX_COUNT", "Array", "Blob", "KerasCall", "Layer", "LayerWeights", "MaybeShape", "Net", "Note",
    "PartialShape", "Result", "Shape", "Source", "StrPath", "Weight", "carrying", "whole",
]  # fmt: skip

Array: TypeAlias = npt.NDArray[Any]
StrPath: TypeAlias = str | os.PathLike[str]
Shape: TypeAlias = tuple[int, ...]
PartialShape: TypeAlias = tuple[int | None, ...]
"""A shape of known rank in which `None` stands for a size that cannot be known."""
MaybeShape: TypeAlias = PartialShape | None
"""The shape of a blob of the net, or `None` where not even its rank can be known."""

MAX_AXES = 32
"""The most axes of a blob (`include/caffe/blob.hpp`)."""
MAX_COUNT = 2**31 - 1
"""The most elements of a blob, and the greatest value of Caffe's `int`."""


def whole(shape: MaybeShape) -> Shape | None:
    """A shape all of whose sizes are known, or else `None`."""
    sizes = tuple(size for size in shape if size is not None) if shape is not None else ()
    return sizes if shape is not None and len(sizes) == len(shape) else None


@dataclasses.dataclass(frozen=True)
class Note:
    """Something the user should know about a conversion.

    `warning` means that the result may not be what was meant; `info` says what was done or must be observed.
    `layer` is the Caffe layer it is about, or `None` for the net as a whole.
    """

    level: Literal["info", "warning"]
    layer: str | None
    text: str

    def __str__(self) -> str:
        return self.text if self.layer is None else f"{self.layer or 'a layer without a name'}: {self.text}"


@contextlib.contextmanager
def carrying(notes: Iterable[Note]) -> Iterator[None]:
    """An error of the block carries the warnings among the notes, which may be gathered while the block runs."""
    try:
        yield
    except CaffeconvError as error:
        before = dict.fromkeys(str(note) for note in notes if note.level == "warning" and str(note) not in str(error))
        error.warnings = tuple(dict.fromkeys((*before, *error.warnings)))
        raise


@dataclasses.dataclass(frozen=True, eq=False)
class Blob:
    """One learned array in Caffe's order and layout, of the type the file stores (float32 as a rule).

    `array` is read-only and usually a view into the mapped file, aligned or not. `legacy` says that its shape was
    stored as num, channels, height, width (always four axes); the join of prototxt and weights resolves it.
    """

    array: Array
    legacy: bool = False

    @property
    def shape(self) -> Shape:
        shape: Shape = self.array.shape
        return shape

    def reshaped(self, shape: Shape) -> Blob:
        """The same values under another shape of the same size."""
        return Blob(self.array.reshape(shape))


@dataclasses.dataclass(frozen=True)
class Source:
    """Who made a bottom: `layers[layer].tops[top]`. In-place layers count as makers of the blob they rewrite."""

    layer: int
    top: int


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a net in today's form (Caffe 1.0), whatever form the file had.

    `bottoms` and `tops` are blob names, `bottom_shapes` and `top_shapes` lie beside them, `sources` says for each
    bottom which layer made it (`None`: nobody does). `param` is the `LayerParameter` message, without blobs.
    """

    name: str
    type: str
    param: LayerParameter
    bottoms: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    blobs: tuple[Blob, ...] = ()
    bottom_shapes: tuple[MaybeShape, ...] = ()
    top_shapes: tuple[MaybeShape, ...] = ()
    sources: tuple[Source | None, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Net:
    """A net as Caffe would build it for one phase; layers in file order, which is also topological order."""

    name: str
    layers: tuple[Layer, ...]
    notes: tuple[Note, ...] = ()

    def readers(self) -> dict[Source, list[int]]:
        """Which layers read each blob, by index, as often as they do."""
        readers: dict[Source, list[int]] = {}
        for index, layer in enumerate(self.layers):
            for source in layer.sources:
                if source is not None:
                    readers.setdefault(source, []).append(index)
        return readers


@dataclasses.dataclass(frozen=True, eq=False)
class Weight:
    """One array of a Keras layer, not yet copied.

    `view` holds the values: strided, of any floating or integer type, perhaps with more axes than `shape`; read in
    C order it gives the array of `shape`. Files hold it as float32.
    """

    name: str
    view: Array
    shape: Shape

    @property
    def array(self) -> npt.NDArray[np.float32]:
        """The values as a new C-contiguous float32 array of `shape`; what float32 cannot hold becomes infinite."""
        with np.errstate(over="ignore"):
            return np.array(self.view, dtype=np.float32, order="C").reshape(self.shape)


@dataclasses.dataclass(frozen=True)
class KerasCall:
    """A Keras layer to build: class name and constructor arguments, as plain data."""

    class_name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.class_name}({', '.join(f'{key}={value!r}' for key, value in self.arguments)})"


@dataclasses.dataclass(frozen=True, eq=False)
class LayerWeights:
    """The weights of one Keras layer, in the order in which Keras loads them.

    `name` is the layer's name in the output; `type` the Caffe type and `origins` the Caffe layers they come from.
    `keras` is the layer under which the weights are right, with what must stand `before` and `after` it to compute
    what Caffe computes; `None` where caffeconv knows no such layer and the arrays are as stored.
    """

    name: str
    type: str
    origins: tuple[str, ...]
    weights: tuple[Weight, ...] = ()
    keras: KerasCall | None = None
    before: tuple[KerasCall, ...] = ()
    after: tuple[KerasCall, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a conversion gives: the layers with their weights, and all that is to be said about them."""

    layers: tuple[LayerWeights, ...]
    notes: tuple[Note, ...] = ()
