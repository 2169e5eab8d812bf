# What a person relies on. Each target installs what it lacks, shows progress, and ends with one line for scripts.

CONFIGURATION ?= release

.PHONY: build demo test check lint bench-host bench-signatures clean

build:
	@Scripts/install-dependencies build
	@Scripts/build $(CONFIGURATION)

# An attack blocked on a host, its signature live in Suricata, the attack dropped elsewhere. ARTEFACTS=FOLDER names
# where the artefacts go (default: demo-artefacts/TIME).
demo:
	@Demo/run --configuration $(CONFIGURATION)

test:
	@Scripts/test

# The checks that need no build: the arrows between modules, documented public symbols.
check lint:
	@Scripts/check-arrows
	@Scripts/check-docs

bench-host:
	@Bench/bench-host

# Missed variants, false alarms, speed of signatures. QUICK=1: small sizes. SCRATCH=FOLDER keeps the captures there.
bench-signatures:
	@Bench/bench-signatures $(if $(QUICK),--quick) $(if $(SCRATCH),--scratch "$(SCRATCH)")

clean:
	@swift package clean
