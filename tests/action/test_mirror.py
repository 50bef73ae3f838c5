"""The step that installs, where PyPI is out of reach: uv reads none of pip's settings, so it is told of a mirror."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.action.runner import ROOT, obeyed

MIRROR, OTHER = "https://pypi.example.com/simple", "https://other.example.com/simple"
ASKED = "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INSECURE_HOST"
UV = """#!/bin/sh
case "$*" in
*/first.lock) env | grep -E '^(PIP|UV)_' | sort > "$HOME/environment"
  printf '%s\\n' "$UV_DEFAULT_INDEX" "$UV_INDEX" "$UV_INSECURE_HOST" > "$HOME/told" ;;
esac
"""
PYTHON = """#!/bin/sh
echo "$*" >> "$HOME/calls"
case "$*" in
*" pip install "*) mkdir -p "$RUNNER_TEMP/claude-pool-tools/bin" "$RUNNER_TEMP/claude-pool"
  cp "$HOME/uv" "$RUNNER_TEMP/claude-pool-tools/bin/uv" ;;
*) exec {python} "$@" ;;
esac
"""
NO_PIP = '#!/bin/sh\nexec {python} -S "$@"\n'


@dataclass(frozen=True, slots=True)
class Machine:
    """A runner whose pip brings a uv that notes what it was told."""

    home: Path

    def install(self, python: str = PYTHON, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the step."""
        programs, temp = self.home / "bin", self.home / "temp"
        programs.mkdir()
        temp.mkdir()
        (self.home / "uv").write_text(UV)
        (programs / "python3").write_text(python.format(python=sys.executable))
        for program in (self.home / "uv", programs / "python3"):
            program.chmod(0o755)
        around = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "RUNNER_TEMP": str(temp),
            "ACTION_PATH": str(ROOT),
        }
        return subprocess.run(
            ["bash", str(ROOT / "claude_pool_gh/action/install.sh")],
            check=False,
            capture_output=True,
            text=True,
            env=around | environment,
        )

    def told(self, python: str = PYTHON, **environment: str) -> tuple[str, ...]:
        """What uv was told: its index, more of them, hosts that it trusts."""
        done = self.install(python, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return tuple((self.home / "told").read_text().split("\n")[: len(ASKED)])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PIP_INDEX_URL": MIRROR}, (MIRROR, "", "")),
        ({"PIP_INDEX_URL": MIRROR, "UV_DEFAULT_INDEX": OTHER}, (OTHER, "", "")),
        (
            {"PIP_EXTRA_INDEX_URL": f"{MIRROR} {OTHER}", "PIP_TRUSTED_HOST": "pypi.example.com"},
            ("", f"{MIRROR} {OTHER}", "pypi.example.com"),
        ),
    ],
)
def test_uv_is_told_of_the_mirror_in_pips_environment(
    machine: Machine, environment: dict[str, str], told: tuple[str, ...]
) -> None:
    assert machine.told(PIP_CONFIG_FILE=os.devnull, **environment) == told


def test_uv_is_told_of_the_mirror_in_pips_own_file(machine: Machine) -> None:
    folder = machine.home / ".config/pip"
    folder.mkdir(parents=True)
    sections = f"[global]\nindex-url = {OTHER}\n[install]\nindex-url = {MIRROR}\n"
    (folder / "pip.conf").write_text(
        f"{sections}trusted-host =\n    a.example.com\n    b.example.com\n"
    )
    assert machine.told() == (MIRROR, "", "a.example.com b.example.com")


def test_where_pip_has_no_mirror_it_is_not_started_to_ask(machine: Machine) -> None:
    assert machine.told(PIP_CONFIG_FILE=os.devnull) == ("", "", "")
    assert "config list" not in (machine.home / "calls").read_text()


def test_a_machine_without_pip_is_told_so_in_one_line(machine: Machine) -> None:
    done = machine.install(NO_PIP)
    assert done.returncode == 1
    (error,) = [text for name, text in obeyed(done.stdout) if name == "error"]
    assert "python3 has no pip: add actions/setup-python before this action" in error


def test_an_index_out_of_reach_is_told_in_one_line(machine: Machine) -> None:
    broken = PYTHON.replace("mkdir -p", "exit 1; mkdir -p")
    done = machine.install(broken)
    assert done.returncode == 1
    (error,) = [text for name, text in obeyed(done.stdout) if name == "error"]
    assert "The runner needs a way to PyPI, or pip's settings for a mirror of it" in error


def test_what_a_job_sets_for_its_own_installs_is_not_for_these(machine: Machine) -> None:
    """Each of these made a job red whose packages were all there; how they are reached is kept."""
    own = {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "true", "PIP_CONSTRAINT": "c.txt"}
    own |= {"UV_EXCLUDE_NEWER": "2025-01-01", "UV_CONSTRAINT": "c.txt", "UV_SYSTEM_PYTHON": "1"}
    reached = {"PIP_CERT": "ca.pem", "PIP_CONFIG_FILE": os.devnull, "UV_HTTP_TIMEOUT": "60"}
    reached |= {"UV_DEFAULT_INDEX": MIRROR, "UV_INDEX_MIRROR_PASSWORD": "p"}
    machine.told(**own, **reached)
    left = dict(
        line.split("=", 1) for line in (machine.home / "environment").read_text().splitlines()
    )
    assert left == {**reached, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
