"""The last look at what leaves: no effect carries a secret away, in whichever form and field it stands."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from claude_pool_gh.conversation import secret_filter
from claude_pool_gh.conversation.secret_filter import without_secrets
from claude_pool_gh.github.effects.change import Authority, Change
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.proposal import Proposal
from claude_pool_gh.github.effects.push import Push
from claude_pool_gh.github.effects.reaction import Reaction
from claude_pool_gh.github.effects.registry import kinds
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.resolve_thread import ResolveThread
from claude_pool_gh.github.effects.review import InlineComment, Review
from claude_pool_gh.github.effects.sarif import Sarif
from claude_pool_gh.reports.neutralize import neutralize, neutralize_line
from claude_pool_gh.reports.redact import VEIL, Redactor
from claude_pool_gh.reports.replies import withheld
from claude_pool_gh.reports.secrets import secrets, suspicions
from claude_pool_gh.terms.ids import Actor, CommentRef

KEY = "correct/horse+battery~staple?42"
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "base64": lambda key: b64encode(key.encode()).decode(),
    "base64, one further": lambda key: b64encode(f"x{key}yyy".encode()).decode(),
    "base64, two further": lambda key: b64encode(f"xx{key}yyy".encode()).decode(),
    "base64 of addresses": lambda key: urlsafe_b64encode(f"{key}~~~".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "reversed": lambda key: key[::-1],
    "quoted": lambda key: quote(key, safe=""),
}
SHAPES = {
    "a GitHub token": "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",
    "an Anthropic key": "sk-ant-api03-" + "a1-B" * 9,
    "a JSON Web Token": "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJnaXRodWIifQ.c2lnbmF0dXJl",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\nAb1+/xyz\n-----END RSA PRIVATE KEY-----",
    "an AWS key": "AKIA" + "A1B2" * 4,
    "a Slack token": "xoxb-" + "1a-" * 8,
}
RANDOM = "tZ8kQ2vN6xB4mW9cJ1hL7pR3sD5fG0yU"
CHANGE = Change(
    run_id="r",
    parent="a" * 40,
    commit="b" * 40,
    message="m",
    author_name="n",
    author_email="e@e.example",
    made_s=1,
)
MAY = Authority(actors=(Actor(id=7, login="mona"),), least=3)
CLEAN = "Nothing to see here: `shop/prices.py:2`, at 0123456789abcdef0123456789abcdef01234567."


def inline(body: str, listed: str = CLEAN) -> InlineComment:
    return InlineComment(path="a.py", line=3, body=body, listed=listed, mark="finding:5:3:x")


def review(**fields: Any) -> Review:
    return Review(**({"number": 3, "commit": "a" * 40, "body": CLEAN, "fallback": CLEAN} | fields))


PLACES: dict[str, Callable[[str], Effect]] = {
    "comment": lambda text: Comment(number=3, body=text),
    "reply": lambda text: Reply(number=3, body=text),
    "reply in a review": lambda text: Reply(number=3, body=text, in_reply_to=7),
    "review's body": lambda text: review(body=text, comments=(inline(CLEAN),)),
    "review's fallback": lambda text: review(fallback=text, comments=(inline(CLEAN),)),
    "inline comment": lambda text: review(comments=(inline(CLEAN), inline(text), inline(CLEAN))),
    "inline comment as it is listed": lambda text: review(
        comments=(inline(CLEAN, text), inline(CLEAN))
    ),
    "title of a check": lambda text: CheckRun(
        name="n", head="h", status="completed", title=text, summary=CLEAN
    ),
    "summary of a check": lambda text: CheckRun(
        name="n", head="h", status="completed", title=CLEAN, summary=text
    ),
    "settled finding": lambda text: ResolveThread(number=3, mark="m", reply=text, headline=CLEAN),
    "title of a report issue": lambda text: ReportIssue(title=text[:256] or "Audit", body=CLEAN),
    "body of a report issue": lambda text: ReportIssue(title="Audit", body=text),
    "rest of a report issue": lambda text: ReportIssue(title="Audit", body=CLEAN, rest=text),
    "news of a report issue": lambda text: ReportIssue(title="Audit", body=CLEAN, since=text),
    "document of code scanning": lambda text: Sarif(
        commit="a" * 40,
        ref="refs/heads/main",
        tool="claude-pool-gh",
        category="claude-pool/defects/",
        document=text,
        made_ms=1,
    ),
    "title of a pull request": lambda text: Proposal(
        branch="pool/x", base="main", change=CHANGE, title=text, body=CLEAN, authority=MAY
    ),
    "body of a pull request": lambda text: Proposal(
        branch="pool/x", base="main", change=CHANGE, title=CLEAN, body=text, authority=MAY
    ),
}
WITHOUT_WORDS: list[Effect] = [
    Reaction(comment=CommentRef(id=7), content="eyes"),
    Labels(number=3, names=("bug",)),
    Push(number=3, branch="topic", change=CHANGE, authority=MAY),
]


def leave(effect: Effect, *keys: str) -> Effect:
    return without_secrets(Redactor(keys or (KEY,)))(effect)


def test_every_kind_of_effect_is_tried() -> None:
    tried = {type(make("")) for make in PLACES.values()} | {type(each) for each in WITHOUT_WORDS}
    untried = [kind.__name__ for kind in kinds().values() if kind not in tried]
    assert not untried, f"no row in PLACES, or in WITHOUT_WORDS, for {', '.join(untried)}"
    assert tried == set(kinds().values())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_a_key_of_this_server_does_not_leave_in_any_form(place: str, form: str) -> None:
    secret = FORMS[form](KEY)
    left = leave(PLACES[place](f"before\n{secret}\nafter"))
    assert secret not in left.model_dump_json()
    assert not Redactor([KEY]).holds(left.model_dump_json())
    assert "a key of this server" in left.model_dump_json()


@pytest.mark.parametrize("place", PLACES)
def test_nor_does_what_said_it_before_it_was_taken_out(place: str) -> None:
    left = leave(PLACES[place](Redactor([KEY])(f"before {KEY} after")))
    assert "a key of this server" in left.model_dump_json()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", SHAPES)
def test_what_looks_like_a_secret_does_not_leave_either(place: str, kind: str) -> None:
    left = leave(PLACES[place](f"before `{SHAPES[kind]}` after"))
    text = left.model_dump_json()
    assert SHAPES[kind].split("\n")[0] not in text
    assert secrets("\n".join(_words(left))) == ()
    assert kind in text


@pytest.mark.parametrize("place", PLACES)
def test_what_only_looks_random_costs_that_token_and_the_post_stands(place: str) -> None:
    whole, left = (
        PLACES[place](f"before `{RANDOM}` after"),
        leave(PLACES[place](f"before `{RANDOM}` after")),
    )
    assert left.model_dump_json() == whole.model_dump_json().replace(RANDOM, VEIL)
    assert VEIL in left.model_dump_json()
    assert suspicions("\n".join(_words(left))) == ()


def _words(effect: Effect) -> list[str]:
    return [value for value in effect.model_dump(mode="json").values() if isinstance(value, str)]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_put_in_its_place_stands_where_it_stood(place: str) -> None:
    whole, left = PLACES[place](CLEAN), leave(PLACES[place](KEY))
    texts = {"body", "fallback", "comments", "title", "summary", "reply"}
    texts |= {"document", "withheld_for", "since", "rest"}
    assert type(left) is type(whole)
    assert left.model_dump(exclude=texts) == whole.model_dump(exclude=texts)


@pytest.mark.parametrize("place", PLACES)
def test_what_holds_no_secret_leaves_as_it_is(place: str) -> None:
    effect = PLACES[place](CLEAN)
    assert leave(effect) is effect


@pytest.mark.parametrize("effect", WITHOUT_WORDS)
def test_what_has_no_words_of_agents_is_passed_on(effect: Effect) -> None:
    assert leave(effect) is effect


def test_of_a_review_only_the_comments_that_hold_nothing_stay() -> None:
    left = leave(review(comments=(inline("one"), inline(KEY), inline("two"))))
    assert isinstance(left, Review)
    assert [each.body for each in left.comments] == ["one", "two"]
    assert left.body == left.fallback == withheld(("a key of this server",))


def test_a_secret_in_a_reviews_own_text_leaves_its_comments_alone() -> None:
    for fields in ({"body": KEY}, {"fallback": KEY}):
        left = leave(review(comments=(inline("one"),), **fields))
        assert isinstance(left, Review)
        assert left.comments == (inline("one"),)
        assert left.body == left.fallback == withheld(("a key of this server",))


def test_a_check_keeps_its_conclusion_when_its_words_are_withheld() -> None:
    check = CheckRun(
        name="n",
        head="h",
        status="completed",
        conclusion="failure",
        title=SHAPES["an AWS key"],
        summary="",
    )
    left = leave(check)
    assert isinstance(left, CheckRun)
    assert (left.conclusion, left.title) == ("failure", "Withheld: it looks like a secret")
    assert left.summary == withheld(("an AWS key",))


@pytest.mark.parametrize(
    "key",
    ["aa*bb*cc@dd_ee#12xyz", "wh_sec[1]_*x*", "hook#12secret", "$ecret<b>x</b>", "_secret_word_"],
)
def test_a_key_is_seen_also_where_markdown_was_made_harmless_within_it(key: str) -> None:
    for text in (neutralize(f"It is {key} here."), neutralize_line(f"{key} it is")):
        assert leave(Comment(number=3, body=text), key) != Comment(number=3, body=text)


def test_every_kind_that_was_found_is_named_and_the_own_key_first() -> None:
    left = leave(Comment(number=3, body=f"{KEY} {SHAPES['an AWS key']} {SHAPES['a GitHub token']}"))
    assert isinstance(left, Comment)
    assert left.body == withheld(("a key of this server", "a GitHub token", "an AWS key"))


def test_a_server_without_keys_still_knows_the_shapes() -> None:
    look = without_secrets(Redactor())
    assert look(Comment(number=3, body=SHAPES["an AWS key"])) != Comment(
        number=3, body=SHAPES["an AWS key"]
    )
    assert look(Comment(number=3, body=KEY)) == Comment(number=3, body=KEY)


def test_what_is_said_of_a_secret_is_not_withheld_again() -> None:
    once = leave(Comment(number=3, body=KEY))
    assert leave(once) is once


@pytest.mark.parametrize("guard", ["secrets", "veiled", "Redactor.holds"])
def test_these_tests_would_see_it_if_the_guard_were_off(
    guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: dict[str, str] = {
        "secrets": SHAPES["an AWS key"],
        "veiled": RANDOM,
        "Redactor.holds": KEY,
    }
    if guard == "Redactor.holds":
        monkeypatch.setattr(Redactor, "holds", lambda _self, _text: False)
    else:
        monkeypatch.setattr(secret_filter, guard, lambda text: text if guard == "veiled" else ())
    assert all(
        leave(effect) is effect for effect in (make(texts[guard]) for make in PLACES.values())
    )
