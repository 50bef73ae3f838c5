from blog.build import footers
from blog.post import make_post
from blog.related import all_related

POSTS = [
    make_post("a", "2024-01-01", "x", "y"),
    make_post("b", "2024-01-02", "X"),
    make_post("c", "2024-01-02", "x"),
    make_post("d", "2023-01-01", "y", "x"),
    make_post("e", "2024-01-05", "z"),
]


def slugs(slug):
    return [post.slug for post in all_related(POSTS)[slug]]


def test_order():
    assert slugs("a") == ["d", "b", "c"]


def test_no_tags():
    posts = [*POSTS, make_post("f", "2024-01-06")]
    assert all_related(posts)["f"] == []


def test_at_most_three():
    posts = [*POSTS, make_post("f", "2024-01-06", "x")]
    assert [post.slug for post in all_related(posts)["a"]] == ["d", "f", "b"]


def test_nothing_shared():
    assert slugs("e") == []
    assert footers(POSTS)["e"] == ""
