"""Any generation of Caffe to today's, step by step as Caffe itself does it (src/caffe/util/upgrade_proto.cpp)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe_proto import caffe_pb2
from caffeconv.errors import ParseError
from caffeconv.reading.upgrade.today import upgrade_net_batch_norm, upgrade_net_input, upgrade_type_spelling
from caffeconv.reading.upgrade.transformation import needs_data_upgrade, upgrade_net_data_transformation
from caffeconv.reading.upgrade.v0 import needs_v0_upgrade, upgrade_v0_net
from caffeconv.reading.upgrade.v1 import settle_type_words, upgrade_v1_net

if TYPE_CHECKING:
    from caffeconv.model import Note

__all__ = ["upgrade_net"]


def upgrade_net(net: caffe_pb2.NetParameter) -> tuple[caffe_pb2.NetParameter, tuple[Note, ...]]:
    """The net in today's form, from text or binary, and what was dropped or taken for something else on the way.

    `net` stays as it is; the result shares nothing with it. Blobs are copied along, whatever fields of them are set.

    Raises:
        ParseError: the net mixes `layer` and `layers`, or has a padding layer where Caffe allows none.
    """
    if net.layer and net.layers:
        first, other = (net.layer[0].name, net.layers[0].name or net.layers[0].layer.name)
        raise ParseError(f'"{first}" is given as layer and "{other}" as layers: a net must keep to one of both forms')
    upgraded = caffe_pb2.NetParameter()
    upgraded.CopyFrom(net)
    notes: tuple[Note, ...] = ()
    if needs_v0_upgrade(upgraded):
        upgraded, notes = upgrade_v0_net(upgraded)
    settle_type_words(upgraded)
    if needs_data_upgrade(upgraded):
        upgrade_net_data_transformation(upgraded)
    if upgraded.layers:
        upgraded = upgrade_v1_net(upgraded)
    notes += upgrade_type_spelling(upgraded)
    notes += upgrade_net_input(upgraded)
    upgrade_net_batch_norm(upgraded)
    return upgraded, notes
