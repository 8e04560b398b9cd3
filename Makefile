# SPDX-License-Identifier: MIT
# A thin front for CMake (see CMakePresets.json) and the scripts in tools/. Needs nothing but make;
# what else is missing is installed by the target that needs it.

.DEFAULT_GOAL := help
.PHONY: help run run-servers test bench size lint fuzz soak format format-check clean

DEMO ?= runtime
ARGS ?=
FUZZ_SECONDS ?= 60
SOAK_SEEDS ?= 1000000
export FUZZ_SECONDS SOAK_SEEDS

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' Makefile

run: ## build and start the runtime demo; DEMO=name another one, ARGS="--seed 7" its arguments
	@tools/bootstrap.sh run
	@tools/build.sh release demo_$(DEMO)
	@build/release/demos/$(DEMO) $(ARGS)

run-servers: ## start nginx, redis, mosquitto and a WebSocket echo on loopback, for the tools in demos/
	@tools/bootstrap.sh servers
	@tools/servers.py

test: ## build everything and run all tests; ARGS="-R name" or "-L label" selects
	@tools/bootstrap.sh test
	@tools/test.sh $(ARGS)

bench: ## measure the release build beside its peers; writes build/bench.json
	@tools/bootstrap.sh bench
	@tools/build.sh release -DSOS_BUILD_BENCH=ON bench
	@python3 bench/run.py $(ARGS)

size: ## sizes of the public structs; flash of the core on a Cortex-M3, per file and function
	@tools/bootstrap.sh size
	@python3 tools/size.py $(ARGS)

lint: ## the rules about the source text, and a report of long functions and unformatted files
	@tools/bootstrap.sh lint
	@tools/build.sh debug -DSOS_TEST_VALGRIND=OFF -DSOS_TEST_BARE=OFF smallos smallos_core
	@python3 tests/lint/rules.py report .
	@tools/format.sh --check || true
	@ctest --test-dir build/debug --output-on-failure -L '^lint$$' $(ARGS)

fuzz: ## run each fuzz target for FUZZ_SECONDS (60); ARGS=name picks one
	@tools/bootstrap.sh fuzz
	@tools/build.sh fuzz
	@tools/fuzz.sh $(ARGS)

soak: ## run the property tests over SOAK_SEEDS (1000000) seeds, optimised and with sanitizers
	@tools/bootstrap.sh test
	@tools/build.sh hard
	@tools/build.sh asan
	@tools/soak.sh $(ARGS)

format: ## format the source in place
	@tools/bootstrap.sh lint
	@tools/format.sh

format-check: ## list the files that make format would change
	@tools/bootstrap.sh lint
	@tools/format.sh --check

clean: ## remove build/
	rm -rf build
