# One place for every command. `make demo` and `make test` do all their own set-up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where PYTHONDONTWRITEBYTECODE is set, imports take several times as long; set-up compiles, so nothing else need.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test lint notebooks words pictures browser bench lab clean

help:
	@echo "make demo       set up, run three sessions, check and report them, serve the dashboard"
	@echo "make test       set up, then every check there is: lint, types, tests, notebooks, browser"
	@echo "make setup      only the environment, in $(VENV)"
	@echo "make lab        JupyterLab with the runbooks"
	@echo "make notebooks  run the committed notebooks again and keep their outputs"
	@echo "make words      gather what the package says into the catalogue of German"
	@echo "make pictures   make the pictures of README and docs again, from the pages as they are"
	@echo "make bench      benchmarks, beside their baselines (installs those into $(VENV)-bench)"
	@echo "make lint       ruff and mypy;  make clean  remove what can be made again"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "peaktrade needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib peaktrade_core || true
	@touch $(READY)

demo: setup
	@$(BIN)/peaktrade demo

browser: setup
	@.ci/browser

lint: setup
	@$(BIN)/peaktrade gates run --home . lint types

test: lint browser
	@$(BIN)/python -m compileall -q peaktrade_core
	@$(BIN)/peaktrade gates run --home . tests notebooks browser docs-reference-targets no-live

notebooks: setup
	$(BIN)/python tests/notebooks/regenerate.py

words: setup
	$(BIN)/python tests/language/gather.py

pictures: setup browser
	$(BIN)/python tests/browser/pictures.py

lab: setup
	@$(BIN)/peaktrade lab

bench: setup
	@test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check 'backtesting>=0.6.5' 'vectorbt>=0.27' pyarrow
	$(BIN)/python benchmarks/bench_cli.py
	$(BIN)/python benchmarks/bench_session.py --baseline-python $(VENV)-bench/bin/python
	$(BIN)/python benchmarks/bench_backtest.py --baseline-python $(VENV)-bench/bin/python

clean:
	rm -rf $(VENV) $(VENV)-bench .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
