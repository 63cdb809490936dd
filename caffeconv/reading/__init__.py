"""Bytes and text of Caffe's files, of any generation and of its forks, to today's messages and to arrays."""
