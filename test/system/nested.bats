#!/usr/bin/env bats
# tare inside a container of tare's own, with its data on a volume and on a tmpfs. The host's root is the image: nothing is written to it.

load lib

setup_file() {
    roots_make
    tare run --rm busybox true
}

teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() { leaks_after; }

# The root of the host is one file system: what the tests have made may lie on another.
host_root() { # option… command…
    tare run --rm --privileged --rootfs / -v "$ROOTS:$ROOTS:ro" -v "${TARE%/*}:${TARE%/*}:ro" -v "$FIXTURES:$FIXTURES:ro" "$@"
}

inside() { # option… : what a user does first, in a privileged container with the data in /inner
    cat >"$ROOTS/script" <<'END'
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /inner/root /inner/run
t() { "$1" --root /inner/root --run-root /inner/run "${@:2}"; }
t "$1" load -q -i "$2/busybox.docker.tar"
[ "$(t "$1" run --rm --network none -m 64m busybox echo one)" = one ]
[ "$(t "$1" run --rm busybox echo two)" = two ]
t "$1" run -d --name x -p 127.0.0.1::80 busybox sleep 1000
[ "$(t "$1" exec x echo three)" = three ]
t "$1" stop -t 0 x
t "$1" rm x
t "$1" system reset -f
echo everything
END
    ok host_root "$@" bash "$ROOTS/script" "$TARE" "$FIXTURES"
    has everything
}

@test "data on a volume" {
    inside -v inner:/inner
    ok tare volume rm inner
}

@test "data on a tmpfs" {
    inside --tmpfs /inner
}

@test "data on the container's own overlay: refused by the kernel, and said how to do it" {
    run host_root bash -c '
        mkdir -p /inner/root /inner/run
        "$0" --root /inner/root --run-root /inner/run load -q -i "$1/busybox.docker.tar"
        "$0" --root /inner/root --run-root /inner/run run --rm --network none busybox true' "$TARE" "$FIXTURES"
    [ "$status" = 125 ]
    has "-v"
}
