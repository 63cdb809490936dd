"""The forks' layers for object detection."""

from __future__ import annotations

from caffeconv.keras.rules.flattening import maps, same_axes
from caffeconv.keras.rules.record import Rule

__all__ = ["ROWS"]


ROWS = {
    "DetectionOutput":       Rule(),
    "PSROIPooling":          Rule(order=maps),
    "PriorBox":              Rule(order=same_axes, channels="unread"),
    "PriorBoxClustered":     Rule(order=same_axes, channels="unread"),
    "ROIAlign":              Rule(order=maps),
    "ROIPooling":            Rule(order=maps),
    "YoloDetectionOutput":   Rule(),
    "Yolov3DetectionOutput": Rule(),
}  # fmt: skip
