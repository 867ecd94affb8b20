# Everything is set up in .venv on first use; a second call installs nothing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA := --task hopper --rows 1024 --time-steps 64
VARIANTS := --variants base,noisy:0.3
PYTEST ?= $(BIN)/python -m pytest

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e
RUNTIME := $(VENV)/.installed
EVERYTHING := $(VENV)/.installed-with-llm

.PHONY: demo test lint

demo: $(RUNTIME)
	$(BIN)/mirrorpo bench $(DATA) $(VARIANTS) --algorithms sft,slic,dpo,ipo,cpo,orpo,simpo,kto \
		--seeds 5 --search --search-seeds 1 --search-episodes 20 --episodes 50 --out demo/bench
	$(BIN)/mirrorpo discover $(DATA) --variant noisy:0.3 --learn psi,phi,g,weight --weight 0.5 \
		--parameters activations --strategy snes --sigma 0.2 --population 12 --generations 8 \
		--epochs 6 --episodes 20 --validation-rows 1024 --validation-episodes 50 \
		--validation-seeds 4 --validate-every 4 --out demo/discovery
	$(BIN)/mirrorpo bench $(DATA) $(VARIANTS) --algorithms demo/discovery/objective.safetensors \
		--seeds 5 --episodes 50 --out demo/discovered
	$(BIN)/mirrorpo report demo/bench demo/discovered demo/discovery --out demo/report

test: $(EVERYTHING)
	$(PYTEST)

lint: $(EVERYTHING)
	$(BIN)/ruff check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "MirrorPO needs Python 3.11 or 3.12: name one with make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[dev]'
	touch $@

$(EVERYTHING): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[cluster,dev,docs,llm]'
	touch $(RUNTIME) $@
