"""What Prometheus reads of a process: every count, gauge and label, and what is left out where nothing is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from claude_pool_gh.github.backlog import Backlog as GitHubBacklog
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.records import Load
from claude_pool_gh.pool.store.backlog import Backlog as PoolBacklog
from claude_pool_gh.service.monitoring.metrics import ChainEnd, Metrics, Moment, RunEnd
from claude_pool_gh.service.server.counts import show_counts
from tests.pool.make import NOW

ALERTS = Path(__file__).parents[2] / "docs" / "operate" / "alerts.yml"

Labels = tuple[tuple[str, str], ...]


def moment(**more: Any) -> Moment:
    given: dict[str, Any] = {
        "load": Load(slots=4, busy=3, tasks_waiting=2, chains_running=1),
        "ready": True,
        "pool": PoolBacklog(5, NOW - 6_000, {"approval": 7}),
        "github": GitHubBacklog(8, NOW - 9_500, 10, NOW - 11_000, 12),
        "pool_cap": 0.25,
        "repository_caps": {"octo/shop": 0.5},
        "free_bytes": 13,
        "rate_limit": 14,
        "now_ms": NOW,
    }
    return Moment(**given | more)


def read(text: bytes) -> Mapping[tuple[str, Labels], float]:
    """Every sample by its name, without our prefix, and its labels."""
    families = text_string_to_metric_families(text.decode())
    return {
        (sample.name.removeprefix("claude_pool_"), tuple(sorted(sample.labels.items()))): float(
            sample.value
        )
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_every_figure_of_a_moment_is_told_under_its_own_name() -> None:
    assert read(Metrics().text(moment())) == {
        ("slots", ()): 4,
        ("slots_busy", ()): 3,
        ("tasks_waiting", ()): 2,
        ("chains_running", ()): 1,
        ("ready", ()): 1,
        ("database_up", ()): 1,
        ("chains_queued", ()): 5,
        ("queue_age_seconds", ()): 6,
        ("chains_parked", (("reason", "approval"),)): 7,
        ("commands_waiting", ()): 8,
        ("command_age_seconds", ()): 9.5,
        ("effects_waiting", ()): 10,
        ("effect_age_seconds", ()): 11,
        ("effects_refused", ()): 12,
        ("cap_used_ratio", (("cap", "pool and month"),)): 0.25,
        ("repository_cap_used_ratio", (("repository", "octo/shop"),)): 0.5,
        ("disk_free_bytes", ()): 13,
        ("github_rate_limit_remaining", ()): 14,
    }


def test_a_database_that_does_not_answer_is_told_and_what_it_had_said_of_caps_and_gates_goes() -> (
    None
):
    metrics = Metrics()
    metrics.text(moment())
    away = moment(pool=None, github=None, pool_cap=None, repository_caps={}, ready=False)
    found = read(metrics.text(away))
    assert (found["database_up", ()], found["ready", ()]) == (0, 0)
    named = {name for name, _ in found}
    assert not named & {"chains_parked", "cap_used_ratio", "repository_cap_used_ratio"}
    assert found["slots_busy", ()] == 3


def test_a_reason_for_which_nothing_waits_any_more_is_gone() -> None:
    metrics = Metrics()
    metrics.text(moment())
    found = read(metrics.text(moment(pool=PoolBacklog(0, None, {"restart": 1}))))
    assert [labels for name, labels in found if name == "chains_parked"] == [
        (("reason", "restart"),)
    ]


@pytest.mark.parametrize(
    ("since", "age"), [(None, 0), (NOW, 0), (NOW - 1, 0.001), (NOW + 5_000, 0)]
)
def test_an_age_is_never_below_nothing(since: int | None, age: float) -> None:
    found = read(
        Metrics().text(
            moment(
                pool=PoolBacklog(0, since, {}), github=GitHubBacklog(0, since, 0, since, refused=0)
            )
        )
    )
    ages = ("queue_age_seconds", "command_age_seconds", "effect_age_seconds")
    assert [found[name, ()] for name in ages] == [pytest.approx(age)] * 3


def test_a_rate_limit_that_nobody_has_told_yet_leaves_the_last_one() -> None:
    metrics = Metrics()
    metrics.text(moment(rate_limit=0))
    assert read(metrics.text(moment(rate_limit=None)))["github_rate_limit_remaining", ()] == 0


def test_runs_and_their_money_are_counted_by_model_and_repository() -> None:
    metrics = Metrics()
    for repository, model, outcome, usd in (
        ("octo/shop", "big", "completed", 0.5),
        ("octo/shop", "big", "failed", 0.25),
        ("octo/site", "small", "completed", 1.0),
    ):
        metrics.ended(RunEnd(repository, model, outcome, usd))
    found = read(metrics.text(moment()))
    assert found["runs_total", (("model", "big"), ("outcome", "completed"))] == 1
    assert found["runs_total", (("model", "big"), ("outcome", "failed"))] == 1
    assert found["spent_usd_total", (("model", "big"), ("repository", "octo/shop"))] == 0.75
    assert found["spent_usd_total", (("model", "small"), ("repository", "octo/site"))] == 1


def test_only_a_chain_that_began_and_ended_has_a_time() -> None:
    metrics = Metrics()
    metrics.ended(ChainEnd("review", "clean", 30.0))
    metrics.ended(ChainEnd("review", "clean", 31.0))
    metrics.ended(ChainEnd("review", "waits", None))
    found = read(metrics.text(moment()))
    assert found["chains_total", (("outcome", "clean"), ("verb", "review"))] == 2
    assert found["chains_total", (("outcome", "waits"), ("verb", "review"))] == 1
    assert found["chain_seconds_count", (("verb", "review"),)] == 2
    assert found["chain_seconds_sum", (("verb", "review"),)] == 61
    assert found["chain_seconds_bucket", (("le", "30.0"), ("verb", "review"))] == 1
    assert found["chain_seconds_bucket", (("le", "60.0"), ("verb", "review"))] == 2


def test_counts_that_are_kept_elsewhere_are_read_anew_at_each_question() -> None:
    metrics, statuses = Metrics(), Counter({"202": 1})
    kinds: Counter[tuple[str, str]] = Counter({("comment", "written"): 2})
    metrics.add("deliveries", "Deliveries", ("status",), statuses)
    metrics.add("effects", "Tries", ("kind", "outcome"), kinds)
    first = read(metrics.text(moment()))
    assert first["deliveries_total", (("status", "202"),)] == 1
    statuses["401"] += 3
    second = read(metrics.text(moment()))
    assert second["deliveries_total", (("status", "401"),)] == 3
    assert second["effects_total", (("kind", "comment"), ("outcome", "written"))] == 2


def test_what_an_alert_waits_for_is_counted_from_nothing_on() -> None:
    """Prometheus sees no increase where a series begins with 1."""
    metrics, statuses = Metrics(["review"]), Counter({"401": 2})
    metrics.add("model_answers", "Answers", ("status",), statuses, ("400", "401"))
    found = read(metrics.text(moment()))
    assert found["model_answers_total", (("status", "400"),)] == 0
    assert found["model_answers_total", (("status", "401"),)] == 2
    counted = {dict(labels)["outcome"] for name, labels in found if name == "chains_total"}
    assert counted == {*Verdict, "waits"}, "all of them, or a ratio of some would be wrong"


def test_so_is_all_over_whose_increase_an_alert_is_raised() -> None:
    part: Any = SimpleNamespace(counts=Counter(), answers=Counter())
    metrics = Metrics(["review"])
    show_counts(metrics, part, Counter(), part, part)
    text = metrics.text(moment()).decode()
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    asked = re.compile(r'increase\((\w+)\{(\w+)=~?"([^"]+)"\}')
    found = [each for rule in rules for each in asked.findall(rule["expr"])]
    assert len(found) > 3
    for name, label, values in found:
        assert re.search(rf'^{name}\{{[^}}]*{label}="({values})"[^}}]*\}} 0', text, re.MULTILINE)


def test_a_chain_over_which_the_clock_was_set_back_took_no_time() -> None:
    metrics = Metrics()
    metrics.ended(ChainEnd("review", "clean", -3_600.0))
    assert read(metrics.text(moment()))["chain_seconds_sum", (("verb", "review"),)] == 0


def test_what_a_label_holds_cannot_break_the_form() -> None:
    metrics = Metrics()
    odd = 'octo/"shop"\n# HELP claude_pool_ready 0\\'
    metrics.ended(RunEnd(odd, "m", "completed", 1.0))
    found = read(metrics.text(moment()))
    assert found["spent_usd_total", (("model", "m"), ("repository", odd))] == 1
    assert found["ready", ()] == 1


def test_two_processes_count_for_themselves() -> None:
    one, other = Metrics(), Metrics()
    one.ended(RunEnd("octo/shop", "m", "completed", 1.0))
    assert not [name for name, _ in read(other.text(moment())) if name == "runs_total"]
