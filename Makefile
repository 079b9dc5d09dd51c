# Each target sets up .venv first when it is missing, unfinished or older than its requirements.
#   make run                                    the default run
#   make run ARGS="--configfile FILE export"    any other arguments of snakemake
#   make test, make lint, make format, make config-docs
#   make benchmark                              speed and memory beside nnU-Net (Linux)
#   make benchmark README=                      the same, but leaves the table of README.md as it is
#   make benchmark STAGES="patches training"    some of the stages (tests/benchmarks/lines.py)
#   make benchmark STAGES=scale                 10,000 cases: not among those that run by themselves
#   make test-faults                            kills, bad inputs and fuzzing at full length
#   make test-faults FAULTS="fuzz"              some of them (tests/faults/run.py)
#   make test-slurm                             the workflow through a real Slurm on this machine (Debian, root)
#   make test-slurm SLURM="disturbed"           some of it (tests/slurm/run.py)
#   make bundle CONFIG=FILE                     all to run a config again without a network, but scans
#   make parity                                 slicewise against nnU-Net, run live
#   make parity COMPARE="training inference"    some of the comparisons (tests/parity/)

PYTHON ?= python3
CORES ?= all
ARGS ?=
TESTS ?= tests
COMPARE ?=
FAULTS ?=
SLURM ?=
STAGES ?=
PAIRS ?= 5
README ?= README.md
# A python that has nnunetv2 2.8.1, where that is installed already.
NNUNET_PYTHON ?=
CONFIG ?=

# Common in containers, and it makes every job of a run compile all its imports anew.
unexport PYTHONDONTWRITEBYTECODE

SNAKEMAKE_FILES := $(wildcard Snakefile workflow/Snakefile workflow/rules/*.smk)
# Compiling every module of PyTorch takes longer than installing it, and a run imports few of them.
PIP := -m pip --disable-pip-version-check install --quiet --no-compile

.PHONY: run test test-faults test-slurm lint format config-docs benchmark parity bundle
.DELETE_ON_ERROR:

run: .venv/run.stamp
	@.venv/bin/python -m snakemake --cores $(CORES) $(ARGS)

test: .venv/test.stamp
	@.venv/bin/python -m pytest --numprocesses auto --dist loadfile $(TESTS)

test-faults: .venv/test.stamp
	@PYTHONPATH=tests:workflow/scripts TQDM_DISABLE=1 .venv/bin/python -m faults.run $(FAULTS)

test-slurm: .venv/test.stamp
	@PYTHONPATH=tests:workflow/scripts TQDM_DISABLE=1 .venv/bin/python -m slurm.run $(SLURM)

lint: .venv/test.stamp
	@.venv/bin/python -m pytest --quiet tests/test_style_checks.py

format: .venv/test.stamp
	@.venv/bin/python -m ruff check --quiet --fix .
	@.venv/bin/python -m ruff format --quiet .
	@$(if $(SNAKEMAKE_FILES),.venv/bin/python -m snakefmt $(SNAKEMAKE_FILES))

config-docs: .venv/run.stamp
	@PYTHONPATH=workflow/scripts .venv/bin/python -m slicewise.config config/README.md

benchmark: .venv/test.stamp $(if $(NNUNET_PYTHON),,.venv-nnunet/run.stamp)
	@PYTHONPATH=tests:workflow/scripts TQDM_DISABLE=1 .venv/bin/python -m benchmarks.run \
		--nnunet $(or $(NNUNET_PYTHON),.venv-nnunet/bin/python) --pairs $(PAIRS) $(if $(README),--readme $(README)) $(STAGES)

# In the unpacked bundle, PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels make run repeats the run. For that all
# packages are wheels: one that comes as source would be built there with what it would download.
bundle: .venv/run.stamp
	@git diff --quiet HEAD || { echo "Commit your changes first: a bundle holds what is committed"; exit 1; }
	@test ! -e bundle || { echo "bundle: found one already, expected none; move it away first"; exit 1; }
	@mkdir bundle && trap 'rm -rf bundle' EXIT && trap 'exit 1' INT TERM && set -e; \
		.venv/bin/python -m snakemake $(if $(CONFIG),--configfile "$(CONFIG)") --report bundle/report.zip; \
		git archive HEAD | tar x -C bundle; \
		git rev-parse HEAD > bundle/COMMIT; \
		$(if $(CONFIG),cp "$(CONFIG)" bundle/config/config.yaml;) \
		.venv/bin/python -m pip wheel --quiet --requirement envs/requirements.txt --wheel-dir bundle/wheels; \
		tar czf bundle.tar.gz bundle || { rm -f bundle.tar.gz; exit 1; }

parity: .venv/run.stamp $(if $(NNUNET_PYTHON),,.venv-nnunet/run.stamp)
	@PYTHONPATH=tests:workflow/scripts TQDM_DISABLE=1 .venv/bin/python -m parity.run \
		--nnunet $(or $(NNUNET_PYTHON),.venv-nnunet/bin/python) $(COMPARE)

# An installation that was cut off can look whole to pip. So the stamp goes before anything is
# installed and comes back last, and where there is none, .venv is made anew.
.venv/run.stamp: envs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "slicewise needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	@test -f $@ || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	@echo "Installing $< into .venv (the first time takes a few minutes)"
	@.venv/bin/python $(PIP) --requirement $<
	@touch $@

.venv/test.stamp: envs/requirements-dev.txt $(patsubst %,envs/requirements-%.txt,slurm kubernetes s3) .venv/run.stamp
	@rm -f .venv/run.stamp
	@echo "Installing $< into .venv"
	@.venv/bin/python $(PIP) --requirement $<
	@touch .venv/run.stamp $@

.venv-nnunet/run.stamp: envs/requirements-nnunet.txt
	@test -f $@ || $(PYTHON) -m venv --clear .venv-nnunet
	@rm -f $@
	@echo "Installing $< into .venv-nnunet (the first time takes some minutes and gigabytes)"
	@.venv-nnunet/bin/python $(PIP) --requirement $<
	@touch $@
