#!/usr/bin/env bats
# containerd-shim-tare-v2 under Debian's containerd, with roots, sockets and a namespace of containerd of its own.
# lane: alone

load lib
bats_require_minimum_version 1.5.0

setup_file() {
    [ "$(id -u)" = 0 ] || skip "needs root"
    command -v containerd >/dev/null && command -v ctr >/dev/null || skip "containerd is not installed"
    SHIM=$(dirname "$TARE")/containerd-shim-tare-v2
    [ -x "$SHIM" ] || skip "the shim is not built (libprotobuf-c)"
    [ -e "$FIXTURES/done" ] || "$here/fixtures" "$FIXTURES"
    S=$(mktemp -d /tmp/tc.XXXXXX)
    NS=tare-test-$$
    # A namespace of its own also names the parent of the cgroups: /tare-test-PID/ID.
    export S SHIM NS CONTAINERD_ADDRESS=$S/c.sock CONTAINERD_NAMESPACE=$NS
    mkdir "$S/bin"
    ln -s "$SHIM" "$S/bin/"
    cat >"$S/config.toml" <<TOML
version = 2
root = "$S/root"
state = "$S/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$S/c.sock"
[ttrpc]
  address = "$S/c.sock.ttrpc"
TOML
    containerd_start
    ctr image import "$FIXTURES/busybox.docker.tar" >/dev/null
    IMAGE=$(ctr image ls -q)
    export IMAGE
}

teardown_file() {
    [ -n "${S:-}" ] || return 0
    containerd_stop
    rm -rf "$S" "/run/tare/containerd/$NS"
    rmdir /sys/fs/cgroup/*/"$NS" "/sys/fs/cgroup/$NS" 2>/dev/null || true
}

containerd_start() {
    PATH=$S/bin:$PATH setsid containerd --config "$S/config.toml" >>"$S/log" 2>&1 3>&- &
    echo $! >"$S/pid"
    until_true 10 ctr version || { cat "$S/log"; return 1; }
}

containerd_stop() {
    kill "${1:--TERM}" "$(cat "$S/pid")" 2>/dev/null || return 0
    until_true 10 eval '! kill -0 "$(cat "$S/pid")"'
}

setup() { [ -n "${S:-}" ] || skip "no containerd"; }

# Nothing is left of a test: no task, shim, mount, state, cgroup, socket.
teardown() {
    [ -n "${S:-}" ] || return 0
    local id
    [ -z "${LISTENER:-}" ] || kill "$LISTENER"
    for id in $(ctr task ls -q); do ctr task rm -f "$id" 2>/dev/null; done
    for id in $(ctr container ls -q); do ctr container rm "$id"; done
    eventually nothing_left || { left; return 1; }
}
left() {
    pgrep -fa "containerd-shim-tare-v2 -namespace $NS" | grep -v defunct
    grep " $S/state" /proc/self/mountinfo
    find "/run/tare/containerd/$NS" -mindepth 1 -maxdepth 1 2>/dev/null
    find /sys/fs/cgroup -maxdepth 3 -type d -path "*/$NS/*" 2>/dev/null
    true
}
nothing_left() { [ -z "$(left)" ]; }
eventually() { until_true 5 "$@"; }
events_begin() {
    EVENTS=$BATS_TEST_TMPDIR/events
    ctr events >"$EVENTS" 3>&- &
    LISTENER=$!
    until_true 10 eval 'ctr image label "$IMAGE" "at=$(date +%N)"; grep -q /images/update "$EVENTS"' # it listens
}
events_end() {
    until_true 10 grep -q '/tasks/delete .*"container_id":"a"' "$EVENTS"
    kill "$LISTENER"
    LISTENER=
}
run_task() { ctr run --runtime io.containerd.tare.v2 "$@"; } # [FLAG…] IMAGE ID COMMAND…
shims() { pgrep -fc "containerd-shim-tare-v2 -namespace $NS"; }
status_is() { ctr task ls | grep -q "^$1 .*$2"; }

@test "run: output, errors, exit status, standard input, and nothing is left" {
    run --separate-stderr run_task --rm "$IMAGE" a sh -c 'echo out; echo err >&2; exit 3'
    [ "$status" = 3 ]
    [ "$output" = out ]
    [[ $stderr == *err* ]]
    [ "$(head -c 300000 /dev/zero | run_task --rm "$IMAGE" b wc -c)" = 300000 ]
    [ "$(run_task --rm "$IMAGE" c sh -c 'ls /proc/self/fd | wc -l')" = 4 ] # 0 1 2, and that of ls
}

@test "a detached task: exec, ps, pause, metrics, kill, delete, and containerd hears of each" {
    events_begin
    run_task -d "$IMAGE" a sleep 1000
    status_is a RUNNING
    run ctr task exec --exec-id e a sh -c 'echo in; exit 7'
    [[ $status = 7 && $output == in ]]
    ctr task exec -d --exec-id f a sleep 999
    [ "$(ctr task ps a | grep -c '^[0-9]')" = 2 ]
    ctr task ps a | grep -q 'f'
    run ctr task exec --exec-id g a /nonexistent
    echo "$output"
    [[ $status != 0 && $output == *"/nonexistent"* ]]
    ctr task metrics a | grep -Eq 'pids.current +2'
    ctr task metrics a | grep -Eq 'memory.usage_in_bytes +[1-9]|memory.usage +[1-9]'
    ctr task metrics a | grep -Eq 'cpuacct.usage_percpu +\[[0-9]+|cpu.usage_usec +[1-9]' # what each processor did: version 1
    ctr task pause a
    status_is a PAUSED
    run ctr task exec --exec-id h a true
    [[ $status != 0 && $output == *"cannot exec in a paused container"* ]]
    ctr task resume a
    status_is a RUNNING
    run ctr task checkpoint a
    [[ $status != 0 && $output == *"tare cannot make checkpoints"* ]]
    ctr task kill -s TERM --exec-id f a
    ctr task kill -s KILL a
    eventually status_is a STOPPED
    run ctr task rm a
    [[ $output == *"137"* ]]
    events_end
    for word in create start exec-added exec-started paused resumed exit delete; do
        grep -q " /tasks/$word .*\"container_id\":\"a\"" "$EVENTS" || { echo "no event $word"; cat "$EVENTS"; return 1; }
    done
    grep -q '/tasks/exit .*"id":"e".*"exit_status":7' "$EVENTS"
    [ "$(grep -c '/tasks/exit .*"id":"a"' "$EVENTS")" = 1 ]
    [ "$(grep -c '/tasks/delete .*"container_id":"a"' "$EVENTS")" = 1 ] # of the task, as runc's shim: not of what was executed in it
    [ "$(grep -c '/tasks/exec-added .*"exec_id":"h"' "$EVENTS")" = 0 ]
}

@test "a killed paused task dies" {
    run_task -d "$IMAGE" a sleep 1000
    ctr task pause a
    ctr task kill -s KILL a
    eventually status_is a STOPPED
}

@test "memory that runs out is told" {
    events_begin
    run run_task --rm --memory-limit 16000000 "$IMAGE" a sh -c 'dd if=/dev/zero of=/dev/null bs=64M count=1; echo status $?'
    events_end
    [[ $output == *"status 137"* ]]
    grep -q '/tasks/oom {"container_id":"a"}' "$EVENTS"
    [ "$(grep -nE '/tasks/(oom|exit)' "$EVENTS" | head -1 | grep -c oom)" = 1 ] # the reason before the end
}

@test "a terminal: size, typed lines, and the end of what was printed" {
    # A shell holds the terminal until everything was read: when its first process ends, the kernel drops what was not.
    "$here/terminal" sh -c "ctr run --runtime io.containerd.tare.v2 --rm -t $IMAGE a sh -c 'tty; read x; echo got \$x; seq 20000; exit 4'; s=\$?; echo ended; read end; exit \$s" <<'PLAY'
expect /dev/pts/0
type typed\r
expect got typed
expect \n20000\r
expect ended
type \r
end 4
PLAY
    run_task -d "$IMAGE" b sleep 1000
    run timeout 60 "$here/terminal" --show ctr task exec -t --exec-id e b sh -c 'tty; exit 5'
    [[ $status = 5 && $output == *"/dev/pts/"* ]]
}

# containerd throws away what it has not read of the output when it is told of a broken pipe, and waits when a FIFO is full.
@test "what is typed for a process that has ended is taken until it is deleted" {
    events_begin
    run_task -d "$IMAGE" a sleep 1000
    mkfifo "$S/silence"
    ctr task exec -d --fifo-dir "$S/fifos" --exec-id e a true <>"$S/silence" # at an end of its input, ctr would close the other
    "$here/terminal" --show ctr task exec -d -t --fifo-dir "$S/fifos" --exec-id f a true
    for id in e f; do
        until_true 10 grep -q "/tasks/exit .*\"id\":\"$id\"" "$EVENTS"
        timeout 20 dd if=/dev/zero of="$(find "$S/fifos" -name "$id-stdin")" bs=300000 count=1
    done
    ctr task rm -f a
    events_end
}

@test "logs: to a file, and to a program that says when it is ready" {
    run_task -d --log-uri "file://$S/logs/a" "$IMAGE" a sh -c 'echo one; echo two >&2'
    eventually status_is a STOPPED
    [ "$(sort "$S/logs/a")" = $'one\ntwo' ]
    cat >"$S/logger" <<SH
#!/bin/sh
echo "args \$* id \$CONTAINER_ID in \$CONTAINER_NAMESPACE" >>$S/logged
exec 5>&-
sed 's/^/out: /' <&3 >>$S/logged
SH
    chmod 755 "$S/logger"
    run_task -d --log-uri "binary://$S/logger?a=b%20c&d" "$IMAGE" b sh -c 'echo to the program'
    eventually grep -q 'out: to the program' "$S/logged"
    grep -q "args a b c d id b in $NS" "$S/logged"
    run run_task -d --log-uri "binary://$S/nothing" "$IMAGE" c true # no such program: the container runs without
    eventually status_is c STOPPED
}

@test "one shim for a pod, of less than a megabyte; it goes with the last container" {
    run_task -d --annotation io.kubernetes.cri.sandbox-id=a "$IMAGE" a sleep 1000
    run_task -d --annotation io.kubernetes.cri.sandbox-id=a "$IMAGE" b sleep 1000
    run_task -d --annotation io.kubernetes.cri.sandbox-id=a "$IMAGE" c sleep 1000
    [ "$(shims)" = 1 ]
    pss() { awk '/^Pss:/ {print $2}' "/proc/$(pgrep -f "containerd-shim-tare-v2 -namespace $NS")/smaps_rollup"; }
    until_true 5 eval '[ "$(pss)" -le 1024 ]'
    echo "Pss $(pss) kB" >&3
    ctr task rm -f a
    [ "$(shims)" = 1 ]
    [ "$(ctr task exec --exec-id e b echo yes)" = yes ]
}

@test "containerd is killed and comes back: tasks, output, the end" {
    mkdir -p "$S/fifo"
    run_task -d --log-uri "file://$S/logs/r" "$IMAGE" a sh -c 'while sleep 0.1; do echo tick; done'
    run_task -d "$IMAGE" b sh -c 'while [ ! -e /end ]; do sleep 0.1; done; exit 9'
    local pid
    pid=$(ctr task ls | awk '$1 == "b" { print $2 }')
    containerd_stop -KILL
    touch "/proc/$pid/root/end" # while nobody listens
    eventually [ ! -e "/proc/$pid" ]
    containerd_start
    status_is a RUNNING
    status_is b STOPPED
    run ctr task rm b
    [[ $output == *9* ]]
    [ "$(ctr task exec --exec-id e a echo alive)" = alive ]
    eventually eval '[ "$(wc -l <"$S/logs/r")" -gt 10 ]'
    ctr task kill -s KILL a
    eventually status_is a STOPPED
}

@test "the shim is killed: containerd has everything taken away" {
    run_task -d "$IMAGE" a sleep 1001
    local pid socket
    pid=$(pgrep -f "containerd-shim-tare-v2 -namespace $NS")
    socket=$(sed 's,unix://,,' "$S/state/io.containerd.runtime.v2.task/$NS/a/address")
    [ -S "$socket" ]
    kill -KILL "$pid"
    eventually nothing_left
    [ -z "$(pgrep -fx 'sleep 1001')" ]
    eventually [ ! -e "$socket" ]
}

@test "a user that is not root opens /dev/stdout anew" {
    run_task -d "$IMAGE" a sleep 1000
    [ "$(ctr task exec --exec-id e --user 1234 a sh -c 'id -u; echo again >/dev/stdout' | tr '\n' ' ')" = "1234 again " ]
}

@test "what cannot be: a second container of that name, a second start" {
    run_task -d "$IMAGE" a sleep 1000
    run run_task -d "$IMAGE" a sleep 1
    [ "$status" != 0 ]
    run ctr task start a
    [ "$status" != 0 ]
    status_is a RUNNING
}

@test "nonsense on the socket costs a connection, not the shim" {
    run_task -d "$IMAGE" a sleep 1000
    python3 - "$(sed 's,unix://,,' "$S/state/io.containerd.runtime.v2.task/$NS/a/address")" <<'PY'
import os, random, socket, struct, sys
def ask(data, wait=True):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(60); s.sendall(data)
    try:
        return s.recv(65536) if wait else b""
    except socket.timeout:
        return b"nothing"
    finally:
        s.close()
def frame(body, kind=1, stream=1): return struct.pack(">IIBB", len(body), stream, kind, 0) + body
def text(n, v): return bytes([n << 3 | 2, len(v)]) + v
def request(service, method, payload=b""): return frame(text(1, service) + text(2, method) + text(3, payload))
assert ask(struct.pack(">IIBB", 5 << 20, 1, 1, 0)) == b""                     # too long: closed
assert b"cannot be read" in ask(frame(b"\xff\xff\xff"))
assert b"not known" in ask(request(b"x.Y", b"State"))
assert b"not known" in ask(request(b"containerd.task.v2.Task", b"Nonsense"))
assert b"cannot be read" in ask(request(b"containerd.task.v2.Task", b"Kill", b"\x0a\x7f"))
assert b"a" in ask(request(b"containerd.task.v3.Task", b"Connect", text(1, b"a")))
options = text(1, b"containerd.runc.v1.Options") + text(2, text(6, b"/usr/bin/crun"))
create = text(1, b"x") + text(2, b"/nonexistent") + text(10, options)
assert b"BinaryName: /usr/bin/crun is another runtime" in ask(request(b"containerd.task.v2.Task", b"Create", create))
random.seed(1)
for _ in range(200):
    ask(frame(random.randbytes(random.randrange(60))), wait=False)
    ask(random.randbytes(random.randrange(40)), wait=False)
PY
    [ "$(shims)" = 1 ]
    [ "$(ctr task exec --exec-id e a echo alive)" = alive ]
}

@test "containerd 2 asks what the runtime can do (-info); what is no call of containerd's says why" {
    "$SHIM" --help </dev/null | grep -q 'ctr run --runtime io.containerd.tare.v2'
    "$SHIM" -v </dev/null | grep -q 'Version:  [0-9]'
    local words
    while IFS='|' read -r words said; do
        # shellcheck disable=SC2086
        run "$SHIM" $words </dev/null
        [[ $status = 1 && $output == *"$said"* ]] || { echo "$words: $status $output"; return 1; }
    done <<'TABLE'
start|-id is missing
delete|-id is missing
-id ../x delete|-id: ../x is not a name
-id x -namespace ../x delete|-namespace: ../x is not a name
-id x nonsense|nonsense: there is no such command
-id|-id: a value is missing
--nonsense|flag --nonsense is not known
|containerd starts this program
TABLE
    "$SHIM" -info </dev/null >"$S/info"
    python3 - "$S/info" "$("$TARE" oci features)" <<'PY'
import json, sys
data = open(sys.argv[1], "rb").read()
assert b"io.containerd.tare.v2" in data and b"types.containerd.io/opencontainers/runtime-spec/1/features/Features" in data
assert json.loads(data[data.index(b'{"ociVersionMin'):]) == json.loads(sys.argv[2])
PY
}

# start_input ID: what containerd 2.3 and later write to `start`, with options as CRI passes those of a runtime that it does not know.
start_input() {
    python3 - "$@" <<'PY'
import sys
def varint(n): return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
def text(n, v): return bytes([n << 3 | 2]) + varint(len(v)) + v
id, namespace, socket_dir, toml = (v.encode() for v in sys.argv[1:])
any = text(1, b"runtimeoptions.v1.Options") + text(2, text(3, toml))
sys.stdout.buffer.write(text(1, id) + text(2, namespace) + text(8, text(1, any)) + text(9, socket_dir))
PY
}

@test "start as containerd 2 calls it: the shim's group and the place of its socket are in the message" {
    local group=/$NS/shims address pid
    mkdir "$S/bundle" "$S/sockets"
    cd "$S/bundle"
    echo '{}' >config.json
    address=$(start_input one "$NS" "$S/sockets" "ShimCgroup = '$group'" | MAX_SHIM_VERSION=3 "$SHIM" -namespace "$NS" -address "$S/nobody.sock" -id one start)
    [[ $(jq -r '"\(.version) \(.protocol) \(.address)"' <<<"$address") == "3 ttrpc unix://$S/sockets/"* ]]
    pid=$(pgrep -f "containerd-shim-tare-v2 -namespace $NS -id one")
    grep -q ":pids:$group\$\|^0::$group\$" "/proc/$pid/cgroup"
    kill -KILL "$pid"
    eventually eval '! kill -0 '"$pid"' 2>/dev/null'
    "$SHIM" -namespace "$NS" -address "$S/nobody.sock" -id one delete >/dev/null
    [ -z "$(ls "$S/sockets")" ]
    # Told for another: not the message, and so no options.
    address=$(start_input other "$NS" "$S/sockets" "ShimCgroup = '$group'" | "$SHIM" -namespace "$NS" -address "$S/nobody.sock" -id one start)
    [[ $address == unix:///run/containerd/s/* ]]
    pid=$(pgrep -f "containerd-shim-tare-v2 -namespace $NS -id one")
    ! grep -q ":$group\$" "/proc/$pid/cgroup"
    kill -KILL "$pid"
    rm -f "${address#unix://}"
    eventually eval '[ -z "$(cat /sys/fs/cgroup{,/pids}'"$group"'/cgroup.procs 2>/dev/null)" ]'
    rmdir /sys/fs/cgroup{,/*}"$group" 2>/dev/null || true
}

@test "a sandbox of the shim's own: namespaces, files, its containers, its end, and what is left when the shim is killed" {
    local bundle=$S/pod-bundle
    mkdir -p "$bundle" "$S/container/rootfs"
    cd "$bundle"
    python3 - "$SHIM" "$NS" "$S" <<'PY'
import json, os, signal, socket, struct, subprocess, sys, threading, time
shim, space, top = sys.argv[1:]
bundle, cb = os.getcwd(), top + "/container"
def varint(n): return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
def text(n, v): return bytes([n << 3 | 2]) + varint(len(v)) + (v if isinstance(v, bytes) else v.encode())
def number(n, v): return bytes([n << 3]) + varint(v)
def fields(data):
    found, at = {}, 0
    def read():
        nonlocal at
        n = shift = 0
        while True:
            n |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128: return n
    while at < len(data):
        key = read()
        if key & 7 == 0: found[key >> 3] = read()
        else:
            size = read()
            found[key >> 3] = data[at:at + size]
            at += size
    return found
def begin():
    return subprocess.run([shim, "-namespace", space, "-address", top + "/nobody.sock", "-id", "pod", "start"], stdin=subprocess.DEVNULL,
                          capture_output=True, check=True).stdout.decode()[len("unix://"):]
def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.settimeout(120)
    return s
stream = 1
def ask(service, method, payload):
    global stream
    body = text(1, service) + text(2, method) + text(3, payload)
    s.sendall(struct.pack(">IIBB", len(body), stream, 1, 0) + body)
    stream += 2
    def take(n):
        data = b""
        while len(data) < n: data += s.recv(n - len(data))
        return data
    response = fields(take(struct.unpack(">IIBB", take(10))[0]))
    status = fields(response.get(1, b""))
    return status.get(1, 0), fields(response.get(2, b"")) if not status.get(1) else status.get(2, b"").decode()
def pod(method, more=b""): return ask("containerd.runtime.sandbox.v1.Sandbox", method, text(1, "pod") + more)
def task(method, more=b""): return ask("containerd.task.v3.Task", method, text(1, "inner") + more)
def good(answer):
    assert answer[0] == 0, answer
    return answer[1]
def namespace(pid, kind): return os.readlink(f"/proc/{pid}/ns/{kind}")

config = text(2, "podhost") + text(4, text(1, "192.0.2.53") + text(2, "a.test") + text(3, "ndots:5")) + text(8, text(1, f"/{space}") + text(3, text(1, "kernel.shm_rmid_forced") + text(2, "1")))
def create(): return pod("CreateSandbox", text(2, bundle) + text(4, text(1, "runtime.v1.PodSandboxConfig") + text(2, config)))

path = begin()
s = connect(path)
assert pod("SandboxStatus")[0] == 5 and pod("StartSandbox")[0] == 5
good(create())
assert create()[0] == 6
assert good(pod("SandboxStatus"))[3] == b"SANDBOX_NOTREADY"
pid = good(pod("StartSandbox"))[1]
assert pod("StartSandbox")[0] == 9
assert fields(good(pod("Platform"))[1])[1] == b"linux"
status = good(pod("SandboxStatus"))
assert status[2] == pid and status[3] == b"SANDBOX_READY" and status[1] == b"pod", status
good(pod("PingSandbox"))
assert task("State")[0] == 5 and ask("containerd.task.v3.Task", "State", text(1, "pod"))[0] == 5  # it is no task
assert pod("UpdateSandbox")[0] == 12
for kind in ("pid", "ipc", "uts", "net", "mnt"):
    assert namespace(pid, kind) != namespace("self", kind), kind
assert os.listdir(f"/proc/{pid}/root") == [] and sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
proc = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
assert proc["CapEff"] == "0" * 16 and proc["CapBnd"] == "0" * 16 and proc["Uid"].split()[1] == "65535" and proc["NoNewPrivs"] == "1", proc
assert open(f"/proc/{pid}/cmdline").read().startswith("tare-init")
assert b"cgroups" in fields(good(pod("SandboxMetrics"))[1])[3]

# A container of it, as containerd describes it: in its namespaces, without the files, with a /dev/shm of its own, which the pod's replaces.
def spec(pid): return {"ociVersion": "1.1.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"],
        "args": ["sh", "-c", "(sleep 0 &); echo mine >/dev/shm/mine; hostname >/said; cat /etc/hostname /etc/resolv.conf >>/said; exec sleep 1000"]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
                   {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"}],
        "linux": {"cgroupsPath": f"/{space}/inner", "namespaces": [{"type": "mount"}] + [
            {"type": kind, "path": f"/proc/{pid}/ns/{name}"} for kind, name in (("pid", "pid"), ("ipc", "ipc"), ("uts", "uts"), ("network", "net"))]}}
os.makedirs(cb + "/rootfs/bin")
subprocess.run("cp $(command -v busybox) bin; for n in sh sleep hostname cat; do ln -s busybox bin/$n; done; mkdir etc proc dev", shell=True, check=True, cwd=cb + "/rootfs")
def run():
    with open(cb + "/config.json", "w") as file: json.dump(spec(pid), file)
    good(task("Create", text(2, cb)))
    return good(task("Start"))[1]
inner = run()
said = cb + "/rootfs/said"
while not (os.path.exists(said) and "ndots" in open(said).read()): time.sleep(0.02)
assert open(said).read() == "podhost\npodhost\nsearch a.test\nnameserver 192.0.2.53\noptions ndots:5\n", open(said).read()
assert open(bundle + "/shm/mine").read() == "mine\n"
for kind in ("pid", "ipc", "uts", "net"): assert namespace(inner, kind) == namespace(pid, kind), kind
def state(p):
    try:
        return open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()
    except OSError:
        return ["gone", "0"]
while any(state(p)[:2] == ["Z", str(pid)] for p in filter(str.isdigit, os.listdir("/proc"))): time.sleep(0.02)  # it reaps

# What is printed is there for a client who opens the other end of the FIFO late, when the process has long ended.
fifo, heard = top + "/late", []
def listen():
    time.sleep(0.3)
    with open(fifo) as file: heard.append(file.read())
for exec_id in ("out", "err"):
    os.mkfifo(fifo)
    late = threading.Thread(target=listen)
    late.start()
    process = json.dumps({"cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"], "args": ["sh", "-c", "echo early; echo early >&2"]})
    good(task("Exec", text(2, exec_id) + text(5 if exec_id == "out" else 6, fifo) + text(7, text(1, "process") + text(2, process))))
    good(task("Start", text(2, exec_id)))
    good(task("Wait", text(2, exec_id)))
    late.join()
    good(task("Delete", text(2, exec_id)))
    os.unlink(fifo)
assert heard == ["early\n"] * 2, heard

# The end of the sandbox is that of its processes; the container is there until it is deleted.
good(pod("StopSandbox"))
assert good(pod("WaitSandbox"))[1] == 137
assert good(pod("SandboxStatus"))[3] == b"SANDBOX_NOTREADY"
assert good(task("Wait"))[1] == 137
good(task("Delete"))
good(task("Shutdown"))
good(pod("PingSandbox"))  # it has not ended with the last task
good(pod("ShutdownSandbox"))
while os.path.exists(path): time.sleep(0.02)
assert not os.path.ismount(bundle + "/shm")

# Killed: `delete` in both bundles takes away what is there, though the shim was not started for the container's.
path = begin()
s = connect(path)
good(create())
pid, stream = good(pod("StartSandbox"))[1], stream + 2
inner = run()
parent = int(state(pid)[1])
os.kill(parent, signal.SIGKILL)
for id, where in (("inner", cb), ("pod", bundle)):
    subprocess.run([shim, "-namespace", space, "-address", top + "/nobody.sock", "-id", id, "-bundle", where, "delete"], check=True, capture_output=True, cwd=where)
assert not os.path.ismount(bundle + "/shm") and not os.path.exists(path)
for p in (pid, inner): assert state(p)[0] in ("gone", "Z"), p
PY
    rm -rf "$bundle" "$S/container"
}

@test "another version is installed while a pod runs: it goes on with its own" {
    mkdir "$BATS_TEST_TMPDIR/installed"
    cp "$SHIM" "$(dirname "$SHIM")/tare-monitor" "$BATS_TEST_TMPDIR/installed/"
    ctr run -d --runtime "$BATS_TEST_TMPDIR/installed/containerd-shim-tare-v2" "$IMAGE" a sleep 1000
    printf '#!/bin/sh\nexit 9\n' >"$BATS_TEST_TMPDIR/installed/new"
    chmod +x "$BATS_TEST_TMPDIR/installed/new"
    mv "$BATS_TEST_TMPDIR/installed/new" "$BATS_TEST_TMPDIR/installed/tare-monitor"
    [ "$(ctr task exec --exec-id e a echo still)" = still ]
    ctr task rm -f a
}
