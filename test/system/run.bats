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

@test "what is not done is refused by name, never ignored" {
    local refused=(
        "--network|name=bridge,gw-priority=5" "--network|name=bridge,driver-opt=a=b" "--network|name=bridge,link-local-ip=169.254.1.1"
        "-v|/etc:/x:O" "-v|vol:/x:U" "--mount|type=volume,source=v1,target=/x,volume-subpath=a" "--restart|on-unhealthy"
        "--health-on-failure|restart" "--blkio-weight-device|/dev/null:100" "--device-read-bps|/dev/null:1mb"
        "--volume-driver|nosuch|-v|v:/x")
    local words
    for each in "${refused[@]}"; do
        IFS='|' read -ra words <<<"$each"
        echo "${words[*]}"
        fails 125 tare run --rm "${words[@]}" busybox true
    done
    [ -z "$(tare volume ls -q)" ]
}

@test "limits of block devices reach the cgroup" {
    local dev
    dev=$(lsblk -dnpo NAME 2>/dev/null | head -1)
    [ -b "$dev" ] || skip "no block device"
    ok tare run --rm --network none --dry-run --device-read-bps "$dev:1mb" --device-write-iops "$dev:77" busybox true
    has 1048576
    has 77
}

@test "a volume with options of its own is what they say" {
    ok tare volume create -o type=tmpfs -o device=tmpfs -o o=size=123k scratch
    ok tare run --rm --network none -v scratch:/s busybox sh -c 'grep " /s " /proc/mounts; echo x >/s/x'
    has "tmpfs"
    has "size=12" # 123k in pages
    ok tare volume create -o type=none -o o=bind -o device=/etc/apt hosts
    ok tare run --rm --network none -v hosts:/s:ro busybox ls /s
    has "sources.list"
    fails 1 tare run --rm --network none -v hosts:/s:ro busybox touch /s/x
    ok tare volume rm scratch hosts
}

@test "flags of -v count" {
    mkdir -p "$BATS_TEST_TMPDIR/d"
    ok tare run --rm --network none -v "$BATS_TEST_TMPDIR/d:/d:noexec,nosuid" busybox grep " /d " /proc/mounts
    has noexec
    has nosuid
}

@test "on-unhealthy: a container that is found ill starts again" {
    ok tare run -d --name ill --network none --restart on-unhealthy --health-cmd false --health-interval 200ms --health-retries 1 \
        --stop-timeout 0 busybox sleep 1000
    local first
    first=$(tare inspect -f '{{.State.Pid}}' ill)
    other() {
        local now
        now=$(tare inspect -f '{{.State.Pid}}' ill)
        [ "$now" != 0 ] && [ "$now" != "$first" ]
    }
    until_true 10 other
    ok tare rm -f ill
}
