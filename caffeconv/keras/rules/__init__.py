"""From Caffe's vocabulary to Keras': which layer a layer becomes, and how its arrays are laid out there."""

from caffeconv.keras.rules.record import Context, Parts, Rule
from caffeconv.keras.rules.table import RULES

__all__ = ["RULES", "Context", "Parts", "Rule"]
