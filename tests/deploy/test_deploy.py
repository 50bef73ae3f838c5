"""The files of `deploy/` and `docs/operate/`: each passes a linter of its own, and names only settings that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from claude_pool_gh.service.settings import PREFIX, Settings, variable

ROOT = Path(__file__).parents[2]
DEPLOY, OPERATE = ROOT / "deploy", ROOT / "docs" / "operate"
BIN = Path(sys.executable).parent
PINNED = re.compile(r"[a-z]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}")
NAMES_OF_METRICS = "claude_pool_"


def linted(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_has_nothing_to_say_of_the_image(tmp_path: Path) -> None:
    linted(BIN / "hadolint", DEPLOY / "Dockerfile")
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /x && sudo true\n")
    with pytest.raises(AssertionError, match="DL3006"):
        linted(BIN / "hadolint", bad)


def test_the_image_runs_as_a_user_without_rights_and_holds_what_is_pinned() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    (base,) = re.findall(r"^ARG PYTHON=(.+)$", text, re.MULTILINE)
    assert PINNED.fullmatch(base)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON}"}
    last = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001:10001"]
    assert "\nHEALTHCHECK " in last
    for line in re.findall(r"pip install (.+)", text):
        assert "--require-hashes" in line or "--no-deps --no-build-isolation" in line
    copied = {
        name
        for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    }
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert copied == set(kept)
    assert all((ROOT / name).exists() for name in copied)


def test_links_lead_only_to_what_is_in_the_image() -> None:
    """A link to what was not copied stops the build of the package."""
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text()
    there = [ROOT / name for name in re.findall(r"^!(.+)$", kept, re.MULTILINE)]
    files = [file for each in there for file in (each, *each.rglob("*"))]
    links = [file for file in files if file.is_symlink()]
    assert links, "else this is a test of nothing"
    lost = [file for file in links if not any(file.resolve().is_relative_to(one) for one in there)]
    assert lost == []


def test_the_compose_file_is_of_the_specification() -> None:
    linted(
        BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"
    )
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == {"server", "worker", "database"}
    assert PINNED.fullmatch(services["database"]["image"])
    for name in ("server", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert services["server"]["ports"] == ["127.0.0.1:8080:8080"], "a TLS proxy stands before it"


def test_kubernetes_takes_the_manifest() -> None:
    linted(BIN / "kubernetes-validate", "--strict", DEPLOY / "kubernetes.yaml")
    every = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    deployments = [each["spec"] for each in every if each["kind"] == "Deployment"]
    # Otherwise the old pods would wait for the new ones, which do not start beside them.
    assert [each["strategy"] for each in deployments] == [{"type": "Recreate"}] * 2
    pods = [each["template"]["spec"] for each in deployments]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert pod["terminationGracePeriodSeconds"] >= (90 if container["name"] == "worker" else 30)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "claude-pool.service").read_text()
    # It must be a program that exists: this one.
    there = unit.replace("/opt/claude-pool/bin/claude-pool-gh", str(BIN / "claude-pool-gh"))
    (tmp_path / "claude-pool.service").write_text(there)
    linted("systemd-analyze", "verify", tmp_path / "claude-pool.service")
    (tmp_path / "wrong.service").write_text(there.replace("Type=exec", "Type=whatever"))
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "wrong.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "whatever" in done.stderr


def test_every_setting_that_is_named_exists() -> None:
    known = {variable(name) for name in Settings.model_fields}
    files = [file for folder in (DEPLOY, OPERATE) for file in folder.rglob("*") if file.is_file()]
    assert len(files) >= 8
    for file in files:
        named = set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", file.read_text()))
        assert named - known == set(), file.name


def test_the_file_to_fill_in_sets_nothing_that_the_unit_or_the_containers_set() -> None:
    """It goes before the unit's own values: the App's key would be looked for where compose puts it."""
    example = (DEPLOY / "claude-pool.env.example").read_text()
    to_fill_in = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    unit = (DEPLOY / "claude-pool.service").read_text()
    of_unit = set(re.findall(r"^Environment=(\w+)=", unit, re.MULTILINE))
    assert variable("private_key_file") in of_unit
    assert to_fill_in & of_unit == set()
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in ("server", "worker"):
        assert set(services[name]["environment"]) == {variable("private_key_file")}
        assert to_fill_in & set(services[name]["environment"]) == set()


def test_every_alert_says_what_to_do_and_the_dashboard_has_a_panel_for_each_query() -> None:
    rules = yaml.safe_load((OPERATE / "alerts.yml").read_text())["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "action"}
    panels = json.loads((OPERATE / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    for panel in panels:
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
            assert NAMES_OF_METRICS in target["expr"]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places)
