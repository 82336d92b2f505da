#!/usr/bin/env bats
# Devices that vendors describe in files (CDI): --device vendor.com/class=name and --gpus.

load lib

setup_file() {
    roots_make
    mkdir "$ROOTS/etc" "$ROOTS/run-cdi" "$ROOTS/lib"
    echo "cdi_dirs = \"$ROOTS/etc, $ROOTS/run-cdi, $ROOTS/none\"" >"$ROOTS/tare.conf"
    echo driver >"$ROOTS/lib/driver"
    tare run --rm busybox true # bridge and nftables table are made once, and stay
}

teardown_file() { roots_remove; }
setup() { leaks_before; }

teardown() {
    rm -f "$ROOTS"/etc/* "$ROOTS"/run-cdi/*
    leaks_after
}

cdi() { # FILE KIND DEVICE=EDITS… [-- EDITS]
    local file=$1 kind=$2 devices='' edits='{}'
    shift 2
    while [ $# -gt 0 ]; do
        if [ "$1" = -- ]; then
            edits=$2
            break
        fi
        devices+="${devices:+,}{\"name\":\"${1%%=*}\",\"containerEdits\":${1#*=}}"
        shift
    done
    echo "{\"cdiVersion\":\"0.6.0\",\"kind\":\"$kind\",\"devices\":[$devices],\"containerEdits\":$edits}" >"$ROOTS/$file"
}

box() { # option… -- command
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    tare --config "$ROOTS/tare.conf" run --rm --network none "${options[@]}" busybox "${@:2}"
}

@test "nodes, mounts, variables and groups of the device, and once those of all its file" {
    cdi etc/v.json vendor.com/dev \
        '0={"deviceNodes":[{"path":"/dev/v0","hostPath":"/dev/zero","permissions":"r","fileMode":384}],"env":["ONE=0"],"additionalGids":[4711]}' \
        '1={"deviceNodes":[{"path":"/dev/v1","type":"c","major":1,"minor":3}]}' \
        -- "{\"env\":[\"ALL=yes\"],\"mounts\":[{\"hostPath\":\"$ROOTS/lib\",\"containerPath\":\"/opt/lib\",\"options\":[\"ro\",\"nosuid\"]}]}"
    ok box --device vendor.com/dev=0 -- sh -c 'stat -c "%t:%T %a" /dev/v0; head -c 3 /dev/v0 | wc -c; echo "$ONE $ALL"; id -G; cat /opt/lib/driver
        echo x 2>/dev/null >/opt/lib/x || echo read-only; [ -e /dev/v1 ] || echo alone'
    is "1:5 600
3
0 yes
0 4711
driver
read-only
alone"
    ok box --device vendor.com/dev=all -- sh -c 'ls /dev/v0 /dev/v1; mount | grep -c /opt/lib'
    is "/dev/v0
/dev/v1
1"
    ok tare --config "$ROOTS/tare.conf" info
    has "$ROOTS/run-cdi"
    # The group of devices allows what the file says, and no more (7:100: no default rule is about it).
    cdi etc/loop.json loop.com/dev '0={"deviceNodes":[{"path":"/dev/l0","type":"b","major":7,"minor":100,"permissions":"r"}]}'
    ok tare --config "$ROOTS/tare.conf" run --dry-run --network none --device loop.com/dev=0 busybox true
    has "b 7:100 r"
    has_not "b 7:100 rw"
}

@test "a later directory stands before; a conflict, what is unknown, a broken file are told by name" {
    cdi etc/a.json vendor.com/dev '0={"env":["FROM=etc"]}'
    cdi run-cdi/a.json vendor.com/dev '0={"env":["FROM=run"]}'
    ok box --device vendor.com/dev=0 -- sh -c 'echo $FROM'
    is run
    cdi run-cdi/b.json vendor.com/dev '0={"env":["FROM=other"]}'
    fails 125 box --device vendor.com/dev=0 -- true
    has "vendor.com/dev=0 is in $ROOTS/run-cdi/"
    fails 125 box --device vendor.com/dev=7 -- true
    has "no device vendor.com/dev=7"
    fails 125 box --device other.com/dev=0 -- true
    has "no file is of that kind"
    echo '{"cdiVersion":"0.6.0","kind":"bad.com/dev","devices":7}' >"$ROOTS/etc/bad.json"
    fails 125 box --device bad.com/dev=0 -- true
    has "$ROOTS/etc/bad.json: "
    has "devices"
    rm "$ROOTS/run-cdi/b.json"
    ok box --device vendor.com/dev=0 -- true # a broken file of others does no harm
    echo '{"cdiVersion":"9.0.0","kind":"new.com/dev","devices":[]}' >"$ROOTS/etc/bad.json"
    fails 125 box --device new.com/dev=0 -- true
    has "9.0.0 is not known"
    rm "$ROOTS/etc/bad.json"
    echo 'kind: yaml.com/dev' >"$ROOTS/etc/y.yaml"
    fails 125 box --device yaml.com/dev=0 -- true
    has "$ROOTS/etc/y.yaml is not read"
    cdi etc/h.json hook.com/dev '0={"hooks":[{"hookName":"createContainer","path":"/usr/bin/h"}]}'
    fails 125 box --device hook.com/dev=0 -- true
    has "hook createContainer (/usr/bin/h): hooks of devices are not run"
    cdi etc/n.json node.com/dev '0={"deviceNodes":[{"path":"/dev/nosuchnode"}]}'
    fails 125 box --device node.com/dev=0 -- true
    has "/dev/nosuchnode"
}

@test "--gpus asks for devices of nvidia.com/gpu" {
    cdi etc/nvidia.json nvidia.com/gpu '0={"env":["G0=x"]}' '1={"env":["G1=x"]}' 'all={"env":["G0=x","G1=x","EVERY=x"]}'
    ok box --gpus all -- sh -c 'echo $G0$G1$EVERY'
    is xxx
    ok box --gpus 1 -- sh -c 'echo $G0$G1'
    is x
    ok box --gpus device=0,1 -- sh -c 'echo $G0$G1$EVERY'
    is xx
    fails 125 box --gpus 3 -- true
    has "no device nvidia.com/gpu=2"
    fails 125 box --gpus many -- true
}
