import pytest

from stars.feed import read_feed
from stars.histogram import histogram, widest
from stars.rating import Rating, RatingError


@pytest.mark.parametrize("text", ["", "five", "0", "5.5", "nan", "-1"])
def test_refuses(text):
    with pytest.raises(RatingError):
        Rating.parse(text)


def test_histogram_counts():
    counts = histogram([Rating.parse("5"), Rating.parse("5.0"), Rating.parse("1")])
    assert counts[5] == 2 and counts[1] == 1
    assert widest(counts) == 2


def test_feed_keeps_the_bad_lines():
    ratings, refused = read_feed(["a;4.5", "b;oops", ";3", "a;2"])
    assert [r.value for r in ratings["a"]] == [4.5, 2.0]
    assert refused == ["b;oops", ";3"]
