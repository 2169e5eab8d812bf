# SPDX-License-Identifier: Apache-2.0

# What a person relies on. Each target installs what it lacks, shows progress, and (build, help and clean aside) ends with one
# RESULT line for scripts. The text after ## is what `make help` prints.

CONFIGURATION ?= debug

.DEFAULT_GOAL := help
.PHONY: help build rpm demo test check bench-host bench-signatures bench-center faults failover fuzz soak clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the two programs for installation, into build/ (symbols in build/symbols)
	@Scripts/install-dependencies build
	@Scripts/build-programs

rpm: build ## the same as an rpm package with the units, into build/
	@Scripts/install-dependencies rpm
	@Scripts/build-rpm

demo: ## block an attack, get its rule live, see the attack dropped elsewhere (CONFIGURATION=release: compiles longer, runs faster; ARTEFACTS=FOLDER; DEMO_BINARIES=FOLDER: with the binaries of Demo/collect-binaries alone, compilers and sources hidden)
	@Demo/run --configuration $(CONFIGURATION) $(if $(DEMO_BINARIES),--bin "$(DEMO_BINARIES)" --without-toolchain)

test: ## run the checks, build everything, run every test
	@Scripts/test

check: ## run the checks that need no build: module dependencies, docs, licenses, format, references
	@Scripts/check

bench-host: ## measure what blocking costs a call, and the time from a blocked call to a live rule
	@Bench/Host/bench-host

bench-signatures: ## measure missed variants, false alarms and speed (QUICK=1: small sizes; SCRATCH=FOLDER keeps captures)
	@Bench/Signatures/bench-signatures $(if $(QUICK),--quick) $(if $(SCRATCH),--scratch "$(SCRATCH)")

bench-center: ## measure a local center: packets a second, empty and full, an outbreak of 50,000 hosts; CrowdSec beside it (QUICK=1: 2 minutes; KEEP=FOLDER)
	@Bench/Center/bench-center $(if $(QUICK),--quick) $(if $(KEEP),--keep "$(KEEP)")

faults: ## kill a center at random moments, fill its disk, step its clock, hang its Suricata: what is lost or stuck (KILLS=200; SHORT=1: seconds; KEEP=FOLDER)
	@Bench/Faults/faults $(if $(SHORT),--short) $(if $(KILLS),--kills "$(KILLS)") $(if $(KEEP),--keep "$(KEEP)")

failover: ## kill, freeze and cut off machines of a PostgreSQL cluster under two centers: what is lost, for how long writes stop (FAULTS=25; SHORT=1: 90 seconds; KEEP=FOLDER)
	@Bench/Failover/failover $(if $(SHORT),--short) $(if $(FAULTS),--faults "$(FAULTS)") $(if $(KEEP),--keep "$(KEEP)")

fuzz: ## feed mutated input to every parser (SECONDS_EACH=20; QUICK=1: 3 seconds each; KEEP=FOLDER keeps what crashes)
	@Fuzz/fuzz $(if $(QUICK),--quick) $(if $(SECONDS_EACH),--seconds "$(SECONDS_EACH)") $(if $(KEEP),--keep "$(KEEP)")

soak: ## run the agent under mixed load for an hour, an injected call a second (SECONDS_LONG=600: shorter; KEEP=FOLDER)
	@Bench/Soak/soak $(if $(SECONDS_LONG),--seconds "$(SECONDS_LONG)") $(if $(KEEP),--keep "$(KEEP)")

clean: ## remove what was built
	@swift package clean
	@rm -rf build
