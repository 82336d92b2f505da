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
    printf 'kind: yaml.com/dev\ndevices: [\n' >"$ROOTS/etc/y.yaml"
    fails 125 box --device yaml.com/dev=0 -- true
    has "$ROOTS/etc/y.yaml: line "
    cdi etc/h.json hook.com/dev '0={"hooks":[{"hookName":"createSomething","path":"/usr/bin/h"}]}'
    rm "$ROOTS/etc/y.yaml"
    fails 125 box --device hook.com/dev=0 -- true
    has "hooks[0].hookName: there is no hook createSomething"
    cdi etc/h.json hook.com/dev '0={"intelRdt":{"closID":"gold"}}'
    fails 125 box --device hook.com/dev=0 -- true
    has "intelRdt is not supported"
    cdi etc/n.json node.com/dev '0={"deviceNodes":[{"path":"/dev/nosuchnode"}]}'
    fails 125 box --device node.com/dev=0 -- true
    has "/dev/nosuchnode"
}

@test "a node's owner and mode are for the container's user; type, FIFO, no permissions, replaced nodes and mounts" {
    cdi etc/o.json owner.com/dev \
        '0={"deviceNodes":[{"path":"/dev/o0","hostPath":"/dev/full"},{"path":"/dev/fifo","type":"p"},{"path":"/dev/o1","hostPath":"/dev/null","permissions":"none","uid":7,"gid":8}]}' \
        "1={\"deviceNodes\":[{\"path\":\"/dev/o0\",\"hostPath\":\"/dev/zero\"}],\"mounts\":[{\"hostPath\":\"$ROOTS/lib\",\"containerPath\":\"/opt/a/b\"}],\"env\":[\"V=device\"]}" \
        '2={"deviceNodes":[{"path":"/dev/o2","hostPath":"/dev/null","type":"b"}]}'
    ok box -u 100:200 -e V=user --device owner.com/dev=0 --device owner.com/dev=1 -v "$ROOTS/etc:/opt/a" -v "$ROOTS/etc:/opt/a/b" -- sh -c \
        'stat -c "%n %t:%T %a %u:%g" /dev/o0 /dev/o1; test -p /dev/fifo && echo fifo; ls /opt/a/b; echo $V'
    is "/dev/o0 1:5 666 100:200
/dev/o1 1:3 666 7:8
fifo
driver
device"
    fails 125 box --device owner.com/dev=2 -- true
    has "/dev/null is not a block device"
    rmdir "$ROOTS/etc/b"
}

# A file of the shape that `nvidia-ctk cdi generate` writes; its hook program does what nvidia-cdi-hook does: it takes the state from
# standard input, the root from the bundle's config.json, and changes files below it.
nvidia() {
    cat >"$ROOTS/lib/cdi-hook" <<'SH'
#!/bin/bash
state=$(cat)
bundle=$(jq -r .bundle <<<"$state")
root=$(jq -r .root.path "$bundle/config.json") || exit 9
echo "$1 $(jq -r '.status, (.pid > 0)' <<<"$state" | tr '\n' ' ')$DEBUG" >>"$root/hooks" || exit 8
case $1 in
create-symlinks) mkdir -p "$root$(dirname "${3#*::}")" && ln -s "${3%%::*}" "$root${3#*::}" ;;
update-ldcache) [ -e "$root$3/libnv.so.550" ] && mkdir -p "$root/etc" && echo "$3" >"$root/etc/ld.so.cache" ;;
chmod) chmod "$3" "$root$5" ;;
fail) echo "no driver"; exit 3 ;;
esac
SH
    chmod 755 "$ROOTS/lib/cdi-hook" "$ROOTS"
    echo library >"$ROOTS/lib/libnv.so.550"
    cat >"$ROOTS/etc/nvidia.yaml" <<YAML
---
cdiVersion: 0.5.0
containerEdits:
  deviceNodes:
  - path: /dev/nvidiactl
    hostPath: /dev/null
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  hooks:
  - args:
    - nvidia-cdi-hook
    - create-symlinks
    - --link
    - libnv.so.550::/usr/lib/nv/libnv.so.1
    env:
    - DEBUG=false
    - PATH=/usr/bin:/bin
    hookName: createContainer
    path: $ROOTS/lib/cdi-hook
  - args:
    - nvidia-cdi-hook
    - update-ldcache
    - --folder
    - /usr/lib/nv
    env: [ PATH=/usr/bin:/bin ]
    hookName: createContainer
    path: $ROOTS/lib/cdi-hook
  mounts:
  - containerPath: /usr/lib/nv/libnv.so.550
    hostPath: $ROOTS/lib/libnv.so.550
    options:
    - ro
    - nosuid
    - nodev
    - rbind
    - rprivate
devices:
- containerEdits: &zero
    deviceNodes:
    - path: /dev/nvidia0
      hostPath: /dev/zero
      major: 1
      minor: 5
      fileMode: 0640
      permissions: rw
      uid: 0
    - path: /dev/dri/card1
      hostPath: /dev/null
    hooks:
    - args:
      - nvidia-cdi-hook
      - chmod
      - --mode
      - "711"
      - --path
      - /dev/dri
      env: &path
      - PATH=/usr/bin:/bin
      hookName: createContainer
      path: $ROOTS/lib/cdi-hook
  name: 0
- containerEdits:
    hooks:
    - args: [nvidia-cdi-hook, fail]
      env: *path
      hookName: createContainer
      path: $ROOTS/lib/cdi-hook
  name: "broken"
- containerEdits: *zero
  name: all
kind: nvidia.com/gpu
YAML
}

@test "a file as nvidia-ctk writes it: YAML, hooks that change the root file system before the program starts" {
    nvidia
    for more in "" "--read-only --tmpfs /tmp" "--userns auto"; do
        # shellcheck disable=SC2086
        ok box $more --gpus all -- sh -c 'cat /usr/lib/nv/libnv.so.1 /etc/ld.so.cache; stat -c %a /dev/dri /dev/nvidia0; cat /hooks; echo $NVIDIA_VISIBLE_DEVICES'
        [ "$more" = "--userns auto" ] || is "library
/usr/lib/nv
711
640
create-symlinks creating true false
update-ldcache creating true 
chmod creating true 
void"
        has "library
/usr/lib/nv"
    done
    fails 125 box --device nvidia.com/gpu=broken -- true
    has "hooks.createContainer[2]: hook $ROOTS/lib/cdi-hook ended with status 3: no driver"
    tare create --name x --gpus '"device=0"' busybox >/dev/null
    ok tare inspect -f '{{json .HostConfig.DeviceRequests}}' x
    is '[{"Driver":"","Count":0,"DeviceIDs":["0"],"Capabilities":[["gpu"]],"Options":{}}]'
    tare rm x >/dev/null
}

marks() { cut -d' ' -f1 "$ROOTS/marks" 2>/dev/null | tr '\n' ' '; }

# hooked STATUS…: every kind of hook leaves its name, its status and whose pid it was told; those named fail.
hooked() {
    local name hooks='' program
    rm -f "$ROOTS/marks"
    cat >"$ROOTS/lib/mark" <<SH
#!/bin/sh
read -r state
echo "\$1 \$state" >>"$ROOTS/marks"
case "$*" in *"\$1"*) ${SLOW:-} echo "words of \$1"; exit 3 ;; esac
SH
    chmod 755 "$ROOTS/lib/mark"
    for name in prestart createRuntime createContainer poststart poststop; do
        hooks+="${hooks:+,}{\"hookName\":\"$name\",\"path\":\"$ROOTS/lib/mark\",\"args\":[\"mark\",\"$name\"],\"timeout\":20}"
    done
    hooks+=',{"hookName":"startContainer","path":"/bin/touch","args":["touch","/started"]}'
    cdi etc/hooks.json hook.com/dev "0={\"hooks\":[$hooks]}"
}

detached() { tare --config "$ROOTS/tare.conf" run -d --name h --network none --device hook.com/dev=0 "$@"; }

@test "every kind of hook at its time, at each start and end; poststop also when the monitor was killed" {
    hooked
    ok detached busybox sh -c 'test -e /started && sleep 1000'
    [ "$(marks)" = "prestart createRuntime createContainer poststart " ]
    local pid id=$output
    pid=$(tare inspect -f '{{.State.Pid}}' h)
    ok sed -n 's/poststart //p' "$ROOTS/marks"
    [ "$(jq -r '.status, .pid, .id' <<<"$output" | tr '\n' ' ')" = "running $pid $id " ]
    ok tare restart -t 0 h
    [ "$(marks)" = "prestart createRuntime createContainer poststart poststop prestart createRuntime createContainer poststart " ]
    ok tare stop -t 0 h
    [ "$(tail -1 "$ROOTS/marks" | cut -d' ' -f2- | jq -r '.status, .pid' | tr '\n' ' ')" = "stopped 0 " ]
    rm "$ROOTS/marks"
    ok tare --config "$ROOTS/tare.conf" start h
    kill -KILL "$(pgrep -f "tare-monitor container $id")"
    ok tare rm -f h
    [ "$(marks)" = "prestart createRuntime createContainer poststart poststop " ]
}

@test "a hook that fails: nothing runs, what it said is told, poststop hooks run; of poststop it is told by inspect" {
    for at in prestart createRuntime createContainer poststart; do
        hooked "$at"
        fails 125 detached busybox sleep 1000
        has "hooks.$at[0]: hook $ROOTS/lib/mark ended with status 3: words of $at"
        [[ $(marks) == *"$at poststop " ]]
        tare rm h >/dev/null
    done
    SLOW='sleep 0.5;' hooked poststop # `wait` waits for it, too
    ok detached busybox true
    sleep 0.2
    tare wait h >/dev/null
    ok tare inspect -f '{{.State.Error}}' h
    has "hooks.poststop[0]: hook $ROOTS/lib/mark ended with status 3"
    tare rm h >/dev/null
}

@test "netDevices: an interface of the host's moves in" {
    ip link add tarecdi0 type veth peer name tarecdi0p
    cdi etc/net.json net.com/dev '0={"netDevices":[{"hostInterfaceName":"tarecdi0","name":"inside"}]}'
    run box --device net.com/dev=0 -- ip -o link show inside
    ip link del tarecdi0p 2>/dev/null || true # gone with the container's namespace
    [ "$status" = 0 ]
    has inside
}

@test "--gpus asks for devices of nvidia.com/gpu, or of another vendor whose files are there" {
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
    has 'invalid count (many)'
    ok box --gpus '"device=0,1",capabilities=compute' -- sh -c 'echo $G0$G1$EVERY'
    is xx
    fails 125 box --gpus capabilities=teleport -- true
    has "capability teleport"
    fails 125 box --gpus 'all,driver=voodoo' -- true
    has 'could not select device driver "voodoo"'
    fails 125 box --gpus count=1,device=0 -- true
    has "cannot set both Count and DeviceIDs"
    rm "$ROOTS/etc/nvidia.json"
    cdi etc/amd.json amd.com/gpu '0={"env":["AMD=x"]}'
    ok box --gpus 1 -- sh -c 'echo $AMD'
    is x
}
