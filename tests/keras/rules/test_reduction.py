"""What makes one value of many, in forks; what Caffe has is in the fixtures."""

from __future__ import annotations

from tests.support.layer_cases import Case, definition_tests
from tests.support.naive_forks import most_likely

CASES = {
    "labels": Case("ParseOutput", "", ((2, 4, 3, 5),), lambda x: most_likely(x)[0]),
    "labels-and-values": Case("ParseOutput", "", ((2, 4, 3, 5),), most_likely, tops=2),
}

TestDefinitions = definition_tests(CASES)
