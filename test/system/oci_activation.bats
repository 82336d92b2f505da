#!/usr/bin/env bats
# What systemd and other callers hand to a runtime besides the bundle: sockets, a socket to notify, groups, no control groups.

load lib
load oci
bats_require_minimum_version 1.5.0

setup_file() { oci_folder; }
teardown_file() { rm -rf "$OCI"; }
setup() { oci_group; }
teardown() { oci_nothing_left; }

# Says what came, and answers a barrier, which holds whoever sent it up.
host_socket() { # FILE
    python3 - "$1" >"$OCI/said" 3>&- <<'PY' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); s.settimeout(120)
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    for fd in fds: os.close(fd)
    print(data.decode(), flush=True)
    if data == b"BARRIER=1" or data == b"last": break
PY
    LISTENER=$!
    eventually [ -S "$1" ]
}
say_inside() { # PID TEXT: at the socket as the container's processes see it
    python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
fd = os.open(f"/proc/{sys.argv[1]}/root/run/notify", os.O_PATH)
s.sendto(sys.argv[2].encode(), f"/proc/self/fd/{fd}/notify.sock")' "$1" "$2"
}
say_host() { python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), sys.argv[1])' "$@"; }

@test "NOTIFY_SOCKET: create prepares, start answers when the container is ready; systemd hears READY and whom to watch, nothing else" {
    local maps='[{"containerID": 0, "hostID": 65536, "size": 65536}]' change pid start
    for change in '' 'c["linux"]["namespaces"].append({"type": "user"}); c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = '"$maps"; do
        host_socket "$OCI/host"
        bundle "$change" sh -c 'echo $NOTIFY_SOCKET >/dev/shm/seen; exec sleep 1000'
        NOTIFY_SOCKET=$OCI/host oci create -b "$OCI/b" c </dev/null >/dev/null 2>&1
        pid=$(oci state c | jq .pid)
        NOTIFY_SOCKET=$OCI/host oci start c 3>&- &
        start=$!
        eventually [ -s "/proc/$pid/root/dev/shm/seen" ]
        [ "$(cat "/proc/$pid/root/dev/shm/seen")" = /run/notify/notify.sock ]
        [[ $(grep /run/notify "/proc/$pid/mountinfo") == *"ro,nosuid,nodev,noexec"* ]]
        say_inside "$pid" $'STATUS=half way\nMAINPID=1'
        kill -0 $start
        say_inside "$pid" $'STATUS=there\nREADY=1'
        wait $start
        wait "$LISTENER"
        [ "$(cat "$OCI/said")" = $'READY=1\nMAINPID='"$pid"$'\nBARRIER=1' ]
        oci delete --force c
        rm "$OCI/host"
    done
}

@test "NOTIFY_SOCKET: run --detach likewise; start of one that ends without a word; run in the foreground stays the unit's main process" {
    host_socket "$OCI/host"
    bundle '' sleep 1000
    NOTIFY_SOCKET=$OCI/host oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1 3>&- &
    eventually [ -S "$OCI/run/c/notify/notify.sock" ]
    eventually is_now running
    say_inside "$(oci state c | jq .pid)" READY=1
    wait $!
    wait "$LISTENER"
    [ "$(sed -n 1p "$OCI/said")" = READY=1 ]
    oci delete --force c
    rm "$OCI/host"

    host_socket "$OCI/host"
    bundle '' true
    NOTIFY_SOCKET=$OCI/host oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    oci delete --force c
    [ ! -s "$OCI/said" ]
    bundle '' sh -c 'while [ ! -e /dev/shm/go ]; do sleep 0.1; done'
    NOTIFY_SOCKET=$OCI/host oci run -b "$OCI/b" c </dev/null >/dev/null 2>&1 3>&- &
    eventually is_now running
    local pid
    pid=$(oci state c | jq .pid)
    say_inside "$pid" READY=1
    eventually [ -s "$OCI/said" ]
    touch "/proc/$pid/root/dev/shm/go"
    wait $!
    say_host "$OCI/host" last
    wait "$LISTENER"
    [ "$(cat "$OCI/said")" = $'READY=1\nlast' ]
    rm "$OCI/host"
}

with_sockets() { # PID|self N COMMAND…: with N descriptors from 3 on, which are files that say their number
    python3 -c '
import os, sys
pid, n, *command = sys.argv[1:]
for fd in range(3, 3 + int(n)):
    f = os.memfd_create("s"); os.write(f, str(fd).encode()); os.lseek(f, 0, 0)
    if f != fd: os.dup2(f, fd); os.close(f)
    os.set_inheritable(fd, True)
if pid == "self": pid = str(os.getpid())
if pid: os.environ["LISTEN_PID"] = pid
os.execv(command[0], command)' "$@"
}

@test "LISTEN_FDS: the sockets come first, then --preserve-fds; the process is told how many; not those meant for somebody else" {
    local show='echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; for i in 3 4 5; do cat /proc/self/fd/$i; done; ls /proc/self/fd | wc -l'
    oci_in() { with_sockets "$1" "$2" "$TARE" oci --root "$OCI/run" run -b "$OCI/b" "${@:3}" c; }
    bundle '' sh -c "$show"
    export LISTEN_FDS=2 LISTEN_FDNAMES=http:https
    run -0 oci_in self 3 --preserve-fds 1 </dev/null 3>&-
    [ "${lines[0]}" = "2 1 http:https" ]
    [[ ${lines[1]} == 345* ]]
    run -0 oci_in '' 2 </dev/null 3>&-
    [ "${lines[0]}" = "2 1 http:https" ]
    run -0 oci_in self 2 --preserve-fds 2 </dev/null 3>&- # Podman says it both ways
    [ "${lines[0]}" = "2 1 http:https" ]
    run -0 oci_in 1 2 </dev/null 3>&-
    [[ $output != *http* && $output != *34* ]]
    LISTEN_FDS=200
    run oci_in self 1 </dev/null 3>&-
    [[ $status -ne 0 && $output == *"LISTEN_FDS: descriptor "*" is not open"* ]]
}

@test "run.oci.keep_original_groups: create and exec leave the caller's groups to the process" {
    local as='import os, sys; os.setgroups([7, 8, 99]); os.execv(sys.argv[1], sys.argv[1:])'
    bundle 'c["annotations"]["run.oci.keep_original_groups"] = "1"; c["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [44]}' sh -c 'grep Groups /proc/self/status >/dev/shm/g; exec sleep 1000'
    python3 -c "$as" "$TARE" oci --root "$OCI/run" run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    local pid
    pid=$(oci state c | jq .pid)
    eventually [ -s "/proc/$pid/root/dev/shm/g" ]
    [ "$(tr '\t' ' ' <"/proc/$pid/root/dev/shm/g" | xargs)" = "Groups: 7 8 99" ]
    run -0 python3 -c "$as" "$TARE" oci --root "$OCI/run" exec c grep Groups /proc/self/status
    [ "$(xargs <<<"$output")" = "Groups: 7 8 99" ]
    run -0 oci exec --user 5:6 c id -G
    [[ $output != *44* ]]
}

@test "--cgroup-manager disabled: the process stays in its caller's group; what needs a group of its own is refused by name" {
    disabled() { "$TARE" oci --root "$OCI/run" --cgroup-manager disabled "$@"; }
    bundle 'c["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}' sleep 1000
    disabled run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    is_now running
    local pid verb
    pid=$(oci state c | jq .pid)
    [ "$(cat "/proc/$pid/cgroup")" = "$(cat /proc/self/cgroup)" ]
    [ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -path "*$GROUP*" 2>/dev/null)" ]
    run -0 oci exec c sh -c 'echo $$'
    for verb in pause ps "update --pids-limit 5" "events --stats"; do
        # shellcheck disable=SC2086
        run oci $verb c
        [[ $status -ne 0 && $output == *"no control group"* ]]
    done
    run oci exec --cgroup x c true
    [[ $status -ne 0 && $output == *"--cgroup: the container has no control group"* ]]
    oci kill c KILL
    eventually is_now stopped
    oci delete c
    bundle 'c["linux"]["resources"] = {"pids": {"limit": 7}}' sleep 1000
    run disabled run -d -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"linux.resources: --cgroup-manager disabled"* ]]
    run "$TARE" oci --cgroup-manager nonsense list
    [[ $status -ne 0 && $output == *"--cgroup-manager: cgroupfs, systemd or disabled is expected"* ]]
}
