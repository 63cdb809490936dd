"""Real public nets and models, with what real Caffe says of them; they lie beside the checkout where they exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.places import SHARED

MODELS = sorted(path for path in (SHARED / "models").glob("*") if path.is_dir())
PROTOTXTS = sorted((SHARED / "prototxts").glob("*.prototxt"))

needs_models = pytest.mark.skipif(not MODELS, reason="no folder of public models beside the checkout")
needs_prototxts = pytest.mark.skipif(not PROTOTXTS, reason="no folder of public prototxts beside the checkout")


def weights_of(folder: Path) -> Path:
    """The file of weights in a model's folder."""
    return next(folder.glob("model.caffemodel*"))


def caffe_says(path: Path) -> dict[str, Any]:
    """What real Caffe made of a net."""
    says: dict[str, Any] = json.loads(path.read_text())
    return says
