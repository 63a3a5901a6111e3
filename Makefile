# Each target does all the set-up itself; called again, the set-up costs nothing.
PYTHON := .venv/bin/python
BENCHMARKS := latency prefix decode fence run_flood sandbox
# A few at a time: more workers than this wait for each other's torch.
PYTEST := $(PYTHON) -m pytest -q -n auto --maxprocesses 4 --dist loadfile

.PHONY: run test check fix snapshots bench nano interop setup

run: setup          ## open the chat
	@.venv/bin/starchat

test: setup         ## the tests, in a few minutes
	@$(PYTEST) -m "not slow"

check: setup        ## what has to pass before a change lands: format, lint, types, every test
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy --strict starchat_tui train
	@$(PYTEST)

fix: setup          ## format, and mend what can be mended alone
	@$(PYTHON) -m ruff check --fix --quiet . || true
	@$(PYTHON) -m ruff format --quiet .
	@$(PYTHON) -m tests.readme

snapshots: setup    ## take the screens anew; then look at what changed
	@$(PYTHON) -m pytest -q tests/ui --snapshot-update || true
	@git status --short -- tests/ui/__snapshots__

bench: setup        ## measure; each appends a line to tests/benchmarks/history
	@failed=; for name in $(BENCHMARKS); do \
	  echo "== $$name" >&2; $(PYTHON) -m tests.benchmarks.$$name || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "missed the goal:$$failed" >&2; exit 1; }

nano: setup         ## make the demo models anew, from this repository and this machine's Python files
	@$(PYTHON) -m train.demo

interop: setup      ## our client against vLLM: STARCHAT_INTEROP_URL, or a `vllm` on the path
	@$(PYTHON) -m tests.interop

setup:
	@./setup.sh
