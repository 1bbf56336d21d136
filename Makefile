# Every target sets up what it needs on first use; see `make help`.
SHELL := bash
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
PYTEST_ARGS ?= -m "not slow and not gpu and not slurm"
BIN := .venv/bin
# On PATH, so that the rules' shell commands find this environment's python and lzu.
SNAKEMAKE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES)

.DEFAULT_GOAL := help
.PHONY: help env env-here report-env demo smoke test lint bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

env:  ## set up the Python environment in .venv
	@tools/setup-env

env-here:  ## set up the active virtual or conda environment instead
	@tools/setup-env --here

report-env:  ## set up .venv-report: tables and figures from results/, without torch
	@tools/setup-env --kind report

demo: env  ## train, measure and report on the synthetic world (about 25 minutes on two cores)
	@$(SNAKEMAKE) --configfile config/demo.yaml

smoke: env  ## run every rule once, tiny, from nothing
	@rm -rf results/smoke
	@$(SNAKEMAKE) --configfile config/smoke.yaml

lint: env  ## formatters and linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint --configfile config/smoke.yaml

test: env lint  ## linters, tests, and the smoke workflow from nothing
	$(BIN)/python -m pytest $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory smoke

bench: env  ## measure zoom and unzoom with pytest-benchmark
	$(BIN)/python -m pytest benchmarks --benchmark-only

clean:  ## remove the environments, logs and caches; results stay
	rm -rf .venv .venv-report logs .snakemake .pytest_cache .hypothesis .ruff_cache .benchmarks
