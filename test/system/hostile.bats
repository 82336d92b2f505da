#!/usr/bin/env bats
# Bad input of many kinds: one sentence each, the right status, nothing left behind. And what a hostile image says of itself.

load lib

setup_file() { roots_make; }
teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() { leaks_after; }

@test "hostile command lines: one sentence each, without control characters" {
    before=$(tare images --format '{{.Repository}}:{{.Tag}} {{.ID}}'; tare network ls -q; tare volume ls -q)
    ok python3 "$BATS_TEST_DIRNAME/hostile.py" "$TARE" --root "$ROOT" --run-root "$RUN"
    has " rows"
    is "$(grep -o '^[0-9]* rows$' <<<"$output")"
    [ "${output% rows}" -gt 700 ]
    [ "$(tare images --format '{{.Repository}}:{{.Tag}} {{.ID}}'; tare network ls -q; tare volume ls -q)" = "$before" ]
    ok tare ps -aq
    is ""
}

@test "hostile images: refused in one sentence, or inert; a terminal is told nothing that it would obey" {
    mkdir "$ROOTS/place"
    ok tare rmi busybox
    ok python3 "$BATS_TEST_DIRNAME/hostile_image.py" "$FIXTURES/busybox.tar" "$ROOTS/place" "$TARE" --root "$ROOT" --run-root "$RUN"
    is "$(grep -o '^[0-9]* images$' <<<"$output")"
    [ "${output% images}" -gt 60 ]
    rm -r "$ROOTS/place"
    image_load busybox
}
