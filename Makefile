# Each target sets up .venv first when it is missing, unfinished or older than its requirements.
#   make run                                    the default run
#   make run ARGS="--configfile FILE export"    any other arguments of snakemake
#   make test, make lint, make format, make config-docs
#   make benchmark                              peak memory of training as the dataset grows

PYTHON ?= python3
CORES ?= all
ARGS ?=
TESTS ?= tests

SNAKEMAKE_FILES := $(wildcard Snakefile workflow/rules/*.smk)
# Compiling every module of PyTorch takes longer than installing it, and a run imports few of them.
PIP := .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-compile

.PHONY: run test lint format config-docs benchmark
.DELETE_ON_ERROR:

run: .venv/run.stamp
	@.venv/bin/python -m snakemake --cores $(CORES) --rerun-incomplete $(ARGS)

test: .venv/test.stamp
	@.venv/bin/python -m pytest --numprocesses auto --dist loadfile $(TESTS)

lint: .venv/test.stamp
	@.venv/bin/python -m pytest --quiet tests/test_style_checks.py

format: .venv/test.stamp
	@.venv/bin/python -m ruff check --quiet --fix .
	@.venv/bin/python -m ruff format --quiet .
	@$(if $(SNAKEMAKE_FILES),.venv/bin/python -m snakefmt --quiet $(SNAKEMAKE_FILES))

config-docs: .venv/run.stamp
	@PYTHONPATH=workflow/scripts .venv/bin/python -m slicewise.config config/README.md

benchmark: .venv/run.stamp
	@.venv/bin/python tests/benchmarks/training_memory.py

# An installation that was cut off can look whole to pip. So the stamp goes before anything is
# installed and comes back last, and where there is none, .venv is made anew.
.venv/run.stamp: envs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "slicewise needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	@test -f $@ || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	@echo "Installing $< into .venv (the first time takes a few minutes)"
	@$(PIP) --requirement $<
	@touch $@

.venv/test.stamp: envs/requirements-dev.txt .venv/run.stamp
	@rm -f .venv/run.stamp
	@echo "Installing $< into .venv"
	@$(PIP) --requirement $<
	@touch .venv/run.stamp $@
