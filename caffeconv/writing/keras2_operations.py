"""The operations of Keras 3, as a model in Python has them under Keras 2: by TensorFlow."""

from __future__ import annotations

__all__ = ["OPS"]

OPS = '''
if hasattr(keras, "ops"):
    ops = keras.ops
else:  # Keras 2
    import tensorflow as tf

    class ops:
        """The operations of Keras 3 that are used below."""

        abs, add, cast, einsum = tf.abs, tf.add, tf.cast, tf.einsum
        exp, greater, log, maximum = tf.exp, tf.greater, tf.math.log, tf.maximum
        minimum, power, reshape, sigmoid = tf.minimum, tf.pow, tf.reshape, tf.sigmoid
        sqrt, stack, tanh, concatenate = tf.sqrt, tf.stack, tf.tanh, tf.concat
        matmul, convert_to_tensor = tf.matmul, tf.convert_to_tensor
        ceil, floor, sign, where = tf.math.ceil, tf.floor, tf.sign, tf.where
        logical_and, equal = tf.logical_and, tf.equal

        def expand_dims(x, axis):
            return tf.expand_dims(x, axis)

        def flip(x, axis):
            return tf.reverse(x, [axis])

        def max(x, axis, keepdims=False):
            return tf.reduce_max(x, axis, keepdims)

        def mean(x, axis, keepdims=False):
            return tf.reduce_mean(x, axis, keepdims)

        def sum(x, axis, keepdims=False):
            return tf.reduce_sum(x, axis, keepdims)

        def pad(x, widths, constant_values=0):
            return tf.pad(x, widths, constant_values=constant_values)

        def transpose(x, axes):
            return tf.transpose(x, axes)

        def take(x, indices, axis):
            return tf.gather(x, indices, axis=axis)

        def top_k(x, k):
            return tf.math.top_k(x, k)

        def split(x, points, axis):
            starts, ends = [0, *points], [*points, x.shape[axis]]
            sizes = [end - starts[number] for number, end in enumerate(ends)]
            return tf.split(x, sizes, axis)

        def average_pool(x, size, strides, padding):
            return tf.nn.avg_pool(x, size, strides, padding.upper())

        def max_pool(x, size, strides, padding):
            return tf.nn.max_pool(x, size, strides, padding.upper())

        # What finds boxes, and takes from them.
        argmax, cumsum, sort = tf.argmax, tf.cumsum, tf.sort
        ones_like, zeros_like = tf.ones_like, tf.zeros_like
        while_loop = tf.while_loop

        def argsort(x, axis):
            return tf.argsort(x, axis, stable=True)

        def take_along_axis(x, indices, axis):
            return tf.gather(x, indices, axis=axis, batch_dims=axis)
'''.strip("\n").split("\n")
