"""Uploaded files."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass


@dataclass(frozen=True)
class StoredFile:
    name: str
    data: bytes

    @property
    def media_type(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    @property
    def etag(self) -> str:
        return '"' + hashlib.sha256(self.data).hexdigest()[:32] + '"'


class Storage:
    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}

    def put(self, name: str, data: bytes) -> StoredFile:
        self._files[name] = StoredFile(name, data)
        return self._files[name]

    def get(self, name: str) -> StoredFile | None:
        return self._files.get(name)
