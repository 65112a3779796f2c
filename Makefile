# `make help` lists what can be made. Every target sets up what it needs first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup configure build demo test test-quick bench lint format sanitize wasm wheel install-wheel clean
PYTHON := .venv/bin/python
ALL ?=

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | expand -t 14

setup: ## install what is missing: system packages and .venv
	@scripts/setup

build: setup ## build everything (build/release)
	@scripts/build release

demo: build install-wheel ## stream a real micrograph between C++ and Python
	@$(PYTHON) examples/imaging/demo.py --build-dir build/release

test: build install-wheel ## every test there is; ends with one line of counts
	@$(PYTHON) scripts/test.py

test-quick: build install-wheel ## the tests beside the code, without those of packages and the README
	@$(PYTHON) scripts/test.py --quick

bench: build install-wheel ## measure beside raw baselines
	@$(PYTHON) bench/run.py --build-dir build/release

lint: build ## formats, clang-tidy on what was touched lately (ALL=1: on everything), ruff, mypy, include arrows
	@$(PYTHON) scripts/lint.py $(if $(ALL),--all)

format: setup ## rewrite the files as lint wants them
	@$(PYTHON) scripts/lint.py --fix

sanitize: setup ## unit, sim and conformance tests under ASan, UBSan and TSan (ALL=1: every test program)
	@$(PYTHON) scripts/sanitize.py $(if $(ALL),--all)

wasm: setup ## build the protocol core for browsers
	@$(PYTHON) scripts/wasm.py

wheel: build ## dist/leat-*.whl, with its libraries inside
	@$(PYTHON) scripts/wheel.py

install-wheel: build
	@$(PYTHON) scripts/wheel.py --install

clean: ## remove what was built; .venv stays
	rm -rf build dist
