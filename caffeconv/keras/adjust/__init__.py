"""What a user may want otherwise: RGB for BGR, BatchNorms folded away, or complete, each a graph made of another; and
the names and the backend of finished arrays.
"""

from caffeconv.keras.adjust.colours import bgr_to_rgb
from caffeconv.keras.adjust.folding import complete_batchnorm, fold_batchnorm

__all__ = ["bgr_to_rgb", "complete_batchnorm", "fold_batchnorm"]
