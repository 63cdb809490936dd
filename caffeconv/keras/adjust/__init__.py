"""What a user may want otherwise in a finished conversion: RGB for BGR, BatchNorms folded away, or complete.

Each takes a result, and the net where it must know who reads whom, and gives another result.
"""

from caffeconv.keras.adjust.colours import bgr_to_rgb
from caffeconv.keras.adjust.folding import complete_batchnorm, fold_batchnorm

__all__ = ["bgr_to_rgb", "complete_batchnorm", "fold_batchnorm"]
