"""From Caffe's words to Keras': rules, conversion, and what a user may want otherwise in a finished conversion."""
