import pytest

from files.serve import serve
from files.storage import Storage


@pytest.fixture
def storage():
    storage = Storage()
    storage.put("a.txt", bytes(range(200)))
    return storage


def test_get_and_head(storage):
    assert serve(storage, "GET", "a.txt", {}).body == bytes(range(200))
    head = serve(storage, "HEAD", "a.txt", {})
    assert head.body == b"" and head.headers["Content-Length"] == "200"


def test_not_modified(storage):
    etag = serve(storage, "GET", "a.txt", {}).headers["ETag"]
    assert serve(storage, "GET", "a.txt", {"If-None-Match": etag}).status == 304


def test_other_answers(storage):
    assert serve(storage, "PUT", "a.txt", {}).status == 405
    assert serve(storage, "GET", "b.txt", {}).status == 404
