"""The forks' layers for object detection."""

from __future__ import annotations

from caffeconv.keras.rules.record import Rule

__all__ = ["ROWS"]

ROWS = {
    "DetectionOutput":       Rule(),
    "PSROIPooling":          Rule(),
    "PriorBox":              Rule(channels="unread"),
    "PriorBoxClustered":     Rule(channels="unread"),
    "ROIAlign":              Rule(),
    "ROIPooling":            Rule(),
    "YoloDetectionOutput":   Rule(),
    "Yolov3DetectionOutput": Rule(),
}  # fmt: skip
