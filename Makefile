# make demo   warm start, then GiGPO in a household text world; prints success before and after
# make test   linters, types and the fast tests
#
# Both set up their own virtual environment. Useful variables:
#   PYTHON=python3.12         interpreter of the virtual environment (3.11 or later)
#   VENV=.venv                where it goes
#   TORCH_INDEX=URL           index to take torch from (for example PyTorch's CPU wheels)
#   DEMO_ARGS="--seed 1"      passed to the demo

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
DEMO_ARGS ?=
PYTEST_ARGS ?=
ENGINE_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
TORCH := $(shell grep '^torch==' constraints.txt)

# Waiting OpenMP threads must not spin: on a busy machine that costs a factor of 20 and more.
export OMP_WAIT_POLICY = PASSIVE

.PHONY: demo test test-slow test-parity test-docker lint types clean help

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -n 12

$(VENV)/.created:
	@echo "== creating $(VENV)"
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.torch: $(VENV)/.created constraints.txt
	@echo "== installing $(TORCH)"
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	@touch $@

$(VENV)/.agents: $(VENV)/.torch pyproject.toml
	@echo "== installing turnwise and what its agents need"
	$(PIP) -e ".[agents,lora]"
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	@echo "== installing turnwise and what its tests need"
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.agents

$(VENV)/.parity: $(VENV)/.dev
	@echo "== installing the original ALFWorld stack to compare with"
	$(PIP) -e ".[dev,parity]"
	@touch $@

demo: $(VENV)/.agents
	$(BIN)/python scripts/demo.py $(DEMO_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy envs/turnwise_envs agents/turnwise_agents

test: lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -rs $(PYTEST_ARGS)

test-slow: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -rs -m "slow and not gpu and not vllm and not ray and not docker and not parity" $(PYTEST_ARGS)

test-parity: $(VENV)/.parity
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -rs -m parity $(PYTEST_ARGS)

# Starts a Docker engine where none answers; exit code 3 (make says "Error 3") where it cannot.
test-docker: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python scripts/docker_engine.py $(ENGINE_ARGS) \
		$(BIN)/python -m pytest -rs -m docker $(PYTEST_ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
