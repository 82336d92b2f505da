#!/usr/bin/env bats
# as: user
# The runtime alone as an ordinary user: with ranges of ids where /etc/subuid has some, with one id else.

load lib

BUNDLE=${BUNDLE:-$here/../../build/test/tool/bundle}

setup_file() {
    [ "$(id -u)" != 0 ] || skip "as an ordinary user"
    unshare -Ur true 2>/dev/null || skip "this host does not let ordinary users make user namespaces"
    BOX=$(mktemp -d /tmp/tr.XXXXXX)
    export BOX
    mkdir -p "$BOX"/root/{bin,proc,dev,sys} "$BOX/up"
    cp "$(command -v busybox)" "$BOX/root/bin/busybox"
    for tool in sh cat id stat grep touch true ls; do
        ln -s busybox "$BOX/root/bin/$tool"
    done
}

teardown_file() {
    [ -z "${BOX:-}" ] || chmod -R u+rwx "$BOX" && rm -rf "$BOX"
}

config() { # SCRIPT NAMESPACES
    python3 - "$BOX" "$1" "$2" <<'PY'
import json, sys
box, script, namespaces = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
m = [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
     {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
     {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
     {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}]
json.dump({"ociVersion": "1.2.0", "hostname": "box", "root": {"path": box + "/root"}, "mounts": m,
           "process": {"cwd": "/", "args": ["sh", "-c", script], "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}},
           "linux": {"namespaces": [{"type": t} for t in namespaces], "maskedPaths": ["/proc/keys"], "readonlyPaths": ["/proc/sys"]}},
          open(box + "/config.json", "w"))
PY
}

@test "overlay, proc, devices, sysfs: as for root" {
    [ "$(id -u)" != 0 ] || skip "as an ordinary user"
    config 'id -u; touch /new && stat -c %u /new; echo x >/dev/null && echo null; ls /sys >/dev/null && echo sys; cat /proc/self/uid_map' mount,pid,network,uts,ipc
    run timeout 60 "$BUNDLE" --upper "$BOX/up" "$BOX/config.json"
    echo "$output"
    [ "$status" = 0 ]
    [ "${lines[0]}" = 0 ] && [ "${lines[1]}" = 0 ]
    [[ $output == *null*sys* ]]
    [ "$(stat -c %u "$BOX/up/upper/new")" = "$(id -u)" ]
    if grep -q "^$(id -un):" /etc/subuid; then
        [ "$(grep -c . <<<"$(tail -n +5 <<<"$output")")" -ge 2 ]
    fi
}

@test "with the host's network the host's sysfs is shown" {
    [ "$(id -u)" != 0 ] || skip "as an ordinary user"
    config 'ls /sys/class >/dev/null && echo sys; touch /sys/x' mount,pid,uts,ipc
    run timeout 60 "$BUNDLE" --upper "$BOX/up" "$BOX/config.json"
    echo "$output"
    [[ $output == *sys* && $output == *"/sys/x"* ]]
}
