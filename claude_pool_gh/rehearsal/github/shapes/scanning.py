"""Code scanning as JSON."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.rehearsal.github.shapes.issues import moment
from claude_pool_gh.rehearsal.github.shapes.repositories import api, page
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.state.scanning import Alert, Analysis, Upload

Json = dict[str, Any]


def receipt(repository: Repository, one: Upload) -> Json:
    """The answer to an upload."""
    return {"id": one.id, "url": f"{api(repository)}/code-scanning/sarifs/{one.id}"}


def status(repository: Repository, one: Upload) -> Json:
    """The `code-scanning-sarifs-status` shape."""
    analyses = f"{api(repository)}/code-scanning/analyses?sarif_id={one.id}"
    return {
        "processing_status": one.status,
        "analyses_url": None if one.status == "pending" else analyses,
        "errors": one.errors or None,
    }


def _tool(name: str) -> Json:
    return {"name": name, "guid": None, "version": None}


def analysis(repository: Repository, one: Analysis) -> Json:
    """The `code-scanning-analysis` shape."""
    return {
        "ref": one.ref,
        "commit_sha": one.commit_sha,
        "analysis_key": "(default)",
        "environment": "{}",
        "category": one.category,
        "error": one.error,
        "created_at": iso(one.created_at),
        "results_count": one.results,
        "rules_count": one.rules,
        "id": one.id,
        "url": f"{api(repository)}/code-scanning/analyses/{one.id}",
        "sarif_id": one.sarif_id,
        "tool": _tool(one.tool),
        "deletable": True,
        "warning": "",
    }


def alert(repository: Repository, one: Alert) -> Json:
    """The `code-scanning-alert-items` shape."""
    url = f"{api(repository)}/code-scanning/alerts/{one.number}"
    place = one.location
    return {
        "number": one.number,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "url": url,
        "html_url": f"{page(repository)}/security/code-scanning/{one.number}",
        "instances_url": f"{url}/instances",
        "state": one.state,
        "fixed_at": moment(one.fixed_at),
        "dismissed_by": None,
        "dismissed_at": None,
        "dismissed_reason": None,
        "rule": {
            "id": one.rule_id,
            "name": one.rule_id,
            "severity": one.severity,
            "security_severity_level": None,
            "description": one.description,
        },
        "tool": _tool(one.tool),
        "most_recent_instance": {
            "ref": one.ref,
            "analysis_key": "(default)",
            "environment": "{}",
            "category": one.category,
            "state": one.state,
            "commit_sha": one.commit_sha,
            "message": {"text": one.message},
            "location": {
                "path": place.path,
                "start_line": place.start_line,
                "end_line": place.end_line,
                "start_column": place.start_column,
                "end_column": place.end_column,
            },
            "classifications": [],
        },
    }
