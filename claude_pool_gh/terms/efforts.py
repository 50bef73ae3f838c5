"""The efforts that a model can be asked for."""

from __future__ import annotations

from typing import Final

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
