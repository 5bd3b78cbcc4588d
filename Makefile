# Every target does its own set-up: tools/set_up.py makes .venv, and does nothing when all is there.

PYTHON ?= python3
WORKERS ?= 2
ARGS ?=

BIN := .venv/bin
RUN := @$(PYTHON) tools/set_up.py run
DEV := @$(PYTHON) tools/set_up.py dev
TEST := @$(PYTHON) tools/set_up.py test
# The box, which runs on Windows too; there is no hand-over to other programs there.
ON_WINDOWS = $(shell find src/lancert/kit src/lancert/protocol src/lancert/box src/lancert/cli/box src/lancert/cli/*.py \
	-name '*.py' -not -path '*/box/deploy/*' -not -name service.py -not -name authority.py)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench faults format messages reference deb lock clean

help: ## list what make can do
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS passes arguments on: make demo ARGS=--check, make test ARGS='tests/dns -k nodata'"

demo: ## everything on this machine: service, DNS, one IoT system and a strict client
	$(RUN)
	@$(BIN)/lancert demo $(ARGS)

test: ## run the tests, after installing what they drive (WORKERS=2)
	$(TEST)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

check: ## look without running: ruff, format, mypy --strict on Linux and for Windows, import floors
	$(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/windows --follow-imports silent $(ON_WINDOWS)
	$(BIN)/lint-imports

bench: ## print the figures beside the machine's own crypto floor (ARGS=dns for one of them)
	$(RUN)
	@$(BIN)/python -m bench $(ARGS)

faults: ## prove at full size what kills, power cuts, floods and bad networks leave, 45 min, as root (ARGS=power for one of them)
	$(TEST)
	@$(BIN)/python -m faults $(ARGS)

format: ## write the code the way check wants it
	$(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: ## collect the sentences people read into src/lancert/locale/lancert.pot
	$(DEV)
	@$(BIN)/python tools/messages.py

reference: ## write the generated parts of docs/reference and docs/security.md from the code
	$(DEV)
	@$(BIN)/python tools/reference.py $(ARGS)

deb: ## build the Debian package of the box into dist, for Debian 12 (ARGS='--architecture arm64')
	$(RUN)
	@$(BIN)/python tools/deb.py $(ARGS)

lock: ## write requirements/*.txt anew from pyproject.toml (ARGS=--upgrade for newer versions)
	$(DEV)
	@$(BIN)/python tools/lock.py $(ARGS)

clean: ## remove what make made, the virtual environment too
	rm -rf .venv .cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
