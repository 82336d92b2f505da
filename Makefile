# Thin: Meson and Ninja do the work. `make` builds into build/, the command is build/tare.
BUILD ?= build

.PHONY: all
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_OPTIONS) >/dev/null
