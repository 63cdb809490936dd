"""How a layer with weights becomes nodes: its rule makes the arrays, and what stands before and behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site
from caffeconv.keras.graph import Held, Value, is_reordered
from caffeconv.keras.rules.record import Context, Parts, Rule
from caffeconv.keras.rules.segments import segments_of
from caffeconv.model import KerasCall

__all__ = ["as_given", "as_stored", "learned", "put_in", "rectified"]


def learned(site: Site, rule: Rule) -> Sequence[Value]:
    """The nodes of a layer whose arrays `rule.convert` makes.

    Raises: `UnsupportedError`, where the arrays have no Keras form.
    """
    if rule.convert is None or not site.layer.blobs:
        raise UnsupportedError("its weights are missing")
    if not site.inputs:
        parts = rule.convert(site.layer, Context())
        for text in parts.warnings:
            site.warn(text)
        return site.unsupported(f"Keras has no layer for {site.layer.type}", parts.weights)
    inputs = site.inputs[: max(len(site.layer.tops), 1)] if site.each_bottom else site.inputs[:1]
    made: list[Value] = []
    twin: int | None = None
    for number, value in enumerate(inputs):
        arrived = rule.arrive(dataclasses.replace(site, inputs=(as_given(site, value, rule), *site.inputs[1:])))
        segments = segments_of(site.layer, rule.along, arrived.held)
        if segments is None and site.layer.name in site.options.flatten_shapes:
            segments = (site.options.flatten_shapes[site.layer.name],)  # those who reorder by it say whether it fits
        context = Context(segments, arrived.held, site.scale, site.options.depthwise)
        parts = rule.convert(site.layer, context)
        if rule.along and value.edge.node in site.growing.reordered:
            site.warn(
                "its arrays are in Caffe's order of axes: a model of your own must bring the maps before it into that "
                "order, as the one that --format py writes does"
            )
        if twin is None:
            tops = put_in(site, arrived, parts, rule)
            twin = next(
                number
                for number, node in enumerate(site.growing.nodes)
                if node.origins == site.origins and node.weights
            )
        else:
            edge = site.then(arrived.edge, parts.before, "before")
            edge = site.add(parts.keras, (edge,), twin=twin, name=str(number))
            tops = (Value(site.then(edge, parts.after, "after"), rule.held(site, number)),)
        made += tops
    return made


def as_stored(site: Site, rule: Rule, reason: str) -> Sequence[Value]:
    """The arrays alone, as `rule.convert` writes them, for a layer that cannot be built for this reason."""
    if rule.convert is None or not site.layer.blobs:
        return site.unsupported(reason)
    parts = rule.convert(site.layer, Context())
    for text in parts.warnings:
        site.warn(text)
    return site.unsupported(reason, parts.weights)


def rectified(site: Site, values: Sequence[Value], slope: float) -> Sequence[Value]:
    """The tops of a layer of Intel's fork that has a rectifier in it, which in Keras stands behind it."""
    call = KerasCall("ReLU", (("negative_slope", slope),) if slope else ())
    site.warn(
        f"its relu is set: a ReLU{f' of negative_slope {slope:g}' if slope else ''} must stand behind it in a model of "
        "your own, as in that of --format py"
    )
    return [Value(site.add(call, (value.edge,), part="after", name="relu"), value.held) for value in values]


def as_given(site: Site, value: Value, rule: Rule) -> Value:
    """The bottom, or what `--flatten-shape` says of it."""
    given = site.options.flatten_shapes.get(site.layer.name)
    if given is None or not rule.along or site.options.flatten_order == "chw":
        return value
    shape = value.held.shape if value.held.rank == 2 else (None, None)
    return Value(value.edge, Held("flat", shape, (given,)) if is_reordered(given) else Held("axes", shape))


def put_in(site: Site, arrived: Value, parts: Parts, rule: Rule) -> tuple[Value, ...]:
    """What a rule made, in the graph."""
    for text in parts.notes:
        site.note(text)
    for text in parts.warnings:
        site.warn(text)
    if parts.keras is None:
        return site.unsupported(f"Keras has no layer for {site.layer.type}", parts.weights)
    edge = site.then(arrived.edge, parts.before, "before")
    edge = site.add(parts.keras, (edge,), weights=parts.weights)
    for extra in parts.extra:
        edge = site.add(
            extra.keras, (edge,), weights=extra.weights, name=extra.name.removeprefix(f"{site.layer.name}_")
        )
    tops = (Value(site.then(edge, parts.after, "after"), rule.held(site, 0)),)
    return tops if parts.problem is None else site.blocked(tops, parts.problem)
