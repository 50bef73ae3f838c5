#!/usr/bin/env bash
# Installs what the run needs into $RUNNER_TEMP/claude-pool. Wheels only, each by its hash; nothing is built.
# There is no secret in this environment, and nothing of the job's own folder is read.
set -eEuo pipefail
trap unable ERR
cd "$RUNNER_TEMP"

unable() {
  local code=$? why="the log of this step says why. The runner needs a way to PyPI, or pip's settings for a mirror of it"
  python3 -I -c "import pip" 2>/dev/null || why="python3 has no pip: add actions/setup-python before this action"
  echo "::error::claude-pool: what the run needs could not be installed: $why"
  exit "$code"
}

home="$RUNNER_TEMP/claude-pool"
tools="$RUNNER_TEMP/claude-pool-tools"
# What the run imports until its first comment stands; `arriving.py` waits for the rest where that is wanted earlier.
first="aiohappyeyeballs aiohttp aiosignal annotated-types attrs cffi cmarkgfm cronsim filelock frozenlist gidgethub idna
  markdown-it-py mdformat mdurl multidict prometheus-client propcache psutil pydantic pydantic-core pydantic-settings
  python-dotenv pyyaml sniffio sqlalchemy stamina tenacity typing-extensions typing-inspection uritemplate yarl"
agent=claude-agent-sdk

if [ -e "$home/agent.installed" ]; then
  exit 0 # an earlier step of this job has done it
fi
if [ -e "$home/agent.coming" ] && kill -0 "$(cat "$home/agent.coming")" 2>/dev/null; then
  exit 0 # or is at it: that step was over before its wheel had come
fi
rm -rf "$home" "$tools"

# What the job sets for its own installs is not for these, which are pinned: no `--user`, no date, no constraint.
# Only how an index is reached counts here too.
# `|| true`: of no such name an older bash (macOS has 3.2) makes a failure, which the trap would tell in here.
for name in $(compgen -A export PIP_ || true) $(compgen -A export UV_ || true); do
  case $name in
    PIP_CONFIG_FILE | *INDEX* | *LINKS* | *HOST* | *PROXY* | *CERT* | *TLS* | *HTTP* | *KEYRING* | *CREDENTIALS*) ;;
    *TIMEOUT* | *RETRIES* | *CONCURRENT* | *CACHE* | *OFFLINE* | *FEATURE*) ;;
    *) unset "$name" ;;
  esac
done
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 # whatever pip's own file says

# uv reads none of pip's settings: where those name a mirror of PyPI, it is told of it.
settings=("${PIP_CONFIG_FILE:-}" /etc/pip.conf /etc/xdg/pip/pip.conf "${HOME:-}/.pip/pip.conf"
  "${XDG_CONFIG_HOME:-${HOME:-}/.config}/pip/pip.conf" "${HOME:-}/Library/Application Support/pip/pip.conf")
if env | grep -qE '^PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST)=' ||
  grep -qsE 'index-url|trusted-host' "${settings[@]}"; then
  told="$(python3 -I -m pip --disable-pip-version-check config list)"
  setting() { # by its name: of the environment, else of pip's section `install`, else of `global`
    local section
    for section in :env: install global; do
      sed -n "s/^$section\.$1='\(.*\)'\$/\1/p" <<<"$told" | sed 's/\\n/ /g; s/^ *//' | grep . && return
    done
    true
  }
  UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$(setting index-url)}"
  UV_INDEX="${UV_INDEX:-$(setting extra-index-url)}"
  UV_INSECURE_HOST="${UV_INSECURE_HOST:-$(setting trusted-host)}"
  UV_INDEX_STRATEGY=unsafe-best-match # as pip does it; each wheel is known by its hash
  export UV_DEFAULT_INDEX UV_INDEX UV_INSECURE_HOST UV_INDEX_STRATEGY
fi

python3 -I -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  --target "$tools" -r "$ACTION_PATH/requirements-install.lock"
patient=""
uv() {
  $patient "$tools/bin/uv" --quiet --no-config --cache-dir "$tools/cache" "$@"
}
uv venv --no-project --no-python-downloads --python "$(python3 -I -c 'import sys; print(sys.executable)')" "$home"

# The entries of the lock in three files.
awk -v home="$home" -v first=" ${first//[[:space:]]/ } " -v agent="$agent" '
  /^[a-z0-9]/ {
    name = $1
    sub(/==.*/, "", name)
    part = name == agent ? "agent" : index(first, " " name " ") ? "first" : "rest"
  }
  { print > (home "/" part ".lock") }
' "$ACTION_PATH/requirements.lock"

wheels() {
  uv pip install --python "$home/bin/python" --no-deps --no-build --require-hashes -r "$home/$1.lock"
}
wheels first

# In the background, and behind the run where there is one processor for both. Who needs it waits for a mark.
(
  patient="nice"
  if wheels rest && touch "$home/rest.installed" && wheels agent; then
    touch "$home/agent.installed"
  else
    touch "$home/agent.failed"
  fi
) >"$home/agent.log" 2>&1 </dev/null &
echo "$!" >"$home/agent.coming"
