"""The walk over a net that makes its graph, layer by layer, each by the rule of its type."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import MismatchError, UnsupportedError
from caffeconv.keras.building import Growing, Options, Site
from caffeconv.keras.graph import Edge, Model, Value
from caffeconv.keras.rules.learning import learned
from caffeconv.keras.rules.normalization import fusable_scales
from caffeconv.keras.rules.table import RULES
from caffeconv.keras.sharing import share_layers
from caffeconv.keras.stored_names import numbered
from caffeconv.model import Layer, Net, Note, Source, Weight
from caffeconv.net.remarks import remarks_on
from caffeconv.net.shapes.table import TABLE

__all__ = ["assembled"]

_OVER_PIXELS = ("convolution", "pooling", "upsampling", "detection")
"""Families whose types take three axes for channels and pixels, where others take them for a sequence of vectors."""


def assembled(net: Net, options: Options) -> Model:
    """The graph of a net.

    Raises:
        MismatchError: what is given for a layer in `options` does not fit it.
    """
    growing = Growing(notes=list(net.notes))
    if not any(layer.blobs for layer in net.layers):
        growing.notes.append(_without_weights(net))
    scales = fusable_scales(net)
    fused = {scale: norm for norm, scale in scales.items()}
    values: dict[Source, Value] = {}
    loose: dict[str, Value] = {}
    for index, layer in enumerate(net.layers):
        growing.notes += remarks_on(layer.param)
        if index in fused:
            values[Source(index, 0)] = values[Source(fused[index], 0)]
            continue
        inputs = tuple(
            values[source] if source in values else _loose(growing, loose, net, index, position)
            for position, source in enumerate(layer.sources)
        )
        if not inputs and layer.blobs and not _is_source(layer):
            inputs = (growing.new_input(f"{layer.name}_input", None, (), axes_kept=False),)
        scale = scales.get(index)
        origins = (index,) if scale is None else (index, scale)
        site = Site(
            layer, origins, inputs, options, growing,
            scale=None if scale is None else net.layers[scale], axes_kept=_keeps_axes(net, index),
        )  # fmt: skip
        start = len(growing.nodes)
        for top, value in enumerate(_tops(site)[: len(layer.tops)]):
            values[Source(index, top)] = value
        if scale is not None and not any(scale in node.origins for node in growing.nodes[start:]):
            del fused[scale]
    share_layers(net, growing)
    _name_apart(growing, net)
    return _finished(net, growing, values)


def _without_weights(net: Net) -> Note:
    """Says that there is nothing to convert; a net whose types have no weights lacks none."""
    if all(layer.type in LAYER_TYPES and LAYER_TYPES[layer.type].blobs == "none" for layer in net.layers):
        return Note("info", None, "no layer of this net is of a type that has weights")
    return Note("warning", None, "no layer has weights; was the net loaded without a caffemodel?")


def _tops(site: Site) -> tuple[Value, ...]:
    """What the rule of the layer's type makes of it; where there is none, or it cannot, a node that says so."""
    layer, rule = site.layer, RULES.get(site.layer.type)
    before = len(site.growing.nodes), len(site.growing.notes)
    reason = f"type {layer.type} is not known"
    needed = 0 if _is_source(layer) or _needs_none(layer) else max(1, _bottoms(layer))
    if rule is not None and len(site.inputs) < needed:
        rule, reason = None, f"{layer.type} needs {needed} bottoms, not {len(site.inputs)}"
    if rule is not None and _reads_weights(layer):
        rule, reason = None, "its second bottom is its weights, as in a fork of Caffe, which no layer of Keras takes"
        if not layer.blobs:
            site.warn(reason)
    if rule is not None and rule.build is not None and layer.blobs and not (rule.weights or rule.reads_blobs):
        rule, reason = None, f"what the arrays of a {layer.type} do is not known"
    try:
        given = rule is not None and (layer.blobs or not rule.weights or rule.may_lack or len(layer.bottoms) > 1)
        if rule is not None and rule.build is not None and given:
            return tuple(rule.build(site))
        if rule is not None and rule.weights:
            return tuple(learned(site, rule))
        if rule is not None and rule.build is not None:
            return tuple(rule.build(site))
        if rule is not None and not layer.blobs:
            reason = f"Keras has no layer for {layer.type}"
    except UnsupportedError as error:
        if layer.name in site.options.flatten_shapes:
            raise MismatchError(f"{layer.name} ({layer.type}): {error}") from None
        del site.growing.nodes[before[0] :]
        del site.growing.notes[before[1] :]
        if site.scale is not None:  # what cannot be had together may be had apart
            return _tops(dataclasses.replace(site, scale=None, origins=site.origins[:1]))
        reason = str(error)
    weights = tuple(Weight(f"weights_{number}", blob.array, blob.shape) for number, blob in enumerate(layer.blobs))
    if weights:
        site.warn(f"{reason}; {'its arrays are written as stored' if site.options.include_unknown else 'left out'}")
    return site.unsupported(reason, weights)


def _reads_weights(layer: Layer) -> bool:
    return len(layer.bottoms) > 1 and (layer.type == "InnerProduct" or LAYER_TYPES[layer.type].like == "InnerProduct")


def _bottoms(layer: Layer) -> int:
    """How many bottoms it cannot do without; arrays have a Keras layer with any number of them."""
    return TABLE[layer.type].bottoms if layer.type in TABLE and not layer.blobs else 0


def _needs_none(layer: Layer) -> bool:
    row = TABLE.get(layer.type)
    return row is not None and row.tops is not None and row.bottoms == 0


def _loose(growing: Growing, loose: dict[str, Value], net: Net, index: int, position: int) -> Value:
    """A bottom that nobody makes is an input of the model."""
    layer = net.layers[index]
    name = layer.bottoms[position]
    if name not in loose:
        shape = layer.bottom_shapes[position]
        kept = shape is not None and len(shape) == 3 and not _over_pixels(layer)
        loose[name] = growing.new_input(name, shape, (), kept)
    return loose[name]


def _is_source(layer: Layer) -> bool:
    return layer.type in LAYER_TYPES and LAYER_TYPES[layer.type].family == "data"


def _over_pixels(layer: Layer) -> bool:
    return layer.type in LAYER_TYPES and LAYER_TYPES[layer.type].family in _OVER_PIXELS


def _keeps_axes(net: Net, index: int) -> bool:
    """Whether an input of the net has Caffe's axes in Keras: three axes that no layer takes for pixels, and sequences
    of maps that a recurrent layer reads."""
    layer = net.layers[index]
    if layer.bottoms:
        return False
    readers = [net.layers[reader] for source, each in net.readers().items() if source.layer == index for reader in each]
    if any(map(_over_pixels, readers)):
        return False
    ranks = {len(shape) for shape in layer.top_shapes if shape is not None}
    sequences = {
        source
        for each in net.layers
        if each.type in LAYER_TYPES and LAYER_TYPES[each.type].family == "recurrent"
        for source in each.sources[:1]
    }
    return 3 in ranks or any(source is not None and source.layer == index for source in sequences)


def _name_apart(growing: Growing, net: Net) -> None:
    """No two nodes with arrays bear one name, by which files of weights know them.

    A layer's own name goes before one that was made up, a known class before arrays as stored, the first before others.
    """
    weighted = [number for number, node in enumerate(growing.nodes) if node.weights]
    names = [growing.nodes[number].name for number in weighted]
    if len(set(names)) == len(names):
        return
    owners = [net.layers[growing.nodes[number].origins[0]] for number in weighted]
    made_up = [name != owner.name for name, owner in zip(names, owners, strict=True)]
    order = sorted(range(len(names)), key=lambda place: (made_up[place], growing.nodes[weighted[place]].call is None))
    taken: set[str] = set()
    for place in order:
        number, name = weighted[place], names[place]
        if name in taken:
            new = numbered(name, {*names, *taken, *(layer.name for layer in net.layers)})
            growing.nodes[number] = dataclasses.replace(growing.nodes[number], name=new)
            text = f'another layer with weights is called "{name}", too; this one ({owners[place].type}) is "{new}"'
            growing.notes.append(Note("warning", owners[place].name, text))
        taken.add(growing.nodes[number].name)


def _finished(net: Net, growing: Growing, values: Mapping[Source, Value]) -> Model:
    """The graph with its inputs and outputs: what nobody reads, in the order of Caffe's."""
    left_out = set(range(len(net.layers))).difference(source.layer for source in values)
    read = {
        source
        for index, layer in enumerate(net.layers)
        if index not in left_out
        for source in layer.sources
        if source is not None
    }
    looked_at = net.readers()  # a label that only a loss reads is neither an input nor an output
    outputs: list[tuple[str, Value]] = []
    seen: set[Edge] = set()
    for source, value in values.items():
        layer = net.layers[source.layer]
        if source in read or value.edge in seen or (not layer.bottoms and source in looked_at):
            continue
        seen.add(value.edge)
        outputs.append((layer.tops[source.top], value))
    site = Site(Layer("", "", type(net.layers[0].param)()), (), (), Options(), growing)
    brought: list[tuple[str, Value]] = []
    for name, value in outputs:
        if value.held.layout == "flat":
            named = dataclasses.replace(site, layer=dataclasses.replace(site.layer, name=name))
            value = named.brought(value, "axes", part="glue")
        brought.append((name, value))
    return Model(net.name, tuple(growing.nodes), values, tuple(growing.inputs), tuple(brought), tuple(growing.notes))
