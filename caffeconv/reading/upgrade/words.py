"""The words for layer types in every generation of Caffe, as the catalogue has them."""

from __future__ import annotations

from caffe_proto import caffe_pb2
from caffeconv.catalogue import LAYER_TYPES

__all__ = ["CAFFE_V1_WORDS", "FORK_V1_WORDS", "V0_WORDS", "V1_SPELLINGS"]

V0_WORDS = {each.v0: each.v1 for each in LAYER_TYPES.values() if each.v0}
"""V0 word → V1 word (upgrade_proto.cpp, UpgradeV0LayerType)."""

CAFFE_V1_WORDS = {"NONE": ""} | {each.v1: each.name for each in LAYER_TYPES.values() if each.v1}
"""V1 word → today's type (upgrade_proto.cpp, UpgradeV1LayerType)."""

FORK_V1_WORDS = {word: each.name for each in LAYER_TYPES.values() for word in each.fork_v1}
"""V1 words of forks → the type that forks of today's form give such layers."""

V1_SPELLINGS = {
    **{today: word for word, today in CAFFE_V1_WORDS.items() if today},
    **{value.name: value.name for value in caffe_pb2.V1LayerParameter.LayerType.DESCRIPTOR.values},
}
"""Every spelling of a type that has a word of its own in V1 → that word."""
