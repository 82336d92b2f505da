#!/usr/bin/env bats
# What holds when a process is killed: the command, the monitor, PID 1, or all three. The container either does not exist or can be started
# and removed, its name is free again, and an end that nobody saw is told as such.

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

field() { # NAME TEMPLATE
    tare inspect --format "{{$2}}" "$1"
}

run_dir() { # NAME
    echo "$RUN/containers/$(field "$1" .Id)"
}

# The monitor's pid: it holds the lock.
monitor_of() { # NAME
    local inode
    inode=$(stat -c %i "$(run_dir "$1")/lock")
    awk -v end=":$inode" '$2 == "POSIX" && substr($6, length($6) - length(end) + 1) == end { print $5 }' /proc/locks
}

# Kills the monitor; with --alone nobody can take its place either, so that the commands must do without.
kill_monitor() { # NAME [--alone]
    local pid
    pid=$(monitor_of "$1")
    [ "${2:-}" != --alone ] || rm "$(run_dir "$1")/launch"
    kill -9 "$pid"
    until_true 5 dead "$pid"
}

dead() { # PID: gone, or nobody has reaped it yet
    [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"
}

sleeper() { # NAME [option…]
    ok tare run -d --name "$@" busybox sleep 1000
}

# Under somebody who reaps at once, as an init does, and so takes the exit status away: bash -c TEXT, with `tare` in $T.
reaped() { # TEXT
    T="$TARE --root $ROOT --run-root $RUN" python3 - "$1" <<'END'
import ctypes, os, subprocess, sys, threading
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
main = os.fork()
if main == 0:
    os.execvp("bash", ["bash", "-ec", sys.argv[1]])
while True:
    pid, status = os.wait()
    if pid == main:
        sys.exit(os.waitstatus_to_exitcode(status) & 255)
END
}

# --- the monitor -----------------------------------------------------------------------------------------------------------------

@test "the monitor is killed: the payload goes on, and every command still answers" {
    local pid
    for how in '' --alone; do
        sleeper a
        pid=$(field a .State.Pid)
        # shellcheck disable=SC2086
        kill_monitor a $how
        ok tare ps --format '{{.Names}} {{.Status}}'
        has "a Up"
        [ "$(field a .State.Running) $(field a .State.Pid)" = "true $pid" ]
        ok tare exec a echo here
        is here
        ok tare logs a
        ok tare stop -t 0 a
        [ "$(field a .State.Running) $(field a .State.ExitCode)" = "false 137" ]
        ok tare start a
        ok tare exec a true
        ok tare rm -f a
    done
}

@test "the monitor is killed: stop by signal, kill, and rm -f" {
    for how in '' --alone; do
        ok tare run -d --name a busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.02; done'
        # shellcheck disable=SC2086
        kill_monitor a $how
        ok tare stop a
        [ "$(field a .State.Running)" = false ]
        [ "$(field a .State.ExitCode)" != 0 ]
        ok tare rm a
        sleeper a
        # shellcheck disable=SC2086
        kill_monitor a $how
        ok tare kill a
        until_true 5 test "$(field a .State.Running)" = false
        ok tare rm a
        sleeper a -p 127.0.0.1::80
        # shellcheck disable=SC2086
        kill_monitor a $how
        ok tare rm -f a
    done
}

@test "the monitor is killed while somebody waits: he is told, never 0" {
    sleeper a
    tare wait a >"$BATS_TEST_TMPDIR/wait" 3>&- &
    local client=$!
    sleep 0.2
    kill_monitor a
    ok tare kill a
    wait "$client"
    [ "$(cat "$BATS_TEST_TMPDIR/wait")" = 137 ]
}

@test "the monitor is killed: the next command gives the container another one" {
    ok tare run -d --name a busybox sh -c 'i=0; while :; do i=$((i + 1)); echo "line $i"; sleep 0.01; done'
    kill_monitor a
    ok tare ps
    [ "$(monitor_of a)" ]
    local before
    before=$(tare logs a | wc -l)
    until_true 5 eval '[ "$(tare logs a | wc -l)" -gt "$((before + 20))" ]'
    # What the monitor had just read when it was killed is gone with it; nothing else, and nothing is there twice.
    tare logs a | awk '$2 <= last || ($2 != last + 1 && gaps++) { print "after", last, $0; exit 1 } { last = $2 }'
}

@test "the monitor is killed under a flood: what it had just read is lost with it, and nothing else" {
    ok tare run -d --name a busybox sh -c 'seq 1 20000; sleep 1000'
    kill_monitor a
    ok tare ps
    until_true 10 eval 'tare logs --tail 1 a | grep -qx 20000'
    # One gap at most, with half a line before it and half a line after it.
    tare logs a | awk 'joint { if ($1 <= last) exit 1; last = $1; joint = 0; next }
        $1 != last + 1 { if (gaps++) { print "after", last, $0; exit 1 } joint = 1; next } { last = $1 }'
}

@test "the monitor is killed: restart policies go on" {
    sleeper a --restart always
    kill_monitor a
    kill -9 "$(field a .State.Pid)"
    until_true 5 eval '[ "$(field a .State.Running) $(field a .RestartCount)" = "true 1" ]'
}

@test "a monitor with a terminal and published ports is killed: the container goes on" {
    sleeper a -it -p 127.0.0.1::80
    kill_monitor a
    sleep 0.2
    [ "$(field a .State.Running)" = true ]
    ok tare exec a true
    ok tare rm -f a
}

# --- PID 1 -----------------------------------------------------------------------------------------------------------------------

@test "PID 1 is killed: 137, and the container starts again" {
    sleeper a
    kill -9 "$(field a .State.Pid)"
    ok tare wait a
    is 137
    [ "$(field a .State.Status) $(field a .State.ExitCode)" = "exited 137" ]
    ok tare start a
    ok tare exec a true
}

@test "PID 1 is killed between wait's greeting and its question: 137, not an error" {
    sleeper a
    # Its second message is the question; it is held back for a second.
    strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=sendmsg -e inject=sendmsg:delay_enter=1000000:when=2 \
        "$TARE" --root "$ROOT" --run-root "$RUN" wait a >"$BATS_TEST_TMPDIR/code" 2>&1 &
    until_true 5 grep -q sendmsg "$BATS_TEST_TMPDIR/trace"
    kill -9 "$(field a .State.Pid)"
    wait $!
    grep -q INJECTED "$BATS_TEST_TMPDIR/trace" || grep -q DELAYED "$BATS_TEST_TMPDIR/trace"
    [ "$(cat "$BATS_TEST_TMPDIR/code")" = 137 ]
}

# --- the command -----------------------------------------------------------------------------------------------------------------

@test "the command is killed in the foreground: the container goes on, and can be stopped and removed" {
    "$TARE" --root "$ROOT" --run-root "$RUN" run --name a busybox sleep 1000 3>&- &
    local client=$!
    until_true 5 eval 'tare ps -q --filter name=a | grep -q .'
    kill -9 "$client"
    wait "$client" || true
    [ "$(field a .State.Running)" = true ]
    ok tare stop -t 0 a
    ok tare start a
    ok tare rm -f a
}

@test "run --rm is killed before its container starts: it does not exist" {
    # At some moments of its first milliseconds; at each system call in turn: test/sweep.
    for i in 1 2 3 4 5 6; do
        "$TARE" --root "$ROOT" --run-root "$RUN" run --rm --name a busybox sleep 0 3>&- >/dev/null 2>&1 &
        local client=$!
        sleep "0.00$i"
        kill -9 "$client" 2>/dev/null || true
        wait "$client" || true
        until_true 5 eval '[ -z "$(tare ps -aq)" ]'
    done
    ok tare run --rm --name a busybox true
}

# --- all of them -----------------------------------------------------------------------------------------------------------------

@test "monitor, PID 1 and command are killed at once: the end is told, the container starts again, the name is free" {
    "$TARE" --root "$ROOT" --run-root "$RUN" run --name a busybox sleep 1000 3>&- &
    local client=$!
    until_true 5 eval 'tare ps -q --filter name=a | grep -q .'
    kill -9 "$client" "$(monitor_of a)" "$(field a .State.Pid)"
    wait "$client" || true
    until_true 5 eval '[ "$(field a .State.Running)" = false ]' # PID 1 takes all of its namespace with it
    [ "$(field a .State.ExitCode)" = 137 ]
    ok tare start a
    ok tare rm -f a
    ok tare run --rm --name a busybox true
}

@test "a container of --rm whose monitor and PID 1 are killed is gone with the next command that meets it" {
    for command in "ps -a" "inspect a" "rm -f a" "run --rm --name a busybox true"; do
        sleeper a --rm
        kill -9 "$(monitor_of a)" "$(field a .State.Pid)"
        # shellcheck disable=SC2086
        run tare $command
        until_true 5 eval '[ -z "$(tare ps -aq)" ]' # PID 1 may have met that command still dying
    done
}

# --- what nobody saw -------------------------------------------------------------------------------------------------------------

@test "an exit status that nobody saw is told as unknown, with the reason, and is not 0" {
    for how in '' '; rm $RUN/containers/*/launch'; do
        run reaped "
            \$T run -d --name a busybox sh -c 'while [ ! -e /end ]; do sleep 0.02; done; exit 0' >/dev/null
            pid=\$(\$T inspect --format {{.State.Pid}} a)
            kill -9 \$(awk -v end=:\$(stat -c %i $RUN/containers/*/lock) '\$2 == \"POSIX\" && substr(\$6, length(\$6) - length(end) + 1) == end { print \$5 }' /proc/locks)
            sleep 0.1 $how
            touch /proc/\$pid/root/end
            sleep 0.3
            \$T inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' a
            \$T inspect a | grep TareExitUnknown
            \$T ps -a --format '{{.Status}}'"
        [ "$status" = 0 ]
        has "exited 137 nobody saw how the container ended"
        has '"TareExitUnknown": true'
        has "Exited (137)"
        ok tare start a
        ok tare rm -f a
    done
}

@test "an exit status that the kernel still tells is told" {
    ok tare run -d --name a busybox sh -c 'while [ ! -e /end ]; do sleep 0.02; done; exit 5'
    kill_monitor a
    ok tare ps # another one watches: it had the pidfd before the end
    touch "/proc/$(field a .State.Pid)/root/end"
    until_true 5 eval '[ "$(field a .State.Running)" = false ]'
    case $(field a .State.ExitCode) in
    5) ;;
    137) [ "$(uname -r | cut -d. -f1)" -lt 6 ] || [ "$(uname -r | cut -d. -f2)" -lt 15 ] ;; # before Linux 6.15
    *) false ;;
    esac
}

@test "a policy that was updated holds when the monitor is killed with PID 1" {
    local pid
    sleeper p --restart on-failure:5
    ok tare update --restart no p
    pid=$(field p .State.Pid)
    kill -9 "$(monitor_of p)" "$pid"
    until_true 5 eval '[ "$(field p .State.Status)" = exited ]'
    ok tare start p
    ok tare update --restart always p
    pid=$(field p .State.Pid)
    kill -9 "$(monitor_of p)" "$pid"
    until_true 5 eval '[ "$(field p .State.Status) $(field p .State.Pid)" != "running $pid" ]'
    until_true 5 eval '[ "$(field p .State.Status)" = running ]'
    tare rm -f p >/dev/null
}
