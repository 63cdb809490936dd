"""One layer with the shapes that Caffe gives its tops and parameter blobs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from google.protobuf import text_format

from caffe_proto.caffe_pb2 import LayerParameter

if TYPE_CHECKING:
    from caffeconv.model import MaybeShape, PartialShape

__all__ = ["CONT", "IMAGE", "LABELS", "MATRIX", "SEQUENCE", "VOLUME", "Case"]

IMAGE = (2, 4, 6, 8)
MATRIX = (5, 3)
VOLUME = (1, 2, 4, 5, 6)
LABELS = (5,)
SEQUENCE = (7, 2, 3)
CONT = (7, 2)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer: its type, the text of its parameter, its bottoms; its tops and blobs, `None` for what is not known."""

    type: str
    text: str = ""
    bottoms: tuple[MaybeShape, ...] = ()
    tops: tuple[MaybeShape, ...] = (None,)
    blobs: tuple[PartialShape, ...] | None = ()

    @property
    def param(self) -> LayerParameter:
        param = text_format.Parse(self.text, LayerParameter(name="layer", type=self.type))
        param.bottom.extend(f"b{index}" for index in range(len(self.bottoms)))
        param.top.extend(f"t{index}" for index in range(len(self.tops)))
        return param
