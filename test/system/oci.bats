#!/usr/bin/env bats
# The OCI runtime: `tare oci` with runc's command line.

load lib
load oci
bats_require_minimum_version 1.5.0

setup_file() { oci_folder; }
teardown_file() { rm -rf "$OCI"; }
setup() { oci_group; }
teardown() { oci_nothing_left; }

@test "create, state, start, kill, delete: each in its own process" {
    bundle "" sh -c 'echo ran > /tmp/ran; exec sleep 1000'
    rm -f "$OCI/b/rootfs/tmp/ran"
    oci create --bundle "$OCI/b" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
    is_now created
    sleep 0.2
    [ ! -e "$OCI/b/rootfs/tmp/ran" ]
    is_now created # asking does not start it
    kill -0 "$(cat "$OCI/pid")"
    oci start c
    is_now running
    eventually [ -e "$OCI/b/rootfs/tmp/ran" ]
    run oci start c
    [ "$status" -ne 0 ]
    [[ $output == *"cannot start a container that is running"* ]]
    run oci delete c
    [[ $status -ne 0 && $output == *"is not stopped"* ]]
    oci kill c KILL
    eventually is_now stopped
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

@test "user and pid namespaces joined by their paths, as in a pod with users of its own: the pid is the host's, exec, a bind out of the users' reach, and no process of the host in /proc" {
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
c["mounts"].append({"destination": "/tmp", "type": "none", "source": "'"$OCI"'/closed/in", "options": ["rbind"]})
c["mounts"].append({"destination": "/dev/mine", "source": "'"$OCI"'/closed", "options": ["bind", "idmap"]})' sleep 1001
    oci create -b "$OCI/b" d </dev/null >"$OCI/out" 2>&1 || { cat "$OCI/out"; oci delete --force c; false; }
    oci start d
    run oci exec d sh -c 'id -u; cat /proc/self/uid_map; stat -c %u /dev/mine'
    [[ $status -eq 0 && $output =~ ^0.+0\ +65536\ +65536.0$ ]]
    [ "$(tr '\0' ' ' <"/proc/$(oci state d | jq .pid)/cmdline")" = "sleep 1001 " ]
    [ "$(oci exec d cat /proc/1/cmdline | tr '\0' ' ')" = "sleep 1000 " ]
    oci delete --force d
    oci delete --force c
    rm -rf "$OCI/closed"
}

@test "a user namespace of its own in another container's pid namespace: no /proc of the host in the place of that one's" {
    bundle pass sleep 1000
    oci create -b "$OCI/b" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
    GROUP=$GROUP-2 bundle 'for n in c["linux"]["namespaces"]:
    if n["type"] == "pid": n["path"] = "/proc/'"$(cat "$OCI/pid")"'/ns/pid"
c["linux"]["namespaces"].append({"type": "user"})
c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 65536, "size": 65536}]' cat /proc/1/cmdline
    run oci run -b "$OCI/b" d
    oci delete --force c
    [[ $status -ne 0 && $output == *"mounts[0] (/proc)"*"pid namespace"* ]]
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
    run oci exec c /nothing
    [[ $status -eq 255 && $output == *'exec: \"/nothing\": stat /nothing: no such file or directory'* ]]
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
    is_now paused
    run oci exec c true
    [ "$status" -ne 0 ]
    timeout 1 "$TARE" oci --root "$OCI/run" exec --ignore-paused c true || [ $? -eq 124 ] # enters, and is frozen with the others
    oci resume c
    is_now running
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
    run oci update --l3-cache-schema 'L3:0=f' c
    [[ $status -ne 0 && $output == *"--l3-cache-schema: the container has no group in resctrl"* ]]
    run oci update c
    [[ $status -ne 0 && $output == *"a limit, or --resources"* ]]
    oci kill --all c KILL
    eventually is_now stopped
}

@test "512 KiB of memory are enough for a static true, and they are the limit" {
    bundle 'c["linux"]["resources"]["memory"] = {"limit": 512 << 10}' true
    for _ in 1 2 3; do oci run -b "$OCI/b" c; done
    bundle 'c["linux"]["resources"]["memory"] = {"limit": 512 << 10}' dd if=/dev/zero of=/dev/null bs=8M count=1
    run -137 oci run -b "$OCI/b" c
    bundle 'c["linux"]["resources"]["memory"] = {"limit": 1}' true
    run oci run -b "$OCI/b" c </dev/null
    [[ $status -ne 0 && $output == *"memory.limit of 1 bytes may be too little"* ]] || { echo "$status $output"; false; }
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
    is_now creating
    kill -9 "$creator"
    wait "$creator" || true
    gone() { ! held; }
    eventually gone
    kill "$holder"
    run oci create -b "$OCI/b" c
    [[ $status -ne 0 && $output == *"already exists"* ]]
    eventually is_now stopped
    oci delete c
}

@test "damaged files of a container: state and list tell it, delete --force leaves nothing" {
    local damage groups='find /sys/fs/cgroup -maxdepth 2 -type d -path "*$GROUP"'
    for damage in ': >state.json' 'head -c 40 state.json >x; mv x state.json' 'head -c 300 /dev/urandom >state.json' 'echo null >state.json' 'rm state.json; ln -s /etc/passwd state.json' \
        'rm state.json; mkfifo state.json' 'rm state.json; mkdir state.json' ': >journal' 'rm journal' 'head -c 300 /dev/urandom >journal' 'echo tare-journal 9 >journal' \
        'rm journal; ln -s /etc/passwd journal' 'rm journal; mkfifo journal' 'rm config.json' 'head -c 300 /dev/urandom >config.json' 'rm start'; do
        bundle "" sleep 1000
        oci run -d -b "$OCI/b" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
        (cd "$OCI/run/c" && eval "$damage")
        timeout 60 "$TARE" oci --root "$OCI/run" list >/dev/null
        run timeout 60 "$TARE" oci --root "$OCI/run" state c
        [[ $status -eq 0 || $output == *"read the state of container c: "* ]]
        run timeout 60 "$TARE" oci --root "$OCI/run" exec c true
        [ "$status" -ne 124 ]
        run timeout 60 "$TARE" oci --root "$OCI/run" delete --force c
        [ "$status" -eq 0 ] || { echo "$damage: $output"; return 1; }
        [ ! -e "$OCI/run/c" ]
        [ -z "$(eval "$groups")" ] || { echo "$damage: $(eval "$groups")"; return 1; }
        [ -z "$(tr -d '\0' <"/proc/$(cat "$OCI/pid")/cmdline" 2>/dev/null)" ]
        [ "$(grep -c . /etc/passwd)" -gt 0 ]
    done
}

# In each state the first process is killed from outside. As containerd and conmon do then: state and list say stopped, kill is refused, exec too; delete works, with and without
# --force, and takes the group and what else ran in it.
@test "the first process is killed, in each state: stopped, for all who ask, and deletion works" {
    local state force
    for state in created running paused; do
        for force in "" --force; do
            bundle "" sleep 1000
            oci create -b "$OCI/b" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
            [ $state = created ] || oci start c
            [ $state = created ] || oci exec -d c sleep 1004 </dev/null >/dev/null 2>&1
            [ $state != paused ] || oci pause c
            kill -9 "$(cat "$OCI/pid")"
            # What is frozen by version 1 dies when it is let go: till then it is there.
            [ $state != paused ] || { run oci resume c; }
            eventually is_now stopped
            oci list -f json | jq -e '.[0].status == "stopped" and .[0].pid == 0' >/dev/null
            run oci kill c TERM
            [[ $status -ne 0 && $output == *"container not running"* ]]
            run oci exec c true
            [[ $status -eq 255 && $output == *"container not running"* ]]
            run oci start c
            [[ $status -ne 0 && $output == *"cannot start a container that is stopped"* ]]
            oci delete $force c
            [ ! -e "$OCI/run/c" ]
            [ -z "$(find /sys/fs/cgroup -maxdepth 2 -type d -path "*$GROUP*")" ]
        done
    done
    bundle "" sleep 1000 # frozen, killed, deleted
    oci run -d -b "$OCI/b" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
    oci pause c
    kill -9 "$(cat "$OCI/pid")"
    oci delete --force c
    [ ! -e "$OCI/run/c" ]
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

@test "the same as tare-oci, which links nothing above the runtime" {
    run "$TARE-oci" --version
    [ "$status" -eq 0 ]
    [[ $output == "tare-oci version "* ]]
    bundle pass sh -c 'echo of its own'
    [ "$("$TARE-oci" --root "$OCI/run" run -b "$OCI/b" c)" = "of its own" ]
    command -v nm >/dev/null || return 0 # machines of test/vm have no tools of builders
    nm "$TARE" | grep -qE ' [Tt] (image|network|engine|cli)_'
    nm "$TARE-oci" | { ! grep -E ' [Tt] (image|network|engine|cli)_'; }
}

@test "a terminal in the foreground: run and exec copy between it and their streams" {
    bundle 'c["process"]["terminal"] = True' sh -c 'tty; read -r x; echo "got $x"; exit 6'
    run oci run -b "$OCI/b" c <<<typed
    [[ $status -eq 6 && $output == *"/dev/pts/0"* && $output == *"got typed"* ]]
    bundle 'c["process"]["terminal"] = True' echo line
    oci run -b "$OCI/b" c </dev/null | cmp - <(echo line) # what goes to a pipe has no carriage returns
    # Under a terminal of our own: its size, each key as it is typed, and afterwards it is as it was.
    bundle 'c["process"]["terminal"] = True' sh -c 'stty size; read -r x; echo "got $x"'
    run timeout 60 script -qec "stty cols 77 rows 33; stty -g >$OCI/before; '$TARE' oci --root '$OCI/run' run -b '$OCI/b' c; stty -g >$OCI/after" /dev/null <<<"line"
    [[ $output == *"33 77"* && $output == *"got line"* ]]
    cmp "$OCI/before" "$OCI/after"
    bundle "" sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    run oci exec -t c sh -c 'tty; seq 5000; exit 3'
    [[ $status -eq 3 && $output == "/dev/pts/0"*5000 ]]
    run oci exec -t -d c true
    [[ $status -eq 255 && $output == *"cannot allocate tty if runc will detach without setting console socket"* ]]
}

@test "signals of a run in the foreground are the container's" {
    bundle "" sh -c 'trap "echo hup; exit 9" HUP; echo ready; while :; do sleep 0.05; done'
    "$TARE" oci --root "$OCI/run" run -b "$OCI/b" c >"$OCI/out" 2>&1 3>&- &
    local pid=$! status=0
    eventually grep -q ready "$OCI/out"
    kill -HUP "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq 9 ]
    grep -q hup "$OCI/out"
}

@test "HOME is what the container's passwd says, where the bundle says nothing" {
    local passwd=$OCI/b/rootfs/etc/passwd
    printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:7:7::/home/user:/bin/sh\n' >"$passwd"
    bundle '' sh -c 'echo $HOME'
    [ "$(oci run -b "$OCI/b" c)" = /root ]
    bundle 'c["process"]["user"]["uid"] = 7; c["process"]["env"] += ["HOME=/x", "HOME="]' sh -c 'echo $HOME; env | grep -c HOME='
    [ "$(oci run -b "$OCI/b" c)" = $'/home/user\n1' ]
    bundle 'c["process"]["user"]["uid"] = 8; c["process"]["env"] += ["HOME=/given"]' sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    [ "$(oci exec c sh -c 'echo $HOME')" = /given ]
    echo '{"user":{"uid":8,"gid":0},"args":["/bin/sh", "-c", "echo $HOME"],"cwd":"/"}' >"$OCI/process.json"
    [ "$(oci exec -p "$OCI/process.json" c)" = / ]
    GROUP=$GROUP-2 bundle 'c["process"]["cwd"] = "/tmp"; c["process"]["user"]["uid"] = 7' sh -c 'echo $HOME'
    [ "$(oci run -b "$OCI/b" d)" = /home/user ]
    # A link that leads nowhere good, and what is no file.
    rm "$passwd"
    ln -s /proc/1/fd/0 "$passwd"
    [ "$(oci exec -p "$OCI/process.json" c)" = / ]
    rm "$passwd"
    mkfifo "$passwd"
    [ "$(oci exec -p "$OCI/process.json" c)" = / ]
    rm "$passwd"
}

@test "list and ps: runc's columns and members, sorted; a root that is not there; --regex" {
    bundle "" sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    GROUP=$GROUP-b bundle "" sleep 1000
    oci run -d -b "$OCI/b" b </dev/null >/dev/null 2>&1
    run oci list
    [[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
    [[ ${lines[1]} =~ ^b\ +[0-9]+\ +running\ +$OCI/b\ +20[^\ ]+Z\ +root$ && ${lines[2]} == c\ * ]]
    [ "$(oci list -q)" = $'b\nc' ]
    oci list -f json | jq -e --arg rootfs "$OCI/b/rootfs" '.[0] | .id == "b" and .rootfs == $rootfs and .owner == "root" and .ociVersion and .created and .pid > 0' >/dev/null
    run "$TARE" oci --root "$OCI/nowhere" list
    [ "$status" -ne 0 ]
    run oci ps c
    [[ ${lines[0]} =~ ^UID\ +PID\ +PPID\ +C\ +STIME\ +TTY\ +TIME\ +CMD$ && ${lines[1]} == root*"sleep 1000" ]]
    [ "$(oci ps c -o pid,args | tail -1 | tr -s ' ')" = "$(oci state c | jq .pid) sleep 1000" ]
    oci kill --regex '^[b]$' KILL
    eventually eval '[ "$(oci state b | jq -r .status)" = stopped ]'
    is_now running
    oci delete --regex '^b'
    [ "$(oci list -q)" = c ]
    run oci delete --regex '['
    [[ $status -ne 0 && $output == *"is not a regular expression"* ]]
}

@test "without a pid namespace of its own: SIGKILL is for all of its processes, when the first one has ended, too" {
    bundle 'c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]' sh -c 'sleep 1000 & sleep 1000 & exec sleep 1000'
    group() { cat /sys/fs/cgroup{/pids,}"$GROUP"/cgroup.procs 2>/dev/null; }
    members() { [ "$(group | wc -l)" -eq "$1" ]; }
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    eventually members 3
    oci kill c 0
    kill -KILL "$(oci state c | jq .pid)"
    eventually is_now stopped
    members 2
    oci kill c KILL
    eventually members 0
    run oci kill c KILL
    [[ $status -ne 0 && $output == *"container not running"* ]]
}

@test "exec into a group below the container's, in all hierarchies or in some" {
    bundle 'c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "cgroup"]' sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    local dir n=0
    for dir in $(find /sys/fs/cgroup -maxdepth 2 -type d -path "*$GROUP"); do
        mkdir "$dir/sub"
        n=$((n + 1))
        [ ! -e "$dir/sub/cpuset.cpus" ] || cat "$dir/cpuset.cpus" >"$dir/sub/cpuset.cpus"
        [ ! -e "$dir/sub/cpuset.mems" ] || cat "$dir/cpuset.mems" >"$dir/sub/cpuset.mems"
    done
    [ "$(oci exec --cgroup sub c cat /proc/self/cgroup | grep -c "$GROUP/sub\$")" = "$n" ]
    if [ -d /sys/fs/cgroup/pids ]; then
        run oci exec --cgroup pids:sub c cat /proc/self/cgroup
        [ "$(grep "$GROUP/sub\$" <<<"$output" | cut -d: -f2)" = pids ]
    fi
    run oci exec --cgroup nothing:sub c true
    [[ $status -eq 255 && $output == *"unknown controller nothing"* ]]
    run oci exec --cgroup ../x c true
    [[ $status -eq 255 && $output == *"bad sub cgroup path"* ]]
}

@test "every verb tells its flags; all of runc's and crun's are among them" {
    local verb word
    for verb in create delete events exec features kill list pause ps resume run spec start state update; do
        run oci $verb --help
        [[ $status -eq 0 && $output == "Usage: tare oci $verb "* ]]
    done
    flags_of() { sed -nE 's/^ +(-., )?(--[a-z0-9-]+).*/\2/p' | grep -vxE -- '--(help|usage)' | sort -u; }
    for word in runc crun; do
        command -v $word >/dev/null || continue
        for verb in create delete events exec kill list ps run spec update; do
            run comm -23 <($word $verb --help 2>/dev/null | flags_of) <(oci $verb --help | flags_of)
            [ -z "$output" ] || { echo "$word $verb: $output"; return 1; }
        done
    done
    run oci checkpoint --help
    [[ $status -ne 0 && $output == *"checkpoint: there is no such command"* ]]
}

@test "a pidfd goes to who asks for it; --keep; another file than config.json; spec for an ordinary user" {
    bundle "" true
    python3 - "$OCI/pidfd" >"$OCI/seen" <<'PY' 3>&- &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); s.settimeout(60)
c, _ = s.accept()
data, control, _, _ = c.recvmsg(100, 100)
fd = array.array("i", control[0][2])[0]
print([l for l in open(f"/proc/self/fdinfo/{fd}") if l.startswith("Pid:")][0].split()[1])
PY
    local seer=$!
    eventually [ -S "$OCI/pidfd" ]
    oci create -b "$OCI/b" --pidfd-socket "$OCI/pidfd" --pid-file "$OCI/pid" c </dev/null >/dev/null 2>&1
    wait "$seer"
    [ "$(cat "$OCI/seen")" = "$(cat "$OCI/pid")" ]
    oci delete c
    mv "$OCI/b/config.json" "$OCI/b/other.json"
    oci run --keep -b "$OCI/b" -f other.json c
    is_now stopped
    oci delete c
    oci spec --rootless -b "$OCI/b" -f rootless.json
    jq -e '.linux.uidMappings[0].hostID == 0 and (.linux | has("resources") | not) and ([.linux.namespaces[].type] | index("network") | not)' "$OCI/b/rootless.json" >/dev/null
}

@test "small things that callers of runc know: a variable given twice, a tmpfs of no mode, /dev/ptmx as a device, warnings without a log, ambient --cap" {
    mkdir -p -m 0710 "$OCI/b/rootfs/closed"
    bundle 'c["process"]["env"] += ["A=1", "A=2"]; c["mounts"] += [{"destination": "/" + n, "type": "tmpfs", "source": "t"} for n in ("closed", "new")]
c["mounts"].append({"destination": "/moded", "type": "tmpfs", "source": "t", "options": ["mode=0751"]})
c["linux"]["devices"] = [{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]
caps = c["process"]["capabilities"]
caps["bounding"] += ["CAP_SYS_CHROOT"]; caps["inheritable"] = ["CAP_SYS_CHROOT"]; caps["ambient"] = ["CAP_CHOWN", "CAP_NONSENSE"]' sh -c 'env | grep ^A=; stat -c %a /closed /new /moded; readlink /dev/ptmx; sleep 1000'
    "$TARE" oci --root "$OCI/run" run -d -b "$OCI/b" c </dev/null >"$OCI/out" 2>&1
    eventually grep -q ptmx "$OCI/out"
    [ "$(grep -v level= "$OCI/out")" = $'A=2\n710\n1777\n751\npts/ptmx' ]
    grep -q 'level=warning msg="process.capabilities.ambient: CAP_NONSENSE cannot be granted and is left out"' "$OCI/out"
    [[ $(cat "$OCI/out") != *CAP_CHOWN* ]] # buildah names in each of its runs what is not inheritable
    rmdir "$OCI/b/rootfs"/{closed,new,moded}
    oci exec --cap CAP_SYS_CHROOT c grep -q 'CapAmb:.*040000' /proc/self/status
    "$TARE" oci --root "$OCI/run" --debug state c 2>&1 >/dev/null | grep -q 'level=debug'
}

@test "--no-pivot: the host's /proc does not make up for what is masked, and no way out of the chroot leads to the host's files" {
    local masked='mkdir -p /dev/shm/p && mount -t proc none /dev/shm/p'
    printf '#!/bin/sh\ntrue\n' >"$OCI/nothing"
    chmod 755 "$OCI/nothing"
    for change in '' 'c["hooks"] = {"createContainer": [{"path": oci + "/nothing"}]}'; do
        bundle "$change"$'\nfor s in ("bounding", "permitted", "effective"): c["process"]["capabilities"][s].append("CAP_SETFCAP")' unshare -mrpf sh -c "$masked"
        run oci run --no-pivot -b "$OCI/b" c
        [[ $status -ne 0 && $output == *"ermission denied"* ]]
        bundle "$change" sleep 1000
        oci run --no-pivot -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
        run nsenter -t "$(oci state c | jq .pid)" -m /bin/busybox ls /bin/bash 3>&- # the root of the namespace, not of the process
        [[ $output == *"/bin/bash: No such file"* ]]
        oci delete --force c
    done
}

@test "a container that was created and not started hears TERM, INT and HUP" {
    for signal in TERM INT HUP; do
        bundle '' sleep 1000
        oci create -b "$OCI/b" c </dev/null >/dev/null 2>&1
        oci kill c $signal
        eventually is_now stopped
        oci delete c
    done
}

@test "rootfsPropagation slave: what the host mounts below the root later is seen inside, and nothing the other way" {
    cat >"$OCI/propagation" <<'SH'
set -e
mount --bind "$OCI/b/rootfs" "$OCI/b/rootfs"
mount --make-shared "$OCI/b/rootfs"
"$TARE" oci --root "$OCI/run" run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
mount -t tmpfs later "$OCI/b/rootfs/tmp"
"$TARE" oci --root "$OCI/run" exec c grep -c ' /tmp tmpfs' /proc/mounts
grep -c "$OCI.*/proc " /proc/mounts || true
"$TARE" oci --root "$OCI/run" delete --force c
SH
    bundle 'c["linux"]["rootfsPropagation"] = "slave"' sleep 1000
    run -0 unshare -m --propagation private bash "$OCI/propagation" 3>&-
    [ "$output" = $'1\n0' ]
    bundle 'c["linux"]["rootfsPropagation"] = "private"' sleep 1000
    run unshare -m --propagation private bash "$OCI/propagation" 3>&-
    [ "${lines[0]}" = 0 ]
    oci delete --force c
}

@test "what the caller ignores is not ignored inside: run and exec" {
    bundle '' sleep 1000
    # By the system call: C libraries do not let go of 32 and 33, so whoever is started by one of their programs may ignore them.
    ignoring() {
        python3 -c 'import ctypes, os, struct, sys
for signo in 1, 10, 13, 32, 33, 34: ctypes.CDLL(None).syscall(int(sys.argv[1]), signo, struct.pack("QQQQ", 1, 0, 0, 0), None, 8)
os.execv(sys.argv[2], sys.argv[2:])' "$(python3 -c 'import os; print({"x86_64": 13}.get(os.uname().machine, 134))')" "$TARE" oci --root "$OCI/run" "$@"
    }
    ignoring run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    run -0 awk '/^SigIgn/ {print $2}' "/proc/$(oci state c | jq .pid)/status"
    is 0000000000000000
    run -0 ignoring exec c awk '/^SigIgn/ {print $2}' /proc/self/status
    [ "$output" = 0000000000000000 ]
}

@test "signals of real time are counted as glibc does: SIGRTMIN+3 is 37" {
    bundle pass sh -c 'trap "exit 7" 37; while :; do sleep 0.1; done'
    local got=0
    oci run -b "$OCI/b" c </dev/null &
    until_true 10 is_now running
    until_true 10 eval '! oci kill c SIGRTMIN+3' # until the shell has its trap, and so has ended
    wait $! || got=$?
    [ "$got" = 7 ]
}

@test "streams that are the host's /dev/null are the container's inside, for reading and writing" {
    local shm
    bundle '' sh -c 'echo written && (stat -L -c %d:%i /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2) >/dev/shm/seen; exec sleep 1000'
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2</dev/null
    shm=/proc/$(oci state c | jq .pid)/root/dev/shm
    eventually [ -s "$shm/seen" ]
    [ "$(sort -u "$shm/seen" | wc -l)" = 1 ]
    [ "$(head -1 "$shm/seen")" != "$(stat -c %d:%i /dev/null)" ]
    oci exec c sh -c 'echo x; echo $? >/dev/shm/status; stat -L -c %d:%i /proc/self/fd/0 >>/dev/shm/status' </dev/null 1</dev/null
    [ "$(cat "$shm/status")" = $'0\n'"$(head -1 "$shm/seen")" ]
}

@test "update with version 1: no memory limit is no limit of swap; a shorter period with its quota in a group that has one" {
    [ -e /sys/fs/cgroup/cpu/cpu.cfs_period_us ] || skip "the processors' controller is not of version 1"
    local above=/sys/fs/cgroup/cpu$GROUP
    mkdir "$above"
    echo 50000 >"$above/cpu.cfs_quota_us"
    GROUP=$GROUP/c bundle 'c["linux"]["resources"] = {"memory": {"limit": 33554432, "swap": 67108864}, "cpu": {"quota": 40000, "period": 100000}}' sleep 1000
    oci run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    oci update --cpu-period 10000 --cpu-quota 3000 c
    [ "$(cat "$above/c/cpu.cfs_quota_us" "$above/c/cpu.cfs_period_us")" = $'3000\n10000' ]
    oci update --cpu-period 100000 --cpu-quota 40000 c
    [ "$(cat "$above/c/cpu.cfs_quota_us" "$above/c/cpu.cfs_period_us")" = $'40000\n100000' ]
    oci update --memory -1 c
    oci delete --force c
    rmdir "$above" "/sys/fs/cgroup"/*"$GROUP" 2>/dev/null || true
}

@test "a directory is no program: create says so, as of one that is not there" {
    for command in /etc etc; do
        bundle 'c["process"]["env"] = ["PATH=/"]' $command
        run oci create -b "$OCI/b" c
        [[ $status -eq 126 && $output == *"exec: \\\"$command\\\": permission denied"* ]]
        run ! oci state c
    done
}

@test "the caller's processors are not the container's: run and exec have all that their group has" {
    local all one
    all=$(sed -n 's/Cpus_allowed_list:\s*//p' /proc/self/status)
    one=${all%%[,-]*}
    bundle '' sleep 1000
    taskset -c "$one" "$TARE" oci --root "$OCI/run" run -d -b "$OCI/b" c </dev/null >/dev/null 2>&1
    [ "$(sed -n 's/Cpus_allowed_list:\s*//p' "/proc/$(oci state c | jq .pid)/status")" = "$all" ]
    run -0 taskset -c "$one" "$TARE" oci --root "$OCI/run" exec c sed -n 's/Cpus_allowed_list:\s*//p' /proc/self/status
    [ "$output" = "$all" ]
    jq -c ".process | .args = [\"sed\", \"-n\", \"s/Cpus_allowed_list:\\\\s*//p\", \"/proc/self/status\"] | .execCPUAffinity = {\"initial\": \"$one\"}" "$OCI/b/config.json" >"$OCI/process"
    run -0 oci exec --process "$OCI/process" c
    # What was set before a group is joined holds since Linux 6.2; before, joining gives all of the group's.
    [ "$(printf '6.2\n%s\n' "$(uname -r)" | sort -V | head -1)" = 6.2 ] || one=$all
    [ "$output" = "$one" ]
}

@test "a group that is frozen already: create says so, and does not wait for ever" {
    local group
    group=$(find /sys/fs/cgroup -maxdepth 1 -type d -name freezer)
    [ -n "$group" ] || skip "the freezer is not of version 1"
    mkdir "$group$GROUP"
    echo FROZEN >"$group$GROUP/freezer.state"
    bundle '' sleep 1000
    run timeout 20 "$TARE" oci --root "$OCI/run" create -b "$OCI/b" c
    [ ! -d "$group$GROUP" ] || echo THAWED >"$group$GROUP/freezer.state"
    [[ $status -eq 1 && $output == *"is frozen"* ]]
    rmdir "$group$GROUP" 2>/dev/null || true
}
