"""Gives the layers of a net the weights of a caffemodel, by name and with Caffe's own rules.

Follows `Net::CopyTrainedLayersFrom`, `Net::AppendParam` (`src/caffe/net.cpp`) and `Blob::ShapeEquals`
(`src/caffe/blob.cpp`), with one difference: where Caffe silently leaves a layer at its random filler because the
file has nothing of that name, this refuses.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import MismatchError
from caffeconv.model import Blob, Layer, Net, Note, PartialShape, Shape, carrying
from caffeconv.net.agreement import same_values, shared_note, type_note
from caffeconv.net.fillers import filled_by_fillers
from caffeconv.net.fitting import fitted, operated_on, readable, wrong_count
from caffeconv.net.gaps import check_missing, list_leftovers
from caffeconv.net.shapes import expected_blobs

__all__ = ["StoredLayer", "join_weights"]


@dataclasses.dataclass(frozen=True, eq=False)
class StoredLayer:
    """What a file of weights holds of one layer; `None` is a shared array that the file holds under its owner only.

    `type` is empty where the file has none, as Caffe's snapshots.
    """

    name: str
    blobs: tuple[Blob | None, ...]
    type: str = ""


@dataclasses.dataclass(frozen=True)
class _Slot:
    """A place for one learned array: the `blob`-th one of `layers[layer]`."""

    layer: int
    blob: int


def join_weights(
    net: Net,
    stored: Sequence[StoredLayer],
    allow_missing: Collection[str] = (),
    left_out: Collection[str] = (),
    *,
    as_stored: bool = False,
) -> Net:
    """`net` with the arrays of `stored`, each under the shape that its layer gives it.

    A file layer goes to the first layer of its name, so the last of several copies wins. Layers that share a
    parameter (`param { name: … }`) get the array that was written last to any of them. `left_out` are layers of the
    prototxt that `net` does not have because they belong to another phase, level or stage. A net `as_stored`, in the
    same file, may have less than its arrays need, or types that forks have under numbers of Caffe's: what contradicts
    its arrays is not believed.

    Raises:
        MismatchError: a layer that has weights in Caffe has none in `stored` and is not in `allow_missing`; the
            number or the shapes of the arrays are not those that the layer has.
    """
    targets = {layer.name: index for index, layer in reversed(list(enumerate(net.layers)))}
    expected = [expected_blobs(layer.param, layer.bottom_shapes) for layer in net.layers]
    if as_stored:
        net, expected = _believed(net, stored, targets, expected)
        stored = [dataclasses.replace(each, type="") for each in stored]
    counts = {targets[each.name]: len(each.blobs) for each in stored if each.name in targets and each.blobs}
    owners = _share(net.layers, [len(e) if e is not None else counts.get(i, 0) for i, e in enumerate(expected)])
    _check_sharers(net.layers, expected, owners)
    stored = [_with_shared(each, targets, expected, owners) for each in stored]
    counts |= {targets[each.name]: len(each.blobs) for each in stored if each.name in targets and each.blobs}
    notes: list[Note] = []
    with carrying(notes):
        filled = _gathered(net.layers, stored, targets, expected, owners, notes)
        layers, missing, made = _fill(net.layers, expected, counts, owners, filled)
        notes += made
        names = [each.name for each in stored if each.blobs]
        leftovers = list_leftovers(net, names, left_out)
        with carrying(leftovers):
            notes += check_missing(net, names, missing, allow_missing)
        notes += leftovers
    return dataclasses.replace(net, layers=layers, notes=(*net.notes, *notes))


def _believed(
    net: Net,
    stored: Sequence[StoredLayer],
    targets: Mapping[str, int],
    expected: Sequence[tuple[PartialShape, ...] | None],
) -> tuple[Net, list[tuple[PartialShape, ...] | None]]:
    """The net of a file whose layers bear types that their arrays can belong to, and the shapes that these have."""
    layers, shapes_of, notes = list(net.layers), list(expected), list(net.notes)
    for each in stored:
        layer, shapes = layers[targets[each.name]], shapes_of[targets[each.name]]
        if not each.blobs or shapes is None or LAYER_TYPES[layer.type].blobs == "dialects":
            continue
        fits = len(shapes) == len(each.blobs) and all(
            blob is None or fitted(blob, shape, layer, number) is not None
            for number, (blob, shape) in enumerate(zip(each.blobs, shapes, strict=True))
        )
        if not fits:
            param = type(layer.param).FromString(layer.param.SerializeToString())
            param.type = f"{layer.type}?"
            layers[targets[each.name]] = dataclasses.replace(layer, type=param.type, param=param)
            shapes_of[targets[each.name]] = None
            text = f"its arrays are not those of the {layer.type} that the file says it is: taken as they are stored"
            notes.append(Note("warning", layer.name, text))
    return dataclasses.replace(net, layers=tuple(layers), notes=tuple(notes)), shapes_of


def _gathered(
    layers: Sequence[Layer],
    stored: Sequence[StoredLayer],
    targets: Mapping[str, int],
    expected: Sequence[tuple[PartialShape, ...] | None],
    owners: Mapping[_Slot, _Slot],
    notes: list[Note],
) -> dict[_Slot, Blob]:
    """For each place the array that was stored last for it; what is odd about them goes to the notes."""
    filled: dict[_Slot, Blob] = {}
    writers: dict[_Slot, list[str]] = {}
    differ: dict[_Slot, bool] = {}
    for each in stored:
        index = targets.get(each.name)
        if index is None or not each.blobs:
            continue
        layer, shapes = layers[index], expected[index]
        if shapes is not None and len(shapes) != len(each.blobs):
            if LAYER_TYPES[layer.type].blobs != "dialects":
                raise MismatchError(wrong_count(layer, shapes, each.blobs))
            shapes = None  # the rules tell dialects apart by their blobs
        operated: Note | None = None
        for number, blob in enumerate(each.blobs):
            if blob is None:
                continue
            slot = owners.get(_Slot(index, number), _Slot(index, number))
            shape = shapes[number] if shapes is not None else None
            fitting = fitted(blob, shape, layer, number)
            if fitting is None:
                fitting, operated = operated_on(blob, shape or (), layer, number, each.type)
            if slot in filled and layer.name not in writers[slot]:
                differ[slot] = differ.get(slot, False) or not same_values(filled[slot].array, fitting.array)
            writers.setdefault(slot, []).append(layer.name)
            filled[slot] = fitting
        odd = operated or type_note(each.type, layer)
        notes += [] if odd is None else [odd]
    for slot, differs in differ.items():
        if differs:
            notes.append(shared_note(layers[slot.layer].param.param[slot.blob].name, writers[slot]))
    return filled


def _share(layers: Sequence[Layer], counts: Sequence[int]) -> Mapping[_Slot, _Slot]:
    """For each place whose parameter belongs to an earlier layer: the place that owns it."""
    owner_of: dict[str, _Slot] = {}
    owners: dict[_Slot, _Slot] = {}
    for index, (layer, count) in enumerate(zip(layers, counts, strict=True)):
        for number, spec in enumerate(layer.param.param[:count]):
            slot = _Slot(index, number)
            if spec.name and owner_of.setdefault(spec.name, slot) != slot:
                owners[slot] = owner_of[spec.name]
    return owners


def _with_shared(
    each: StoredLayer,
    targets: Mapping[str, int],
    expected: Sequence[tuple[PartialShape, ...] | None],
    owners: Mapping[_Slot, _Slot],
) -> StoredLayer:
    """`each` with the last of its arrays, which HDF5 snapshots do not even mention where another layer owns them."""
    index = targets.get(each.name)
    shapes = expected[index] if index is not None else None
    if index is None or shapes is None or not each.blobs:
        return each
    rest = [_Slot(index, number) for number in range(len(each.blobs), len(shapes))]
    if not owners.keys() >= set(rest):
        return each
    return dataclasses.replace(each, blobs=(*each.blobs, *[None] * len(rest)))


def _check_sharers(
    layers: Sequence[Layer], expected: Sequence[tuple[PartialShape, ...] | None], owners: Mapping[_Slot, _Slot]
) -> None:
    """Layers that share a parameter must give it one shape, or with `share_mode: PERMISSIVE` one size."""
    for slot, owner in owners.items():
        shapes, owned = expected[slot.layer], expected[owner.layer]
        if shapes is None or owned is None:
            continue
        shape, other = shapes[slot.blob], owned[owner.blob]
        spec = layers[slot.layer].param.param[slot.blob]
        if not (_same_size if spec.share_mode == spec.PERMISSIVE else _same_shape)(shape, other):
            raise MismatchError(
                f'{layers[slot.layer].name} ({layers[slot.layer].type}): its parameter "{spec.name}" has shape '
                f"{readable(shape)}, but that of {layers[owner.layer].name} has {readable(other)}"
            )


def _same_shape(shape: PartialShape, other: PartialShape) -> bool:
    return len(shape) == len(other) and all(a is None or b is None or a == b for a, b in zip(shape, other, strict=True))


def _same_size(shape: PartialShape, other: PartialShape) -> bool:
    sizes, others = [s for s in shape if s is not None], [s for s in other if s is not None]
    return len(sizes) < len(shape) or len(others) < len(other) or math.prod(sizes) == math.prod(others)


def _fill(
    layers: Sequence[Layer],
    expected: Sequence[tuple[PartialShape, ...] | None],
    counts: Mapping[int, int],
    owners: Mapping[_Slot, _Slot],
    filled: Mapping[_Slot, Blob],
) -> tuple[tuple[Layer, ...], tuple[Layer, ...], list[Note]]:
    """The layers with their arrays, those that should have some but do not have all, and what their fillers made."""
    done: list[Layer] = []
    missing: list[Layer] = []
    notes: list[Note] = []
    for index, (layer, shapes) in enumerate(zip(layers, expected, strict=True)):
        count = counts.get(index, len(shapes) if shapes is not None else _surely(layer))
        slots = [_Slot(index, number) for number in range(count)]
        found = [filled.get(owners.get(slot, slot)) for slot in slots]
        blobs = tuple(blob for blob in found if blob is not None)
        if len(blobs) < count:
            made = None if blobs or owners.keys() & set(slots) else filled_by_fillers(layer, shapes)
            if made is None:
                missing.append(layer)
                blobs = ()
            else:
                blobs, note = made
                notes.append(note)
        elif shapes is not None and len(shapes) == count:
            blobs = tuple(_as_sharer(*each) for each in zip(blobs, shapes, strict=True))
        done.append(dataclasses.replace(layer, blobs=blobs))
    return tuple(done), tuple(missing), notes


def _surely(layer: Layer) -> int:
    """How many arrays a layer has at least, though their shapes are not known."""
    return int(layer.type in LAYER_TYPES and LAYER_TYPES[layer.type].blobs in ("known", "dialects", "some"))


def _as_sharer(blob: Blob, shape: PartialShape) -> Blob:
    """A shared array under the sharer's own shape: Caffe's permissive sharing wants the same size only."""
    known: Shape = tuple(size for size in shape if size is not None)
    if len(known) == len(shape) and known != blob.shape and math.prod(known) == blob.array.size:
        return blob.reshaped(known)
    return blob
