"""Who feeds whom: edges, automatic tops, shapes, and Caffe's Split layers.

Follows `Net::Init` (`src/caffe/net.cpp`) and `InsertSplits` (`src/caffe/util/insert_splits.cpp`).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import MismatchError
from caffeconv.model import Layer, MaybeShape, Net, Note, PartialShape, Source, carrying
from caffeconv.net.shapes import infer_top_shapes
from caffeconv.net.shapes.table import TABLE

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["AUTOMATIC_TOP", "build_net", "insert_splits", "settle_shapes"]

_LOOKED_UP = 3
"""How many bottoms that nobody makes are looked for among all names; to look for each takes too long."""
AUTOMATIC_TOP = "(automatic)"
"""The name that Caffe gives to the top of a loss layer that was written without one."""


def build_net(
    name: str, params: Iterable[LayerParameter], input_shapes: Mapping[str, PartialShape], *, as_stored: bool = False
) -> Net:
    """Connect layers to a net and give every blob its shape where that can be known.

    `input_shapes` maps names of blobs that no layer computes from others to their shapes; they replace what the
    layers say, and serve bottoms that no layer makes. A net `as_stored`, in a file of weights, may lack what Caffe
    insists on in a text: types and bottoms.

    Raises:
        MismatchError: `input_shapes` names a blob that is not such an input, or a layer lacks a bottom.
    """
    notes: list[Note] = []
    with carrying(notes):
        return _connected(name, params, input_shapes, as_stored, notes)


def _connected(
    name: str,
    params: Iterable[LayerParameter],
    input_shapes: Mapping[str, PartialShape],
    as_stored: bool,
    notes: list[Note],
) -> Net:
    layers: list[Layer] = []
    orphans = 0
    makers: dict[str, Source] = {}
    unused_inputs = set(input_shapes)
    for index, original in enumerate(params):
        param = _with_automatic_top(original)
        if not as_stored:
            notes += _refused_by_caffe(param, index)
        sources = tuple(makers.get(bottom) for bottom in param.bottom)
        for bottom, source in zip(param.bottom, sources, strict=True):
            if source is None:
                near = makers if orphans < _LOOKED_UP else {}
                notes.append(_orphan_note(param.name, bottom, near, known=bottom in input_shapes))
                orphans += 1
        bottoms = tuple(
            input_shapes.get(bottom) if source is None else layers[source.layer].top_shapes[source.top]
            for bottom, source in zip(param.bottom, sources, strict=True)
        )
        unused_inputs.difference_update(b for b, source in zip(param.bottom, sources, strict=True) if source is None)
        tops, reason, refused = infer_top_shapes(param, bottoms)
        if not param.bottom:
            tops = tuple(input_shapes.get(top, shape) for top, shape in zip(param.top, tops, strict=True))
            unused_inputs.difference_update(param.top)
        if reason is not None and any(shape is None or None in shape for shape in tops):
            hint = "" if refused or param.bottom else f"; give it, with --input-shape {_hinted(param, tops)}"
            notes.append(Note("warning" if refused else "info", param.name, reason + hint))
        notes.extend(_repeated_tops(param, makers))
        layers.append(
            Layer(param.name, param.type, param, tuple(param.bottom), tuple(param.top), (), bottoms, tops, sources)
        )
        makers.update((top, Source(index, position)) for position, top in enumerate(param.top))
    _refuse_unused(unused_inputs, layers)
    return Net(name, tuple(layers), tuple(notes))


def _refused_by_caffe(param: LayerParameter, index: int) -> list[Note]:
    """Notes on a layer of a text that Caffe refuses, but that tells enough; one that lacks a bottom does not."""
    if not param.ListFields():
        return [Note("info", None, f"layer {index} of the prototxt, counted from 0, is empty, which Caffe refuses")]
    if not param.type:
        return [Note("warning", param.name, "give it a type: it has none, which Caffe refuses")]
    needed, has = TABLE[param.type].bottoms if param.type in TABLE else 0, len(param.bottom)
    if has < needed and (not has or not LAYER_TYPES[param.type].fork):
        them, have = ("its bottom", "none") if needed == 1 else (f"its {needed} bottoms", str(has or "none"))
        raise MismatchError(f"give {param.name} ({param.type}) {them}: it has {have} in the prototxt")
    return []


def _hinted(param: LayerParameter, tops: Sequence[MaybeShape]) -> str:
    """The first top whose shape is open, with what is known of it."""
    name, shape = next(each for each in zip(param.top, tops, strict=True) if each[1] is None or None in each[1])
    sizes = "N,C,H,W" if shape is None else ",".join("?" if size is None else str(size) for size in shape)
    return f"{name}={sizes}"


def _with_automatic_top(param: LayerParameter) -> LayerParameter:
    if not param.top and param.type in LAYER_TYPES and LAYER_TYPES[param.type].automatic_top:
        param = type(param).FromString(param.SerializeToString())
        param.top.append(AUTOMATIC_TOP)
    return param


def _orphan_note(layer: str, bottom: str, makers: Mapping[str, Source], known: bool) -> Note:
    if known:
        return Note("info", layer, f'no layer makes its bottom "{bottom}"; its shape is the one that was given')
    import difflib  # costs time, and only mistakes need it

    near = difflib.get_close_matches(bottom, makers, n=1)
    hint = f'; the nearest name is "{near[0]}"' if near else ""
    return Note("warning", layer, f'no layer makes its bottom "{bottom}", shapes are unknown from here on{hint}')


def _repeated_tops(param: LayerParameter, makers: Mapping[str, Source]) -> Iterable[Note]:
    """Tops that an earlier layer has made already, other than in place: Caffe refuses such a net."""
    for position, top in enumerate(param.top):
        in_place = position < len(param.bottom) and param.bottom[position] == top
        if top in makers and not in_place and top != AUTOMATIC_TOP:
            yield Note("warning", param.name, f'its top "{top}" is made by another layer already; Caffe refuses that')


def _refuse_unused(names: set[str], layers: list[Layer]) -> None:
    if not names:
        return
    inputs = [top for layer in layers if not layer.bottoms for top in layer.tops]
    inputs += [
        bottom
        for layer in layers
        for bottom, source in zip(layer.bottoms, layer.sources, strict=True)
        if source is None
    ]
    there = ", ".join(f'"{name}"' for name in dict.fromkeys(inputs)) or "none"
    raise MismatchError(f'the net has no input "{min(names)}" to give a shape to; its inputs are: {there}')


def insert_splits(net: Net) -> Net:
    """The net with the Split layers that Caffe puts behind every top that is used more than once.

    A top's loss weight counts as a use. Names are Caffe's: layer `<blob>_<layer>_<top index>_split`, tops the same
    with `_0`, `_1`, … behind.
    """
    uses: collections.Counter[Source] = collections.Counter()
    for index, layer in enumerate(net.layers):
        uses.update(source for source in layer.sources if source is not None)
        # A weight without a top is ignored, as Caffe does.
        weights = layer.param.loss_weight[: len(layer.tops)]
        uses.update(Source(index, top) for top, weight in enumerate(weights) if weight)
    handed_out: collections.Counter[Source] = collections.Counter()
    moved: dict[Source, tuple[str, int]] = {}
    layers: list[Layer] = []
    for index, layer in enumerate(net.layers):
        bottoms, sources = list(layer.bottoms), list(layer.sources)
        for position, source in enumerate(layer.sources):
            if source is None:
                continue
            stem, new_index = moved[source]
            if uses[source] > 1:
                bottoms[position] = f"{stem}_{handed_out[source]}"
                sources[position] = Source(new_index, handed_out[source])
                handed_out[source] += 1
            else:
                sources[position] = Source(new_index, source.top)
        place = len(layers)
        layers.append(dataclasses.replace(layer, bottoms=tuple(bottoms), sources=tuple(sources)))
        for position, (blob, shape) in enumerate(zip(layer.tops, layer.top_shapes, strict=True)):
            made = Source(index, position)
            moved[made] = ("", place)
            if uses[made] > 1:
                stem = f"{blob}_{layer.name}_{position}_split"
                moved[made] = (stem, len(layers))
                layers.append(_split_layer(layer, stem, Source(place, position), blob, shape, uses[made]))
                handed_out[made] = int(any(layer.param.loss_weight[position : position + 1]))
    return dataclasses.replace(net, layers=tuple(layers))


def settle_shapes(net: Net) -> Net:
    """The net with the shapes that its blobs have once all of it is set up, as a running Caffe tells them.

    They differ where a layer reshapes a blob in place: all layers of such a chain hold the same blob in the end.
    """
    last = {
        name: shape
        for layer in net.layers
        for name, shape in zip((*layer.bottoms, *layer.tops), (*layer.bottom_shapes, *layer.top_shapes), strict=True)
    }
    layers = (
        dataclasses.replace(
            layer,
            bottom_shapes=tuple(last[name] for name in layer.bottoms),
            top_shapes=tuple(last[name] for name in layer.tops),
        )
        for layer in net.layers
    )
    return dataclasses.replace(net, layers=tuple(layers))


def _split_layer(maker: Layer, name: str, source: Source, blob: str, shape: MaybeShape, count: int) -> Layer:
    tops = tuple(f"{name}_{number}" for number in range(count))
    param = type(maker.param)(name=name, type="Split", bottom=[blob], top=tops)
    return Layer(name, "Split", param, (blob,), tops, (), (shape,), (shape,) * count, (source,))
