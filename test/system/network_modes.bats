#!/usr/bin/env bats
# Network modes in which the container lives in a network namespace of somebody else's: ns:PATH, container:X.

load lib

setup_file() {
    roots_make
    NS=ns$$ NSPATH=/run/netns/ns$$
    export NS NSPATH
    ip netns add "$NS"
    ip -n "$NS" link set lo up
    ip -n "$NS" link add mark0 type veth peer name mark1
    ip -n "$NS" addr add 10.213.77.1/24 dev mark0
}

teardown_file() {
    ip netns del "$NS"
    roots_remove
}

setup() { leaks_before; }
teardown() {
    tare ps -aq | xargs -r "$TARE" --root "$ROOT" --run-root "$RUN" rm -f >/dev/null
    leaks_after
}

pid_of() {
    tare inspect --format '{{.State.Pid}}' "$1"
}

runs_anew() { # NAME OLD-PID
    local now
    now=$(pid_of "$1")
    [ "$now" != 0 ] && [ "$now" != "$2" ]
}

has_ended() {
    [ "$(tare inspect --format '{{.State.Status}}' "$1")" = exited ]
}

netns_of() {
    readlink "/proc/$(pid_of "$1")/ns/net"
}

@test "ns:PATH: the namespace, its interfaces and nothing of ours in it" {
    ok tare run --rm --network "ns:$NSPATH" busybox sh -c 'ip -4 -o addr; ls -1 /sys/class/net | xargs'
    has 10.213.77.1
    has "lo mark0 mark1"
    tare run -d --name in --network "ns:$NSPATH" --dns 192.0.2.53 --add-host other:192.0.2.1 --hostname inside busybox sleep 100 >/dev/null
    [ "$(netns_of in)" = "net:[$(stat -L -c %i "$NSPATH")]" ]
    ok tare exec in cat /etc/resolv.conf /etc/hosts
    has "nameserver 192.0.2.53"
    has "other"
    ok tare inspect --format '{{.HostConfig.NetworkMode}} {{.NetworkSettings.SandboxKey}} {{len .NetworkSettings.Networks}}' in
    is "ns:$NSPATH $NSPATH 0"
    ok tare ps --format '{{.Networks}}'
    is "ns:$NSPATH"
    # it outlives its container, and a later start joins it again
    ok tare restart -t 0 in
    [ "$(netns_of in)" = "net:[$(stat -L -c %i "$NSPATH")]" ]
    tare rm -f in >/dev/null
    ok ip -n "$NS" link show mark0
}

@test "ns:PATH refuses what belongs to networks of tare's own, and what is no namespace" {
    tare network create modes >/dev/null
    local args
    for args in "-p 80" "-P" "--ip 10.1.1.1" "--ip6 fd00::2" "--mac-address 02:00:00:00:00:01" "--network-alias x" "--network modes" \
        "--sysctl net.ipv4.ip_forward=1" "--isolate pid"; do
        # shellcheck disable=SC2086
        fails 125 tare run --rm --network "ns:$NSPATH" $args busybox true
        [[ "$output" == *"conflicting options"* || "$output" == *"user defined networks"* || "$output" == *sysctl* ]] || {
            echo "$args: $output"
            return 1
        }
    done
    fails 125 tare run --rm --network ns: busybox true
    has "nothing stands behind the colon"
    fails 125 tare run --rm --network ns:some/where busybox true
    has "absolute path"
    fails 125 tare run --rm --network ns:/nowhere busybox true
    has "join network namespace /nowhere: No such file or directory"
    fails 125 tare run --rm --network ns:/etc/passwd busybox true
    has "it is no network namespace"
    fails 125 tare run --rm --network ns:/proc/self/ns/uts busybox true
    has "it is no network namespace"
    fails 125 tare run --rm --network ns:/proc/self/ns/net busybox true
    has "--network host"
    fails 125 tare run --rm --network "ns:$NSPATH" --userns auto busybox true
    has "namespaces of others"
    tare run -d --name in --network "ns:$NSPATH" busybox sleep 100 >/dev/null
    fails 1 tare network connect modes in
    has "somebody else's"
    tare rm -f in >/dev/null
    tare network rm modes >/dev/null
}

@test "host, none and container: nothing beside them, and no addresses there" {
    tare network create beside >/dev/null
    tare run -d --name other busybox sleep 100 >/dev/null
    local mode
    for mode in host none container:other; do
        fails 125 tare run --rm --network $mode --network beside busybox true
        has "cannot attach both"
        fails 125 tare run --rm --network $mode --ip 10.1.1.1 busybox true
        has "user defined networks"
        fails 125 tare run --rm --network name=$mode,alias=x busybox true
        has "user defined networks"
    done
    tare rm -f other >/dev/null
    tare network rm beside >/dev/null
}

@test "container:X: who is started again joins the namespace that X has now, never one that has its old number" {
    tare run -d --name x busybox sleep 100 >/dev/null
    tare run -d --name y --restart always --network container:x busybox sleep 100 >/dev/null
    [ "$(netns_of x)" = "$(netns_of y)" ]
    ok tare restart -t 0 x
    local old
    old=$(pid_of y)
    kill -KILL "$old"
    until_true 5 runs_anew y "$old"
    [ "$(netns_of x)" = "$(netns_of y)" ]
    # exec needs X no more
    ok tare stop -t 0 x
    ok tare exec y true
    tare start x >/dev/null
    # and where X is gone, it does not come back anywhere
    tare stop -t 0 x >/dev/null
    kill -KILL "$(pid_of y)"
    until_true 5 has_ended y
    ok tare inspect --format '{{.State.Error}}' y
    has "non running container"
}
