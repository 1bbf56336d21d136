# Every target sets up what it needs on first use; see `make help`.
SHELL := bash
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
PYTEST_ARGS ?= -m "not slow and not gpu and not slurm"
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help env env-here report-env demo study smoke test lint bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

env:  ## set up the Python environment in .venv
	@tools/setup-env

env-here:  ## set up the active virtual or conda environment instead
	@tools/setup-env --here

report-env:  ## set up .venv-report: tables and figures from results/, without torch
	@tools/setup-env --kind report

demo: env  ## train, measure and report on the synthetic world (a few minutes on two cores)
	@CORES=$(CORES) tools/run-suite demo

study: env  ## the same with the seeds, scales and methods that conclusions need (hours; resumable)
	@CORES=$(CORES) tools/run-suite study $(if $(REUSE),--config reuse=true)

smoke: env  ## run every rule once, tiny, from nothing
	@tools/remove results/smoke data/smoke
	@CORES=$(CORES) tools/run-suite smoke

lint: env  ## formatters, linters, types, and drift of what is written by scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/config_docs.py --check
	$(BIN)/python tools/readme.py --check
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint --configfile config/smoke.yaml

test: env lint  ## linters and tests, the smoke workflow from nothing among them
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: env  ## measure warps, training and back-projection; see benchmarks/
	$(BIN)/python -m pytest benchmarks $(BENCH_ARGS)

clean:  ## remove the environments, logs and caches; results stay
	tools/remove .venv .venv-report logs .snakemake .pytest_cache .hypothesis .ruff_cache .mypy_cache
