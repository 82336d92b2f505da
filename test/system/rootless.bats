#!/usr/bin/env bats
# as: user
# The whole engine as an ordinary user: the same commands in a user namespace of his own.

load lib

setup_file() {
    [ "$(id -u)" != 0 ] || skip "as an ordinary user"
    unshare -Ur true 2>/dev/null || skip "this host does not let ordinary users make user namespaces"
    roots_make
}

teardown_file() {
    [ -z "${ROOTS:-}" ] || {
        tare system reset -f
        rm -rf "$ROOTS"
        [ ! -e "$ROOTS" ]
    }
}

run_none() {
    tare run --rm --network none "$@"
}

@test "a container's root is the user, its files are his" {
    ok run_none busybox sh -c 'id -u; touch /file; stat -c %u /file'
    is $'0\n0'
    ok run_none -v "$ROOTS:/host" busybox sh -c 'touch /host/made'
    [ "$(stat -c %u "$ROOTS/made")" = "$(id -u)" ]
}

@test "ids beyond root come from the user's ranges" {
    grep -q "^$(id -un):" /etc/subuid || skip "no ranges in /etc/subuid"
    ok run_none -u 1000:1000 busybox id -u
    is 1000
    ok run_none busybox sh -c 'touch /f && chown 1000:1000 /f && stat -c %u /f'
    is 1000
}

@test "detached: ps, logs, exec, stop and rm find it" {
    ok tare run -d --network none --name d busybox sh -c 'trap "exit 3" TERM; echo hello; while :; do sleep 0.1; done'
    ok tare ps --format '{{.Names}} {{.State}}'
    is "d running"
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' logs d | grep -q hello"
    ok tare exec d sh -c 'cat /proc/1/comm'
    is sh
    ok tare exec -u 65534 d id -u
    is 65534
    ok tare stop d
    ok tare wait d
    is 3
    ok tare rm d
    ok tare ps -aq
    is ""
}

@test "two containers are in one user namespace, each in pid namespaces of its own" {
    ok tare run -d --network none --name a busybox sleep 60
    ok tare run -d --network none --name b busybox sleep 60
    [ "$(tare exec a readlink /proc/self/ns/user)" = "$(tare exec b readlink /proc/self/ns/user)" ]
    [ "$(tare exec a readlink /proc/self/ns/pid)" != "$(tare exec b readlink /proc/self/ns/pid)" ]
    ok tare rm -f a b
}

@test "a process of another id in the container can be stopped from outside" {
    ok tare run -d --network none --name u -u 65534 busybox sleep 60
    ok tare kill u
    ok tare wait u
    is 137
    ok tare rm u
}

@test "health checks, and a restart after them" {
    ok tare run -d --network none --name h --restart always --health-cmd 'touch /checked' --health-interval 100ms busybox sleep 60
    until_true 5 tare exec h test -e /checked
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' inspect -f '{{.State.Health.Status}}' h | grep -q '^healthy'"
    first=$(tare inspect -f '{{.State.Pid}}' h)
    ok tare restart -t 0 h
    ok tare exec h sh -c 'ps | grep -c "[s]leep 60"'
    is 1
    second=$(tare inspect -f '{{.State.Pid}}' h)
    [ "$first" != "$second" ]
    ok tare exec h rm -f /checked
    until_true 5 tare exec h test -e /checked
    # Its end by itself: the monitor starts it again.
    kill -9 "$second"
    until_true 10 sh -c "p=\$('$TARE' --root '$ROOT' --run-root '$RUN' inspect -f '{{.State.Pid}}' h); [ \"\$p\" != 0 ] && [ \"\$p\" != $second ]"
    ok tare exec h true
    ok tare rm -f h
}

has_groups() { # that this user may make
    [ -w /sys/fs/cgroup/memory ] || { [ -e /sys/fs/cgroup/cgroup.controllers ] && [ -S "$XDG_RUNTIME_DIR/systemd/private" ]; }
}

@test "a limit that the user cannot set fails by name and leaves nothing" {
    ! has_groups || skip "this user may make cgroups"
    fails 125 run_none --memory 64m busybox true
    has "memory"
    has "delegated"
    ok tare ps -aq
    is ""
}

@test "every limit that was asked for is an error with the reason, where no cgroup is delegated" {
    local flags
    ! has_groups || skip "this user may make cgroups"
    for flags in "--cpus 0.5" "--cpu-shares 100" "--cpuset-cpus 0" "--pids-limit 50" "--blkio-weight 100" "--memory-swappiness 10" \
        "--memory-reservation 32m" "--cpu-quota 10000" "--oom-kill-disable" "--cgroup-parent /foo"; do
        fails 125 run_none $flags busybox true
        has "delegated to"
    done
    fails 125 run_none --device-cgroup-rule "c 1:3 rwm" busybox true
    has "delegated to"
    ok run_none busybox true
}

@test "no user namespaces to be had: one sentence with the switch" {
    ok unshare -U --map-current-user --keep-caps sh -c "echo 0 >/proc/sys/user/max_user_namespaces || exit 77
        ! '$TARE' --root '$ROOT' --run-root '$RUN' run --rm --network none busybox true"
    has "sysctl -w user.max_user_namespaces=15000"
    [ "${#lines[@]}" -le 3 ]
}

@test "echo requests, and ports below 1024, for everybody in a network namespace of the container's own" {
    local -a host=(-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro) # busybox knows raw sockets alone
    local code='import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.settimeout(5)
s.sendto(b"\x08\0\0\0\0\0\0\1abc", ("127.0.0.1", 0)); print(len(s.recv(100)))
socket.socket().bind(("127.0.0.1", 80))'
    grep -q "^$(id -un):" /etc/subuid || skip "no ranges in /etc/subuid"
    for flags in "-u 0" "-u 1000:1000" "-u 65534:65534" "--userns auto" "--userns auto -u 999:999" "--userns nomap" "--userns keep-id" \
        "--userns keep-id -u 0"; do
        ok run_none $flags "${host[@]}" busybox /usr/bin/python3 -c "$code"
        [ "$output" = 11 ]
    done
}

# As the user, in a mount namespace where FILE is shown as OTHER; without the rights over it that made this possible.
shown_as() { # OTHER FILE COMMAND…
    unshare -U -m --map-current-user --keep-caps sh -c 'mount --bind "$0" "$1" || exit 77
        shift
        setpriv --ambient-caps -all --inh-caps -all "$@"' "$@"
}

@test "one id alone: root works, and who needs more is told what is missing" {
    local own=(--root "$ROOTS/single" --run-root "$ROOTS/single-run")
    ok shown_as /dev/null /usr/bin/newuidmap "$TARE" "${own[@]}" load -q -i "$FIXTURES/busybox.docker.tar"
    ok shown_as /dev/null /usr/bin/newuidmap "$TARE" "${own[@]}" run --rm --network none busybox id -u
    is 0
    for flag in "-u 1000" "-u 0:5" "--group-add 7" "--userns keep-id"; do
        fails 125 shown_as /dev/null /usr/bin/newuidmap "$TARE" "${own[@]}" run --rm --network none $flag busybox true
        has "newuidmap is not installed (package uidmap"
    done
    fails 125 shown_as /dev/null /usr/bin/newgidmap "$TARE" "${own[@]}" run --rm --network none -u 1 busybox true
    has "newgidmap is not installed"
    for line in "$(id -un):abc:65536" "$(id -un):100000:0" "$(id -un):0:65536" "$(id -u):100000"; do
        echo "$line" >"$ROOTS/subuid"
        fails 125 shown_as "$ROOTS/subuid" /etc/subuid "$TARE" "${own[@]}" run --rm --network none -u 1000 busybox true
        has "line 1 of /etc/subuid is no range for"
        has "$line"
    done
    echo "somebody:100000:65536" >"$ROOTS/subuid"
    fails 125 shown_as "$ROOTS/subuid" /etc/subuid "$TARE" "${own[@]}" run --rm --network none -u 1000 busybox true
    has "/etc/subuid has no line for $(id -un)"
    has "usermod --add-subuids"
    fails 125 shown_as /etc/shadow /etc/subgid "$TARE" "${own[@]}" run --rm --network none -u 1000 busybox true
    has "/etc/subgid cannot be read: Permission denied"
    rm -rf "$ROOTS/single" "$ROOTS/single-run" "$ROOTS/subuid"
}

@test "a user beyond the ranges is refused by name" {
    grep -q "^$(id -un):" /etc/subuid || skip "no ranges in /etc/subuid"
    fails 125 run_none -u 70000 busybox true
    has "user 70000:0: you have 65537 ids"
    fails 125 run_none --group-add 70000 busybox true
    has "with its groups"
    ok tare ps -aq
    is ""
}

@test "directories that are another user's: which variable it is" {
    HOME=/nonexistent fails 125 env -u XDG_DATA_HOME "$TARE" run --rm busybox true
    has "HOME has to be a directory that you can write to; or give --root"
    fails 1 env -u HOME -u XDG_DATA_HOME "$TARE" ps
    has "neither XDG_DATA_HOME nor HOME is set"
    fails 1 env -u XDG_CONFIG_HOME HOME=/root "$TARE" ps
    has "HOME is another user's"
    fails 1 env HOME="$ROOTS" XDG_RUNTIME_DIR=/root "$TARE" ps
    has "su takes another user's along: unset it"
    fails 1 "$TARE" --root /proc/none --run-root "$RUN" ps
    has_not HOME
    # Without it there is a directory of one's own.
    ok env -u XDG_RUNTIME_DIR HOME="$ROOTS" "$TARE" ps -q
    [ "$(stat -c %a:%u "/tmp/tare-run-$(id -u)")" = "700:$(id -u)" ]
    rm -rf "$ROOTS/.local"
}

@test "the host's root is not in reach" {
    fails 1 run_none -v /etc:/etc-of-host busybox cat /etc-of-host/shadow
    fails 1 run_none busybox sh -c 'echo 1 >/proc/sys/kernel/panic'
}

@test "volumes and the network of the host" {
    ok run_none -v data:/v busybox sh -c 'echo kept >/v/file'
    ok run_none -v data:/v busybox cat /v/file
    is kept
    ok tare run --rm --network host busybox readlink /proc/self/ns/net
    is "$(readlink /proc/self/ns/net)"
}

@test "a healthy store, and nothing left in the trash" {
    ok tare system check
    is "all is well"
    until_true 5 sh -c "[ -z \"\$(ls '$ROOT/trash')\" ]"
}

@test "the default network: an address of one's own, names in /etc/hosts, ports" {
    command -v pasta >/dev/null && [ -w /dev/net/tun ] || skip "pasta and /dev/net/tun are needed"
    ip route | grep -q default || skip "this host has no way out"
    ok tare run -d --name n -h first -p 127.0.0.1::80 busybox sh -c 'echo hello >/i; exec httpd -f -p 80 -h /'
    ok tare exec n sh -c 'ip -o addr show eth0; grep first /etc/hosts'
    has "172."
    ok curl -s -m 5 "http://$(tare port n 80 | head -1)/i"
    is hello
    ok tare rm -f n
    until_true 5 sh -c "[ ! -e '$RUN/netns' ]"
}

@test "helpers of the host are not looked for in PATH" {
    mkdir "$ROOTS/evil"
    for name in newuidmap newgidmap pasta slirp4netns tare-monitor tare-net tare-unpack tare-fetch; do
        printf '#!/bin/sh\necho %s >>%s/ran\nexit 1\n' "$name" "$ROOTS" >"$ROOTS/evil/$name"
        chmod +x "$ROOTS/evil/$name"
    done
    ok env PATH="$ROOTS/evil:$PATH" "$TARE" --root "$ROOT" --run-root "$RUN" run --rm busybox true
    [ ! -e "$ROOTS/ran" ]
    rm -rf "$ROOTS/evil"
}
