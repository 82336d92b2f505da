#!/usr/bin/env bats
# Where an OCI bundle lets others in: hooks, the answerer of system calls, interfaces moved in, the window's size.

load lib
load oci
bats_require_minimum_version 1.5.0

setup_file() {
    oci_folder
    # A hook that notes where it ran and what it was told.
    cat >"$OCI/hook" <<'SH'
#!/bin/sh
read -r state
echo "$1 env=$A mnt=$(/bin/readlink /proc/self/ns/mnt) $state" >>"$2"
echo "words of $1"
exit "${3:-0}"
SH
    chmod 755 "$OCI/hook"
    cp "$OCI/hook" "$OCI/b/rootfs/bin/hook"
}
teardown_file() { rm -rf "$OCI"; }

setup() {
    oci_group
    rm -f "$OCI"/{seen,log} "$OCI/b/rootfs/tmp"/*
}
teardown() { oci_nothing_left; }

hooks_seen() { cut -d' ' -f1 "$OCI/seen" | tr '\n' ' '; }

@test "hooks run at their time, in their namespaces, with the state" {
    bundle '
c["hooks"] = {n: [hook(n)] for n in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
c["hooks"]["startContainer"] = [hook("startContainer", "/tmp/seen", program="/bin/hook")]' sleep 1000
    oci create -b "$OCI/b" c </dev/null >/dev/null 2>&1
    [ "$(hooks_seen)" = "prestart createRuntime createContainer " ]
    [ ! -e "$OCI/b/rootfs/tmp/seen" ]
    local pid
    pid=$(oci state c | jq .pid)
    oci start c
    [ "$(cut -d' ' -f1 "$OCI/b/rootfs/tmp/seen")" = startContainer ]
    [ "$(sed -n '4s/ .*//p' "$OCI/seen")" = poststart ]
    oci delete --force c
    [ "$(sed -n '5s/ .*//p' "$OCI/seen")" = poststop ]
    cat "$OCI/seen" "$OCI/b/rootfs/tmp/seen" | python3 -c '
import json, os, re, sys
pid, bundle = int(sys.argv[1]), sys.argv[2]
want = {"prestart": ("creating", pid, True), "createRuntime": ("creating", pid, True), "createContainer": ("creating", 1, False),
        "startContainer": ("created", 1, False), "poststart": ("running", pid, True), "poststop": ("stopped", 0, True)}
mine = os.readlink("/proc/self/ns/mnt")
for line in sys.stdin:
    name, env, mnt, state = re.match(r"(\S+) env=(.*) mnt=(\S+) (.*)", line).groups()
    status, pid, runtime = want.pop(name)
    s = json.loads(state)
    assert env == "b c", line
    assert (mnt == mine) == runtime, line
    assert s["status"] == status and s["pid"] == pid and s["id"] == "c" and s["bundle"] == bundle and s["annotations"] == {"k": "v"} and s["ociVersion"], line
assert not want, want' "$pid" "$OCI/b"
}

@test "a hook of the creation that fails: nothing is created, its words are told, poststop hooks run" {
    for at in prestart createRuntime createContainer; do
        rm -f "$OCI/seen"
        bundle "c['hooks'] = {'$at': [hook('first'), hook('bad', status='3'), hook('never')], 'poststop': [hook('poststop')]}" sleep 1000
        run oci create -b "$OCI/b" c
        [[ $status -ne 0 && $output == *"hooks.$at[1]: hook $OCI/hook ended with status 3: words of bad"* ]]
        [ ! -e "$OCI/run/c" ]
        [ "$(hooks_seen)" = "first bad poststop " ]
    done
}

@test "startContainer that fails: the program never runs" {
    bundle 'c["hooks"] = {"startContainer": [hook("bad", "/tmp/seen", "3", "/bin/hook")]}' touch /tmp/ran
    oci create -b "$OCI/b" c </dev/null >/dev/null 2>&1
    run oci start c
    [[ $status -ne 0 && $output == *"hooks.startContainer[0]: hook /bin/hook ended with status 3"* ]]
    [ ! -e "$OCI/run/c" ] # runtime.md, "Lifecycle": undone, as if it had been deleted
    [ ! -e "$OCI/b/rootfs/tmp/ran" ]
}

@test "startContainer has the container's filter and capabilities, no others" {
    cat >"$OCI/b/rootfs/bin/held" <<'SH'
#!/bin/sh
mkdir /tmp/made 2>/tmp/said
grep -E '^(Seccomp|CapEff|CapBnd|NoNewPrivs):' /proc/self/status >/tmp/seen
SH
    chmod 755 "$OCI/b/rootfs/bin/held"
    bundle '
c["hooks"] = {"startContainer": [{"path": "/bin/held"}]}
c["process"]["noNewPrivileges"] = False
c["process"]["user"] = {"uid": 5, "gid": 5}
c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}' \
        grep -E '^(Seccomp|CapEff|CapBnd|NoNewPrivs):' /proc/self/status
    chmod 1777 "$OCI/b/rootfs/tmp"
    run -0 oci run -b "$OCI/b" c
    [ "$output" = "$(cat "$OCI/b/rootfs/tmp/seen")" ]
    grep -q "No space left" "$OCI/b/rootfs/tmp/said"
}

@test "poststart that fails: an error, and the container is destroyed; poststop that fails: a warning" {
    bundle 'c["hooks"] = {"poststart": [hook("bad", status="3")], "poststop": [hook("bad", status="4"), hook("last")]}' sleep 1000
    oci create -b "$OCI/b" c </dev/null >/dev/null 2>&1
    run oci start c
    [[ $status -ne 0 && $output == *"hooks.poststart[0]"* ]]
    [ ! -e "$OCI/run/c" ]
    [ -z "$(find /sys/fs/cgroup -maxdepth 2 -type d -path "*$GROUP*")" ]
    [ "$(tail -1 "$OCI/seen" | cut -d' ' -f1)" = last ]
    grep -q '"level":"warning","msg":"hooks.poststop\[0\]: hook .* ended with status 4' "$OCI/log"
}

@test "a hook's time-out: it and its children are killed" {
    printf '#!/bin/sh\nsleep 77 &\nsleep 78\n' >"$OCI/slow"
    chmod 755 "$OCI/slow"
    bundle 'c["hooks"] = {"createRuntime": [{"path": oci + "/slow", "env": ["PATH=/bin"], "timeout": 1}]}' sleep 1000
    run oci create -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"hooks.createRuntime[0]: hook $OCI/slow was not done after 1 s"* ]]
    gone() { ! pgrep -fx 'sleep 7[78]' >/dev/null; }
    eventually gone
    bundle 'c["hooks"] = {"createRuntime": [{"path": "relative"}]}' sleep 1000
    run oci create -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"hooks.createRuntime[0].path"* ]]
    bundle 'c["hooks"] = {"createRuntime": [{"path": "/bin/true", "timeout": 0}]}' sleep 1000
    run oci create -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"hooks.createRuntime[0].timeout"* ]]
}

@test "delete --force ends a creation that is going on, and who makes it; a plain delete does not" {
    printf '#!/bin/sh\necho "$1" >>"$2"\nexec sleep 1002\n' >"$OCI/slow"
    chmod 755 "$OCI/slow"
    bundle 'c["hooks"] = {"createRuntime": [hook("slow", program=oci + "/slow")], "poststop": [hook("poststop")]}' sleep 1000
    "$TARE" oci --root "$OCI/run" create -b "$OCI/b" c </dev/null >/dev/null 2>&1 3>&- &
    local creator=$!
    eventually grep -q slow "$OCI/seen"
    is_now creating
    run oci delete c
    [[ $status -ne 0 && $output == *"cannot delete container c that is not stopped: creating"* ]]
    is_now creating
    oci delete --force c
    [ ! -e "$OCI/run/c" ]
    [ "$(hooks_seen)" = "slow poststop " ]
    local status=0
    wait "$creator" || status=$?
    [ "$status" -eq 137 ]
    gone() { ! pgrep -fx 'sleep 1002' >/dev/null; }
    eventually gone
    [ -z "$(find /sys/fs/cgroup -maxdepth 2 -type d -path "*$GROUP*")" ]
}

@test "who deletes is killed while a poststop hook runs: the next deletion runs it again" {
    printf '#!/bin/sh\necho "$1" >>"$2"\n[ ! -e "$2.slow" ] || exec sleep 1003\n' >"$OCI/slow"
    chmod 755 "$OCI/slow"
    bundle 'c["hooks"] = {"poststop": [hook("poststop", program=oci + "/slow")]}' true
    oci create -b "$OCI/b" c </dev/null >/dev/null 2>&1
    touch "$OCI/seen.slow"
    "$TARE" oci --root "$OCI/run" delete c </dev/null >/dev/null 2>&1 3>&- &
    local deleter=$!
    eventually grep -q poststop "$OCI/seen"
    kill -9 "$deleter"
    wait "$deleter" || true
    rm "$OCI/seen.slow"
    is_now stopped
    oci delete c
    [ "$(hooks_seen)" = "poststop poststop " ]
    gone() { ! pgrep -fx 'sleep 1003' >/dev/null; }
    eventually gone
}

@test "a hook of the runtime's side finds the root file system where the bundle has it, in the container's mounts" {
    printf '#!/bin/sh\npid=$(sed "s/.*\\"pid\\":\\([0-9]*\\).*/\\1/")\nnsenter -t $pid -m sh -c "echo of the hook >%s/tmp/from-hook"\n' "$OCI/b/rootfs" >"$OCI/enter"
    chmod 755 "$OCI/enter"
    bundle 'c["hooks"] = {"prestart": [{"path": oci + "/enter", "env": ["PATH=/usr/bin:/bin"]}]}; c["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "t"})' cat /tmp/from-hook
    run oci run -b "$OCI/b" c
    [ "$output" = "of the hook" ]
    [ ! -e "$OCI/b/rootfs/tmp/from-hook" ] # it lay on the container's tmpfs
}

@test "a hook of createContainer begins in the container's root" {
    printf '#!/bin/sh\necho here >tmp/from-hook\n' >"$OCI/here"
    chmod 755 "$OCI/here"
    bundle 'c["hooks"] = {"createContainer": [{"path": oci + "/here"}]}; c["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "t"})' cat /tmp/from-hook
    run -0 oci run -b "$OCI/b" c
    [ "$output" = here ]
}

# Answers one call of each of N filters with ENOSPC, and tells what it was sent.
agent() { # N
    cat >"$OCI/agent.py" <<'PY'
import array, fcntl, json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(4); s.settimeout(60)
for _ in range(int(sys.argv[2])):
    c, _ = s.accept()
    c.settimeout(60)
    data, control, _, _ = c.recvmsg(65536, 1000)
    fd = array.array("i", control[0][2])[0]
    print(json.dumps(json.loads(data)), flush=True)
    req = bytearray(80)
    fcntl.ioctl(fd, 0xc0502100, req)                                                  # SECCOMP_IOCTL_NOTIF_RECV
    fcntl.ioctl(fd, 0xc0182101, struct.pack("QqiI", struct.unpack_from("Q", req)[0], 0, -28, 0))  # …_SEND
    os.close(fd)
    assert c.recv(1) == b""  # closed after the one message
PY
    rm -f "$OCI/agent"
    python3 "$OCI/agent.py" "$OCI/agent" "$1" >"$OCI/agent.out" 2>&1 3>&- &
    AGENT=$!
    eventually [ -S "$OCI/agent" ]
}

@test "SCMP_ACT_NOTIFY: the filter and the state go to listenerPath, which answers the calls" {
    agent 2
    bundle 'c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": oci + "/agent", "listenerMetadata": "meta \"data\"",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}' sh -c 'mkdir /tmp/x 2>/tmp/said; exec sleep 1000'
    oci run -d -b "$OCI/b" c </dev/null >"$OCI/out" 2>&1 || { cat "$OCI/out" "$OCI/agent.out"; false; }
    eventually grep -q "No space left" "$OCI/b/rootfs/tmp/said"
    run oci exec c mkdir /tmp/y
    [[ $output == *"No space left"* ]]
    wait "$AGENT"
    python3 -c '
import json, sys
first, second = [json.loads(l) for l in open(sys.argv[1])]
pid = int(sys.argv[2])
assert first["fds"] == ["seccompFd"] and first["pid"] == pid and first["metadata"] == "meta \"data\"" and first["ociVersion"], first
assert first["state"]["id"] == "c" and first["state"]["pid"] == pid and first["state"]["bundle"] and first["state"]["annotations"] == {"k": "v"}, first
assert second["pid"] not in (0, pid) and second["state"]["status"] == "running", second' "$OCI/agent.out" "$(oci state c | jq .pid)"
}

@test "netDevices: moved in, renamed, with its addresses, up" {
    ip link add tareoci0 type veth peer name tareoci0p
    ip addr add 198.51.100.7/24 dev tareoci0
    ip link add tareoci1 type veth peer name tareoci1p
    bundle 'c["linux"]["netDevices"] = {"tareoci0": {"name": "inside"}, "tareoci1": {"name": "any%d"}}' sh -c 'ip -o addr; ip -o link'
    run oci run -b "$OCI/b" c
    for link in tareoci0 tareoci0p tareoci1 tareoci1p; do ip link del "$link" 2>/dev/null || true; done
    [ "$status" -eq 0 ]
    [[ $output =~ inside.*198\.51\.100\.7/24 ]]
    grep -q 'inside.*[<,]UP' <<<"$output"
    grep -q 'any0.*[<,]UP' <<<"$output"
    bundle 'c["linux"]["netDevices"] = {"nosuch": {}}' true
    run oci run -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"linux.netDevices"*"nosuch"* ]]
    ip link add tareoci0 type veth peer name tareoci0p
    bundle 'c["linux"]["netDevices"] = {"tareoci0": {"name": "lo"}}' true
    run oci run -b "$OCI/b" c
    ip link del tareoci0p
    [[ $status -ne 0 && $output == *"linux.netDevices.tareoci0"* ]]
}

@test "consoleSize: the window has it before the program starts" {
    bundle 'c["process"]["terminal"] = True; c["process"]["consoleSize"] = {"height": 33, "width": 111}' sh -c 'stty size >/tmp/size; sleep 1000'
    python3 - "$OCI/console" <<'PY' 3>&- &
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); s.settimeout(60)
c, _ = s.accept()
held = c.recvmsg(100, 100); c.recv(1); time.sleep(600)
PY
    eventually [ -S "$OCI/console" ]
    oci create -b "$OCI/b" --console-socket "$OCI/console" c </dev/null >/dev/null 2>&1
    oci start c
    eventually grep -q "33 111" "$OCI/b/rootfs/tmp/size"
    kill $!
    rm -f "$OCI/console"
}
