#!/usr/bin/env bash
# Installs what the run needs into $RUNNER_TEMP/claude-pool. Wheels only, each by its hash; nothing is built.
# There is no secret in this environment, and nothing of the job's own folder is read.
set -euo pipefail
cd "$RUNNER_TEMP"

home="$RUNNER_TEMP/claude-pool"
tools="$RUNNER_TEMP/claude-pool-tools"
agent='/^claude-agent-sdk==/,/[^\\]$/'

if [ -e "$home/agent.installed" ]; then
  exit 0 # an earlier step of this job has done it
fi
if [ -e "$home/agent.coming" ] && kill -0 "$(cat "$home/agent.coming")" 2>/dev/null; then
  exit 0 # or is at it: that step was over before its wheel had come
fi
rm -rf "$home" "$tools"

python3 -I -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  --target "$tools" -r "$ACTION_PATH/requirements-install.lock"
uv() {
  "$tools/bin/uv" --quiet --no-config --cache-dir "$tools/cache" "$@"
}
uv venv --no-project --no-python-downloads --python "$(python3 -I -c 'import sys; print(sys.executable)')" "$home"

# The agent's entry of the lock apart from all others.
sed "${agent}d" "$ACTION_PATH/requirements.lock" >"$home/small.lock"
sed -n "${agent}p" "$ACTION_PATH/requirements.lock" >"$home/agent.lock"

wheels() {
  uv pip install --python "$home/bin/python" --no-deps --no-build --require-hashes -r "$1"
}
wheels "$home/small.lock"

# In the background: the run waits for one of the two marks before it starts an agent.
(
  if wheels "$home/agent.lock"; then touch "$home/agent.installed"; else touch "$home/agent.failed"; fi
) >"$home/agent.log" 2>&1 </dev/null &
echo "$!" >"$home/agent.coming"
