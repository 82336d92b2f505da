#!/usr/bin/env bats
# What makes tare fast, as things that either hold or not: no clock is read here. (Times: test/bench.)

load lib

setup_file() { roots_make; }
teardown_file() { roots_remove; }

need_strace() { command -v strace >/dev/null || skip "strace is not installed"; }

remembered() { # how many config.json a list reads
    strace -f -o "$BATS_TEST_TMPDIR/calls" -e trace=openat "$TARE" --root "$ROOT" --run-root "$RUN" ps -a >/dev/null
    grep -c '"config.json"' "$BATS_TEST_TMPDIR/calls" || true
}

@test "run of an image that is there loads no library, and starts nothing but the monitor and the container" {
    need_strace
    local linked
    linked=$(nm "$TARE" "$(dirname "$TARE")/tare-monitor" | grep -cE ' (curl_easy|archive_read|EVP|isal|ZSTD)_' || true)
    [ "$linked" -eq 0 ]
    ok tare run --rm --network none busybox true
    strace -f -o "$BATS_TEST_TMPDIR/calls" -e trace=execve,execveat,openat "$TARE" --root "$ROOT" --run-root "$RUN" \
        run --rm --network none busybox true
    run grep -E 'openat.*\.so[".]|index\.json|execve.*tare-(fetch|unpack|net)' "$BATS_TEST_TMPDIR/calls"
    is ""
    # Split calls ("unfinished", "resumed") end in the same way.
    [ "$(grep -cE 'execve.* = 0$' "$BATS_TEST_TMPDIR/calls")" -eq 3 ]
}

@test "a run on a bridge, with a port and with names, deletes nothing from the packet filter: nobody waits for a grace period" {
    need_strace
    local release
    release=$(uname -r)
    [ "$(printf '%s\n' 6.12 "$release" | sort -V | head -1)" = 6.12 ] || skip "this kernel cannot change an element's timeout"
    ok tare network create names
    ok tare run --rm --network names busybox true # makes bridge and table
    strace -f -e write=all -o "$BATS_TEST_TMPDIR/calls" -e trace=sendto "$TARE" --root "$ROOT" --run-root "$RUN" \
        run --rm --network names -p 0:80 busybox true
    # Types and flags of messages: NFT_MSG_NEWSETELEM is there, NFT_MSG_DELSETELEM and NFT_MSG_DELTABLE are not.
    [ "$(grep -c ' 0c 0a 01 04' "$BATS_TEST_TMPDIR/calls")" -ge 2 ]
    run grep -cE ' (0e|02) 0a 01 00' "$BATS_TEST_TMPDIR/calls"
    is 0
    ok tare network rm names
}

@test "ps reads no record twice, and shows what changed" {
    need_strace
    local i id
    for i in 1 2 3 4 5 6 7 8 9; do ok tare create --network none --name "n$i" busybox true; done
    sleep 0.2 # younger records are not remembered
    [ "$(remembered)" -eq 9 ]
    [ "$(remembered)" -eq 0 ]
    ok tare rename n3 other
    [ "$(remembered)" -eq 1 ]
    ok tare ps -a --format '{{.Names}}'
    has other
    has_not n3
    ok tare rm n4
    ok tare ps -a --format '{{.Names}}'
    has_not n4
    [ "${#lines[@]}" -eq 8 ]
}

@test "a list from remembered records believes no state" {
    local pid
    ok tare run -d --network none --name lives busybox sleep 600
    ok tare ps -a
    sleep 0.2
    ok tare ps -a --filter name=lives --format '{{.State}}'
    is running
    pid=$(tare inspect -f '{{.State.Pid}}' lives)
    kill -KILL "$pid"
    until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' ps -a --filter name=lives --format '{{.Status}}' | grep -q 'Exited (137)'"
    ok tare rm lives
}

@test "a torn or a lying file of summaries does no harm" {
    local file="$RUN/cache/summaries" before
    before=$(tare ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.Command}} {{.Networks}}')
    [ -s "$file" ]
    for size in 0 8 17 200 900; do
        truncate -s "$size" "$file"
        [ "$(tare ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.Command}} {{.Networks}}')" = "$before" ]
    done
    tare ps -a >/dev/null
    python3 - "$file" <<'EOF'
import sys
with open(sys.argv[1], "r+b") as file:
    data = bytearray(file.read())
    for at in range(16 + 136, len(data) - 4):   # every length and every string of the entries
        if data[at] == 0:
            data[at] = 0xff
    file.seek(0)
    file.write(data)
EOF
    [ "$(tare ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.Command}} {{.Networks}}')" = "$before" ]
}

@test "the monitor of an idle container sleeps, and is small" {
    local id monitor
    id=$(tare run -d --network none busybox sleep 600)
    monitor=$(sed -n 's/^monitor_pid //p' "$RUN/containers/$id/state")
    switches() { grep ctxt_switches "/proc/$monitor/status"; }
    slept() { # two seconds long: once its last work after the start is done
        local before
        before=$(switches)
        sleep 2
        [ "$before" = "$(switches)" ]
    }
    until_true 10 slept
    # The pages of its program are shared by all monitors; these are its own. (Private_Dirty counts a program's that lies on a tmpfs.)
    [ "$(awk '/^Anonymous:/ { print $2 }' "/proc/$monitor/smaps_rollup")" -le 150 ]
    ok tare rm -f "$id"
}

@test "cp out of a stopped container waits for no file system: the merged files are mounted read-only" {
    ok tare create --name c busybox true
    strace -f -qq -e trace=mount -o "$BATS_TEST_TMPDIR/trace" "$TARE" --root "$ROOT" --run-root "$RUN" cp c:/etc/passwd "$BATS_TEST_TMPDIR/"
    grep -q '"overlay", MS_RDONLY' "$BATS_TEST_TMPDIR/trace"
    tare rm c
}
