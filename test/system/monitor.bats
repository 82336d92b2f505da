#!/usr/bin/env bats
# The monitor: streams, terminals, logs, and what must hold when processes are killed.

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
    local ids
    ids=$(tare ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || tare rm -f $ids >/dev/null
    leaks_after
}

command_or_skip() {
    tare "$1" --help >/dev/null 2>&1 || skip "no command $1 yet"
}

state() { # NAME KEY: a line of the monitor's state file
    sed -n "s/^$2 //p" "$RUN/containers/$(id_of "$1")/state"
}

id_of() {
    tare ps -aq --no-trunc --filter "name=$1"
}

status_of() {
    tare ps -a --format '{{.Status}}' --filter "name=$1"
}

log_of() {
    echo "$ROOT/containers/$(id_of "$1")/$(id_of "$1")-json.log"
}

terminal() {
    "$here/terminal" "$@"
}

@test "stdout and stderr stay apart, and the status is the program's" {
    tare run --rm busybox sh -c 'echo out; echo err >&2; exit 3' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || [ $? = 3 ]
    [ "$(cat "$BATS_TEST_TMPDIR/out")" = out ]
    [ "$(cat "$BATS_TEST_TMPDIR/err")" = err ]
}

@test "the status of a signal, of what cannot be executed, of what is not there" {
    fails 137 tare run --rm busybox sh -c 'kill -9 $$; sleep 1; (sh -c "kill -9 \$PPID"); exit 137'
    fails 127 tare run --rm busybox nonexistent
    fails 126 tare run --rm busybox /etc
}

@test "a pipeline loses nothing" {
    seq 1 200000 >"$BATS_TEST_TMPDIR/in"
    tare run --rm -i busybox cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
    tare run --rm -i busybox cat <"$BATS_TEST_TMPDIR/in" | (sleep 0.5; cat) | cmp "$BATS_TEST_TMPDIR/in" -
}

@test "run | head ends when head does" {
    run timeout 60 bash -c '"$TARE" --root "$ROOT" --run-root "$RUN" run --rm busybox yes 2>/dev/null | head -2'
    [ "$status" = 0 ]
    is $'y\ny'
}

@test "input ends: run -i with a closed stdin, and without -i there is none" {
    ok timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -i busybox cat </dev/null
    is ""
    run bash -c 'echo text | timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm busybox cat'
    is ""
}

@test "any user of the container may open /dev/stdout and /dev/stderr" {
    ok tare run --rm -u 1234:1234 busybox sh -c 'echo o >/dev/stdout; echo e >/dev/stderr'
    has o
    has e
}

@test "nothing of the monitor is open in the container" {
    ok tare run --rm busybox ls /proc/self/fd
    is $'0\n1\n2\n3' # 3: ls reads the directory
    ok tare run --rm --init busybox ls /proc/1/fd
    has_not 3
}

@test "--init: reaps, hands signals on, ends as the program does" {
    ok tare run --rm --init busybox ps
    has tare-init
    fails 9 tare run --rm --init busybox sh -c 'exit 9'
    fails 127 tare run --rm --init busybox nonexistent
    # A child whose parent has ended, and that nobody else reaps.
    ok tare run --rm --init busybox sh -c '(sleep 0.1 & echo $! >/pid); while [ -e "/proc/$(cat /pid)" ]; do usleep 20000; done'
}

@test "signals go to the container" {
    "$TARE" --root "$ROOT" --run-root "$RUN" run --rm --name sig busybox \
        sh -c 'trap "echo got; exit 5" TERM; echo up; while :; do sleep 0.05; done' >"$BATS_TEST_TMPDIR/out" 3>&- &
    local client=$! status=0
    until_true 5 grep up "$BATS_TEST_TMPDIR/out"
    kill -TERM $client
    wait $client || status=$?
    [ "$status" = 5 ]
    grep got "$BATS_TEST_TMPDIR/out"
}

@test "the log is Docker's json-file" {
    tare run --name log busybox sh -c 'printf "a\tb\"<\n"; printf part' >/dev/null
    local log
    log=$(log_of log)
    [ "$(sed 's/"time":"[^"]*"/"time":"T"/' "$log")" = '{"log":"a\u0009b\"\u003c\n","stream":"stdout","time":"T"}
{"log":"part","stream":"stdout","time":"T"}' ]
    python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$log"
}

@test "logs turn over, and are read through the turn" {
    tare run -d --name turn --log-opt max-size=20k --log-opt max-file=3 busybox \
        sh -c 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; sleep 0.3; echo end' >/dev/null
    run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" logs -f turn
    has "line 1999"
    has end
    [ "$(find "$(dirname "$(log_of turn)")" -name '*-json.log*' | wc -l)" = 3 ]
    ok tare logs --tail 2 turn
    is $'line 1999\nend'
}

@test "a log driver that keeps nothing, and the compact one" {
    tare run --name none --log-driver none busybox echo x
    run tare logs none
    [ "$status" != 0 ]
    has "does not support reading"
    tare run --name local --log-driver local busybox sh -c 'echo one; echo two' >/dev/null
    ok tare logs local
    is $'one\ntwo'
}

@test "a flood is taken with little memory, while it lasts and afterwards" {
    tare run -d --name flood busybox sh -c \
        'while [ ! -e /go ]; do usleep 20000; done; head -c 200000000 /dev/zero | tr "\0" "x" | fold -w 100; sleep 60' >/dev/null
    local monitor now most=0 looks=0
    monitor=$(state flood monitor_pid)
    tare exec flood touch /go
    until tail -c 200 "$(log_of flood)" | grep -q 'x.n' && [ "$looks" -gt 5 ] && ! tare top flood | grep -q fold; do
        now=$(awk '/^Pss_Anon:/ {print $2}' "/proc/$monitor/smaps_rollup")
        most=$((now > most ? now : most)) looks=$((looks + 1))
    done
    echo "# at most $most KiB in $looks looks"
    [ "$most" -lt 2048 ]
    until_true 5 eval '[ "$(awk "/^Pss_Anon:/ {print \$2}" "/proc/'"$monitor"'/smaps_rollup")" -lt 800 ]'
}

@test "the monitor leaves the caller's control group" {
    tare run -d --name group busybox sleep 60 >/dev/null
    until_true 5 grep -q "/tare$TAG/monitors" "/proc/$(state group monitor_pid)/cgroup"
}

@test "a reader that stalls while the program closes its output costs no processor time, and gets everything later" {
    mkfifo "$BATS_TEST_TMPDIR/reader"
    tare run --name stall --network none busybox sh -c 'yes | head -c 900000; exec >&- 2>&-; sleep 60' >"$BATS_TEST_TMPDIR/reader" 3>&- &
    exec 4<"$BATS_TEST_TMPDIR/reader"
    local monitor before
    until_true 10 sh -c "! '$TARE' --root '$ROOT' --run-root '$RUN' top stall | grep -q head && '$TARE' --root '$ROOT' --run-root '$RUN' top stall | grep -q sleep"
    monitor=$(state stall monitor_pid)
    before=$(awk '{print $14 + $15}' "/proc/$monitor/stat")
    sleep 1
    [ $(($(awk '{print $14 + $15}' "/proc/$monitor/stat") - before)) -lt 10 ] # ticks of 10 ms
    tare kill stall
    [ "$(wc -c <&4)" = 900000 ]
    exec 4<&-
    wait $! || true
}

@test "SIGKILL of the monitor: the payload goes on, without SIGPIPE" {
    tare run -d --name orphan busybox sh -c 'while :; do echo tick || exit 1; sleep 0.05; done' >/dev/null
    local pid
    pid=$(state orphan pid)
    kill -9 "$(state orphan monitor_pid)"
    sleep 0.5
    kill -0 "$pid"
    [[ "$(status_of orphan)" == Up* ]]
    tare rm -f orphan >/dev/null
    tare run -d --rm busybox sleep 0.2 >/dev/null # the next monitor takes the control group away that the killed one left empty
}

@test "SIGKILL of monitor and PID 1: the next command sees the end, and removal leaves nothing" {
    tare run -d --name both busybox sleep 60 >/dev/null
    local pid
    pid=$(state both pid)
    kill -9 "$(state both monitor_pid)" "$pid"
    until_true 5 eval '[[ "$(status_of both)" == Exited* ]]'
}

@test "SIGKILL of the client: the container goes on" {
    "$TARE" --root "$ROOT" --run-root "$RUN" run --name left busybox sleep 60 3>&- &
    local client=$!
    until_true 5 eval '[[ "$(status_of left)" == Up* ]]'
    kill -9 $client
    sleep 0.2
    [[ "$(status_of left)" == Up* ]]
}

@test "restart policy on-failure: with a count" {
    tare run -d --name again --restart on-failure:2 busybox sh -c 'echo run; exit 4' >/dev/null
    until_true 10 eval '[ "$(state again status)" = exited ]'
    ok tare logs again
    is $'run\nrun\nrun'
    [ "$(state again restart_count)" = 2 ]
    [[ "$(status_of again)" == "Exited (4)"* ]]
}

@test "restart policy always: a killed program comes back" {
    tare run -d --name ever --restart always busybox sleep 60 >/dev/null
    local first
    first=$(state ever pid)
    kill -9 "$first"
    until_true 5 eval '[ "$(state ever status)" = running ] && [ "$(state ever pid)" != "$first" ]'
    until_true 5 eval '[ "$(tare inspect -f "{{.State.Status}} {{.RestartCount}}" ever)" = "running 1" ]'
    # A restart that was asked for begins to count anew, as Docker's does.
    tare restart -t 0 ever >/dev/null
    [ "$(tare inspect -f '{{.State.Status}} {{.RestartCount}}' ever)" = "running 0" ]
}

@test "health: healthy, then unhealthy" {
    tare run -d --name well --health-cmd 'test -e /tmp/ok' --health-interval 200ms --health-retries 2 busybox \
        sh -c 'touch /tmp/ok; sleep 60' >/dev/null
    until_true 5 eval '[ "$(state well health)" = healthy ]'
    tare exec well rm /tmp/ok
    until_true 5 eval '[ "$(state well health)" = unhealthy ]'
}

@test "out of memory is told" {
    fails 137 tare run --name big -m 20m --memory-swap 20m busybox sh -c 'exec dd if=/dev/zero of=/dev/null bs=100M count=1'
    [ "$(state big oom_killed)" = 1 ]
}

@test "a terminal: its size before the program starts, resized later, the mode restored" {
    terminal --size 33x101 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -it busybox sh <<'PART'
expect #
type stty size\r
expect 33 101
resize 20 60
type until [ "$(stty size)" = "20 60" ]; do usleep 20000; done; echo si""zed\r
expect sized
type tty; exit 6\r
expect /dev/pts/0
end 6
cooked
PART
}

@test "detach keys leave the container running, with the terminal restored" {
    terminal "$TARE" --root "$ROOT" --run-root "$RUN" run --name away -it busybox sh <<'PART'
expect #
type echo one\r
expect one
type \x10\x11
end 0
cooked
PART
    [[ "$(status_of away)" == Up* ]]
}

@test "SIGKILL of a monitor with a terminal: the keeper holds it, the payload goes on" {
    tare run -dt --name tty busybox sh -c 'trap "" HUP; while :; do sleep 0.1; done' >/dev/null
    tare run -dt --name plain busybox sh -c 'while :; do echo tick || exit 1; sleep 0.1; done' >/dev/null
    until_true 5 eval '[ -n "$(state plain keeper_pid)" ]'
    kill -9 "$(state plain monitor_pid)"
    sleep 0.5
    [[ "$(status_of plain)" == Up* ]]
}

@test "attach: several terminals see the same, and one may leave" {
    command_or_skip attach
    tare run -dit --name many busybox sh >/dev/null
    terminal "$TARE" --root "$ROOT" --run-root "$RUN" attach many <<'PART' 3>&- &
type \r
expect #
type >/first\r
expect hello
type \x10\x11
end 0
PART
    local first=$! second
    until_true 5 tare exec many test -e /first
    terminal "$TARE" --root "$ROOT" --run-root "$RUN" attach many <<'PART' 3>&- &
type echo hel""lo\r
expect hello
type until [ -e /left ]; do usleep 20000; done; exit 7\r
end 7
cooked
PART
    second=$!
    wait $first
    ok tare exec many touch /left
    wait $second
}

@test "exec: streams, status, terminal, while the container runs" {
    command_or_skip exec
    tare run -d --name host busybox sleep 60 >/dev/null
    fails 4 tare exec host sh -c 'exit 4'
    fails 127 tare exec host nonexistent
    run bash -c 'echo in | "$TARE" --root "$ROOT" --run-root "$RUN" exec -i host cat'
    is in
    terminal --size 30x90 "$TARE" --root "$ROOT" --run-root "$RUN" exec -it host sh <<'PART'
expect #
type stty size; exit 5\r
expect 30 90
end 5
cooked
PART
}

@test "stop: the signal first, SIGKILL after the grace" {
    command_or_skip stop
    tare run -d --name good busybox sh -c 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done' >/dev/null
    tare run -d --name deaf busybox sh -c 'trap "" TERM; echo up; while :; do sleep 1; done' >/dev/null
    until_true 5 eval '[ "$(tare logs good) $(tare logs deaf)" = "up up" ]' # the traps are set
    ok tare stop -t 600 good
    ok tare stop -t 1 deaf
    [[ "$(status_of good)" == "Exited (0)"* ]]
    [[ "$(status_of deaf)" == "Exited (137)"* ]]
}

@test "ps: the order is that of creation, also within a second; --last, since and before go by it" {
    local i
    for i in 1 2 3 4 5 6; do tare create --name "o$i" busybox true >/dev/null; done
    ok tare ps -a --format '{{.Names}}' --filter name=o
    is $'o6\no5\no4\no3\no2\no1'
    ok tare ps -l --format '{{.Names}}'
    is o6
    ok tare ps -a --format '{{.Names}}' --filter since=o4
    is $'o6\no5'
    ok tare ps -a --format '{{.Names}}' --filter before=o3
    is $'o2\no1'
    tare rm o1 o2 o3 o4 o5 o6 >/dev/null
}
