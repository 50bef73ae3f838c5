"""One HTTP request."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any


class TransportError(Exception):
    """There was no answer."""


def post(url: str, event: dict[str, Any], timeout: float) -> int:
    """POST an event as JSON; returns the status. `timeout` is in seconds."""
    request = urllib.request.Request(
        url,
        data=json.dumps(event).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        raise TransportError(str(error)) from error
