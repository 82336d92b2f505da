#!/usr/bin/env bats
# Containers with a restart policy come back after a reboot. A power cut is played: every process of the engine is killed, and the run
# directory is gone, as /run is after a boot. What the kernel forgets at a boot (the pids) counts; test/vm reboots a machine really.

load lib

setup_file() {
    roots_make
    tare run --rm busybox true # bridge and nftables table are made once, and stay
}

teardown_file() { roots_remove; }
setup() { leaks_before; }

teardown() {
    local ids
    ids=$(tare ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || tare rm -f $ids >/dev/null
    leaks_after
}

lock_holder() { # FILE: who holds its record lock
    local inode
    inode=$(stat -c %i "$1")
    awk -v end=":$inode" '$2 == "POSIX" && substr($6, length($6) - length(end) + 1) == end { print $5 }' /proc/locks
}

dead() { # PID: gone, or nobody has reaped it yet
    [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"
}

power_cut() { # [--keep-run]: the run directory lies on a disk
    local id pid pids=()
    for id in $(tare ps -q --no-trunc); do
        pids+=("$(lock_holder "$RUN/containers/$id/lock")" "$(tare inspect -f '{{.State.Pid}}' "$id")")
    done
    kill -9 "${pids[@]}"
    for pid in "${pids[@]}"; do until_true 5 dead "$pid"; done
    for id in "$RUN"/containers/*; do # a boot takes the control groups too
        find /sys/fs/cgroup -depth -type d -path "*/tare$TAG/${id##*/}*" -exec rmdir {} + || true
    done
    for set in $(nft list table bridge "tare$TAG" | awk '$1 == "set" { print $2 }'); do nft flush set bridge "tare$TAG" "$set"; done # and what the table knew of the interfaces
    if [ "${1:-}" = --keep-run ]; then
        sed -i 's/^boot_id .*/boot_id 01234567-89ab-cdef-0123-456789abcdef/' "$RUN"/containers/*/state "$ROOT"/containers/*/state
    else
        rm -rf "$RUN/containers" "$RUN/leases"
    fi
}

running() {
    tare ps --format '{{.Names}}' | sort | tr '\n' ' '
}

boot() {
    tare system start-at-boot run
}

@test "after a power cut those come back that have a policy and were not stopped; the others stay" {
    ok tare run -d --name always --restart always busybox sleep 1000
    ok tare run -d --name unless --restart unless-stopped busybox sleep 1000
    ok tare run -d --name unless-off --restart unless-stopped busybox sleep 1000
    ok tare run -d --name always-off --restart always busybox sleep 1000
    ok tare run -d --name failure --restart on-failure:3 busybox sleep 1000
    ok tare run -d --name well --restart on-failure busybox true
    ok tare run -d --name plain busybox sleep 1000
    ok tare run -d --name later busybox sleep 1000
    ok tare update --restart always later
    ok tare create --name never --restart always busybox sleep 1000
    ok tare stop -t 0 unless-off always-off
    power_cut
    ok running
    is ""
    ok tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' always
    is "exited 137"
    ok tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' plain # it ran, and nobody saw how it ended
    is "exited 137"
    ok boot
    ok running
    is "always always-off failure later unless "
    ok boot # once more does nothing
    is ""
}

@test "what a run directory on a disk tells of before the boot is not believed: nobody is adopted, nobody is killed" {
    ok tare run -d --name always --restart always busybox sleep 1000
    ok tare run -d --name plain busybox sleep 1000
    ok tare run -d --name removed --rm busybox sleep 1000
    power_cut --keep-run
    # The number of the first process is another's now, born at the same tick: ours.
    sleep 1000 3>&- &
    local other=$! ticks
    ticks=$(awk '{print $22}' "/proc/$other/stat")
    sed -i "s/^pid .*/pid $other/; s/^pid_start_ticks .*/pid_start_ticks $ticks/" "$RUN"/containers/*/state
    ok running
    is ""
    ok tare ps -a --format '{{.Names}} {{.State}}'
    [ "$(sort <<<"$output")" = $'always exited\nplain exited' ]
    kill -0 "$other"
    ok boot
    ok running
    is "always "
    ok tare inspect -f '{{.RestartCount}}' always
    is 0
    kill "$other"
}

@test "they come back by age, and one that cannot does not keep the others" {
    ok tare run -d --name first --restart always busybox sleep 1000
    ok tare run -d --name second --restart always --network container:first busybox sleep 1000
    mkdir "$ROOTS/bound"
    ok tare run -d --name broken --restart always --mount "type=bind,source=$ROOTS/bound,target=/b" busybox sleep 1000
    ok tare run -d --name last --restart always busybox sleep 1000
    power_cut
    rmdir "$ROOTS/bound"
    fails 1 boot
    has "start broken: "
    has "$ROOTS/bound"
    ok running
    is "first last second "
}

@test "before a shutdown all are stopped, at once, by their own signal; what the user did not stop comes back" {
    local name both=$ROOTS/both
    mkdir "$both"
    # Each ends well only if the other one has its signal, too, before SIGKILL comes.
    for name in "trap --restart unless-stopped" "trap2 --restart always"; do
        # shellcheck disable=SC2086
        ok tare run -d --stop-timeout 60 -v "$both:/both" --name $name busybox sh -c \
            'trap "echo >/both/$0; until [ -e /both/trap ] && [ -e /both/trap2 ]; do sleep 0.1; done; exit 0" TERM; echo ready; while :; do sleep 0.1; done' \
            "${name%% *}"
        until_true 5 eval 'tare logs ${name%% *} | grep ready'
    done
    ok tare run -d --name plain --stop-signal KILL busybox sleep 1000
    ok tare run -d --name off --restart unless-stopped --stop-signal KILL busybox sleep 1000
    ok tare stop off
    ok tare system start-at-boot stop
    ok running
    is ""
    ok tare inspect -f '{{.State.ExitCode}}' trap trap2
    is $'0\n0'
    rm -rf "$RUN/containers"
    ok boot
    ok running
    is "trap trap2 "
    # The mark of the shutdown counts once.
    ok tare stop -t 0 trap trap2
    rm -rf "$RUN/containers"
    ok boot
    ok running
    is "trap2 "
}

@test "enable writes a unit that says how this engine is called; status tells; disable removes it" {
    local dir="$ROOTS/units" unit
    fails 1 tare system start-at-boot status --unit-dir "$dir"
    has disabled
    ok tare system start-at-boot enable --unit-dir "$dir"
    ok tare system start-at-boot enable --unit-dir "$dir" # twice is fine
    unit=$dir/tare-boot$TAG.service
    ok cat "$unit"
    has "ExecStart=\"$TARE\" --root \"$ROOT\" --run-root \"$RUN\" system start-at-boot run"
    has "ExecStop=\"$TARE\" --root \"$ROOT\" --run-root \"$RUN\" system start-at-boot stop"
    has "WantedBy=multi-user.target"
    [ "$dir/multi-user.target.wants/tare-boot$TAG.service" -ef "$unit" ]
    if command -v systemd-analyze >/dev/null; then
        cp "$unit" "$ROOTS/tare-boot-checked.service"
        ok systemd-analyze verify --man=no "$ROOTS/tare-boot-checked.service"
        is ""
    fi
    ok tare system start-at-boot status --unit-dir "$dir"
    has "enabled ($unit)"
    # The line of the unit works as it stands.
    ok bash -c "$(sed -n 's/^ExecStart=//p' "$unit")"
    ok tare system start-at-boot disable --unit-dir "$dir"
    [ -z "$(find "$dir" -type f -o -type l)" ]
    ok tare system start-at-boot disable --unit-dir "$dir"
    rm -r "$dir"
}

@test "without systemd the lines for another init are printed, and work" {
    [ ! -e /run/systemd/system ] || skip "systemd runs here"
    ok tare system start-at-boot enable
    has "@reboot $TARE --root $ROOT --run-root $RUN system start-at-boot run"
    ok sh -c "$(sed -n 's/^ *@reboot //p' <<<"$output")"
    fails 1 tare system start-at-boot status
    fails 1 tare system start-at-boot never
    has "unknown verb never"
}
