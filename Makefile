# Thin: Meson and Ninja do the work. `make` builds into build/, the command is build/tare.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all test-vm deps demo test test-sweep bench fuzz lint format install uninstall clean help
all: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD)

# A quick look, and apt only when something is missing.
deps:
	@scripts/install-deps build

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_OPTIONS) >/dev/null

demo: all
	@scripts/demo $(BUILD)/tare

# Everything: units (also under the sanitizers), rules of the source, the system as root and as an ordinary user, attacks.
# One part: make test PARTS="unit rules system filesystem attack sweep model compare vm"; some files: make test ONLY='run*'.
test:
	@test/run $(PARTS)

test-sweep:
	@test/run sweep-all

# The system tests again on the cgroup layouts and the kernel (6.1) of virtual machines, reboots, power cuts, a clock set back: two hours, without KVM.
test-vm: all
	@scripts/install-deps vm
	@test/vm/all

bench: all
	@scripts/install-deps bench
	@test/bench/run $(BUILD)/tare

fuzz:
	@test/fuzz/run $(SECONDS_EACH)

lint:
	@scripts/install-deps build test
	@scripts/lint

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

# The programs find each other by their places, so what was built for any prefix fits.
install: all
	@meson configure $(BUILD) --prefix $(PREFIX)
	@meson install -C $(BUILD) --quiet $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

# Removes what `make install` with the same PREFIX and DESTDIR put there. Images and containers stay; README says how to remove them.
uninstall:
	@scripts/uninstall $(BUILD) $(PREFIX) $(DESTDIR)

clean:
	@rm -rf $(BUILD) build-sanitize build-fuzz

help:
	@sed -n 's/^# //p' Makefile; grep -E '^[a-z-]+:' Makefile | cut -d: -f1 | tr '\n' ' '; echo
