"""Bytes and text of Caffe's files, of any generation and of its forks, to today's messages and to arrays."""

from caffeconv.reading.contents import Contents, read_contents
from caffeconv.reading.kinds import Kind

__all__ = ["Contents", "Kind", "read_contents"]
