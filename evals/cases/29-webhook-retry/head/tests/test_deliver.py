import pytest

from hooks.deliver import Sender
from hooks.settings import Settings, SettingsError
from hooks.transport import TransportError


def test_says_who_did_not_take_it():
    def post(url, event, timeout):
        assert timeout == 5.0
        if url == "c":
            raise TransportError("refused")
        return 200 if url == "a" else 404

    sender = Sender(Settings(), post, sleep=lambda pause: None)
    assert sender.deliver({}, ["a", "b", "c"]) == ["b", "c"]


@pytest.mark.parametrize(
    ("statuses", "pauses", "left"),
    [([503, 200], 1, []), ([503] * 4, 3, ["a"]), ([404], 0, ["a"]), ([429, 204], 1, [])],
)
def test_retries(statuses, pauses, left):
    answers, slept = iter(statuses), []
    sender = Sender(Settings(), lambda *args: next(answers), sleep=slept.append)
    assert sender.deliver({}, ["a"]) == left
    assert len(slept) == pauses
    assert slept == sorted(slept)


def test_settings():
    assert Settings.load({"HOOKS_WEBHOOK_TIMEOUT": "250"}).webhook_timeout == 250
    with pytest.raises(SettingsError):
        Settings.load({"HOOKS_WEBHOOK_TIMEOUT": "5s"})
