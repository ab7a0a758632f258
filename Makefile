# `make` sets everything up and runs the main job; `make test` sets everything up and runs all tests.
# Each line behind them stands in the README as a plain command.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# named after the path, which a virtual environment cannot leave: a moved project is set up again
READY := $(VENV)/.ready-$(shell pwd | cksum | cut -d" " -f1)
# what `make throughput` runs, as the workflow does
SUITE := src/trainscape/throughput/suite
# the environment's own programs first: dvc and make call snakemake, git and python by name
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: all quick test cluster-test fuzz lint format docs screens pins licences setup bench calibrate throughput gpu-evidence clean help chaos

all: setup  ## set up, then run the study in params.yaml
	snakemake --cores all

quick: setup  ## set up, then a first picture from 12 cells
	snakemake --cores all --configfile studies/quick.yaml

test: setup  ## set up, then run every test
	pytest -n 3 --dist worksteal

cluster-test: setup  ## stop and disturb runs on a Slurm of two nodes, started here (Debian: slurm-wlm, munge)
	uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements-slurm.txt
	TRAINSCAPE_SLOW=1 pytest -n 2 --dist worksteal tests/cluster

fuzz: setup  ## spoiled input, TIMES as many examples as make test has, each run others (TIMES=20)
	TRAINSCAPE_FUZZ=$(or $(TIMES),20) pytest -n 2 --dist worksteal tests/fuzz

lint: setup  ## formatting, lint, types, which room imports which, workflow lint
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-logo --no-cache
	snakefmt --check Snakefile workflow/rules
	python workflow/lint.py

format: setup  ## rewrite files in the project's format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules

docs: setup  ## remake what pages show: examples, schedules.svg, schema.json
	python docs/engine_step.py
	python docs/include.py
	python docs/draw_schedules.py
	trainscape schema > docs/schema.json

screens: setup  ## keep the report and its pictures for the README; needs Chromium
	python docs/draw_screens.py

bench: setup  ## measure grid, engine, workflow, page (ONLY="grid engine", QUICK=1): docs/benchmarks
	uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements-bench.txt || \
	  echo "no jax: measured without it"
	PYTHONPATH=src:tests python -m benchmarks $(ONLY) $(if $(QUICK),--quick)

calibrate: setup  ## simulate studies: do intervals and verdicts hold? docs/calibration.md
	PYTHONPATH=src:tests python -m calibration

chaos: setup  ## damage a small study at random (ROUNDS=50 SEED=0), and compare its end: docs/reliability.md
	PYTHONPATH=src:tests python -m chaos --rounds $(or $(ROUNDS),50) --seed $(or $(SEED),0)

throughput: setup  ## measure step times of the study in params.yaml
	python -m trainscape data
	python -m pytest -c $(SUITE)/pytest.ini $(SUITE)

gpu-evidence:  ## measure on a CUDA GPU; needs torch and numpy alone, and no network
	PYTHONPATH=src:tests $(PYTHON) -m benchmarks.gpu_evidence

pins: setup  ## remake requirements*.txt from pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --extra test --output-file requirements.txt pyproject.toml
	for extra in bench slurm; do \
	  $(BIN)/python -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")' $$extra | \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make pins" --constraint requirements.txt --output-file requirements-$$extra.txt - || exit; \
	done

licences: setup  ## the licence of each pinned package, as it states it itself
	python docs/licences.py

setup: $(READY)  ## the environment in .venv, as requirements.txt pins it

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.txt)"
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes --compile-bytecode --requirement requirements.txt
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

clean:  ## remove the environment and logs; results stay
	rm -rf $(VENV) logs .snakemake

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)
