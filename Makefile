# make demo | test | check | bench | simulate | soak | clean
#
# Everything is installed into .venv, from wherever pip is configured to install from. Stamp files
# in .venv remember what is installed, so the second run of a target starts at once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# an editable package gets no byte code from pip, and would be compiled at each start where
# Python may not write it (0.1 s)
COMPILE := $(BIN)/python -m compileall -q streamql
TAXI := samples/taxi
PYTEST_ARGS ?= -n auto
BENCH_ARGS ?=

.PHONY: help demo test check bench simulate soak clean

help:
	@echo "make demo      score 3,000 taxi trips with a model in process"
	@echo "make test      all tests"
	@echo "make check     format, lint, types, layers"
	@echo "make bench     speed and memory beside other engines (BENCH_ARGS='--jobs J1 --runs 3')"
	@echo "make simulate  5,000 stories of crashes and faults (SEEDS=n; make test runs 300)"
	@echo "make soak      an hour of steady input with a kill every minute (MINUTES=n)"
	@echo "make clean     remove .venv, .venv-servers and everything that was made"

demo: .venv/.with-samples $(TAXI)/model.joblib
	@mkdir -p build
	@echo "scoring $(TAXI)/events.jsonl with $(TAXI)/score.py:"
	@cat $(TAXI)/score_array.sql
	@$(BIN)/streamql run $(TAXI)/score_array.sql --input $(TAXI)/events.jsonl \
		--functions $(TAXI)/functions --function score=$(TAXI)/score.py \
		--output output=build/fares.jsonl
	@echo "the first rows of build/fares.jsonl:"
	@head -n 5 build/fares.jsonl

test: .venv/.with-dev .venv-servers/.made postgresql $(TAXI)/model.joblib
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: .venv/.with-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.with-bench
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

simulate: .venv/.with-dev
	STREAMQL_SEEDS=$(or $(SEEDS),5000) $(BIN)/python -m pytest $(PYTEST_ARGS) tests/test_simulation.py

soak: .venv/.with-dev
	$(BIN)/python benchmarks/soak.py --minutes $(or $(MINUTES),60)

clean:
	rm -rf .venv .venv-servers build dist bench-data .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache $(TAXI)/model.joblib
	find . -name __pycache__ -prune -exec rm -rf {} +

$(TAXI)/model.joblib: $(TAXI)/train.py $(TAXI)/generate.py $(TAXI)/score.py | .venv/.with-samples
	@echo "training $@"
	@$(BIN)/python $(TAXI)/train.py $@

.venv/.with-samples: pyproject.toml .venv/.made
	@echo "installing streamql and what the sample needs into .venv (once)"
	@$(PIP) --editable '.[samples]'
	@$(COMPILE)
	@touch $@

.venv/.with-dev: pyproject.toml .venv/.made
	@echo "installing streamql and what its tests need into .venv (once)"
	@$(PIP) --editable '.[dev,samples,server]'
	@$(COMPILE)
	@touch $@ .venv/.with-samples

.venv/.with-bench: pyproject.toml .venv/.made
	@echo "installing streamql and its peers into .venv (once)"
	@$(PIP) --editable '.[bench]'
	@$(COMPILE)
	@touch $@

# apart from .venv: the servers pin versions that would take the place of ours
.venv-servers/.made: tests/servers/requirements.txt | .venv/.made
	@echo "installing servers to test against into .venv-servers (once, about 2 minutes)"
	@$(PYTHON) -m venv .venv-servers
	@.venv-servers/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/servers/requirements.txt
	@touch $@

# The tests start a PostgreSQL of their own. The package would start one as well, were it not told
# to make no cluster.
.PHONY: postgresql
postgresql:
	@compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing postgresql"; export DEBIAN_FRONTEND=noninteractive; \
			apt-get update -qq; apt-get install -y -qq postgresql-common; \
			sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' \
				/etc/postgresql-common/createcluster.conf; \
			apt-get install -y -qq postgresql; \
		else \
			echo "warning: no PostgreSQL here (initdb), so its tests will fail;" \
				"install the package postgresql" >&2; \
		fi; }

# Debian and Ubuntu ship Python without ensurepip; python3-venv brings it.
.venv/.made:
	@command -v $(PYTHON) >/dev/null || { \
		echo "error: no $(PYTHON) here; install Python 3.11 or newer, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: streamql needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1);" \
			"say make PYTHON=python3.12 or the like" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing python3-venv"; apt-get update -qq; apt-get install -y -qq python3-venv; \
		else \
			echo "error: $(PYTHON) cannot make virtual environments (no ensurepip);" \
				"install the package python3-venv, then run make again" >&2; exit 1; \
		fi; }
	@$(PYTHON) -m venv .venv
	@touch $@
