"""Where things lie: the checkout, the nets that real Caffe ran, and what may lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CHECKOUT", "FIXTURES", "SHARED", "UPGRADE", "UPGRADED"]

CHECKOUT = Path(__file__).resolve().parents[2]
FIXTURES = CHECKOUT / "fixtures"
UPGRADE = CHECKOUT / "tests" / "reading" / "upgrade"
UPGRADED = ".upgraded.prototxt"
SHARED = CHECKOUT.parent / "shared"
