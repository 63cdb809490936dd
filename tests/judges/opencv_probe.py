"""Runs nets of Caffe in OpenCV's dnn: `python opencv_probe.py FOLDER…`, by a Python that has cv2.

Each folder has net.prototxt, net.caffemodel if the net has weights, inputs.npz, and wanted.txt with the names of blobs,
which are written to outputs.npz, or what OpenCV says against it to error.txt.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def outputs(folder: Path) -> dict[str, Any]:
    weights = folder / "net.caffemodel"
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), *([str(weights)] if weights.exists() else []))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    wanted = (folder / "wanted.txt").read_text().split()
    with np.load(folder / "inputs.npz") as inputs:
        for name in inputs.files:
            net.setInput(inputs[name], name)
    return dict(zip(wanted, net.forward(wanted), strict=True))


def run(folder: Path) -> None:
    try:
        found = outputs(folder)
    except cv2.error as error:
        (folder / "error.txt").write_text(str(error))
    else:
        np.savez(folder / "outputs.npz", **found)


for argument in sys.argv[1:]:
    run(Path(argument))
