# SPDX-License-Identifier: Apache-2.0

# What a person relies on. Each target installs what it lacks, shows progress, and ends with one line for scripts.

CONFIGURATION ?= release

.PHONY: build demo test check lint bench-host bench-signatures fuzz soak clean

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
	@Bench/Host/bench-host

# An hour of mixed load with an injected call a second: all found, nothing else, memory flat. SECONDS_LONG=600: shorter.
soak:
	@Bench/Soak/soak $(if $(SECONDS_LONG),--seconds "$(SECONDS_LONG)") $(if $(KEEP),--keep "$(KEEP)")

# Missed variants, false alarms, speed of signatures. QUICK=1: small sizes. SCRATCH=FOLDER keeps the captures there.
bench-signatures:
	@Bench/Signatures/bench-signatures $(if $(QUICK),--quick) $(if $(SCRATCH),--scratch "$(SCRATCH)")

# Every reader of what others send or store, on mutated inputs. SECONDS_EACH=20: how long each; QUICK=1: 3 seconds each;
# KEEP=FOLDER keeps the inputs that crash or hang there.
fuzz:
	@Fuzz/fuzz $(if $(QUICK),--quick) $(if $(SECONDS_EACH),--seconds "$(SECONDS_EACH)") $(if $(KEEP),--keep "$(KEEP)")

clean:
	@swift package clean
