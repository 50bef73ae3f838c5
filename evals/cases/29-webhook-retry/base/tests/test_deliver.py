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

    assert Sender(Settings(), post).deliver({}, ["a", "b", "c"]) == ["b", "c"]


def test_settings():
    assert Settings.load({"HOOKS_WEBHOOK_TIMEOUT": "250"}).webhook_timeout == 250
    with pytest.raises(SettingsError):
        Settings.load({"HOOKS_WEBHOOK_TIMEOUT": "5s"})
