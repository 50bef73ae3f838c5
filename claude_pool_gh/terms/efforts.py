"""How hard a model thinks."""

from __future__ import annotations

from typing import Final

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
