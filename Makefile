PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup lock test clean

help: ## List the commands.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: .venv/ready ## Create the environment and generate the protobuf code.

.venv/ready: pyproject.toml requirements.lock
	test -x $(BIN)/uv || ($(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9)
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	printf '%s\n%s\n' "$(CURDIR)" "$(CURDIR)/protos" > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/duebook.pth
	touch $@

lock: ## Pin every dependency again, with hashes.
	VIRTUAL_ENV=.venv $(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock

test: setup ## Set everything up and pass all tests.
	$(BIN)/ruff check .
	$(BIN)/python -m pytest

clean: ## Remove the environment and everything built.
	rm -rf .venv build data
