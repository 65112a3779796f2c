# `make help` lists what can be made. Every target sets up what it needs first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup configure build demo test test-quick sim bench bench-peers profile crash soak lint format sanitize wasm wheel \
  install-wheel clean
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

SEEDS ?= 1000
sim: setup ## sessions over a simulated network, checked (SEEDS=1000), and whether the checkers see anything
	@scripts/build release leat_sim leat_sim_canaries
	@build/release/tests/sim/leat_sim --seeds $(SEEDS) --kept tests/sim/seeds.txt
	@build/release/tests/sim/leat_sim_canaries --gtest_brief=1

bench: build install-wheel ## measure beside raw floors and peers (SUITE=, PEERS=, QUICK=1)
	@$(PYTHON) bench/run.py --build-dir build/release

bench-peers: setup ## install what Leat is measured beside (build/bench-peers)
	@$(PYTHON) bench/peers/install.py

profile: build ## SUITE=tcp.unary: where its time goes, and what a call costs in instructions and system calls
	@$(PYTHON) bench/profiling.py --build-dir build/release

crash: build install-wheel ## kill and restart servers under load (ROUNDS=100, LOG=file)
	@$(PYTHON) tests/crash/test_crash.py --rounds $(or $(ROUNDS),100) $(if $(LOG),--log $(LOG))

soak: build ## four minutes of a stream that is hardly read, beside calls (LOG=file)
	@$(PYTHON) tests/soak/test_soak.py $(if $(LOG),--log $(LOG))

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
