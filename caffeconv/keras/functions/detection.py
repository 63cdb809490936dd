"""Boxes, and what lies in them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "detection_output", "prior_box", "yolo_detection_output", "yolov3_detection_output"]

ops: Any = None


def prior_box(x, image, sizes, clip, variances, steps, offset, image_size):
    """(1, 2, boxes · 4): priors of each pixel of x, relative to the image, and their variances (SSD's prior_box_layer).

    `sizes`, `steps` and `image_size` are along rows and columns, the latter two 0 where the shapes tell them.
    """
    rows, columns = x.shape[1:3]
    height, width = (own or size for own, size in zip(image_size, image.shape[1:3]))
    down, across = steps[0] or height / rows, steps[1] or width / columns
    boxes = []
    for row, column, box in itertools.product(range(rows), range(columns), sizes):
        y, x = (row + offset) * down, (column + offset) * across
        tall, wide = box[0] / 2, box[1] / 2
        boxes += [(x - wide) / width, (y - tall) / height]
        boxes += [(x + wide) / width, (y + tall) / height]
    if clip:
        boxes = [min(max(edge, 0.0), 1.0) for edge in boxes]
    repeated = list(variances) * (len(boxes) // len(variances))
    return ops.convert_to_tensor([[boxes, repeated]], dtype="float32")


def _kept(edges, areas, candidates, limit, eta, fits):
    """1 for each candidate that fits all that are kept before it, along the last axis.

    `fits` takes the largest overlap with these, and the limit, which is lowered by
    `eta` with each box that is kept while it is above 1/2 (bbox_util's ApplyNMSFast).
    """
    sides = [*edges, areas]
    left, top, right, bottom = edges
    place = ops.cumsum(ops.ones_like(left), axis=-1) * -1.0
    none = -1e9

    def first_of(boxes):
        return ops.max(ops.where(boxes, place, none), axis=-1, keepdims=True)

    def has_one(now, overlap, limits, kept):
        return ops.max(now, axis=tuple(range(len(now.shape)))) > none

    def keep_it(now, overlap, limits, kept):
        it = place == now
        own = [ops.where(it, side, 0.0) for side in sides]
        own = [ops.sum(side, axis=-1, keepdims=True) for side in own]
        width = ops.minimum(right, own[2]) - ops.maximum(left, own[0])
        height = ops.minimum(bottom, own[3]) - ops.maximum(top, own[1])
        touching = ops.logical_and(width > 0.0, height > 0.0)
        shared = ops.where(touching, width * height, 0.0)
        union = ops.where(touching, areas + own[4] - shared, 1.0)
        overlap = ops.maximum(overlap, shared / union)
        lowered = ops.logical_and(now > none, limits > 0.5)
        limits = ops.where(lowered, limits * eta, limits)
        left_over = ops.logical_and(candidates, place < now)
        now = first_of(ops.logical_and(left_over, fits(overlap, limits)))
        return now, overlap, limits, ops.where(it, 1.0, kept)

    now, zeros = first_of(candidates), ops.zeros_like(left)
    state = (now, zeros, ops.zeros_like(now) + limit, zeros)
    return ops.while_loop(has_one, keep_it, state)[3]


def _decoded(offsets, priors, variances, code_type):
    """Left, top, right, bottom of boxes (…, 4) encoded against priors (bbox_util)."""
    offsets = offsets * variances
    low, high = priors[..., :2], priors[..., 2:]
    size = high - low
    if code_type == "CENTER_SIZE":
        middle = offsets[..., :2] * size + (low + high) / 2.0
        half = ops.exp(offsets[..., 2:]) * size / 2.0
        low, high = middle - half, middle + half
    else:
        scale = size if code_type == "CORNER_SIZE" else 1.0
        low, high = low + offsets[..., :2] * scale, high + offsets[..., 2:] * scale
    return low[..., 0], low[..., 1], high[..., 0], high[..., 1]


def detection_output(
    locations,
    confidences,
    priors,
    num_classes,
    share_location,
    background_label_id,
    code_type,
    variance_encoded_in_target,
    confidence_threshold,
    nms_threshold,
    eta,
    top_k,
    keep_top_k,
):
    """(1, 1, rows, 7): image, label, score, left, top, right, bottom (SSD's).

    Each image has as many rows, in Caffe's order: by label, the best score first. Where
    it has fewer detections, its last rows are all -1.
    """
    corners, variances = priors[:1, 0], priors[:1, 1]
    count = priors.shape[2] // 4
    corners = ops.reshape(corners, (1, 1, count, 4))
    variances = ops.reshape(variances, (1, 1, count, 4))
    if variance_encoded_in_target:
        variances = ops.ones_like(variances)
    labels = [each for each in range(num_classes) if each != background_label_id]
    wanted = ops.convert_to_tensor(labels, dtype="int32")
    scores = ops.reshape(confidences, (-1, count, num_classes))
    scores = ops.take(ops.transpose(scores, (0, 2, 1)), wanted, axis=1)
    offsets = (-1, count, 1 if share_location else num_classes, 4)
    offsets = ops.transpose(ops.reshape(locations, offsets), (0, 2, 1, 3))
    if not share_location:
        offsets = ops.take(offsets, wanted, axis=1)
    edges = _decoded(offsets, corners, variances, code_type)
    if share_location:
        edges = [ops.concatenate([each] * len(labels), axis=1) for each in edges]

    most = count if top_k < 0 else min(top_k, count)
    scores = ops.where(scores > confidence_threshold, scores, -math.inf)
    order = ops.argsort(scores * -1.0, axis=-1)[..., :most]
    scores, *edges = (ops.take_along_axis(x, order, axis=-1) for x in (scores, *edges))
    left, top, right, bottom = edges
    areas = ops.maximum(right - left, 0.0) * ops.maximum(bottom - top, 0.0)
    candidates = scores > confidence_threshold
    kept = _kept(edges, areas, candidates, nms_threshold, eta, lambda x, y: x <= y)

    every = len(labels) * most
    keep = every if keep_top_k < 0 else min(keep_top_k, every)
    kept, scores, *edges = (ops.reshape(x, (-1, every)) for x in (kept, scores, *edges))
    best = ops.argsort(ops.where(kept > 0.0, scores, -math.inf) * -1.0, axis=-1)
    best = best[:, :keep]
    found = ops.take_along_axis(kept, best, axis=-1) > 0.0
    places = ops.sort(ops.where(found, best, every), axis=-1)
    found = ops.expand_dims(places < every, 2)
    places = ops.minimum(places, every - 1)
    scores, *edges = (ops.take_along_axis(x, places, axis=-1) for x in (scores, *edges))
    label_of = [float(label) for label in labels for _ in range(most)]
    label_of = ops.convert_to_tensor(label_of, dtype="float32")
    label_of = ops.take(label_of, places, axis=0)
    images = ops.cumsum(ops.ones_like(label_of), axis=0) - 1.0
    rows = ops.stack([images, label_of, scores, *edges], axis=-1)
    return ops.reshape(ops.where(found, rows, -1.0), (1, 1, -1, 7))


def _in_cells(x, anchors, classes):
    """Middle, size, objectness and classes of each anchor's box in each cell."""
    rows, columns = x.shape[1:3]
    shape = (-1, rows, columns, len(anchors), 5 + classes)
    x = ops.reshape(x, shape)
    cells = [[[[column, row]] for column in range(columns)] for row in range(rows)]
    cells = ops.convert_to_tensor([cells], dtype="float32")
    shape = ops.convert_to_tensor([[[[[columns, rows]]]]], dtype="float32")
    anchors = ops.convert_to_tensor([[[list(anchors)]]], dtype="float32")
    middle = (ops.sigmoid(x[..., :2]) + cells) / shape
    return middle, ops.exp(x[..., 2:4]) * anchors, ops.sigmoid(x[..., 4]), x[..., 5:]


def _yolo_rows(boxes, is_candidate, nms_threshold):
    """(1, 1, rows, 7) of (middle, size, score, class) for each map, the kept first."""
    columns = []
    for of_maps, shape in zip(zip(*boxes), ((-1, 2), (-1, 2), (-1,), (-1,))):
        flat = [ops.reshape(each, shape) for each in of_maps]
        columns.append(ops.concatenate(flat, axis=0))
    middle, size, scores, classes = columns
    scores = ops.where(is_candidate(scores), scores, -1.0)
    order = ops.argsort(scores * -1.0, axis=-1)
    x, y = (ops.take(middle[:, axis], order, axis=0) for axis in range(2))
    width, height = (ops.take(size[:, axis], order, axis=0) for axis in range(2))
    scores, classes = (ops.take(each, order, axis=0) for each in (scores, classes))
    edges = [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
    limit, candidates = nms_threshold, scores >= 0.0
    kept = _kept(edges, width * height, candidates, limit, 1.0, lambda x, y: x < y)
    places = ops.argsort(kept * -1.0, axis=-1)
    rows = [ops.zeros_like(scores), ops.cast(classes, "float32") + 1.0, scores, *edges]
    rows = ops.take(ops.stack(rows, axis=-1), places, axis=0)
    kept = ops.expand_dims(ops.take(kept, places, axis=0), 1)
    return ops.reshape(ops.where(kept > 0.0, rows, -1.0), (1, 1, -1, 7))


def yolo_detection_output(
    *maps,
    anchors,
    num_classes,
    confidence_threshold,
    nms_threshold,
):
    """(1, 1, rows, 7): 0, 1 + class, score, left, top, right, bottom (eric612's YOLO).

    All images together have a row for each box there can be, the best score first; the
    rows that are left over are all -1.
    """
    boxes = []
    for x, sizes in zip(maps, anchors):
        middle, size, is_object, classes = _in_cells(x, sizes, num_classes)
        beside = classes - ops.max(classes, axis=-1, keepdims=True)
        score = is_object / ops.sum(ops.exp(beside), axis=-1)
        boxes.append((middle, size, score, ops.argmax(classes, axis=-1)))
    return _yolo_rows(boxes, lambda x: x >= confidence_threshold, nms_threshold)


def yolov3_detection_output(
    *maps,
    anchors,
    num_classes,
    confidence_threshold,
    nms_threshold,
):
    """(1, 1, rows, 7): 0, 1 + class, score, left, top, right, bottom (eric612's YOLO).

    As in yolo_detection_output. Of a box that may be of several classes the best alone
    can be kept, since boxes of any classes suppress each other.
    """
    boxes = []
    for x, sizes in zip(maps, anchors):
        middle, size, is_object, classes = _in_cells(x, sizes, num_classes)
        score = ops.max(ops.sigmoid(classes), axis=-1) * is_object
        boxes.append((middle, size, score, ops.argmax(classes, axis=-1)))
    return _yolo_rows(boxes, lambda x: x > confidence_threshold, nms_threshold)


CLASSES: Mapping[str, Callable[..., Any]] = {
    "DetectionOutput": detection_output,
    "PriorBox": prior_box,
    "YoloDetectionOutput": yolo_detection_output,
    "Yolov3DetectionOutput": yolov3_detection_output,
}
