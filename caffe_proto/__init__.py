"""The schema of Caffe's files, `caffe.proto`, and the bindings generated from it, `caffe_pb2`.

It is complete for Caffe 1.0 and knows the settings of Caffe's forks by name; the head of `caffe.proto` says how. Its
package is `caffe_proto`, not `caffe`, so that a real Caffe can be imported beside it.
"""

FIRST_PRIVATE_NUMBER = 10000
"""Fields and words of enums from this number on are the schema's own: they never come from a file in binary."""
