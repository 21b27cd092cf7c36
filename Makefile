# Thin verbs. `make` alone prints them. Everything but `clean` makes and renews .venv by itself.

SHELL := /bin/sh
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-all soak lint lint-types lint-text bench bench-dau bench-reports clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s  %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED) ## the whole way on embedded servers, with a summary and a stopped build (state: .sandbox/)
	@exec $(PYTHON) -m flows.sandbox.demo

serve: $(INSTALLED) ## sandbox, Prefect server with UI, worker and all deployments, until Ctrl-C
	@exec $(PYTHON) -m flows.sandbox.serve

test: $(INSTALLED) ## the tests, two at a time, on embedded servers of their own (make test ARGS='-k ledger -x')
	$(PYTHON) -m pytest -n 2 --dist worksteal $(ARGS)

test-all: $(INSTALLED) ## those, and the slow ones that CI leaves out
	$(PYTHON) -m pytest -n 2 --dist worksteal -m 'not soak' $(ARGS)

soak: $(INSTALLED) ## hours: 20,000 histories, over 100 kills, every fault several times
	SOAK_HISTORIES=20000 $(PYTHON) -m pytest tests/dbt_project/test_any_schedule.py $(ARGS)
	$(PYTHON) -m pytest -m soak $(ARGS)

lint: $(INSTALLED) ## ruff (format and check), mypy strict on flows/, sqlfluff on the SQL, pip-audit
	@$(MAKE) --no-print-directory --jobs 2 lint-types lint-text

# mypy takes most of the time, on one core: the others run beside it.
lint-types: $(INSTALLED)
	$(PYTHON) -m mypy

lint-text: $(INSTALLED)
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) .ci/audit.py
	$(PYTHON) -m sqlfluff lint --disable-progress-bar $(wildcard dbt_project/models dbt_project/tests dbt_project/analyses)

bench: $(INSTALLED) ## measure archive, load and transform
	$(PYTHON) -m benchmarks

bench-dau: $(INSTALLED) ## measure the way from a CSV of 100,000 events to the active users of each day
	$(PYTHON) -m benchmarks.dau

bench-reports: $(INSTALLED) ## measure users and telemetry from server to server, and reports over 10,000,000 events
	$(PYTHON) -m benchmarks.reports

clean: ## remove the sandbox's state and all caches; .venv stays
	@if [ -x $(PYTHON) ] && [ -d .sandbox ]; then $(PYTHON) -m flows.sandbox.clean; fi
	rm -rf .sandbox .pytest_cache .mypy_cache .ruff_cache .hypothesis build
	rm -rf dbt_project/target dbt_project/logs

# The first Python that is new enough and can make environments (Debian splits ensurepip off).
# An older python3 is no obstacle where python3.13, 3.12 or 3.11 stands beside it.
$(INSTALLED): pyproject.toml constraints.txt
	@if [ ! -x $(PYTHON) ] || ! $(PYTHON) -c 'import pip' 2>/dev/null; then \
	  found=; \
	  for python in python3 python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "Python 3.11 or newer with venv is needed (on Debian: apt install python3 python3-venv);" \
	      "found only: $$(python3 --version 2>&1 || true)" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making .venv with $$($$found --version)"; \
	  rm -rf .venv && $$found -m venv .venv; \
	fi
	@echo "Installing the versions of constraints.txt into .venv (a minute or two the first time)"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
