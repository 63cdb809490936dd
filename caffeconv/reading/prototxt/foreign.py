"""What a text is that was given as a net and is none."""

from __future__ import annotations

import re

__all__ = ["foreign_kind"]

_HEAD = 4096
_KINDS = (
    (r"version https://git-lfs", "a Git LFS pointer; `git lfs pull` fetches the file that it stands for"),
    (r"<(!doctype|html|head|body)\b", "an HTML page, perhaps the page that shows the file"),
    (r"<\?xml|<net\b", "XML"),
    (r"\[(net|network|convolutional)\]", "a Darknet configuration"),
    (r"7767517\s", "an ncnn parameter file"),
    (r"[\[{]", "JSON"),
    (r"#!.*python|(from\s+[\w.]+\s+import|import\s+\w|def\s+\w+\(|class\s+\w+)", "a Python program"),
    (r"---\s|%YAML|[\w-]+:[^\n]*\n(?:[^\n]*\n)*?\s*-\s+\w", "YAML"),
)  # fmt: skip
_COMMENTS = re.compile(r"(?:\s|#(?!!)[^\n]*)*")


def foreign_kind(text: str) -> str | None:
    """The kind of a text that cannot be read as a net, or `None` if it may be meant as one."""
    start = _COMMENTS.match(text, 0, _HEAD)
    head = text[start.end() if start else 0 :][:_HEAD]
    return next((kind for pattern, kind in _KINDS if re.match(pattern, head, re.IGNORECASE)), None)
