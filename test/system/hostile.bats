#!/usr/bin/env bats
# Bad input of many kinds: one sentence each, the right status, nothing left behind. And what a hostile image says of itself.

load lib

setup_file() { roots_make; }
teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() { leaks_after; }

@test "hostile command lines: one sentence each, without control characters" {
    before=$(tare images -q --no-trunc; tare network ls -q; tare volume ls -q)
    ok python3 "$BATS_TEST_DIRNAME/hostile.py" "$TARE" --root "$ROOT" --run-root "$RUN"
    has " rows"
    is "$(grep -o '^[0-9]* rows$' <<<"$output")"
    [ "${output% rows}" -gt 700 ]
    [ "$(tare images -q --no-trunc; tare network ls -q; tare volume ls -q)" = "$before" ]
    ok tare ps -aq
    is ""
}
