"""What is kept of a run: each thing once and bounded, and nothing of it unredacted."""

from __future__ import annotations

from claude_pool_gh.agent.record import Record


def record() -> Record:
    return Record(lambda text: text.replace("secret", "***"), "/srv/tree")


def test_what_a_tool_was_refused_was_not_looked_at() -> None:
    kept = record()
    kept.use("1", "Read", {"file_path": "/srv/tree/app.py"})
    kept.use("2", "Read", {"file_path": "/etc/passwd"})
    kept.use("3", "Grep", {"pattern": "TODO", "path": "src"})
    kept.use("4", "Glob", {"pattern": "**/*.py"})
    kept.use("5", "Edit", {"file_path": "/srv/tree/b.py"})
    kept.answer("2", "outside", error=True)
    for call in "1345":
        kept.answer(call, "fine", error=False)
    assert kept.looked_at() == {
        "files": ["app.py"],
        "searches": ["TODO", "**/*.py"],
        "denied": [],
    }


def test_what_was_never_answered_was_not_looked_at_either_and_each_answer_counts_once() -> None:
    kept = record()
    kept.use("1", "Read", {"file_path": "a.py"})
    assert kept.looked_at()["files"] == []
    kept.answer("1", "fine", error=False)
    kept.answer("1", "again", error=False)
    kept.answer("none", "of nobody", error=False)
    assert kept.looked_at()["files"] == ["a.py"]
    assert kept.asked == {}


def test_what_is_looked_at_twice_is_named_once_in_the_order_of_the_first_time() -> None:
    kept = record()
    for call, path in enumerate(("/srv/tree/b.py", "a.py", "b.py")):
        kept.use(str(call), "Read", {"file_path": path})
        kept.answer(str(call), "", error=False)
    kept.use("x", "Read", {})
    kept.answer("x", "", error=False)
    assert kept.looked_at()["files"] == ["b.py", "a.py"]


def test_the_answer_of_a_run_is_what_was_said_after_the_last_use_of_a_tool() -> None:
    kept = record()
    kept.say("I look. ")
    kept.say("One moment.")
    assert kept.text == "I look. One moment."
    kept.use("1", "Read", {"file_path": "a.py"})
    assert kept.text == "I look. One moment.", "until something else is said"
    kept.answer("1", "fine", error=False)
    kept.say("It is ")
    kept.say("right.")
    assert kept.text == "It is right."


def test_the_transcript_says_who_did_what_in_order_and_without_secrets() -> None:
    kept = record()
    kept.say("the secret")
    kept.use("1", "Grep", {"pattern": "sécret secret"})
    kept.answer("1", "a secret", error=False)
    kept.answer("2", "no secret", error=True)
    kept.deny("Bash", "not among this step's tools: secret")
    assert kept.entries == [
        {"what": "says", "text": "the ***"},
        {"what": "uses", "text": 'Grep {"pattern": "sécret ***"}'},
        {"what": "gets", "text": "a ***"},
        {"what": "is refused", "text": "no ***"},
    ]
    assert kept.looked_at() == {
        "files": [],
        "searches": ["sécret ***"],
        "denied": ["Bash: not among this step's tools: ***"],
    }


def test_a_run_that_does_ever_more_is_kept_up_to_a_bound() -> None:
    kept = record()
    for call in range(700):
        kept.use(str(call), "Read", {"file_path": f"{call}.py"})
        kept.answer(str(call), "x" * 5_000, error=False)
        kept.deny("Bash", f"{call} " + "y" * 400)
    assert len(kept.entries) == 600
    assert {len(each["text"]) for each in kept.entries if each["what"] == "gets"} == {4_000}
    seen = kept.looked_at()
    assert seen["files"] == [f"{call}.py" for call in range(150)]
    assert (len(seen["denied"]), {len(each) for each in seen["denied"]}) == (150, {300})
