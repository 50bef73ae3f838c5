from slugs.slug import slugify
from slugs.unique import unique_slug


def test_simple():
    assert slugify("Hello, World!") == "hello-world"


def test_unique():
    assert unique_slug("News", {"news", "news-2"}) == "news-3"
