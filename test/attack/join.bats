# Who joins a container that is hostile already, and what waits in one that is about to be: exec, the built-in init, created containers.
load lib
bats_require_minimum_version 1.5.0

setup_file() { attack_file; }
teardown_file() { roots_remove; }
setup() { host_before; }
teardown() { host_after; }

# What the descriptors of a process stand for, beyond its three streams.
descriptors() { # PID
    local fd
    for fd in /proc/"$1"/fd/*; do
        [ "${fd##*/}" -le 2 ] || readlink "$fd"
    done
}

# snoop MODE OPTION…: a hostile container, in which ten programs are executed. Its log is in $output.
snoop() {
    local mode=$1 i
    shift
    ok tare run -d --name c -v "$ROOTS/probe:/probe:ro" "$@" busybox /probe snoop 60 "$mode"
    until_true 5 eval "tare logs c | grep -q ready"
    for i in 1 2 3 4 5 6 7 8 9 10; do
        ok tare exec c true
    done
    ok tare kill -s TERM c
    ok tare wait c
    run tare logs c
    has_not "seen 0"
}

# Of what it takes, only the streams of the program that is executed, and the socket over which its start is told, may be seen.
has_nothing_of_the_host() {
    local what
    what=$(grep -vE '^(ready|seen [0-9]+|took descriptor [0-9]+|descriptor (/dev/null|pipe:.*|socket:.*))$' <<<"$output" || true)
    if [ -n "$what" ]; then
        echo "taken: $(sort <<<"$what" | uniq -c)"
        return 1
    fi
}

@test "a hostile container gets nothing from who joins it (CVE-2016-9962, CVE-2024-21626)" {
    snoop files
    is "ready
$(tail -1 <<<"$output")"
}

@test "nor does one that may trace its own processes" {
    snoop files --cap-add SYS_PTRACE
    has_nothing_of_the_host
}

@test "nor by tracing who joins it: no right that the container has not" {
    snoop trace --cap-add SYS_PTRACE
    has_nothing_of_the_host
}

@test "a filter that does not let programs be born still lets them be executed" {
    cat >"$ROOTS/filter.json" <<'J'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["setsid", "dup3"], "action": "SCMP_ACT_ERRNO"}]}
J
    ok tare run -d --name c --security-opt "seccomp=$ROOTS/filter.json" busybox sleep 100
    ok tare exec c grep Seccomp: /proc/self/status
    has 2
    ok tare exec c cat /proc/self/stat # pid, name, state, parent, group, session: its own
    [[ "$output" =~ ^([0-9]+)\ .*\ R\ 0\ ([0-9]+)\ ([0-9]+) ]]
    ok "$here/terminal" --show "$TARE" --root "$ROOT" --run-root "$RUN" exec -it c tty
    has /dev/pts/
}

@test "the built-in init holds nothing of the host" {
    ok tare run -d --name c --init busybox sleep 100
    run descriptors "$(tare inspect -f '{{.State.Pid}}' c)"
    is ""
}

@test "a process that shares the host's process numbers cannot look into monitors" {
    ok tare run -d --name victim busybox sleep 100
    snoop engine --pid host
    has_not descriptor
    has_not "another file system"
}

@test "a created container of the OCI runtime holds nothing of the host" {
    oci_bundle "" sleep 100
    oci create --bundle "$ROOTS/b" --pid-file "$ROOTS/pid" c </dev/null >/dev/null 2>&1 3>&-
    run descriptors "$(cat "$ROOTS/pid")"
    [ "$(grep -cv '^socket:' <<<"$output")" = 0 ]
    oci delete --force c
}

@test "the OCI runtime's exec brings nothing of the host into a container" {
    oci_bundle 'c["process"]["capabilities"] = {k: v + ["CAP_SYS_PTRACE"] for k, v in c["process"]["capabilities"].items()}' \
        /probe snoop 60 trace
    oci run --bundle "$ROOTS/b" c >"$ROOTS/log" 2>&1 3>&- </dev/null &
    until_true 5 grep -q ready "$ROOTS/log"
    for _ in 1 2 3 4 5; do oci exec c /probe ids </dev/null >/dev/null; done
    oci kill c TERM
    wait $!
    output=$(cat "$ROOTS/log")
    oci delete --force c
    has_not "seen 0"
    has_nothing_of_the_host
}
