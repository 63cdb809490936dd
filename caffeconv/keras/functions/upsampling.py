"""Maps brought to another size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "interpolate"]

ops: Any = None


def interpolate(x, height, width, crop):
    """Bilinear, with corner on corner (DeepLab's interp_layer); `crop`: pixels less at the begin and the end."""
    begin, end = crop
    rows, columns = x.shape[1] - begin - end, x.shape[2] - begin - end

    def weights(old, new, whole):
        table = []
        for place in range(new):
            at = place * (old - 1) / (new - 1) if new > 1 else 0.0
            low = min(int(at), old - 1)
            row = [0.0] * whole
            row[begin + low] += 1 - (at - low)
            row[begin + min(low + 1, old - 1)] += at - low
            table.append(row)
        return table

    down = ops.convert_to_tensor(weights(rows, height, x.shape[1]), dtype="float32")
    across = ops.convert_to_tensor(weights(columns, width, x.shape[2]), dtype="float32")
    x = ops.einsum("ah,nhwc->nawc", down, x)
    return ops.einsum("bw,nawc->nabc", across, x)


CLASSES: Mapping[str, Callable[..., Any]] = {"Interpolate": interpolate}
