import pytest

from slugs.slug import MAX_LENGTH, slugify
from slugs.unique import unique_slug


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("Crème brûlée", "creme-brulee"),
        ("  --  a  --  b  --  ", "a-b"),
        ("Straße", "strae"),
        ("日本", "untitled"),
        ("", "untitled"),
    ],
)
def test_slug(title, slug):
    assert slugify(title) == slug


def test_long_title_is_cut_at_a_hyphen():
    assert slugify("word " * 20) == "-".join(["word"] * 12)


def test_long_word_is_cut():
    assert slugify("a" * 80) == "a" * MAX_LENGTH


def test_title_of_exactly_the_maximum():
    title = "a" * 29 + " " + "b" * 30
    assert slugify(title) == title.replace(" ", "-")


def test_not_taken():
    assert unique_slug("News", set()) == "news"


def test_unique():
    assert unique_slug("News", {"news", "news-2"}) == "news-3"
