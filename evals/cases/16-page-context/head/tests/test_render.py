from pages.render import render_page


def test_escapes_the_title_and_not_the_body():
    page = render_page("Terns & finches", "<p>Hello</p>")
    assert "<title>Terns &amp; finches – Bird Club</title>" in page
    assert "<p>Hello</p>" in page


def test_robots():
    assert 'content="index,follow"' in render_page("A", "")


def test_an_override_is_for_one_page():
    assert 'content="noindex"' in render_page("A", "", {"robots": "noindex"})
    assert 'content="index,follow"' in render_page("A", "")
