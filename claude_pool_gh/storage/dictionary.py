"""The text that short values have in common: deflating begins with it, so that a finding takes two thirds of its bytes.

It never changes, or nobody could read what was stored with it: the names of fields may move on without it.
"""

from __future__ import annotations

from typing import Final

DICTIONARY: Final = (
    b"This is the case because the value is not checked before it is used, so that a caller "
    b"which passes an empty list gets an error. If there are no rows, the function returns None "
    b"and the request fails with an exception. It should be raised when the test does not "
    b'confirm that. import self. -> Error ValueError TypeError KeyError async await const {"kind": '
    b'"comment", "number": 1, "body": "### \\n\\n", "check", "name": "claude-pool/review", "head": "'
    b'", "status": "completed", "conclusion": "success", "neutral", "title": " findings (worst: ", '
    b'"summary": "$0.20 of $3.00, 16 s. The pull request\'s conversation has the details.", '
    b'"buttons": [], "alone": null, "answered_ms": null}{"files": 2, "inline": [], "more": [], '
    b'"outside": [], "standing": [], "known": 0, "unsettled": [], "unchecked": [], "refuted": [], '
    b'"before": [], "hidden": [], "unopened": [], "left_out": [], "generated": [], '
    b'"without_lines": [], "since": "", "unread": [], "fixed": [], "note": "", "posted": true}'
    b'{"candidates": [{"kind": "claim", "title": "", "claim": "In , lines  to :\\n\\nClaim: \\n'
    b'Scenario: \\n\\n", "question": "", "finding": {"task": 1000000, "chain": 3000000, "wider": '
    b'[{"scope": "thread", "window": "ever", "limit": 10000000}, {"scope": "user", "window": "day", '
    b'"limit": 25000000}, {"scope": "repository", "window": "month", "limit": 100000000}], "pool": '
    b'100000000, "least": null}{"thread": {"repository": {"id": 1000007, "owner": "", "name": "", '
    b'"installation_id": 1000008}, "number": 1}, "actor": {"id": 1000005, "login": "", "is_human": '
    b'true}, "source": {"id": 1000015, "kind": "issue_comment", "root": null}, "line": "/pool '
    b'review", "ordinal": 0, "body_sha256": "", "leads": true, "delivery": "-11f1-"}[{"id": "0.find'
    b'.0", "chain_id": "", "step": "verify", "shard": 0, "title": "", "state": "completed", '
    b'"attempt": 1, "model": "claude-", "slot": "slot-1", "outcome": {"ending": "completed", '
    b'"reason": "", "operator": false, "short": 0, "text": "", "structured": {"verdict": '
    b'"confirmed", "introduced": true, "severity": "medium", "suggestion": "fixes", "reason": ""}, '
    b'"turns": 4, "elapsed_ms": 10000, "session_id": null, "command": "", "exit_code": null, '
    b'"stderr": "", "looked_at": {"files": [""], "searches": [""], "denied": []}}, "created_ms": '
    b'179, "started_ms": 179, "ended_ms": 179}, {"findings": [{"path": "tests/src/.js.go.rs.ts.py", '
    b'"start_line": 1, "end_line": 1, "side": "RIGHT", "severity": "critical", "low", "high", '
    b'"category": "security", "performance", "correctness", "title": "", "body": "`", "scenario": "'
    b'", "evidence": "        if     return ", "confidence": 0.9, "suggestion": "    return ", null, '
    b'"restates": null, "within": "def ", "nth": 1, "code_digest": "", "mark": ""}'
)
