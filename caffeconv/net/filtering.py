"""Which layers of a net remain for one phase, level and set of stages.

Follows `Net::FilterNet` and `Net::StateMeetsRule` of Caffe's `src/caffe/net.cpp`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from caffeconv.errors import MismatchError
from caffeconv.model import Note

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter, NetParameter, NetStateRule

__all__ = ["State", "keep_layers", "list_left_out", "list_without_effect"]

_PHASES = {0: "TRAIN", 1: "TEST"}
_PHASE_OPTIONS = {f"--phase {phase.lower()}" for phase in _PHASES.values()}
_SHOWN = 5

_LeftOut: TypeAlias = "tuple[LayerParameter, list[str]]"
"""A layer that is left out, and the options each of which brings it."""


@dataclasses.dataclass(frozen=True)
class State:
    """What `include` and `exclude` rules are held against."""

    phase: Literal["TRAIN", "TEST"] = "TEST"
    level: int = 0
    stages: frozenset[str] = frozenset()


def keep_layers(net: NetParameter, state: State) -> Iterable[LayerParameter]:
    """The layers of `net` that are part of it in `state`, in file order.

    Stages that the net's own `state` field names count too; its phase and level are replaced, as in Caffe.

    Raises:
        MismatchError: a layer has both `include` and `exclude` rules, which Caffe refuses.
    """
    state = _with_own_stages(net, state)
    for layer in net.layer:
        if layer.include and layer.exclude:
            raise MismatchError(f'layer "{layer.name}" has both include and exclude rules; Caffe allows one kind')
        if _is_kept(layer, state):
            yield layer


def _with_own_stages(net: NetParameter, state: State) -> State:
    return dataclasses.replace(state, stages=state.stages | frozenset(net.state.stage))


def _is_kept(layer: LayerParameter, state: State) -> bool:
    if layer.include:
        return any(_meets(state, rule) for rule in layer.include)
    return not any(_meets(state, rule) for rule in layer.exclude)


def _meets(state: State, rule: NetStateRule) -> bool:
    return (
        (not rule.HasField("phase") or _PHASES.get(rule.phase) == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and state.stages.issuperset(rule.stage)
        and state.stages.isdisjoint(rule.not_stage)
    )


def list_left_out(net: NetParameter, state: State, unmade: frozenset[str]) -> list[Note]:
    """Notes on the layers of `net` that are not there in `state`, with the options that would bring them.

    It is a warning where they make one of the blobs in `unmade`, which others read and nobody makes, or where nothing
    is left at all; else no more than a note, and none for those that only another phase has.
    """
    state = _with_own_stages(net, state)
    left_out = [(layer, list(_wanted(layer, state))) for layer in net.layer if not _is_kept(layer, state)]
    nothing = len(left_out) == len(net.layer)
    makers = [each for each in left_out if nothing or not unmade.isdisjoint(each[0].top)]
    if makers:
        blobs = dict.fromkeys(f'"{top}"' for layer, _ in makers for top in layer.top if top in unmade)
        what = "is left of the net" if nothing else f"makes {', '.join(blobs)}"
        text = f"give {_options(makers)}: without it nothing {what}, and these layers are left out: {_names(left_out)}"
        return [Note("warning", None, text)]
    others = [each for each in left_out if not _PHASE_OPTIONS.issuperset(each[1])]
    if not others:
        return []
    return [Note("info", None, f"left out for their stage or level: {_names(others)}; {_options(others)} brings them")]


def list_without_effect(net: NetParameter | None, state: State) -> list[Note]:
    """Notes on a phase, level or stage that was asked for and changes nothing; `None` is a net inside a caffemodel."""
    if net is None:
        if state == State():
            return []
        text = "leave out --phase, --level and --stage, or give the prototxt: the net inside a caffemodel was filtered"
        return [Note("warning", None, f"{text} when it was saved, and is taken whole")]
    rules = [rule for layer in net.layer for rule in (*layer.include, *layer.exclude)]
    known = list(dict.fromkeys(stage for rule in rules for stage in (*rule.stage, *rule.not_stage)))
    notes = []
    for stage in sorted(state.stages.difference(known)):
        there = f"the stages there are: {', '.join(known)}" if known else "it has no stages at all"
        notes.append(Note("warning", None, f'no layer of the prototxt speaks of stage "{stage}"; {there}'))
    if state.level and not any(rule.HasField("min_level") or rule.HasField("max_level") for rule in rules):
        notes.append(Note("info", None, f"--level {state.level} changes nothing: no layer of the prototxt has a level"))
    if state.phase != "TEST" and not any(rule.HasField("phase") for rule in rules):
        text = f"--phase {state.phase.lower()} changes nothing: no layer of the prototxt is of one phase only"
        notes.append(Note("info", None, text))
    return notes


def _wanted(layer: LayerParameter, state: State) -> Iterator[str]:
    """What each of the rules that keep a layer out asks for, as options."""
    if layer.include:
        for rule in layer.include:
            yield " ".join(_unmet(rule, state))
    else:
        for rule in layer.exclude:
            if _meets(state, rule):
                yield " or ".join(_escapes(rule))


def _unmet(rule: NetStateRule, state: State) -> Iterator[str]:
    if rule.HasField("phase") and _PHASES.get(rule.phase) != state.phase:
        yield f"--phase {_PHASES.get(rule.phase, '?').lower()}"
    yield from (f"--stage {stage}" for stage in rule.stage if stage not in state.stages)
    yield from (f"no --stage {stage}" for stage in rule.not_stage if stage in state.stages)
    if rule.HasField("min_level") and state.level < rule.min_level:
        yield f"--level {rule.min_level}"
    if rule.HasField("max_level") and state.level > rule.max_level:
        yield f"--level {rule.max_level}"


def _escapes(rule: NetStateRule) -> Iterator[str]:
    """Each of the ways in which an `exclude` rule is not met."""
    if rule.HasField("phase"):
        yield f"--phase {'test' if _PHASES.get(rule.phase) == 'TRAIN' else 'train'}"
    yield from (f"no --stage {stage}" for stage in rule.stage)
    yield from (f"--stage {stage}" for stage in rule.not_stage)
    if rule.HasField("min_level"):
        yield f"--level {rule.min_level - 1}"
    if rule.HasField("max_level"):
        yield f"--level {rule.max_level + 1}"


def _options(layers: Iterable[_LeftOut]) -> str:
    return " or ".join(dict.fromkeys(option for _, options in layers for option in options))


def _names(layers: Sequence[_LeftOut]) -> str:
    more = f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else ""
    return ", ".join(layer.name for layer, _ in layers[:_SHOWN]) + more
