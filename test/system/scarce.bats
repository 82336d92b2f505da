#!/usr/bin/env bats
# What runs out: space, descriptors, memory, patience. Everything gets an answer, and nothing is lost or left.

load lib

setup_file() {
    roots_make
    tare run --rm busybox true
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

# A second engine on file systems of a size of their own: small_roots ROOT-SIZE RUN-SIZE; small COMMAND…
small_roots() {
    SMALL=$(mktemp -d /tmp/tt.XXXXXX)
    mkdir "$SMALL/root" "$SMALL/run"
    mount -t tmpfs -o "size=$1" tmpfs "$SMALL/root"
    mount -t tmpfs -o "size=$2" tmpfs "$SMALL/run"
}

small() {
    "$TARE" --root "$SMALL/root" --run-root "$SMALL/run" "$@"
}

small_remove() {
    local left
    small system reset -f
    left=$("$LEAKS" "$SMALL/root" "$SMALL/run")
    umount "$SMALL/root" "$SMALL/run"
    TAG=$("$LEAKS" tag "$SMALL/run") tare_host_clean
    rm -rf "$SMALL"
    [ -z "$left" ] || { echo "$left"; return 1; }
}

@test "no space for the data: what does not fit is said, what is there stays usable" {
    small_roots 24m 8m
    small load -q -i "$FIXTURES/busybox.docker.tar"
    ok small run -d --name a --network none busybox sleep 1000
    dd if=/dev/zero of="$SMALL/root/fill" bs=64k 2>/dev/null || true
    for command in "create --name b busybox true" "run --rm busybox true" "run -d --name c busybox true" "volume create vol" \
        "load -q -i $FIXTURES/multi.docker.tar" "network create net" "commit a d"; do
        # shellcheck disable=SC2086
        run small $command
        [ "$status" != 0 ]
        has "No space left on device"
    done
    [ "$(small ps -a --format '{{.Names}}')" = a ]
    ok small exec a true
    ok small stop -t 0 a
    rm "$SMALL/root/fill"
    ok small start a
    ok small rm -f a
    ok small run --rm busybox true
    small_remove
}

@test "no space for what runs: said, nothing half, and containers can be stopped and removed" {
    small_roots 24m 1m
    small load -q -i "$FIXTURES/busybox.docker.tar"
    ok small run -d --name a busybox sleep 1000
    dd if=/dev/zero of="$SMALL/run/fill" bs=4k 2>/dev/null || true
    run small run --rm --name b busybox true
    [ "$status" != 0 ]
    has "No space left on device"
    ok small ps
    ok small stop -t 0 a
    ok small rm a
    rm "$SMALL/run/fill"
    [ -z "$(small ps -aq)" ]
    ok small run --rm --name b busybox true
    small_remove
}

@test "a log on a full disk: whole records, and the container goes on" {
    small_roots 12m 8m
    small load -q -i "$FIXTURES/busybox.docker.tar"
    ok small run -d --name a --network none busybox sh -c 'i=0; while :; do i=$((i + 1)); echo "line $i"; done'
    dd if=/dev/zero of="$SMALL/root/fill" bs=64k 2>/dev/null || true
    sleep 0.5
    ok small exec a true
    ok small stop -t 0 a
    rm "$SMALL/root/fill"
    ok small logs --tail 5 a
    cat "$SMALL"/root/containers/*/*-json.log | python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]'
    ok small rm a
    small_remove
}

@test "few descriptors: an answer for every number of them" {
    local said=0
    for n in $(seq 4 3 40); do
        run bash -c "ulimit -n $n; exec '$TARE' --root '$ROOT' --run-root '$RUN' run --rm --network none busybox true"
        if [ "$status" != 0 ]; then
            said=$((said + 1))
            [ "$status" -lt 128 ] || [ "$n" -lt 6 ]
            [ "$n" -lt 6 ] || [ -n "$output" ]
        fi
    done
    [ "$said" -gt 2 ]
    ok tare run --rm busybox true
}

@test "little memory: an answer, and nothing is left" {
    # What is less than the program itself has no room for an answer of it.
    local itself
    itself=$(size "$TARE" | awk 'NR == 2 { print int($4 / 1024) + 1000 }')
    for kib in 600 1000 2000 3000 4000 5000 6000 8000; do
        run bash -c "ulimit -v $kib; exec '$TARE' --root '$ROOT' --run-root '$RUN' run --rm --network none busybox true"
        [ "$status" = 0 ] || [ -n "$output" ] || [ "$kib" -lt "$itself" ]
    done
    [ -z "$(tare ps -aq)" ]
    ok tare run --rm busybox true
}

@test "the command is killed for want of memory: the container is whole or not there" {
    local group=/sys/fs/cgroup/memory/tare-test-$$
    mkdir "$group" 2>/dev/null || skip "no memory controller of version 1"
    for kib in 300 600 1000 1500 2000 3000; do
        echo $((kib * 1024)) >"$group/memory.limit_in_bytes"
        run bash -c "echo 0 >'$group/tasks'; exec '$TARE' --root '$ROOT' --run-root '$RUN' run -d --name a --network none busybox sleep 1000"
        [ -z "$(tare ps -aq)" ] || ok tare start a
        run tare rm -f a
        [ -z "$(tare ps -aq)" ]
    done
    until_true 5 rmdir "$group"
}

@test "a stopped reader does not block the container" {
    ok tare run -d --name a busybox sh -c 'i=0; while :; do i=$((i + 1)); echo "line $i" >/count.tmp; mv /count.tmp /count; echo "line $i of a text that is long enough to fill some pipes"; done'
    local pids=()
    tare logs -f a 3>&- | sleep 1000 3>&- &
    pids+=($!)
    "$TARE" --root "$ROOT" --run-root "$RUN" attach a >"$BATS_TEST_TMPDIR/out" 3>&- &
    local attached=$!
    sleep 0.2
    kill -STOP "$attached"
    sleep 0.3
    local before
    before=$(tare exec a cat /count)
    until_true 5 eval '[ "$(tare exec a cat /count)" != "$before" ]'
    ok tare stop -t 0 a
    kill -CONT "$attached"
    kill "$attached" 2>/dev/null || true
    pkill -P $$ -x sleep || true
    wait "${pids[@]}" "$attached" 2>/dev/null || true
}

@test "the run directory is removed while containers run: they are found, and can be used, stopped, started and removed" {
    ok tare run -d --name a --network none busybox sleep 1000
    ok tare run -d --name b --network none busybox sh -c 'echo text; sleep 1000'
    ok tare create --name c --network none busybox true
    local pid
    pid=$(tare inspect --format '{{.State.Pid}}' a)
    rm -rf "${RUN:?}"/*
    ok tare ps --format '{{.Names}} {{.Status}}'
    has "a Up"
    has "b Up"
    has_not "c Up"
    [ "$(tare inspect --format '{{.State.Pid}}' a)" = "$pid" ]
    ok tare exec a echo here
    has here
    ok tare logs b
    has text
    ok tare stop -t 0 a
    [ "$(tare inspect --format '{{.State.Running}}' a)" = false ]
    ok tare start a
    ok tare exec a true
    ok tare rm -f a b c
    ok tare run --rm busybox true # networks work, too
}
