import time

from portal.profile import get_profile
from portal.tokens import Claims, issue

SECRET = b"for tests"
USERS = {"u1": {"name": "Ann", "email": "ann@example.org"}}


def token(audience="app", seconds=60):
    return issue(SECRET, Claims("u1", audience, time.time() + seconds))


def test_profile():
    status, body = get_profile(USERS, SECRET, {"X-Token": token()})
    assert status == 200 and body["name"] == "Ann"


def test_says_why():
    _, body = get_profile(USERS, SECRET, {"X-Token": token(seconds=-1)})
    assert body["reason"] == "expired"


def test_refused():
    for bad in ("", "x.y", token() + "0", token("admin"), token(seconds=-1)):
        assert get_profile(USERS, SECRET, {"X-Token": bad})[0] == 401
