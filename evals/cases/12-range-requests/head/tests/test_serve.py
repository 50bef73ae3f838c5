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


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-99", "bytes 0-99/200"),
        ("bytes=150-", "bytes 150-199/200"),
        ("bytes=-50", "bytes 150-199/200"),
        ("bytes=190-999", "bytes 190-199/200"),
    ],
)
def test_range(storage, header, expected):
    answer = serve(storage, "GET", "a.txt", {"Range": header})
    assert answer.status == 206
    assert answer.headers["Content-Range"] == expected


def test_range_behind_the_end(storage):
    assert serve(storage, "GET", "a.txt", {"Range": "bytes=200-"}).status == 416


def test_other_answers(storage):
    assert serve(storage, "PUT", "a.txt", {}).status == 405
    assert serve(storage, "GET", "b.txt", {}).status == 404
