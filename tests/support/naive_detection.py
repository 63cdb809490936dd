"""Detection layers of the forks as plain loops over their C++, in single precision and in Caffe's order of axes.

Sources: weiliu89/caffe `ssd` (`detection_output_layer.cpp`, `util/bbox_util.cpp`), daijifeng001/caffe-rfcn
(`psroi_pooling_layer.cu`), Cambricon/caffe (`roi_align_layer.cpp`), eric612/MobileNet-YOLO
(`yolo_detection_output_layer.cpp`, `yolov3_detection_output_layer.cpp`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffeconv.model import Array

__all__ = ["detections", "position_sensitive_means", "region_points", "rounded", "yolo_detections", "yolov3_detections"]

Box = tuple[Any, Any, Any, Any]
F = np.float32


def rounded(value: float) -> int:
    """As C rounds: halves away from 0."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


# SSD


def detections(
    locations: Array, confidences: Array, priors: Array, num_classes: int, share_location: bool = True,
    background_label_id: int = 0, code_type: str = "CORNER", variance_encoded_in_target: bool = False,
    confidence_threshold: float = -3.4e38, nms_threshold: float = 0.3, eta: float = 1, top_k: int = -1,
    keep_top_k: int = -1,
) -> list[list[Array]]:  # fmt: skip
    """The rows of each image. Where std::sort leaves the order open, that of equal scores, it is as found."""
    count = priors.shape[2] // 4
    results = []
    for image in range(len(locations)):
        kept: list[tuple[float, int, int, Box]] = []
        for label in range(num_classes):
            if label == background_label_id:
                continue
            classes = 1 if share_location else num_classes
            offsets = locations[image].reshape(count, classes, 4)[:, 0 if share_location else label]
            scores = confidences[image].reshape(count, num_classes)[:, label]
            boxes = [
                decoded(priors[0, 0, 4 * n : 4 * n + 4], priors[0, 1, 4 * n : 4 * n + 4], offsets[n], code_type,
                        variance_encoded_in_target)
                for n in range(count)
            ]  # fmt: skip
            chosen = suppressed(boxes, scores, confidence_threshold, nms_threshold, eta, top_k)
            kept += [(scores[n], label, n, boxes[n]) for n in chosen]
        if -1 < keep_top_k < len(kept):
            kept = sorted(kept, key=lambda each: -each[0])[:keep_top_k]
            kept = sorted(kept, key=lambda each: each[1])
        results.append([np.array([image, label, score, *box], F) for score, label, _, box in kept])
    return results


def decoded(prior: Array, variance: Array, offset: Array, code: str, encoded: bool) -> Box:
    """DecodeBBox."""
    if encoded:
        variance = np.ones(4, F)
    wide, tall = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CENTER_SIZE":
        x = variance[0] * offset[0] * wide + (prior[0] + prior[2]) / F(2)
        y = variance[1] * offset[1] * tall + (prior[1] + prior[3]) / F(2)
        width, height = np.exp(variance[2] * offset[2]) * wide, np.exp(variance[3] * offset[3]) * tall
        return x - width / F(2), y - height / F(2), x + width / F(2), y + height / F(2)
    by = (wide, tall, wide, tall) if code == "CORNER_SIZE" else (F(1),) * 4
    left, top, right, bottom = (prior[n] + variance[n] * offset[n] * by[n] for n in range(4))
    return left, top, right, bottom


def suppressed(boxes: Sequence[Box], scores: Array, least: float, limit: float, eta: float, top_k: int) -> list[int]:
    """ApplyNMSFast."""
    order = [n for n in range(len(boxes)) if scores[n] > F(least)]
    order.sort(key=lambda n: -scores[n])  # is stable
    if -1 < top_k < len(order):
        order = order[:top_k]
    kept: list[int] = []
    adaptive = F(limit)
    for n in order:
        if all(overlap(boxes[n], boxes[other]) <= adaptive for other in kept):
            kept.append(n)
            if eta < 1 and adaptive > 0.5:
                adaptive *= F(eta)
    return kept


def overlap(one: Box, other: Box) -> Any:
    """JaccardOverlap."""
    if other[0] > one[2] or other[2] < one[0] or other[1] > one[3] or other[3] < one[1]:
        return F(0)
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if not (width > 0 and height > 0):
        return F(0)
    return width * height / (area(one) + area(other) - width * height)


def area(box: Box) -> Any:
    """BBoxSize."""
    if box[2] < box[0] or box[3] < box[1]:
        return F(0)
    return (box[2] - box[0]) * (box[3] - box[1])


# Regions


def position_sensitive_means(x: Array, regions: Array, outputs: int, parts: int, scale: float) -> Array:
    """(regions, outputs, parts, parts)."""
    result = np.zeros((len(regions), outputs, parts, parts), F)
    for place, (item, *edges) in enumerate(regions):
        left, top = (F(rounded(edge)) * F(scale) for edge in edges[:2])
        right, bottom = (F(rounded(edge) + 1) * F(scale) for edge in edges[2:])
        wide, tall = (max(length, F(0.1)) / F(parts) for length in (right - left, bottom - top))
        for output, row, column in itertools.product(range(outputs), range(parts), range(parts)):
            rows = cut(F(row) * tall + top, F(row + 1) * tall + top, x.shape[2])
            columns = cut(F(column) * wide + left, F(column + 1) * wide + left, x.shape[3])
            values = x[int(item), (output * parts + row) * parts + column, rows, columns]
            if values.size:
                result[place, output, row, column] = values.sum() / F(values.size)
    return result


def cut(begin: Any, end: Any, size: int) -> slice:
    """Whole pixels, as far as they are there."""
    first, behind = (min(max(edge, 0), size) for edge in (math.floor(begin), math.ceil(end)))
    return slice(first, max(first, behind))


def region_points(x: Array, regions: Array, height: int, width: int, scale: float, ratio: int) -> Array:
    """(regions, C, height, width): means of points."""
    result = np.zeros((len(regions), x.shape[1], height, width), F)
    for place, (item, *edges) in enumerate(regions):
        left, top, right, bottom = (F(edge) * F(scale) for edge in edges)
        wide, tall = max(right - left, F(1)) / F(width), max(bottom - top, F(1)) / F(height)
        down, across = (ratio if ratio > 0 else math.ceil(length) for length in (tall, wide))
        for row, column in itertools.product(range(height), range(width)):
            total = np.zeros(x.shape[1], F)
            for point_y, point_x in itertools.product(range(down), range(across)):
                at_y = top + F(row) * tall + (F(point_y) + F(0.5)) * tall / F(down)
                at_x = left + F(column) * wide + (F(point_x) + F(0.5)) * wide / F(across)
                total += between(x[int(item)], at_y, at_x)
            result[place, :, row, column] = total / F(down * across)
    return result


def between(maps: Array, y: Any, x: Any) -> Array:
    """The pixels around a point, each by how near it is; nothing beyond a pixel's distance from the maps."""
    _, height, width = maps.shape
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(len(maps), F)
    y, x = max(y, F(0)), max(x, F(0))
    above, before = min(math.floor(y), height - 1), min(math.floor(x), width - 1)
    below, behind = min(above + 1, height - 1), min(before + 1, width - 1)
    y, x = (F(above) if above == height - 1 else y), (F(before) if before == width - 1 else x)
    down, across = y - F(above), x - F(before)
    first = maps[:, above, before] * (1 - across) + maps[:, above, behind] * across
    second = maps[:, below, before] * (1 - across) + maps[:, below, behind] * across
    result: Array = first * (1 - down) + second * down
    return result


# YOLO

Found = tuple[float, int, Box]
"""Score, class, and middle and size."""


def yolo_detections(
    maps: Sequence[Array], biases: Sequence[float], classes: int, least: float = 0.01, limit: float = 0.45
) -> list[Array]:
    """The rows of all images together."""
    found: list[Found] = []
    for x in maps:
        side, boxes = x.shape[3], x.shape[1] // (5 + classes)
        for item, row, column, n in itertools.product(range(len(x)), range(side), range(side), range(boxes)):
            values = x[item, n * (5 + classes) : (n + 1) * (5 + classes), row, column]
            powers = np.exp(values[5:] - values[5:].max())
            best = int(powers.argmax())
            score = sigmoid(values[4]) * powers[best] / powers.sum()
            if score >= least:
                across, down = (np.exp(values[2 + axis]) * F(biases[2 * n + axis]) / F(side) for axis in range(2))
                found.append((score, best, (*middle(values, row, column, side), across, down)))
    return of_all_images(found, limit)


def yolov3_detections(
    maps: Sequence[Array], biases: Sequence[float], mask: Sequence[int], scales: Sequence[int], classes: int,
    least: float = 0.01, limit: float = 0.45,
) -> list[Array]:  # fmt: skip
    """The rows of all images together: a box is looked at once for every class."""
    found: list[Found] = []
    each = len(mask) // len(maps)
    for group, x in enumerate(maps):
        side = x.shape[3]
        for item, row, column, n in itertools.product(range(len(x)), range(side), range(side), range(each)):
            values = x[item, n * (5 + classes) : (n + 1) * (5 + classes), row, column]
            anchor = mask[group * each + n]
            for label in range(classes):
                score = sigmoid(values[5 + label]) * sigmoid(values[4])
                if score > least:
                    across, down = (
                        np.exp(values[2 + axis]) * F(biases[2 * anchor + axis]) / F(side * scales[group])
                        for axis in range(2)
                    )
                    found.append((score, label, (*middle(values, row, column, side), across, down)))
    return of_all_images(found, limit)


def sigmoid(x: Any) -> Any:
    return F(1 / (1 + np.exp(-x)))


def middle(values: Array, row: int, column: int, side: int) -> tuple[Any, Any]:
    return (F(column) + sigmoid(values[0])) / F(side), (F(row) + sigmoid(values[1])) / F(side)


def of_all_images(found: Sequence[Found], limit: float) -> list[Array]:
    """ApplyNms, and the rows of what is left."""
    ordered = sorted(found, key=lambda each: -each[0])
    gone: set[int] = set()
    for first, second in itertools.combinations(range(len(ordered)), 2):
        if first not in gone and second not in gone and common(ordered[first][2], ordered[second][2]) >= limit:
            gone.add(second)
    rows = []
    for place, (score, label, (x, y, width, height)) in enumerate(ordered):
        if place not in gone:
            edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            rows.append(np.array([0, label + 1, score, *edges], F))
    return rows


def common(one: Box, other: Box) -> Any:
    """box_iou."""
    sizes = []
    for axis in range(2):
        begin = max(one[axis] - one[2 + axis] / 2, other[axis] - other[2 + axis] / 2)
        end = min(one[axis] + one[2 + axis] / 2, other[axis] + other[2 + axis] / 2)
        sizes.append(end - begin)
    if min(sizes) < 0:
        return F(0)
    shared = sizes[0] * sizes[1]
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
