#!/usr/bin/env bats
# Roots that earlier versions wrote (test/kept), read, used and removed by this one.
# lane: alone

load lib

setup() {
    KEPT=${TARE_SOURCE:-$(readlink -f "$BATS_TEST_DIRNAME/../..")}/test/kept
    ROOTS=$(mktemp -d /tmp/tt.XXXXXX)
    ROOT=$ROOTS/root RUN=$ROOTS/run
    TAG=$("$LEAKS" tag "$RUN")
    export ROOTS ROOT RUN TAG
}

teardown() {
    roots_remove
}

# The roots as VERSION left them, here.
roots_of() { # VERSION
    mkdir -p "$ROOT" "$RUN"
    tar -C "$ROOT" --same-permissions -xzf "$KEPT/$1/root.tar.gz"
    tar -C "$RUN" --same-permissions -xzf "$KEPT/$1/run.tar.gz"
    { grep -rlI '@ROOT@\|@RUN@' "$ROOT" "$RUN" || true; } | xargs -r sed -i "s|@ROOT@|$ROOT|g; s|@RUN@|$RUN|g"
}

versions() {
    basename -a "$KEPT"/[0-9]*/
}

@test "what earlier versions wrote says what it said then" {
    local version line
    for version in $(versions); do
        roots_of "$version"
        while read -r line; do
            printf '$ %s\n' "$line"
            eval "$line" 2>&1
        done < <(sed -n 's/^\$ //p' "$KEPT/$version/answers") | sed "s|$ROOT|@ROOT@|g; s|$RUN|@RUN@|g" >"$BATS_TEST_TMPDIR/now"
        diff "$KEPT/$version/answers" "$BATS_TEST_TMPDIR/now"
        ok tare system reset -f
    done
}

@test "containers, volumes, networks and images of earlier versions start, run and go" {
    local version
    for version in $(versions); do
        roots_of "$version"
        ok tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' running # nobody saw its end
        is "exited 137"
        fails 7 tare start -a created
        has kept
        ok tare start running
        ok tare port running
        is "80/tcp -> 127.0.0.1:30988"
        fails 7 tare exec running /kept
        is kept
        ok tare stop -t 0 running
        fails 7 tare run --rm --network net kept:1
        is kept
        ok tare rm -fv created ended running
        ok tare rmi kept:1
        ok tare volume rm data
        ok tare network rm net
        ok tare secret rm hidden
        ok tare system check
        ok tare system reset -f
    done
}
