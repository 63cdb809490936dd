"""Maps brought to another size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "interpolate", "spread", "unpool"]

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


def unpool(x, mask, before, pool_size, strides, pads, height, width):
    """x where `mask`, made by a pooling of `before`, says, else 0 (SegNet's upsample_layer, DeconvNet's unpooling).

    Where several windows have one maximum the last of them counts. Places are counted through the whole map, so that
    they mean others where the top has not the size of `before`, as in Caffe.
    """
    rows, columns = before.shape[1:3]
    near = []
    for axis, size in enumerate((rows, columns)):
        kernel, stride, (pad, _) = pool_size[axis], strides[axis], pads[axis]
        last, most = x.shape[axis + 1] - 1, -(-kernel // stride)
        windows = [(at + pad) // stride for at in range(size)]
        shifted = [[each - back for each in windows] for back in reversed(range(most))]
        near.append([[min(max(each, 0), last) for each in row] for row in shifted])
    places = ops.convert_to_tensor(list(range(rows * columns)), dtype="float32")
    places = ops.reshape(places, (1, rows, columns, 1))
    top = 0.0
    for down in near[0]:
        down = ops.convert_to_tensor(down)
        values, marks = ops.take(x, down, axis=1), ops.take(mask, down, axis=1)
        for across in near[1]:
            across = ops.convert_to_tensor(across)
            hit = ops.equal(ops.take(marks, across, axis=2), places)
            top = ops.where(hit, ops.take(values, across, axis=2), top)
    if (height, width) == (rows, columns):
        return top
    top = ops.reshape(top, (-1, rows * columns, x.shape[-1]))
    top = ops.pad(top, ((0, 0), (0, max(height * width - rows * columns, 0)), (0, 0)))
    if height * width < rows * columns:
        top = ops.split(top, [height * width], axis=1)[0]
    return ops.reshape(top, (-1, height, width, x.shape[-1]))


def spread(x, method, pool_size, strides, height, width):
    """Each value all over its window (TILE), shared out in it (AVE), or at its begin (MAX), and added up there."""

    def weights(new, old, kernel, stride):
        table = [[0.0] * old for _ in range(new)]
        for at in range(old):
            begin, end = min(at * stride, new - 1), min(at * stride + kernel, new)
            if method == "MAX":
                table[begin] = [float(at == each) for each in range(old)]
                continue
            for place in range(at * stride, end):
                table[place][at] = 1.0 if method == "TILE" else 1 / (end - at * stride)
        return ops.convert_to_tensor(table, dtype="float32")

    down = weights(height, x.shape[1], pool_size[0], strides[0])
    across = weights(width, x.shape[2], pool_size[1], strides[1])
    x = ops.einsum("ah,nhwc->nawc", down, x)
    return ops.einsum("bw,nawc->nabc", across, x)


CLASSES: Mapping[str, Callable[..., Any]] = {
    "Interpolate": interpolate,
    "Spread": spread,
    "Unpool": unpool,
}
