# Where a container's output goes: the options of the drivers, the journal, syslog, and what happens when nobody takes it.

load lib
setup_file() { roots_make; }
teardown_file() { roots_remove; }
setup() {
    leaks_before
    HERE=$BATS_TEST_TMPDIR
    OUT=$HERE/out
    SERVER='' JOURNALD=''
}
teardown() {
    tare rm -f c >/dev/null 2>&1 || true
    server_end
    leaks_after
}

server() { # KIND ADDRESS
    python3 "$BATS_TEST_DIRNAME/syslogd.py" "$1" "$2" "$OUT" >"$HERE/server" 3>&- &
    SERVER=$!
    until_true 10 grep -q ready "$HERE/server"
}

server_end() {
    [ -z "$SERVER" ] || { kill -9 "$SERVER" && wait "$SERVER" || true; } 2>/dev/null
    SERVER=''
}

taken() { # what the server has, once there are N lines; process numbers are P
    until_true 10 sh -c "[ \$(wc -l <'$OUT') -ge $1 ]"
    sed -E 's/\[[0-9]+\]/[P]/; s/^b.//; s/.$//' "$OUT"
}

says() { # DRIVER OPTIONS…: runs a container that says three things
    local driver=$1
    shift
    ok tare run --name c --network none --log-driver "$driver" "$@" busybox sh -c 'echo one; echo two >&2; printf end'
}

process_of_log() { # of the container c
    local monitor
    monitor=$(sed -n 's/^monitor_pid //p' "$RUN/containers/$(tare inspect --format '{{.Id}}' c)/state")
    pgrep -P "$monitor" tare-log
}

@test "options: each driver's own, with Docker's words for what is wrong" {
    local line
    while IFS='|' read -r options text; do
        # shellcheck disable=SC2086
        fails 1 tare create --name c $options busybox true
        has "$text"
    done <<'T'
--log-opt nosuch=1|unknown log opt 'nosuch' for json-file log driver
--log-driver local --log-opt labels=x|unknown log opt 'labels' for log driver local
--log-driver none --log-opt nosuch=1|invalid logging opts for driver none
--log-driver nosuch|logger: no log driver named 'nosuch' is registered
--log-opt mode=perhaps|logger: logging mode not supported: perhaps
--log-opt max-buffer-size=1m|max-buffer-size option is only supported with 'mode=non-blocking'
--log-opt max-file=0|invalid max-file: 0
--log-opt tag={{.Nosuch|template parsing error
--log-opt labels-regex=[|cannot parse the regular expression
--log-opt env-regex=(?i)x|is not an extended regular expression of POSIX
--log-driver syslog --log-opt syslog-format=x|Invalid syslog format
--log-driver syslog --log-opt syslog-facility=x|invalid syslog facility
--log-driver syslog --log-opt syslog-address=http://x|syslog-address should be in form proto://address
--log-driver syslog --log-opt syslog-address=tcp+tls://127.0.0.1:6514|tcp+tls is not spoken here
--log-driver syslog --log-opt syslog-tls-skip-verify=true|syslog over TLS is not spoken here
--log-driver syslog --log-opt syslog-address=udp://no-such-host.invalid:514|neither a number nor in /etc/hosts
--log-driver syslog --log-opt labels=x|have no place in a syslog record
--log-driver journald --log-opt max-size=1m|unknown log opt 'max-size' for journald log driver
T
}

@test "json-file: labels, environment and tag are the attributes of each record" {
    ok tare run --name c --network none -l com.a=1 -l com.b=2 -l other=3 -e COLOUR=red -e SIZE=xl -e SHAPE=o \
        --log-opt labels=other,nosuch --log-opt labels-regex='^com' --log-opt env=COLOUR --log-opt env-regex='^SI' \
        --log-opt tag='{{.Name}}:{{.ImageName}}:{{upper "x"}}' busybox echo hello
    ok sed 's/"time":"[^"]*"/"time":"T"/' "$(tare inspect --format '{{.LogPath}}' c)"
    is '{"log":"hello\n","stream":"stdout","attrs":{"COLOUR":"red","SIZE":"xl","com.a":"1","com.b":"2","other":"3","tag":"c:busybox:X"},"time":"T"}'
    ok tare logs --details c
    is "COLOUR=red,SIZE=xl,com.a=1,com.b=2,other=3,tag=c%3Abusybox%3AX hello"
}

@test "syslog: the four formats, facility, tag; logs reads what was kept beside it" {
    local port host
    port=$(free_ports 1)
    host=$(hostname)
    server udp "$port"
    for format in '' rfc3164 rfc5424 rfc5424micro; do
        says syslog --log-opt syslog-address="udp://localhost:$port" --log-opt syslog-format=$format \
            --log-opt tag='{{.Name}}/{{.ImageName}}' --log-opt syslog-facility=local3
        ok tare logs c
        [ "$(tare logs c 2>/dev/null)" = $'one\nend' ]
        tare rm c
    done
    run taken 12
    local stamp='[A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]{8}' date='[0-9-]{10}T[0-9:]{8}' zone='(Z|[+-][0-9:]{5})'
    [[ "${lines[0]}" =~ ^\<158\>$stamp\ c/busybox\[P\]:\ one.n$ ]]
    [[ "${lines[1]}${lines[2]}" == *"<155>"*"two\\n"* ]]
    [[ "${lines[3]}" =~ ^\<158\>$stamp\ $host\ c/busybox\[P\]:\ one.n$ ]]
    [[ "${lines[6]}" =~ ^\<158\>1\ $date$zone\ $host\ c/busybox\ [0-9]+\ c/busybox\ -\ one.n$ ]]
    [[ "${lines[9]}" =~ ^\<158\>1\ $date\.[0-9]{6}$zone\ $host\ c/busybox\ [0-9]+\ c/busybox\ -\ one.n$ ]]
}

@test "syslog: by tcp, unix and unixgram; nobody there: the start fails and says so" {
    local port kind address
    port=$(free_ports 1)
    for kind in tcp unix unixgram; do
        address=$HERE/socket
        [ $kind != tcp ] || address=127.0.0.1:$port
        server $kind "${address#127.0.0.1:}"
        says syslog --log-opt syslog-address="$kind://$address"
        run taken 3
        [[ "$output" == *": one"*": two"* && "$output" == *": end"* ]]
        tare rm c
        server_end
        rm -f "$OUT" "$HERE/socket"
        fails 125 tare run --name c --network none --log-driver syslog --log-opt syslog-address="$kind://$address" busybox true
        has "connect the log to $kind://"
        tare rm c
    done
}

@test "syslog: a real rsyslogd" {
    command -v rsyslogd >/dev/null || skip "needs rsyslogd"
    cat >"$HERE/conf" <<T
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$HERE/socket")
template(name="parts" type="string" string="%syslogfacility-text%.%syslogseverity-text% %programname%:%msg%\\n")
action(type="omfile" file="$OUT" template="parts")
T
    rsyslogd -n -f "$HERE/conf" -i "$HERE/pid" 3>&- &
    SERVER=$!
    until_true 10 test -S "$HERE/socket"
    says syslog --log-opt syslog-address="unixgram://$HERE/socket" --log-opt tag=app --log-opt syslog-facility=local0
    until_true 10 grep -qx "local0.info app: end" "$OUT"
    grep -qx "local0.info app: one" "$OUT"
    grep -qx "local0.err app: two" "$OUT"
}

@test "syslog: a server that dies holds nobody up; the next one gets whole records, and how many are missing" {
    local port
    port=$(free_ports 1)
    server tcp "$port"
    ok tare run -d --name c --network none --log-driver syslog --log-opt syslog-address="tcp://127.0.0.1:$port" busybox sh -c \
        'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "line $i of many"; [ $((i % 1000)) != 0 ] || usleep 50000; done; echo whole; sleep 100'
    until_true 10 grep -q "line 2000 of" "$OUT"
    server_end
    until_true 30 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' logs --tail 1 c | grep -q whole" # nobody is there
    mv "$OUT" "$OUT.1"
    server tcp "$port"
    until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' exec c sh -c 'echo later 1 >/proc/1/fd/1'; grep -q 'records of log were lost here' '$OUT'"
    [ "$(grep -c TORN "$OUT")" = 0 ]
    [ -z "$(sed -E 's/.*\]: //' "$OUT" | grep -vxE "(line [0-9]+ of many|later [0-9]|whole|tare: [0-9]+ records of log were lost here: they were not taken)'")" ]
    [ "$(tare logs c | grep -c "^line")" = 20000 ] # what was kept here is whole
    ok tare stop -t 0 c
}

@test "syslog: a server that reads nothing holds up neither the container for long, nor its commands" {
    local port
    port=$(free_ports 1)
    server tcp "$port"
    ok tare run -d --name c --network none --log-driver syslog --log-opt syslog-address="tcp://127.0.0.1:$port" --log-opt cache-disabled=true \
        busybox sh -c 'head -c 20000000 /dev/zero | tr "\0" x | fold -w 200; touch /done; sleep 100'
    until_true 10 test -s "$OUT"
    kill -STOP "$SERVER"
    ok tare exec c true
    until_true 60 tare exec c test -e /done
    kill -CONT "$SERVER"
    fails 1 tare logs c
    has "configured logging driver does not support reading"
    ok tare stop -t 0 c
}

@test "the log's process: killed, it is started again; in the mode blocking the container waits for it, else records are lost" {
    local i options
    for options in "--log-driver syslog --log-opt syslog-address=unixgram://$HERE/socket" "--log-opt mode=non-blocking --log-opt max-buffer-size=64k"; do
        rm -f "$HERE/socket"
        server unixgram "$HERE/socket"
        # shellcheck disable=SC2086
        ok tare run -d --name c --network none $options busybox sh -c \
            'echo first; while [ ! -e /go ]; do usleep 20000; done; i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); echo "line $i of many"; done; touch /done; sleep 100'
        until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' logs c | grep -q first"
        kill -STOP "$(process_of_log)"
        ok tare exec c touch /go
        if [[ $options == *mode* ]]; then
            until_true 30 tare exec c test -e /done
        else
            sleep 1
            fails 1 tare exec c test -e /done
            ok tare top c # the monitor answers
        fi
        kill -CONT "$(process_of_log)"
        until_true 30 tare exec c test -e /done
        kill -KILL "$(process_of_log)"
        until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' exec c sh -c 'echo last >/proc/1/fd/1'
            '$TARE' --root '$ROOT' --run-root '$RUN' logs --tail 3 c | grep -q last"
        if [[ $options == *mode* ]]; then
            ok tare logs c
            has "bytes of log were lost here: No buffer space available"
            [ "$(grep -c '^line' <<<"$output")" -lt 60000 ]
        fi
        ok tare stop -t 0 c
        tare rm c
        server_end
    done
}

@test "the monitor is killed while its log has a process: that one writes out what it has, the next monitor has another" {
    server unixgram "$HERE/socket"
    ok tare run -d --name c --network none --log-driver syslog --log-opt syslog-address="unixgram://$HERE/socket" busybox sh -c \
        'i=0; while :; do i=$((i + 1)); echo "line $i"; usleep 1000; done'
    until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' logs c | grep -q 'line 20'"
    kill -KILL "$(sed -n 's/^monitor_pid //p' "$RUN"/containers/*/state)"
    ok tare ps
    until_true 10 process_of_log
    lines() { tare logs c | tail -1 | cut -d' ' -f2; }
    local so_far
    so_far=$(lines)
    until_true 10 eval '[ "$(lines)" -gt "$so_far" ]'
    ok tare stop -t 0 c
    tare logs c >"$HERE/logged"
    # What the monitor had just read when it was killed is gone with it; nothing else, and nothing is there twice.
    awk '$2 <= last || ($2 != last + 1 && gaps++) { print "after", last, $0; exit 1 } { last = $2 }' "$HERE/logged"
}

# A journal of the test's own: in a mount namespace with a /run of its own, which this function's command is run in.
with_journal() { # COMMAND
    unshare -m bash -c 'mount -t tmpfs tare-test /run; mkdir -p /run/systemd/journal /run/systemd/journald.conf.d
        printf "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\nForwardToWall=no\nRateLimitBurst=0\n" >/run/systemd/journald.conf.d/t.conf
        [ -s /etc/machine-id ] || { echo 0123456789abcdef0123456789abcdef >/run/id; mount --bind /run/id /etc/machine-id; } 2>/dev/null
        /lib/systemd/systemd-journald 3>&- & journald=$!
        for i in $(seq 600); do [ ! -S /run/systemd/journal/socket ] || break; sleep 0.1; done
        tare() { "$TARE" --root "$ROOT" --run-root "$RUN" "$@"; }
        '"$1"'
        sleep 0.3; journalctl --sync 2>/dev/null; journalctl --no-pager -a -o json CONTAINER_NAME=c
        kill $journald; wait $journald'
}

@test "journald: Docker's fields, parts of long lines, and what is too large for a datagram" {
    [ "$(id -u)" = 0 ] && [ -x /lib/systemd/systemd-journald ] && command -v journalctl >/dev/null || skip "needs root and systemd-journald"
    python3 -c 'print("big=" + "y" * 400000)' >"$HERE/labels"
    export HERE
    with_journal 'tare run --name c --network none --log-driver journald --log-opt tag="{{.Name}}.{{.ID}}" --log-opt labels=com.x,_y,big -l com.x="a b" -l _y=2 --label-file "$HERE/labels" \
        --log-opt env-regex=^MY -e MYVAR="two
lines" busybox sh -c "echo hello; echo err >&2; head -c 20000 /dev/zero | tr \"\\0\" x; echo; printf end" >/dev/null 2>&1; tare logs --tail 1 c >&2' >"$HERE/journal" 2>"$HERE/said"
    grep -qx end "$HERE/said"
    python3 - "$HERE/journal" "$(tare inspect --format '{{.Id}}' c)" <<'P'
import json, sys
seen = sorted((json.loads(line) for line in open(sys.argv[1])), key=lambda r: int(r["CONTAINER_LOG_ORDINAL"]))
full = sys.argv[2]
for r in seen:
    got = {k: r.get(k) for k in ("CONTAINER_ID", "CONTAINER_ID_FULL", "CONTAINER_NAME", "CONTAINER_TAG", "SYSLOG_IDENTIFIER", "IMAGE_NAME", "COM_X", "Y", "MYVAR")}
    want = {"CONTAINER_ID": full[:12], "CONTAINER_ID_FULL": full, "CONTAINER_NAME": "c", "CONTAINER_TAG": "c." + full[:12],
            "SYSLOG_IDENTIFIER": "c." + full[:12], "IMAGE_NAME": "busybox", "COM_X": "a b", "Y": "2", "MYVAR": "two\nlines"}
    assert got == want, (got, want)
    assert len(r["BIG"]) == 400000 and r["SYSLOG_TIMESTAMP"].endswith("Z") and len(r["CONTAINER_LOG_EPOCH"]) == 64
by = {r["MESSAGE"][:5]: r for r in seen if r["MESSAGE"][0] != "x"}
assert by["hello"]["PRIORITY"] == "6" and by["err"]["PRIORITY"] == "3" and "CONTAINER_PARTIAL_ID" not in by["hello"]
assert by["end"]["CONTAINER_PARTIAL_MESSAGE"] == "true" and by["end"]["CONTAINER_PARTIAL_LAST"] == "false"
parts = [r for r in seen if r["MESSAGE"][0] == "x"]
assert [len(r["MESSAGE"]) for r in parts] == [16384, 3616], [len(r["MESSAGE"]) for r in parts]
assert len({r["CONTAINER_PARTIAL_ID"] for r in parts}) == 1 and [r["CONTAINER_PARTIAL_ORDINAL"] for r in parts] == ["1", "2"]
assert [r["CONTAINER_PARTIAL_LAST"] for r in parts] == ["false", "true"] and [r.get("CONTAINER_PARTIAL_MESSAGE") for r in parts] == ["true", None]
assert len(seen) == 5
P
}

@test "journald: nobody there: the start fails; cache-disabled: logs names journalctl" {
    [ ! -e /run/systemd/journal/socket ] || skip "this host has a journal"
    fails 125 tare run --name c --network none --log-driver journald --log-opt cache-disabled=true busybox true
    has "connect the log to unixgram:///run/systemd/journal/socket: No such file or directory"
    fails 1 tare logs c
    has "does not support reading (journalctl CONTAINER_NAME=c)"
}

many_turns() { # OPTIONS…: a follower that falls behind by many files
    tare run -d --name c --network none --log-opt max-size=30k --log-opt max-file=200 "$@" busybox sh -c \
        'echo line 1; while [ ! -e /go ]; do usleep 20000; done; i=1; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "line $i"; done; sleep 0.2; echo end' >/dev/null
    tare logs -f c >"$OUT" 3>&- &
    local reader=$! pid
    until_true 10 grep -q "line 1$" "$OUT"
    pid=$(pgrep -P $reader -x tare || echo $reader)
    kill -STOP "$pid"
    tare exec c touch /go
    until_true 60 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' logs --tail 1 c | grep -q end"
    kill -CONT "$pid"
    wait $reader
    [ "$(ls "$ROOT"/containers/*/*.log.* | wc -l)" -gt 15 ]
    run awk '{ if ($0 != "line " NR) { print NR, $0; exit } }' "$OUT"
    is "20001 end"
    ok sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' logs c | cmp - '$OUT'"
}

@test "logs -f goes through many turns without a loss or a line twice, also when it falls behind by several files" {
    many_turns
}

@test "compress: files that were turned over are gzip files, which logs reads, also following" {
    many_turns --log-opt compress=true
    tare rm c
    many_turns --log-driver local --log-opt compress=true
    [ "$(ls "$ROOT"/containers/*/*.gz | wc -l)" -gt 15 ]
    [ -z "$(ls "$ROOT"/containers/*/*.new 2>/dev/null)" ]
    gunzip -t "$ROOT"/containers/*/*.gz
    ok tare logs --tail 3000 c
    [ "${#lines[@]}" = 3000 ]
    [ "${lines[0]}" = "line 17002" ]
    for file in "$ROOT"/containers/*/*.log.3.gz; do head -c 100 /dev/urandom >"$file"; done
    run sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' logs c 2>&1 | tail -n 2"
    is $'end\nError: read a compressed log: it is no gzip file'
    fails 1 tare create --name d --log-opt compress=true --log-opt max-file=1 busybox true
    has "compress cannot be true when max-file is less than 2"
}
