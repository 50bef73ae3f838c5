#!/usr/bin/env bash
# Begins the first step. A Python that cannot even read `look.py`, or none, is told in the same words as one that is too old.
set -eu

if ! python3 -E -s -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
  why="Python 3.11 or newer is needed: add actions/setup-python before this action"
  echo "::error::$why"
  echo "claude-pool: $why." >>"$GITHUB_STEP_SUMMARY"
  printf '%s\n' outcome=misconfigured python=none >>"$GITHUB_OUTPUT"
  exit 1
fi
exec python3 -E -s -m claude_pool_gh.action.look
