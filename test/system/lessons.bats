#!/usr/bin/env bats
# The commands of docs/how-containers-work.md do what the page says, in roots of this test.

load lib

setup_file() {
    [ "$(id -u)" = 0 ] || skip "the page is for root"
    roots_make
    tare run --rm busybox true # the default network and its rules come with the first container on it, and stay
}
teardown_file() { [ "$(id -u)" != 0 ] || roots_remove; }
setup() { leaks_before; }
teardown() { leaks_after; }

prelude() {
    printf 'export LC_ALL=C.UTF-8\ntare() { %q --root %q --run-root %q "$@"; }\nDIR=%q\n' "$TARE" "$ROOT" "$RUN" "$FIXTURES/busybox"
}

@test "every command of the page prints what the page shows" {
    run python3 "$here/lessons.py" "$here/../../docs/how-containers-work.md" "$(prelude)"
    echo "$output"
    [ "$status" = 0 ]
}

@test "a page that says something else is found out" {
    printf '```console\n$ tare run --rm busybox echo is\nwas\n```\n' >"$BATS_TEST_TMPDIR/page.md"
    run python3 "$here/lessons.py" "$BATS_TEST_TMPDIR/page.md" "$(prelude)"
    [ "$status" = 1 ]
    [[ $output == *"0 of 1"* ]]
}

@test "README.md lists every key of the configuration file" {
    local key
    for key in $(tare info | sed -n '/^Configuration:/,$ s/^ \([a-z_]*\) =.*/\1/p'); do
        grep -q "^| \`$key\` |" "$here/../../README.md" || { echo "no $key"; return 1; }
    done
}
