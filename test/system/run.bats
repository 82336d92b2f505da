#!/usr/bin/env bats
# run: what flags do inside, what a failure leaves outside.

load lib

setup_file() {
    roots_make
    tare run --rm busybox true # bridge and nftables table are made once, and stay
}

teardown_file() {
    roots_remove
}

setup() {
    leaks_before
}

teardown() {
    leaks_after
}

@test "a start that fails after its journal leaves nothing on the host; the container stays" {
    fails 125 tare run --name stays --log-opt nosuch=1 busybox true
    has "unknown log opt 'nosuch'"
    [ -z "$(ls "$RUN/containers")" ] && [ -z "$(ls "$RUN"/leases/* 2>/dev/null | grep -v :)" ]
    ok tare ps -aq
    [ -n "$output" ]
    ok tare rm stays
}

@test "a port in use: said, and nothing stays" {
    ok tare run -d --name has -p 127.0.0.1:18765:80 busybox sleep 1000
    fails 125 tare run --name wants -p 127.0.0.1:18765:80 busybox true
    has "18765"
    ok tare rm wants
    ok tare rm -f has
}
