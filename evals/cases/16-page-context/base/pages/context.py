"""What every page knows."""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping

SITE: Mapping[str, str] = MappingProxyType(
    {
        "site_name": "Bird Club",
        "language": "en",
        "robots": "index,follow",
    }
)
