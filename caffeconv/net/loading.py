"""From files to a `Net`: reads, upgrades, filters, connects and joins, one stage after the other."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from caffeconv.errors import MismatchError, UnsupportedError
from caffeconv.model import Net, Note, PartialShape, StrPath, carrying
from caffeconv.net import ALL, State, StoredLayer, build_net, join_weights, keep_layers
from caffeconv.net.filtering import list_left_out, list_without_effect
from caffeconv.net.settling import settle_from_blobs
from caffeconv.net.shapes.axes import checked, known_sizes, with_unknown
from caffeconv.reading import Contents, Kind, read_contents
from caffeconv.reading.upgrade.unknown import note_unknown

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["EMBEDDED", "ListedFile", "Listing", "list_files", "load_net"]

EMBEDDED = "-"
"""Given as the prototxt: use the net inside the caffemodel."""

_WEIGHTS = (Kind.CAFFEMODEL, Kind.HDF5_SNAPSHOT)


def load_net(
    prototxt: StrPath,
    caffemodel: StrPath | None = None,
    *,
    phase: Literal["TRAIN", "TEST"] = "TEST",
    level: int = 0,
    stages: Iterable[str] | str = (),
    input_shapes: Mapping[str, PartialShape] | None = None,
    allow_missing: Collection[str] | str = (),
) -> Net:
    """Read a net and, if given, its weights, as Caffe would for one phase.

    Args:
        prototxt: the net's text, of any generation; `"-"` takes the net that the caffemodel itself holds.
        caffemodel: the weights, binary or Caffe's HDF5 snapshot; told apart by content.
        phase, level, stages: what the layers' `include` and `exclude` rules are held against. The net inside a
            caffemodel was filtered when it was saved and is taken whole. One stage may be given as it is.
        input_shapes: name of an input blob -> its shape, for nets that do not say (`{"data": (1, 3, 224, 224)}`);
            `None` in it leaves a size open.
        allow_missing: a name or names of layers that may lack weights; `"all"` allows every one.

    Returns:
        The net; its arrays are views into the mapped file, in Caffe's layout.

    Raises:
        ParseError: a file is missing, damaged, or not of the kind it was given as.
        MismatchError: prototxt, weights and arguments do not belong together.
        UnsupportedError: `"-"` with an HDF5 snapshot, which holds no net.
    """
    if phase not in ("TRAIN", "TEST"):
        raise MismatchError(f'phase "{phase}": expected TRAIN or TEST')
    state = _state(phase, level, stages)
    weights = read_contents(caffemodel, *_WEIGHTS) if caffemodel is not None else None
    if os.fspath(prototxt) != EMBEDDED:
        with carrying(weights.notes if weights is not None else ()):
            text = read_contents(prototxt, Kind.PROTOTXT)
    elif weights is None:
        raise MismatchError('the prototxt "-" stands for the net inside a caffemodel, but no caffemodel is given')
    elif weights.kind is Kind.HDF5_SNAPSHOT:
        raise UnsupportedError(f"{weights.path}: an HDF5 snapshot holds weights only, no net; give a prototxt, not -")
    else:
        text = None
    allowed = [allow_missing] if isinstance(allow_missing, str) else allow_missing
    return _assemble(text, weights, state, input_shapes or {}, allowed)


@dataclasses.dataclass(frozen=True, eq=False)
class ListedFile:
    """What a file is: its kind, and the generation of Caffe (V0, V1, V2) that wrote it, if that can be told."""

    path: str
    kind: str
    generation: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class Listing:
    """What one or two files hold together."""

    files: tuple[ListedFile, ...]
    net: Net


def list_files(
    files: Sequence[StrPath],
    *,
    phase: Literal["TRAIN", "TEST"] = "TEST",
    level: int = 0,
    stages: Iterable[str] | str = (),
    input_shapes: Mapping[str, PartialShape] | None = None,
) -> Listing:
    """What a prototxt, a caffemodel, or both in any order hold, with gaps where something is missing.

    Raises:
        ParseError: a file is missing, damaged, or neither a prototxt nor a caffemodel.
        MismatchError: two files do not belong together, or are of the same kind.
    """
    text: Contents | None = None
    weights: Contents | None = None
    for path in files:
        read = read_contents(path, Kind.PROTOTXT, *_WEIGHTS)
        if (text if read.kind is Kind.PROTOTXT else weights) is not None:
            raise MismatchError(f"{os.fspath(path)}: two files of one kind; give one prototxt and one caffemodel")
        if read.kind is Kind.PROTOTXT:
            text = read
        else:
            weights = read
    net = _assemble(text, weights, _state(phase, level, stages), input_shapes or {}, [ALL])
    listed = tuple(
        ListedFile(each.path, each.kind.name, each.generation) for each in (text, weights) if each is not None
    )
    return Listing(listed, net)


def _state(phase: Literal["TRAIN", "TEST"], level: int, stages: Iterable[str] | str) -> State:
    return State(phase, level, frozenset([stages] if isinstance(stages, str) else stages))


def _assemble(
    text: Contents | None,
    weights: Contents | None,
    state: State,
    input_shapes: Mapping[str, PartialShape],
    allow_missing: Collection[str],
) -> Net:
    notes = [note for each in (text, weights) if each is not None for note in each.notes]
    with carrying(notes):
        net = _built(text, weights, state, input_shapes, allow_missing)
    return dataclasses.replace(net, notes=(*notes, *net.notes))


def _built(
    text: Contents | None,
    weights: Contents | None,
    state: State,
    input_shapes: Mapping[str, PartialShape],
    allow_missing: Collection[str],
) -> Net:
    left_out: set[str] = set()
    notes: list[Note] = list_without_effect(text.net if text is not None else None, state)
    if text is not None:
        name, layers = text.net.name, _kept_layers(text, state)
        left_out = {layer.name for layer in text.net.layer}.difference(layer.name for layer in layers)
    elif weights is not None:
        name, layers = weights.net.name, list(weights.net.layer)
        notes += note_unknown(weights.net)
    with carrying(notes):
        net = build_net(name, layers, _checked_shapes(input_shapes), as_stored=text is None)
    if text is not None:
        notes += list_left_out(text.net, state, _unmade(net).difference(input_shapes))
    net = dataclasses.replace(net, notes=(*notes, *net.notes))
    if weights is not None:
        stored = [
            StoredLayer(
                layer.name,
                tuple(weights.blobs[blob.payload] if blob.HasField("payload") else None for blob in layer.blobs),
                layer.type,
            )
            for layer in weights.net.layer
        ]
        with carrying(net.notes):
            net = settle_from_blobs(join_weights(net, stored, allow_missing, left_out, as_stored=text is None))
    return net


def _unmade(net: Net) -> frozenset[str]:
    """The blobs that layers read and no layer makes."""
    return frozenset(
        bottom
        for layer in net.layers
        for bottom, source in zip(layer.bottoms, layer.sources, strict=True)
        if source is None
    )


def _kept_layers(text: Contents, state: State) -> list[LayerParameter]:
    try:
        return list(keep_layers(text.net, state))
    except MismatchError as error:
        raise MismatchError(f"{text.path}: {error}") from None


def _checked_shapes(shapes: Mapping[str, PartialShape]) -> Mapping[str, PartialShape]:
    """The shapes given for inputs, which a blob of Caffe must be able to have."""
    return {name: _checked_shape(name, shape) for name, shape in shapes.items()}


def _checked_shape(name: str, shape: PartialShape) -> PartialShape:
    try:
        return known_sizes(checked(with_unknown(shape)))
    except ValueError as error:
        raise MismatchError(f'the shape given for input "{name}": {error}') from None
