#!/usr/bin/env bats
# The runtime alone (plan, executor) on the real kernel, by the program build/test/tool/bundle: config.json in, container out.

load lib
bats_require_minimum_version 1.5.0

BUNDLE=${BUNDLE:-$here/../../build/test/tool/bundle}

setup_file() {
    [ "$(id -u)" = 0 ] || skip "as root; runtime_user.bats is for users"
    BOX=$(mktemp -d /tmp/tr.XXXXXX)
    export BOX
    chmod 755 "$BOX"
    mkdir -p "$BOX"/root/{bin,proc,dev,sys} "$BOX/canary"
    cp "$(command -v busybox)" "$BOX/root/bin/busybox"
    "$BOX/root/bin/busybox" --install -s "$BOX/root/bin" 2>/dev/null || true
    for tool in sh cat ls id stat grep hostname true sleep touch readlink wc stty tty pwd echo; do
        ln -sf busybox "$BOX/root/bin/$tool"
    done
}

teardown_file() {
    [ -z "${BOX:-}" ] || rm -rf "$BOX"
}

setup() {
    [ "$(id -u)" = 0 ] || skip "as root"
    mounts_before=$(wc -l </proc/self/mountinfo)
    rm -rf "$BOX/up"
    mkdir "$BOX/up"
}

teardown() {
    [ "$(id -u)" = 0 ] || return 0
    [ "$(wc -l </proc/self/mountinfo)" = "$mounts_before" ]
    rmdir /sys/fs/cgroup/*/tare-bats/* /sys/fs/cgroup/*/tare-bats /sys/fs/cgroup/tare-bats/* /sys/fs/cgroup/tare-bats 2>/dev/null || true
}

# config [PYTHON-CHANGE] [NAMESPACES]: writes $BOX/config.json; p, l, m, c are process, linux, mounts, the whole.
config() {
    python3 - "$BOX" "${1:-}" "${2:-mount,pid,network,uts,ipc,cgroup}" <<'PY'
import json, sys
box, change, namespaces = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
caps = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID", "CAP_KILL", "CAP_SETPCAP"]
p = {"cwd": "/", "args": ["true"], "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
     "capabilities": {k: list(caps) for k in ("bounding", "effective", "permitted")}}
m = [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
     {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
     {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
      "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
     {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
     {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
     {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
     {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777"]}]
l = {"namespaces": [{"type": t} for t in namespaces], "maskedPaths": ["/proc/keys", "/proc/timer_list", "/sys/firmware", "/absent"],
     "readonlyPaths": ["/proc/sys", "/proc/irq"]}
if "user" in namespaces:
    l["uidMappings"] = l["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 65536}]
c = {"ociVersion": "1.2.0", "root": {"path": box + "/root"}, "process": p, "mounts": m, "linux": l}
if "uts" in namespaces:
    c["hostname"] = "box"
exec(change)
json.dump(c, open(box + "/config.json", "w"))
PY
}

# script TEXT: the container's command
script() { echo "p['args']=['sh','-c',$(python3 -c 'import sys; print(repr(sys.argv[1]))' "$1")]"; }

go() { run timeout 60 "$BUNDLE" --upper "$BOX/up" "$@" "$BOX/config.json"; }

@test "a container has its own everything and nothing of the host below" {
    config "$(script 'echo pid $$; hostname; id -u; grep -c . /proc/self/mountinfo; grep -v " / / \| /proc\| /dev\| /sys" /proc/self/mountinfo; ls /proc/self/fd | wc -l; touch /new && echo written')"
    go --cgroup /tare-bats/a
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"pid 1"*box*written* ]]
    [ -e "$BOX/up/upper/new" ] && [ ! -e "$BOX/root/new" ]
    ! grep -q "$BOX" <<<"$(grep -v lowerdir <<<"$output")"
    [ "$(grep -c ' / / ' <<<"$output")" = 1 ] || [ "$(grep -c ' / / ' <<<"$output")" = 0 ]
}

@test "only the container's mounts are there: the host's root is gone (also in a user namespace)" {
    for namespaces in mount,pid,network,uts,ipc,cgroup user,mount,pid,network,uts,ipc,cgroup; do
        rm -rf "$BOX/up"; mkdir "$BOX/up"
        config "$(script 'cat /proc/self/mountinfo')" "$namespaces"
        go
        [ "$status" = 0 ]
        # every mount point is /, or below proc, dev, sys
        [ -z "$(awk '$5 != "/" && $5 !~ "^/(proc|dev|sys)"' <<<"$output")" ]
        [ "$(awk '$5 == "/"' <<<"$output" | wc -l)" = 1 ]
    done
}

@test "126 and 127 as they fit" {
    local pair
    for pair in "127 nowhere" "127 /nowhere" "126 /dev/null" "126 /bin" "127 "; do
        config "p['args']=['${pair#* }']"
        run "-${pair%% *}" timeout 60 "$BUNDLE" --upper "$BOX/up" "$BOX/config.json"
        [[ $output == *exec* ]]
    done
}

@test "user, groups, umask, capabilities" {
    config "p['user']={'uid':1234,'gid':55,'additionalGids':[7,8],'umask':63}; $(script 'id -u; id -g; grep -E "^Groups|^Cap" /proc/self/status; umask')"
    go
    [ "$status" = 0 ]
    [[ $output == *1234*55*"7 8"* ]]
    [[ $output == *0077* ]]
    grep -q "CapEff:	0000000000000000" <<<"$output"
    grep -q "CapAmb:	0000000000000000" <<<"$output"
    config "p['capabilities']['ambient']=p['capabilities']['inheritable']=['CAP_KILL']; p['user']={'uid':9,'gid':9}; $(script 'grep -E "^Cap" /proc/self/status')"
    go
    grep -q "CapEff:	0000000000000020" <<<"$output"
}

@test "masks are empty or null, read-only paths cannot be written, the root can be sealed" {
    config "c['root']['readonly']=True; $(script 'wc -c </proc/keys; ls /sys/firmware | wc -l; echo x >/proc/sys/kernel/hostname; touch /x; touch /dev/shm/y && echo shm; stat -c %t:%T /proc/keys')"
    go
    [[ $output == *"can't create /proc/sys/kernel/hostname: Read-only"* ]]
    [[ $output == *"/x: Read-only"* ]]
    [[ $output == *shm* && $output == *1:3* ]]
}

@test "binds, tmpfs with copy-up, missing targets, dangling links" {
    echo data >"$BOX/file"
    mkdir -p "$BOX/src" "$BOX/root/filled/sub" "$BOX/root/etc"
    echo kept >"$BOX/root/filled/sub/kept"
    ln -sfn ../run/stub/resolv.conf "$BOX/root/etc/resolv.conf"
    config "m+=[{'destination':'/a/b','source':'$BOX/src','options':['rbind','rro']},{'destination':'/etc/resolv.conf','source':'$BOX/file','options':['bind']},{'destination':'/filled','type':'tmpfs','source':'tmpfs','options':['tmpcopyup','size=1m']}]; $(script 'touch /a/b/x; cat /etc/resolv.conf /filled/sub/kept; readlink /etc/resolv.conf; grep " /filled " /proc/self/mountinfo')"
    go
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *Read-only* && $output == *data* && $output == *kept* && $output == *tmpfs* ]]
    rm -rf "$BOX/root/filled" "$BOX/root/etc"
}

@test "tricks with links in the image lead nowhere" {
    for name in proc sys dev; do
        mv "$BOX/root/$name" "$BOX/root/$name.kept"
        ln -s "$BOX/canary" "$BOX/root/$name"
        config "$(script 'true')"
        go
        rm "$BOX/root/$name"
        mv "$BOX/root/$name.kept" "$BOX/root/$name"
        [ "$name" = dev ] || [ "$status" = 125 ]
        [ -z "$(ls -A "$BOX/canary")" ]
    done
    ln -s /proc/self/cwd "$BOX/root/magic"
    config "p['cwd']='/magic'"
    go
    [ "$status" != 0 ]
    rm "$BOX/root/magic"
}

@test "user namespace: files appear as root's inside, and written as the mapped user outside" {
    config "$(script 'touch /new; stat -c %u /new /bin/busybox; cat /proc/self/uid_map; echo x >/dev/null && echo null')" user,mount,pid,network,uts,ipc,cgroup
    go --cgroup /tare-bats/u
    echo "$output"
    [ "$status" = 0 ]
    [ "$(head -2 <<<"$output" | tr '\n' ' ')" = "0 0 " ]
    [ "$(stat -c %u "$BOX/up/upper/new")" = 300000 ]
    [[ $output == *300000* && $output == *null* ]]
}

@test "namespaces one by one" {
    config "c['mounts']=[]; l['maskedPaths']=l['readonlyPaths']=[]; p['cwd']='/'; $(script 'readlink /proc/self/ns/uts /proc/self/ns/pid /proc/self/ns/mnt')" uts
    run timeout 60 "$BUNDLE" "$BOX/config.json"
    [ "$status" = 0 ]
    [ "${lines[0]}" != "$(readlink /proc/self/ns/uts)" ]
    [ "${lines[1]}" = "$(readlink /proc/self/ns/pid)" ]
    [ "${lines[2]}" = "$(readlink /proc/self/ns/mnt)" ]
}

@test "time offsets, sysctls, limits, no_new_privs, out-of-memory score" {
    config "l['namespaces'].append({'type':'time'}); l['timeOffsets']={'boottime':{'secs':100000000}}; l['sysctl']={'net.ipv4.ip_unprivileged_port_start':'7'}; p['rlimits']=[{'type':'RLIMIT_NOFILE','soft':77,'hard':99}]; p['noNewPrivileges']=True; p['oomScoreAdj']=111; $(script 'cat /proc/uptime /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/self/oom_score_adj; ulimit -n; grep NoNew /proc/self/status')"
    go
    echo "$output"
    [ "$status" = 0 ]
    [ "${lines[0]%%.*}" -ge 100000000 ]
    [ "${lines[1]}" = 7 ] && [ "${lines[2]}" = 111 ] && [ "${lines[3]}" = 77 ]
    [[ $output == *"NoNewPrivs:	1"* ]]
    config "p['rlimits']=[{'type':'RLIMIT_NOFILE','soft':1,'hard':9000000000}]"
    go
    [ "$status" = 125 ] && [[ $output == *"this host allows at most"* ]]
}

@test "a terminal is one, with its size set before the program starts" {
    config "p['terminal']=True; $(script 'tty; stty size; stat -c %t:%T /dev/console')"
    go --terminal
    echo "$output"
    [ "$status" = 0 ]
    [[ ${lines[0]} == /dev/pts/0* && ${lines[1]} == "24 80"* && ${lines[2]} == 88:0* ]]
}

@test "joining a running container" {
    config "p['args']=['sleep','30']"
    go --exec --repeat 3 --cgroup /tare-bats/x
    echo "$output"
    [ "$(grep -c 'joined: status 0' <<<"$output")" = 3 ]
}

@test "what --explain says is what strace sees, call by call" {
    command -v strace >/dev/null || skip "no strace"
    for namespaces in mount,pid,network,uts,ipc,cgroup user,mount,pid,network,uts,ipc,cgroup; do
        rm -rf "$BOX/up" "$BOX"/st.*; mkdir "$BOX/up"
        config "" "$namespaces"
        strace -ff -o "$BOX/st" "$BUNDLE" --explain --cgroup /tare-bats/e --upper "$BOX/up" "$BOX/config.json" 2>"$BOX/explain"
        run "$here/explain_compare.py" "$BOX/explain" "$BOX/st"
        echo "$output"
        [ "$status" = 0 ]
    done
}

@test "--dry-run prints every step and touches nothing" {
    config ""
    go --dry-run --cgroup /tare-bats/dry
    [ "$status" = 0 ]
    [[ $output == *"mount-overlay"* && $output == *"pivot-root"* && $output == *"exec args=[true]"* ]]
    [ -z "$(ls -A "$BOX/up")" ]
    [ -z "$(compgen -G '/sys/fs/cgroup/*/tare-bats/dry')" ]
}
