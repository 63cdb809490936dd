"""The output formats, one module each. They know names and arrays, and nothing of Caffe."""
