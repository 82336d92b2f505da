#!/usr/bin/env bats
# as: user
# Limits for containers of an ordinary user whose own systemd delegates groups to him, on cgroup version 2: `test/vm/run systemd
# rootless_limits.bats`. This shell is in none of his manager's groups, as after a login.

load lib

setup_file() {
    has_manager || return 0
    roots_make
    export SCOPE=tare$TAG.scope
}

has_manager() {
    [ "$(id -u)" != 0 ] && [ -e /sys/fs/cgroup/cgroup.controllers ] && [ -S "${XDG_RUNTIME_DIR:-/none}/systemd/private" ]
}

teardown_file() {
    [ -z "${ROOTS:-}" ] || {
        tare system reset -f
        rm -rf "$ROOTS"
        [ ! -e "$ROOTS" ]
    }
}

setup() {
    has_manager || skip "no systemd of this user's own, or not cgroup version 2"
}

# The scope ends with the last of its processes, and nothing is left of it.
teardown() {
    has_manager || return 0
    until_true 10 no_scope || {
        systemctl --user status --no-pager "$SCOPE" || true
        return 1
    }
}

no_scope() {
    [ -z "$(systemctl --user list-units --all --plain --no-legend 'tare*.scope')" ] && [ -z "$(find /sys/fs/cgroup -name 'tare*.scope' 2>/dev/null)" ]
}

run_none() {
    tare run --rm --network none "$@"
}

@test "memory, pids and cpu: in the group, seen inside" {
    ok run_none --memory 64m --memory-swap 128m --pids-limit 50 --cpus 0.5 --cpu-shares 512 busybox sh -c 'cd /sys/fs/cgroup &&
        cat memory.max memory.swap.max pids.max cpu.max cpu.weight'
    [ "$(xargs <<<"$output")" = "67108864 67108864 50 50000 100000 59" ]
    ok run_none busybox cat /sys/fs/cgroup/pids.max
    is 4096
}

@test "who takes more memory is killed, and inspect says so" {
    fails 137 tare run --name o --network none --memory 20m busybox tail /dev/zero
    ok tare inspect -f '{{.State.OOMKilled}}' o
    is true
    ok tare rm o
}

@test "exec, update, pause, stats, top and stop of a group of one's own" {
    ok tare run -d --name d --network none --memory 64m busybox sleep 1000
    ok cat "/proc/$(tare inspect -f '{{.State.Pid}}' d)/cgroup"
    has "/$SCOPE/tare$TAG/"
    ok tare exec d sh -c 'cat /sys/fs/cgroup/memory.max; cat /proc/self/cgroup'
    is $'67108864\n0::/'
    ok tare update --memory 32m --memory-swap 64m d
    ok tare exec d cat /sys/fs/cgroup/memory.max
    is 33554432
    ok tare pause d
    ok tare ps --format '{{.State}}'
    is paused
    ok tare unpause d
    ok tare stats --no-stream --format '{{.MemUsage}}' d
    has "/ 32MiB"
    ok tare top d
    has "sleep 1000"
    ok tare stop -t 0 d
    ok tare start d
    ok tare exec d cat /sys/fs/cgroup/memory.max
    is 33554432
    ok tare rm -f d
}

@test "several at once, with and without limits, and a restart by its policy" {
    local i
    for i in 1 2 3 4; do
        tare run -d --name "m$i" --network none --memory "$((i * 16))m" --restart always busybox sleep 1000 >"$BATS_TEST_TMPDIR/$i" 2>&1 3>&- &
    done
    wait
    cat "$BATS_TEST_TMPDIR"/[1-4]
    for i in 1 2 3 4; do
        ok tare exec "m$i" cat /sys/fs/cgroup/memory.max
        is "$((i * 16 * 1048576))"
    done
    first=$(tare inspect -f '{{.State.Pid}}' m1)
    kill -9 "$first"
    until_true 20 restarted
    ok tare exec m1 cat /sys/fs/cgroup/memory.max
    is $((16 * 1048576))
    ok tare rm -f m1 m2 m3 m4
}

restarted() {
    local now
    now=$(tare inspect -f '{{.State.Pid}}' m1)
    [ "$now" != 0 ] && [ "$now" != "$first" ] && tare exec m1 true
}

@test "in a user namespace of its own" {
    ok run_none --userns auto --memory 64m busybox cat /sys/fs/cgroup/memory.max
    is 67108864
    ok tare run -d --name d --network none --userns keep-id --memory 64m busybox sleep 1000
    ok tare exec d cat /sys/fs/cgroup/memory.max
    is 67108864
    ok tare rm -f d
}

@test "what is not delegated is refused by name" {
    grep -qw cpuset "/sys/fs/cgroup/user.slice/user-$(id -u).slice/user@$(id -u).service/cgroup.controllers" && skip "cpuset is delegated"
    fails 125 run_none --cpuset-cpus 0 busybox true
    has "cpuset"
    has "Delegate= of user@.service"
    fails 125 run_none --device-cgroup-rule "c 1:3 rwm" busybox true
    has "no cgroup is delegated to this user"
    ok tare ps -aq
    is ""
}
