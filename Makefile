# Two commands for a fresh machine (Python 3.11 or newer, git, make): `make demo` and `make test`.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# Hundreds of short-lived processes run here: without compiled files each of them would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
# Where tests only compute. One process runs them: it takes longer to collect them in each of several, and to hand out
# one after the other, than to run most of them.
COMPUTING := $(addprefix tests/,architecture audits commands config conversation evals findings github guards \
	rehearsal reports storage test_rotation.py)

.PHONY: demo test test-computing test-waiting test-long lint eval bench docs schema readme pictures lock dist release-notes clean help

help: ## List these targets
	@grep -E '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: $(BIN)/claude-pool-gh ## Show a whole review here; LIVE=1 with ANTHROPIC_API_KEY uses the real model
	@$(BIN)/claude-pool-gh rehearse $(if $(LIVE),--live)

test: $(BIN)/.dev ## Lint, types, layers and every test that is not long
	@$(MAKE) --no-print-directory -j 3 lint test-computing test-waiting

test-computing: $(BIN)/.compiled # tells nothing but its last line where all is well: others talk meanwhile
	@$(BIN)/python -m pytest -q -m "not long" $(COMPUTING) >$(BIN)/.computing 2>&1 || { cat $(BIN)/.computing; exit 1; }
	@tail -n 1 $(BIN)/.computing

# Beside these and lint, which keep the cores busy while it waits for servers, CLIs and git.
test-waiting: $(BIN)/.compiled
	$(BIN)/python -m pytest -q -n 4 --dist load --maxschedchunk=1 -m "not long" $(COMPUTING:%=--ignore=%)

test-long: $(BIN)/.dev ## The tests that take longer
	TESTS_DAY=none $(BIN)/python -m pytest -q -n 2 --dist worksteal -m long

lint: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python evals/check.py

eval: $(BIN)/.dev ## Measure the review on 30 small pull requests; needs ANTHROPIC_API_KEY and costs money
	$(BIN)/python -m evals.run

bench: $(BIN)/.dev ## Measure, side by side with what a user would otherwise do
	$(BIN)/python -m benchmarks

docs: $(BIN)/.dev ## Build the documentation as a site into build/docs; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html docs build/docs
	@echo build/docs/index.html

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra bot --extra postgresql --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock
	uv pip compile pyproject.toml --extra bot --extra otel --extra postgresql --universal --python-version 3.11 --generate-hashes --no-header -o requirements-server.lock
	uv pip compile pyproject.toml --extra bot --extra otel --extra postgresql --group dev --universal --python-version 3.11 --generate-hashes --no-header -o requirements-dev.lock
	uv pip compile --group pyproject.toml:build -c requirements-dev.lock --universal --python-version 3.11 --generate-hashes --no-header -o requirements-build.lock
	uv pip compile --group pyproject.toml:install --universal --python-version 3.11 --generate-hashes --no-header -o requirements-install.lock

schema: $(BIN)/.dev ## After a new migration: write what a new SQLite database begins with
	$(BIN)/python -m claude_pool_gh.storage.migrations

readme: $(BIN)/.dev ## Write the README's table of verbs anew
	$(BIN)/python -m tests.commands.readme

pictures: $(BIN)/.dev ## Take the pictures of comments anew; needs chromium and a colour emoji font
	$(BIN)/python -m tests.pictures

dist: $(BIN)/claude-pool-gh ## Build wheel and source archive into dist/, with what the lock pins and nothing else
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build

release-notes: ## Print what the changelog tells of TAG=vX.Y.Z; fails unless it is this version and has a section with a date
	@$(PYTHON) -c 'import sys, tomllib; sys.exit("v" + tomllib.load(open("pyproject.toml", "rb"))["project"]["version"] != sys.argv[1] and "the tag is not the version in pyproject.toml")' "$(TAG)"
	@awk -v version="$(TAG:v%=%)" '/^## / { on = ($$2 == version && !/not released/) } on && !/^## /' CHANGELOG.md | grep .

clean: ## Remove everything that was built
	rm -rf dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

$(BIN)/claude-pool-gh: $(BIN)/python requirements.lock requirements-build.lock pyproject.toml
	@echo "Installing into .venv, with the Claude CLI: about 500 MB, which can take some minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# By one process: the workers, which begin at once, would all compile all of it. What cannot be read they tell.
$(BIN)/.compiled: $(BIN)/.dev $(shell find claude_pool_gh tests -name '*.py')
	-@$(BIN)/python -m pytest --collect-only -qq >$@ 2>&1

$(BIN)/.dev: $(BIN)/claude-pool-gh requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
