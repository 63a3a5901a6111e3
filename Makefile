# Each target does all the set-up itself; a second call costs nothing.
PYTHON := .venv/bin/python
BENCHMARKS := latency prefix decode concurrency speculation fence run_flood sandbox snippets quantization
# A few workers: more of them only wait for each other's import of torch.
PYTEST := $(PYTHON) -m pytest -q -n auto --maxprocesses 4 --dist loadfile
COVERAGE := --cov=starchat_tui --cov-report=term:skip-covered --cov-fail-under=90

.PHONY: run test check fuzz fix snapshots bench nano interop setup environments

run: setup          ## open the chat
	@.venv/bin/starchat

test: environments  ## run the fast tests, in a few minutes
	@$(PYTEST) -m "not slow"

check: environments ## what must pass before a change lands: format, lint, types, every test, coverage
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy --strict starchat_tui train
	@$(PYTEST) $(COVERAGE)

fuzz: environments  ## repeat random and hostile input at full size, for an hour or so
	@STARCHAT_FUZZ=full $(PYTHON) -m pytest -q -m fuzz --timeout 0

fix: setup          ## format, repair what ruff can repair, regenerate parts of the documentation
	@$(PYTHON) -m ruff check --fix --quiet . || true
	@$(PYTHON) -m ruff format --quiet .
	@$(PYTHON) -m tests.generated_docs

snapshots: setup    ## render the screens again; then look at what changed
	@$(PYTHON) -m pytest -q tests/ui --snapshot-update || true
	@git status --short -- tests/ui/__snapshots__

bench: environments ## measure; each benchmark appends a line to tests/benchmarks/history
	@failed=; for name in $(BENCHMARKS); do \
	  echo "== $$name" >&2; $(PYTHON) -m tests.benchmarks.$$name || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "missed the goal:$$failed" >&2; exit 1; }

nano: setup         ## train the demo models again, from this repository and this machine's Python files
	@$(PYTHON) -m train.demo

interop: setup      ## test our client against vLLM: STARCHAT_INTEROP_URL, or `vllm` on the path
	@$(PYTHON) -m tests.interop

setup:
	@./setup.sh

# Tests run code also in the environment of StarCoder and StarChat.
environments: setup
	@$(PYTHON) -m starchat_tui env create 2023 >/dev/null
