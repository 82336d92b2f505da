#!/usr/bin/env bats
# `tare metrics`: Prometheus' text format.

load lib

setup_file() {
    roots_make
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

@test "metrics of running and ended containers, as promtool wants them" {
    tare run -d --name runs --network none -m 64m --health-cmd true --health-interval 100ms busybox sleep 100 >/dev/null
    tare run --name ended --network none busybox sh -c 'exit 3' || true
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' metrics | grep -q 'healthy{.*name=\"runs\".*} 1'"
    ok tare metrics
    has "tare_containers 2"
    [[ $output =~ tare_container_running\{[^}]*name=\"runs\"[^}]*\}\ 1 ]]
    [[ $output =~ tare_container_running\{[^}]*name=\"ended\"[^}]*\}\ 0 ]]
    [[ $output =~ tare_container_exit_code\{[^}]*name=\"ended\"[^}]*\}\ 3 ]]
    [[ $output =~ tare_container_memory_limit_bytes\{[^}]*name=\"runs\"[^}]*\}\ 67108864 ]]
    [[ ! $output =~ tare_container_memory_usage_bytes\{[^}]*name=\"ended\" ]]
    ! command -v promtool >/dev/null || promtool check metrics <<<"$output"
    tare rm -f runs ended >/dev/null
}

@test "no container: nothing but their number" {
    ok tare metrics
    is $'# HELP tare_containers How many containers there are.\n# TYPE tare_containers gauge\ntare_containers 0'
}
