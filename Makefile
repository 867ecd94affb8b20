# Everything is set up in .venv on first use; a second call installs nothing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_DATA := --task hopper --rows 512 --time-steps 64
PYTEST ?= $(BIN)/python -m pytest

# What is never imported need not be compiled to bytecode.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	-c constraints.txt -e
RUNTIME := $(VENV)/.installed
EVERYTHING := $(VENV)/.installed-with-llm

.PHONY: demo test test-newest lint gpu everything

demo: $(RUNTIME)
	$(BIN)/mirrorpo discover $(DEMO_DATA) --variants mixed-quality+noisy:0.2 --family gated \
		--strategy snes --sigma 0.7 --population 10 --generations 7 --episodes 4 \
		--validation-rows 512 --validation-episodes 8 --validation-seeds 4 \
		--validate-every 3 --out demo/discovery
	$(BIN)/mirrorpo bench $(DEMO_DATA) --variants mixed-quality+noisy:0.2 \
		--algorithms sft,cpo,slic,sft-simpo,ropo,demo/discovery/objective.safetensors \
		--seeds 6 --data-draws 1 --search --tune-on score --tune-by grid --search-seeds 1 --search-episodes 4 \
		--episodes 8 --keep-agents --out demo/bench
	$(BIN)/mirrorpo report demo/discovery demo/bench --rollouts 1 --out demo/report

# One process per folder: what JAX and PyTorch keep in memory would add up over all of them. Two
# at a time: most of the time goes into compiling, which keeps one core busy.
# `make -j2 lint test` shares its two places with them.
# Those that take longest begin first: none is left to run alone at the end.
FOLDERS := $(patsubst tests/%/__init__.py,%,$(wildcard tests/*/__init__.py))
LONGEST := reporting cli objectives study docs language front training discovery simulation
TESTS := $(addprefix test-,$(filter $(FOLDERS),$(LONGEST)) $(filter-out $(LONGEST),$(FOLDERS)))
JOBS ?= 2
PLACES = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

test: $(EVERYTHING)
	@$(MAKE) --no-print-directory --keep-going --output-sync=target $(PLACES) $(TESTS)

$(TESTS): test-%: $(EVERYTHING)
	@echo "tests/$*/"; $(PYTEST) tests/$*/

# The newest versions that the ranges allow, which need Python 3.12 or later, in an environment of
# their own: make test-newest PYTHON=python3.13. On Linux PyTorch's newest builds bring CUDA, five
# gigabytes of it: NEWEST_EXTRAS=dev leaves the language models' packages out.
NEWEST := .venv-newest
NEWEST_EXTRAS ?= dev,llm
NEWEST_STAMP := $(NEWEST)/.installed-$(shell echo $(NEWEST_EXTRAS) | tr , -)
NEWEST_TESTS := objectives runtime simulation training discovery front \
	$(if $(findstring llm,$(NEWEST_EXTRAS)),language/test_trl_names.py language/test_trl_equality.py)

test-newest: $(NEWEST_STAMP)
	$(NEWEST)/bin/python -m pytest $(addprefix tests/,$(NEWEST_TESTS))

$(NEWEST_STAMP): pyproject.toml constraints-newest.txt
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
		-c constraints-newest.txt -e '.[$(NEWEST_EXTRAS)]'
	touch $@

# On a machine with a GPU, and JAX's and PyTorch's builds for it in .venv: docs/howto/gpu.md.
gpu: $(EVERYTHING)
	$(BIN)/python benchmarks/gpu.py --out runs/gpu

lint: $(EVERYTHING)
	$(BIN)/ruff check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "constraints.txt is for Python 3.11 and 3.12: name one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

everything: $(EVERYTHING)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[dev]'
	touch $@

$(EVERYTHING): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[cluster,data,dev,docs,gym,llm]'
	touch $(RUNTIME) $@
