"""A stored array under the shape that its layer gives it, as `Blob::ShapeEquals` (`src/caffe/blob.cpp`) compares."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import MismatchError
from caffeconv.model import Blob, Layer, Note, PartialShape, Shape, whole

__all__ = ["fitted", "operated_on", "readable", "wrong_count"]


def fitted(blob: Blob, shape: PartialShape | None, layer: Layer, number: int) -> Blob | None:
    """`blob` under the shape that its layer gives it, or `None` where Caffe refuses it."""
    if shape is None:
        return blob
    stored = blob.shape
    if layer.bottom_shapes[:1] == (None,) and not blob.legacy and min(len(shape), len(stored)) > 2:
        # Over an unknown bottom the number of a kernel's spatial axes is a guess, and the kernel itself knows.
        shape = (*shape[:2], *(None for _ in stored[2:])) if len(shape) != len(stored) else shape
    if blob.legacy and len(shape) <= len(stored):
        padding, stored = stored[: len(stored) - len(shape)], stored[len(stored) - len(shape) :]
        fits = all(size == 1 for size in padding)
    else:
        fits = len(shape) == len(stored)
    if fits and all(wanted in (None, size) for wanted, size in zip(shape, stored, strict=True)):
        return blob.reshaped(stored) if stored != blob.shape else Blob(blob.array)
    return None


def operated_on(blob: Blob, shape: PartialShape, layer: Layer, number: int, stored_type: str) -> tuple[Blob, Note]:
    """The kernel of an InnerProduct for the Convolution that took its place, or the other way round, with a warning.

    Caffe's users do that by "net surgery": the values are the same, in the same order, under another shape.

    Raises:
        MismatchError: the array is not that of the other, or not of this size.
    """
    new = _reshaped(blob.shape, shape) if number == 0 else None
    other = _OTHERS.get(_original(layer.type))
    if new is None or other is None or (stored_type and _original(stored_type) != other) or _transposed(layer):
        raise MismatchError(_wrong_shape(blob, shape, layer, number, stored_type))
    here, there = (
        ("a Convolution", "an InnerProduct") if other == "InnerProduct" else ("an InnerProduct", "a Convolution")
    )
    text = (
        f"net surgery: the caffemodel has it as {there}, {readable(blob.shape)}, the prototxt as {here}, whose kernel "
        f"is made of the same values, {readable(new)}; rename the layer in the prototxt if it is not the same one"
    )
    return blob.reshaped(new), Note("warning", layer.name, text)


_OTHERS = {"Convolution": "InnerProduct", "InnerProduct": "Convolution"}


def _original(name: str) -> str:
    return LAYER_TYPES[name].like or name if name in LAYER_TYPES else name


def _transposed(layer: Layer) -> bool:
    return layer.param.inner_product_param.transpose


def _reshaped(stored: Shape, shape: PartialShape) -> Shape | None:
    """The shape with its one open size, if it is for these values: one has an axis of outputs before it, and two have
    the rest in one."""
    sizes = stored
    while len(shape) > 2 and len(sizes) > 2 and sizes[0] == 1:
        sizes = sizes[1:]
    if min(len(sizes), len(shape)) != 2 or max(len(sizes), len(shape)) < 3 or shape[0] not in (None, sizes[0]):
        return None
    shape = (sizes[0], *shape[1:])
    known = math.prod(size for size in shape if size is not None)
    if shape.count(None) == 1 and known and math.prod(stored) % known == 0:
        shape = tuple(math.prod(stored) // known if size is None else size for size in shape)
    new = whole(shape)
    return new if new is not None and math.prod(new) == math.prod(stored) else None


def _wrong_shape(blob: Blob, shape: PartialShape, layer: Layer, number: int, stored_type: str) -> str:
    stored = f", stored as {stored_type}" if stored_type and _original(stored_type) != _original(layer.type) else ""
    return (
        f"{layer.name} ({layer.type}): blob {number} has shape {blob.shape}, expected {readable(shape)}{stored}: "
        "the weights belong to another net, or the input shape of the prototxt is not the one it was trained with"
    )


def readable(shape: PartialShape) -> str:
    """A shape in a message, `?` for what is not known."""
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"


def wrong_count(layer: Layer, shapes: Sequence[PartialShape], blobs: Sequence[Blob | None]) -> str:
    """Says that a layer has another number of arrays than the file."""
    have = ", ".join("shared" if blob is None else str(blob.shape) for blob in blobs)
    want = ", ".join(readable(shape) for shape in shapes) or "none"
    return f"{layer.name} ({layer.type}): the caffemodel has {len(blobs)} blobs, {have}; expected {len(shapes)}: {want}"
