#!/usr/bin/env bats
# The OCI runtime: `tare oci` with runc's command line.

load lib
bats_require_minimum_version 1.5.0

setup_file() {
    OCI=$(mktemp -d /tmp/to.XXXXXX)
    export OCI
    mkdir -p "$OCI/b/rootfs/bin" "$OCI/b/rootfs"/{proc,dev,sys,tmp,etc}
    cp "$(command -v busybox)" "$OCI/b/rootfs/bin/busybox"
    for name in $(busybox --list); do ln -s busybox "$OCI/b/rootfs/bin/$name" 2>/dev/null || true; done
}
teardown_file() { rm -rf "$OCI"; }

setup() {
    GROUP=/tare-test-oci-$$-$BATS_TEST_NUMBER
}
teardown() {
    oci delete --force c || true
    [ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -path "*$GROUP*" 2>/dev/null)" ]
    [ ! -e "$OCI/run/c" ]
}

oci() { "$TARE" oci --root "$OCI/run" --log "$OCI/log" --log-format json "$@"; }

# bundle [KEY=VALUE in Python] COMMAND…
bundle() {
    local change=$1
    shift
    rm -f "$OCI/b/config.json"
    oci spec -b "$OCI/b"
    python3 - "$OCI/b/config.json" "$GROUP" "$change" "$@" <<'PY'
import json, sys
path, group, change, *args = sys.argv[1:]
c = json.load(open(path))
c["process"]["args"] = args
c["root"]["readonly"] = False
c["linux"]["cgroupsPath"] = group
exec(change)
json.dump(c, open(path, "w"))
PY
}

status() { oci state c | python3 -c 'import json, sys; print(json.load(sys.stdin)["status"])'; }

eventually() { until_true 5 "$@"; }
is() { [ "$(status)" = "$1" ]; }

@test "create, state, start, kill, delete: each in its own process" {
    bundle "" sh -c 'echo ran > /tmp/ran; exec sleep 1000'
    rm -f "$OCI/b/rootfs/tmp/ran"
    oci create --bundle "$OCI/b" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
    is created
    sleep 0.2
    [ ! -e "$OCI/b/rootfs/tmp/ran" ]
    is created # asking does not start it
    kill -0 "$(cat "$OCI/pid")"
    oci start c
    is running
    eventually [ -e "$OCI/b/rootfs/tmp/ran" ]
    run oci start c
    [ "$status" -ne 0 ]
    [[ $output == *"cannot start a container that is running"* ]]
    run oci delete c
    [[ $status -ne 0 && $output == *"is not stopped"* ]]
    oci kill c KILL
    eventually is stopped
    run oci kill c TERM
    [[ $status -ne 0 && $output == *"container not running"* ]]
    oci delete c
    run oci state c
    [[ $status -ne 0 && $output == *"container does not exist"* ]]
    grep -q '"level":"error","msg":"container does not exist","time":"' "$OCI/log"
}

@test "a pid namespace that is joined by its path, as the containers of a pod may share one" {
    unshare -p -f --mount-proc sleep 100 3>&- &
    local outer=$! inner=
    until inner=$(pgrep -P $outer); do sleep 0.1; done
    bundle 'for n in c["linux"]["namespaces"]:
    if n["type"] == "pid": n["path"] = "/proc/'"$inner"'/ns/pid"' sh -c 'echo pid $$; sleep 1000'
    oci create -b "$OCI/b" --pid-file "$OCI/pid" c </dev/null >"$OCI/out" 2>&1 || { cat "$OCI/out"; return 1; }
    oci start c
    eventually grep -q 'pid [2-9]' "$OCI/out"
    [ "$(readlink "/proc/$(cat "$OCI/pid")/ns/pid")" = "$(readlink "/proc/$inner/ns/pid")" ]
    oci delete --force c
    kill $outer
}

@test "user and pid namespaces joined by their paths, as in a pod with users of its own: the pid is the host's, exec, a bind out of the users' reach" {
    local maps='[{"containerID": 0, "hostID": 65536, "size": 65536}]' outer
    bundle 'c["linux"]["namespaces"].append({"type": "user"}); c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = '"$maps" sleep 1000
    oci create -b "$OCI/b" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
    oci start c
    outer=$(cat "$OCI/pid")
    mkdir -p -m 0700 "$OCI/closed/in"
    GROUP=$GROUP-2 bundle 'for n in c["linux"]["namespaces"]:
    if n["type"] in ("pid", "network", "ipc", "uts"): n["path"] = "/proc/'"$outer"'/ns/" + n["type"].replace("network", "net")
c["hostname"] = ""
c["process"]["oomScoreAdj"] = int(open("/proc/self/oom_score_adj").read())
c["linux"]["namespaces"].append({"type": "user", "path": "/proc/'"$outer"'/ns/user"})
c["mounts"].append({"destination": "/tmp", "type": "none", "source": "'"$OCI"'/closed/in", "options": ["rbind"]})' sleep 1001
    oci create -b "$OCI/b" d </dev/null >"$OCI/out" 2>&1 || { cat "$OCI/out"; oci delete --force c; false; }
    oci start d
    run oci exec d sh -c 'id -u; cat /proc/self/uid_map'
    [[ $status -eq 0 && $output =~ ^0.+0\ +65536\ +65536$ ]]
    [ "$(tr '\0' ' ' <"/proc/$(oci state d | jq .pid)/cmdline")" = "sleep 1001 " ]
    oci delete --force d
    oci delete --force c
    rm -rf "$OCI/closed"
}

@test "the state is the specification's, with the bundle's annotations" {
    bundle 'c["annotations"] = {"a": "\"tare\":"}' sleep 1000
    oci create -b "$OCI/b" c </dev/null >/dev/null 2>&1
    oci state c | python3 -c '
import json, sys
s = json.load(sys.stdin)
assert s["id"] == "c" and s["bundle"].endswith("/b") and s["pid"] > 0, s
assert s["annotations"] == {"a": "\"tare\":"}, s
assert "tare" not in s, s'
    oci list --format json | python3 -c 'import json, sys; assert [c["id"] for c in json.load(sys.stdin)] == ["c"]'
    [ "$(oci list -q)" = c ]
}

@test "run ends with the program's status, and leaves nothing" {
    bundle "" sh -c 'echo out; exit 7'
    run oci run --bundle "$OCI/b" c
    [ "$status" -eq 7 ]
    [ "$output" = out ]
    [ ! -e "$OCI/run/c" ]
    bundle "" /nothing
    run -127 oci run --bundle "$OCI/b" c
    [ ! -e "$OCI/run/c" ]
    bundle "" nothing
    run -127 oci create --bundle "$OCI/b" c # not only at its start
    [[ $output == *'exec: \"nothing\": executable file not found in $PATH'* ]]
    [ ! -e "$OCI/run/c" ]
}

@test "capabilities that cannot be had are warnings in the log" {
    bundle 'c["process"]["capabilities"] = {s: ["CAP_KILL", "CAP_NONSENSE"] for s in ("bounding", "effective", "permitted")}' sh -c 'grep CapEff /proc/self/status'
    rm -f "$OCI/log"
    run oci run -b "$OCI/b" c
    [[ $status -eq 0 && $output =~ ^CapEff:.0+20$ ]]
    grep -q '"level":"warning","msg":"process.capabilities.bounding: CAP_NONSENSE cannot be granted and is left out"' "$OCI/log"
}

@test "exec: streams, status, process.json, detached with a pid file" {
    bundle "" sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    [ "$(echo hello | oci exec c cat)" = hello ]
    run oci exec c sh -c 'exit 5'
    [ "$status" -eq 5 ]
    run oci exec --user 7:8 --env A=b --cwd /tmp c sh -c 'id -u; id -g; echo $A; pwd'
    [ "$output" = $'7\n8\nb\n/tmp' ]
    echo '{"user":{"uid":0,"gid":0},"args":["sleep","1001"],"cwd":"/","env":["PATH=/bin"]}' >"$OCI/process.json"
    oci exec -d --process "$OCI/process.json" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
    [ "$(tr '\0' ' ' <"/proc/$(cat "$OCI/pid")/cmdline")" = "sleep 1001 " ]
    oci ps --format json c | grep -q "\b$(cat "$OCI/pid")\b"
    run -127 oci exec c /nothing
    run oci exec --cap CAP_SYS_TIME --additional-gids 44 --no-new-privs c sh -c 'grep -E "CapEff|NoNew" /proc/self/status; id -G'
    [[ $output == *$'NoNewPrivs:\t1'* && $output == *"44"* && $output =~ CapEff:.0+22000420 ]]
    run oci exec --apparmor nonsense c true
    [[ $status -ne 0 && $output == *"apparmor label nonsense"* ]]
    run oci exec --process-label nonsense c true
    [[ $status -ne 0 && $output == *"selinux label nonsense"* ]]
    run oci exec --cgroup nosuch c true
    [[ $status -ne 0 && $output == *"nosuch"* ]]
}

@test "the terminal goes through the console socket" {
    bundle 'c["process"]["terminal"] = True' sh -c 'tty; sleep 1000'
    run oci create -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"console socket"* ]]
    python3 - "$OCI/console" >"$OCI/seen" <<'PY' 3>&- &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); s.settimeout(60)
c, _ = s.accept()
data, control, _, _ = c.recvmsg(100, 100)
fd = array.array("i", control[0][2])[0]
print(data.decode(), os.read(fd, 100).decode())
PY
    eventually [ -S "$OCI/console" ]
    oci create -b "$OCI/b" --console-socket "$OCI/console" c </dev/null >/dev/null 2>&1
    oci start c
    wait $!
    grep -q /dev/pts/0 "$OCI/seen"
}

@test "pause and resume; delete --force of a paused one, and of none" {
    bundle "" sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    oci pause c
    is paused
    run oci exec c true
    [ "$status" -ne 0 ]
    timeout 1 "$TARE" oci --root "$OCI/run" exec --ignore-paused c true || [ $? -eq 124 ] # enters, and is frozen with the others
    oci resume c
    is running
    oci pause c
    oci delete --force c
    oci delete --force c
    run oci delete c
    [[ $status -ne 0 && $output == *"container does not exist"* ]]
}

@test "update, and kill --all" {
    bundle "" sh -c 'sleep 1000 & sleep 1000'
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    echo '{"pids":{"limit":33}}' | oci update --resources - c
    grep -q 33 /sys/fs/cgroup/pids"$GROUP"/pids.max /sys/fs/cgroup"$GROUP"/pids.max 2>/dev/null
    file() { cat /sys/fs/cgroup{/"$1",}"$GROUP/$2" 2>/dev/null | head -1; }
    oci update --memory 64M --pids-limit 44 --cpu-quota 30000 --cpu-period 60000 c
    [ "$(file pids pids.max)" = 44 ]
    [ "$(file memory memory.limit_in_bytes)$(file memory memory.max)" = 67108864 ]
    [[ $(file cpu cpu.cfs_quota_us)$(file cpu cpu.max) == 30000* ]]
    run oci update --memory nonsense c
    [[ $status -ne 0 && $output == *"--memory: nonsense is not a size"* ]]
    run oci update c
    [[ $status -ne 0 && $output == *"a limit, or --resources"* ]]
    oci kill --all c KILL
    eventually is stopped
}

@test "512 KiB of memory are enough for a static true, and they are the limit" {
    bundle 'c["linux"]["resources"]["memory"] = {"limit": 512 << 10}' true
    for _ in 1 2 3; do oci run -b "$OCI/b" c; done
    bundle 'c["linux"]["resources"]["memory"] = {"limit": 512 << 10}' dd if=/dev/zero of=/dev/null bs=8M count=1
    run -137 oci run -b "$OCI/b" c
}

@test "events: stats once, or again and again until the end" {
    bundle "c['linux']['resources']['memory'] = {'limit': 64 << 20}" sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    oci events --stats c | jq -e '.type == "stats" and .id == "c" and .data.pids.current == 1 and .data.cpu.usage.total > 0 and
        .data.memory.usage.limit == 67108864 and .data.memory.usage.usage > 0' >/dev/null
    oci events --interval 100ms c >"$OCI/events" 3>&- &
    local pid=$!
    eventually eval '[ "$(grep -c stats "$OCI/events")" -ge 2 ]'
    oci kill c KILL
    wait "$pid"
    run oci events --stats c
    [[ $status -ne 0 && $output == *"container not running"* ]]
}

@test "preserved descriptors; the program sees no other" {
    bundle "" sh -c 'cat <&3; ls /proc/self/fd 2>/dev/null; [ ! -e /proc/self/fd/4 ]'
    echo preserved >"$OCI/file"
    run bash -c 'exec "$0" oci --root "$1/run" run -b "$1/b" --preserve-fds 1 c 3<"$1/file" 4<"$1/file"' "$TARE" "$OCI"
    [ "$status" -eq 0 ]
    [[ $output == preserved* ]]
}

@test "without a cgroupsPath: a group of tare's own, which goes with the container" {
    bundle 'del c["linux"]["cgroupsPath"]' cat /proc/self/cgroup
    python3 - "$OCI/b/config.json" <<'PY'
import json, sys
c = json.load(open(sys.argv[1])); c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "cgroup"]
json.dump(c, open(sys.argv[1], "w"))
PY
    run oci run -b "$OCI/b" c
    [ "$status" -eq 0 ]
    group=$(grep -o '/tare-[0-9a-f]*/c$' <<<"$output" | head -1)
    [ -n "$group" ]
    [ -z "$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$(basename "$(dirname "$group")")")" ]
}

@test "a create that fails at its last step leaves nothing" {
    bundle "" sleep 1000
    run oci create -b "$OCI/b" --pid-file "$OCI/no/such/pid" c
    [ "$status" -ne 0 ]
    [ ! -e "$OCI/run/c" ]
}

@test "the creator is killed before it is done: its process dies, delete --force clears up" {
    bundle 'c["process"]["terminal"] = True' sleep 1000
    # A console socket whose queue is full holds the creator where the process stands and nobody knows of it.
    python3 - "$OCI/full" <<'PY' 3>&- &
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1] + ".new"); s.listen(0)
first = socket.socket(socket.AF_UNIX); first.connect(sys.argv[1] + ".new")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
PY
    local holder=$! creator
    eventually [ -S "$OCI/full" ]
    "$TARE" oci --root "$OCI/run" create -b "$OCI/b" --console-socket "$OCI/full" c </dev/null >/dev/null 2>&1 3>&- &
    creator=$!
    held() { [ -n "$(cat /sys/fs/cgroup{/pids,}"$GROUP"/cgroup.procs 2>/dev/null)" ]; }
    eventually held
    sleep 0.3
    held
    is creating
    kill -9 "$creator"
    wait "$creator" || true
    gone() { ! held; }
    eventually gone
    kill "$holder"
    run oci create -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"already exists"* ]]
    oci delete --force c
}

@test "what is not done is refused by name" {
    bundle 'c["linux"]["cgroupsPath"] = "system.slice:x:y"' sleep 1
    run oci create -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"linux.cgroupsPath: system.slice:x:y is of systemd's form"* ]]
    if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || [ ! -d /run/systemd/system ]; then # else: systemd.bats
        run oci --systemd-cgroup create -b "$OCI/b" c
        [[ $status -ne 0 && $output == *"--systemd-cgroup: systemd does not run"* || $output == *"--systemd-cgroup needs cgroup version 2"* ]]
    fi
    run oci create --nonsense c
    [[ $status -ne 0 && $output == *"--nonsense is not known"* ]]
}

@test "features: what runc names, this names too, and the schema's members are there" {
    oci features | jq -e '.linux.seccomp.actions | index("SCMP_ACT_NOTIFY")' >/dev/null
    oci features | jq -e '(.hooks | length == 6) and .linux.mountExtensions.idmap.enabled and .linux.netDevices.enabled and
        .linux.cgroup.systemd and (.linux.cgroup.systemdUser | not) and .linux.cgroup.v1 and (.linux.seccomp.archs | index("SCMP_ARCH_X86_64"))' >/dev/null
    command -v runc >/dev/null || skip "runc is not installed"
    comm -23 <(runc features | jq -r '.mountOptions[]' | sort) <(oci features | jq -r '.mountOptions[]' | sort) |
        grep -vxE 'acl|noacl' | { ! grep .; } # which are some file systems' own
}

@test "the same by the name tare-oci" {
    ln -sf "$TARE" "$OCI/tare-oci"
    run "$OCI/tare-oci" --version
    [ "$status" -eq 0 ]
    [[ $output == "tare-oci version "* ]]
}
