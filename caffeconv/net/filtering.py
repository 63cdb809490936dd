"""Which layers of a net remain for one phase, level and set of stages.

Follows `Net::FilterNet` and `Net::StateMeetsRule` of Caffe's `src/caffe/net.cpp`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from caffeconv.errors import MismatchError

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter, NetParameter, NetStateRule

__all__ = ["State", "keep_layers"]

_PHASES = {0: "TRAIN", 1: "TEST"}


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
    state = dataclasses.replace(state, stages=state.stages | frozenset(net.state.stage))
    for layer in net.layer:
        if layer.include and layer.exclude:
            raise MismatchError(f'layer "{layer.name}" has both include and exclude rules; Caffe allows one kind')
        if layer.include:
            kept = any(_meets(state, rule) for rule in layer.include)
        else:
            kept = not any(_meets(state, rule) for rule in layer.exclude)
        if kept:
            yield layer


def _meets(state: State, rule: NetStateRule) -> bool:
    return (
        (not rule.HasField("phase") or _PHASES.get(rule.phase) == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and state.stages.issuperset(rule.stage)
        and state.stages.isdisjoint(rule.not_stage)
    )
