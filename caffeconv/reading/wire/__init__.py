"""The bytes of a `.caffemodel`: a NetParameter in protobuf's wire format, read without copying its weights.

The file is mapped, never read whole. The walk touches tags and lengths only; each blob's values become a read-only
NumPy view into the mapping (`blobs`), and the few bytes left of every layer go to the generated bindings (`layers`).
"""
