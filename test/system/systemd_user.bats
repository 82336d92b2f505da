#!/usr/bin/env bats
# as: user
# `tare oci --systemd-cgroup` of an ordinary user, by his own systemd: `test/vm/run systemd systemd_user.bats`. The caller is in a scope of
# that systemd, as Podman's conmon is.

load lib
load oci

setup_file() {
    oci_folder
    "$TARE" oci spec -b "$OCI/b"
    mv "$OCI/b/config.json" "$OCI/config"
}
teardown_file() { [ -z "${OCI:-}" ] || rm -rf "$OCI"; }

has_manager() {
    [ "$(id -u)" != 0 ] && [ -e /sys/fs/cgroup/cgroup.controllers ] && [ -S "${XDG_RUNTIME_DIR:-/none}/systemd/private" ]
}

setup() {
    has_manager || skip "no systemd of this user's own, or not cgroup version 2"
    UNIT=tare-c.scope
    jq '.process.args = ["sleep", "1000"] | .process.terminal = false | .mounts |= map(select(.type != "cgroup")) | .linux.cgroupsPath = "" |
        .linux.resources += {"memory": {"limit": 67108864}, "pids": {"limit": 50}}' "$OCI/config" >"$OCI/b/config.json"
}

teardown() {
    has_manager || return 0
    inside 'oci delete --force c' || true
    [ -z "$(systemctl --user list-units --all --plain --no-legend 'tare-c*')" ]
    [ -z "$(find /sys/fs/cgroup -name 'tare-c*' 2>/dev/null)" ]
    [ ! -e "$OCI/run/c" ]
}

# COMMANDS, by a shell in a scope of the user's systemd, as root of one user namespace: `oci` calls the runtime.
inside() {
    systemd-run --user --scope --quiet -p Delegate=yes unshare -r timeout 120 bash -euc "
        oci() { '$TARE' oci --root '$OCI/run' --systemd-cgroup \"\$@\"; }
        group() { echo /sys/fs/cgroup\$(systemctl --user show --value -p ControlGroup $UNIT); }
        cd '$OCI/b'
        $1"
}

@test "a scope of the user's own systemd, with the limits; exec, update, pause, kill, delete" {
    ok inside '
        oci create c </dev/null >../out 2>&1 || { cat ../out; exit 1; }
        systemctl --user is-active '$UNIT'
        systemctl --user show --value -p Slice -p Delegate -p MemoryMax -p TasksMax '$UNIT' | sort | xargs
        oci start c
        [ "$(cat $(group)/cgroup.procs)" = "$(oci state c | jq .pid)" ]
        cat $(group)/memory.max $(group)/pids.max | xargs
        oci exec c cat /proc/self/cgroup
        oci update --memory 33554432 c
        cat $(group)/memory.max
        systemctl --user show --value -p MemoryMax '$UNIT'
        oci pause c
        oci state c | jq -r .status
        oci resume c
        oci kill c KILL
        until [ "$(oci state c | jq -r .status)" = stopped ]; do sleep 0.1; done
        oci delete c'
    is "active
50 67108864 user.slice yes
67108864 50
0::/
33554432
33554432
paused"
}

@test "from outside of that systemd's tree: a sentence, and nothing is left" {
    fails 1 unshare -r timeout 120 "$TARE" oci --root "$OCI/run" --systemd-cgroup run -b "$OCI/b" c
    has "systemd-run --user --scope"
    [ -z "$(systemctl --user list-units --all --plain --no-legend 'tare-c*')" ]
}

@test "without a systemd of one's own" {
    XDG_RUNTIME_DIR=/none fails 1 unshare -r timeout 120 "$TARE" oci --root "$OCI/run" --systemd-cgroup run -b "$OCI/b" c
    has "no systemd of this user's own runs"
}
