#!/usr/bin/env bats
# `tare oci --systemd-cgroup`: the control group is that of a scope of systemd's. Where systemd is not PID 1, or version 2 not the
# only one: `test/vm/run systemd systemd.bats`.

load lib
load oci
bats_require_minimum_version 1.5.0

setup_file() {
    oci_folder
    "$TARE" oci spec -b "$OCI/b"
    mv "$OCI/b/config.json" "$OCI/config"
}
teardown_file() { [ -z "${OCI:-}" ] || rm -rf "$OCI"; }

setup() {
    [ -d /run/systemd/system ] || skip "systemd does not run on this host"
    [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || skip "cgroup version 2 is not the only one"
    UNIT=tare-test$$-$BATS_TEST_NUMBER.scope
}
teardown() {
    [ "${UNIT:-}" ] || return 0
    timeout 120 "$TARE" oci --root "$OCI/run" delete --force c || true
    [ -z "$(systemctl list-units --all --plain --no-legend 'tare-test*')" ]
    [ -z "$(find /sys/fs/cgroup -name 'tare-test*')" ]
    [ ! -e "$OCI/run/c" ]
}

oci() { timeout 120 "$TARE" oci --root "$OCI/run" --systemd-cgroup "$@"; }

# bundle JQ-FILTER: a container of the slice, under the unit's name, changed
bundle() {
    jq --arg path "taretest-sub.slice:${UNIT%-*}:$BATS_TEST_NUMBER" '.process.args = ["sleep", "1000"] | .process.terminal = false | .mounts |= map(select(.type != "cgroup")) |
        .linux.cgroupsPath = $path | '"$1" "$OCI/config" >"$OCI/b/config.json"
    GROUP=/sys/fs/cgroup/taretest.slice/taretest-sub.slice/$UNIT
}
create() { oci create -b "$OCI/b" "$@" c </dev/null >/dev/null 2>&1; }
status() { oci state c | jq -r .status; }
property() { systemctl show --value -p "$1" "$UNIT"; }

@test "systemd: a scope of the slice, with the limits; exec, update and reload, pause, kill, delete" {
    bundle '.linux.resources += {"memory": {"limit": 67108864}, "pids": {"limit": 50},
        "cpu": {"shares": 512, "quota": 50000, "period": 200000, "cpus": "0"}} |
        .annotations = {"org.systemd.property.TimeoutStopUSec": "uint64 7000000", "other": "1"}'
    create
    [ "$(status)" = created ]
    systemctl is-active "$UNIT"
    oci start c
    [ "$(cat "$GROUP/cgroup.procs")" = "$(oci state c | jq .pid)" ] # nobody else is in it
    [ "$(property Slice) $(property Delegate) $(property TimeoutStopUSec)" = "taretest-sub.slice yes 7s" ]
    [ "$(property MemoryMax) $(property TasksMax) $(property CPUWeight) $(property AllowedCPUs)" = "67108864 50 59 0" ]
    [ "$(cat "$GROUP"/{memory.max,pids.max,cpu.weight,cpu.max,cpuset.cpus} | paste -sd' ')" = "67108864 50 59 50000 200000 0" ]
    systemctl status --no-pager "$UNIT" | grep -q 'sleep 1000'

    [ "$(oci exec c cat /proc/self/cgroup)" = 0::/ ]
    oci update --memory 33554432 --cpu-quota 20000 --pids-limit 40 c
    systemctl daemon-reload
    [ "$(cat "$GROUP"/{memory.max,pids.max,cpu.max} | paste -sd' ')" = "33554432 40 20000 200000" ]
    [ "$(property MemoryMax) $(property TasksMax) $(property CPUQuotaPerSecUSec)" = "33554432 40 100ms" ]

    oci pause c
    [ "$(status)" = paused ]
    oci resume c
    oci kill c KILL
    until_true 5 eval '[ "$(status)" = stopped ]'
    oci delete c
    [ ! -e "$GROUP" ]
}

@test "systemd: a paused one is deleted by force; a second container does not get the first one's scope" {
    bundle .
    create
    run oci create -b "$OCI/b" c2 </dev/null
    [[ $status -ne 0 && $output == *"systemd has a unit $UNIT already"* ]]
    systemctl is-active "$UNIT"
    oci start c
    oci pause c
    oci delete --force c
    [ ! -e "$GROUP" ]
}

@test "systemd: a creation that fails leaves no scope; nor does one that is killed, after delete" {
    bundle '.process.args = ["/nowhere"]'
    run oci create -b "$OCI/b" c </dev/null
    [ "$status" -ne 0 ]
    [ -z "$(systemctl list-units --all --plain --no-legend "$UNIT")" ]

    bundle '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "600"]}]'
    "$TARE" oci --root "$OCI/run" --systemd-cgroup create -b "$OCI/b" c </dev/null >/dev/null 2>&1 &
    until_true 10 eval 'systemctl is-active "$UNIT" && [ "$(wc -l <"$GROUP/cgroup.procs")" -gt 1 ]'
    kill -9 $!
    wait $! || true
    oci delete --force c
    [ ! -e "$GROUP" ]
}

@test "systemd: what it refuses is told by its name" {
    bundle '.linux.cgroupsPath = "/a/path"'
    run oci create -b "$OCI/b" c </dev/null
    [[ $status -ne 0 && $output == *"linux.cgroupsPath: /a/path is not of the form SLICE:PREFIX:NAME"* ]]
    bundle '.annotations = {"org.systemd.property.Nonsense": "true"}'
    run oci create -b "$OCI/b" c </dev/null
    [[ $status -ne 0 && $output == *"start $UNIT: StartTransientUnit: "*Nonsense* ]]
}
