# Limits of containers on the running kernel: what was asked holds, and what cannot hold is said.
load lib

setup_file() {
    roots_make
    tare run --rm busybox true # what stays until the roots go is there: the bridge, the monitors' group
}
teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() {
    tare rm -f c >/dev/null 2>&1 || true
    leaks_after
}

needs() { tare "$1" --help >/dev/null 2>&1 || skip "tare $1 is not there yet"; }
cid() { tare ps -aq --no-trunc --filter "name=$1"; }
cpid() { head -1 "$(find /sys/fs/cgroup -path "*/$(cid "$1")/cgroup.procs" | head -1)"; }

# The text of a control file of container NAME: cg NAME CONTROLLER V1FILE V2FILE
cg() {
    local id dir
    id=$(cid "$1")
    for dir in "/sys/fs/cgroup/$2/tare$TAG/$id" "/sys/fs/cgroup/tare$TAG/$id"; do
        for file in "$3" "$4"; do
            [ ! -e "$dir/$file" ] || {
                cat "$dir/$file"
                return
            }
        done
    done
    echo "no such control: $2 $3"
    return 1
}

@test "memory: more than the limit ends the process, and inspect says why" {
    fails 137 tare run --name c -m 16m --memory-swap 16m busybox dd if=/dev/zero of=/dev/null bs=64M count=1
    needs inspect
    ok tare inspect -f '{{.State.OOMKilled}}' c
    is true
}

@test "memory: a limit is what the group has; swap is as much again unless asked otherwise" {
    ok tare run -d --name c -m 64m busybox sleep 100
    [ "$(cg c memory memory.limit_in_bytes memory.max)" = 67108864 ]
    needs update
    ok tare update -m 128m --memory-swap 256m c
    [ "$(cg c memory memory.limit_in_bytes memory.max)" = 134217728 ]
}

@test "update: one that fails, or that is killed, leaves the limits of before" {
    ok tare run -d --name c --pids-limit 77 busybox sleep 100
    local none shares
    none=$(cg c memory memory.limit_in_bytes memory.max)
    shares=$(cg c cpu cpu.shares cpu.weight)
    fails 1 tare update -m 64m --cpu-shares 77 --pids-limit 33 --cpuset-cpus 0-8191 c
    [ "$(cg c memory memory.limit_in_bytes memory.max)" = "$none" ]
    [ "$(cg c cpu cpu.shares cpu.weight)" = "$shares" ]
    [ "$(cg c pids pids.max pids.max)" = 77 ]
    # killed as it has changed the group, before the record is written: limits of before beside a dead command's entry
    ok tare update -m 64m --memory-swap 64m c
    local run
    run="$RUN/containers/$(cid c)"
    echo '{"Memory":-1,"MemorySwap":-1}' >"$run/limits-before"
    sed -i 's/"Memory":67108864/"Memory":0/; s/"MemorySwap":67108864/"MemorySwap":0/' "$ROOT/containers/$(cid c)/config.json"
    echo m >"$RUN/pending/$(cid c)"
    ok tare ps -q
    [ "$(cg c memory memory.limit_in_bytes memory.max)" = "$none" ]
    [ ! -e "$run/limits-before" ]
}

@test "memory: swap below memory is refused" {
    fails 125 tare run --rm -m 64m --memory-swap 32m busybox true
    has swap
}

@test "pids: the limit holds, and the default is there" {
    run tare run --rm --pids-limit 10 busybox sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & done 2>&1; true'
    has "an't fork"
    ok tare run -d --name c busybox sleep 100
    [ "$(cg c pids pids.max pids.max)" = 4096 ]
}

@test "pids: -1 lifts the limit" {
    ok tare run -d --name c --pids-limit -1 busybox sleep 100
    [ "$(cg c pids pids.max pids.max)" = max ]
}

@test "cpu: a quota throttles" {
    ok tare run -d --name c --cpus 0.1 busybox sh -c 'while :; do :; done'
    until_true 5 eval '[[ "$(cg c cpu cpu.stat cpu.stat)" =~ nr_throttled\ [1-9] ]]'
    if [ -d /sys/fs/cgroup/cpu ]; then [ "$(cg c cpu cpu.cfs_quota_us cpu.max)" = 10000 ]; fi
}

@test "cpu: a set of processors holds" {
    ok tare run --rm --cpuset-cpus 0 busybox grep Cpus_allowed_list /proc/self/status
    has "	0"
    has_not "0-"
}

@test "cpu: processors that are not there are refused by name" {
    fails 125 tare run --rm --cpuset-cpus 4000 busybox true
    has "4000"
}

@test "cpu: shares" {
    ok tare run -d --name c --cpu-shares 512 busybox sleep 100
    case $(cg c cpu cpu.shares cpu.weight) in 512 | 59) ;; *) false ;; esac
}

@test "devices: null works, a disk does not, what was given does" {
    ok tare run --rm --cap-add MKNOD busybox sh -c 'echo x >/dev/null && mknod /tmp/d b 254 0; cat /tmp/d' || true
    has "peration not permitted"
    local dev # whichever this machine has
    for dev in /dev/loop-control /dev/fuse /dev/net/tun; do [ ! -c $dev ] || break; done
    ok tare run --rm --device $dev:/dev/lc busybox sh -c 'test -c /dev/lc && : </dev/lc'
}

@test "pause stops every process, unpause lets them go on" {
    ok tare run -d --name c busybox sh -c 'echo >/tmp/n; while :; do :; done'
    until_true 5 tare exec c test -s /tmp/n
    ok tare pause c
    ok tare ps --filter name=c --format '{{.Status}}'
    has Paused
    local pid a b
    pid=$(cpid c)
    a=$(awk '{print $14}' "/proc/$pid/stat")
    sleep 0.3
    b=$(awk '{print $14}' "/proc/$pid/stat")
    [ "$a" = "$b" ]
    ok tare unpause c
    ok tare ps --filter name=c --format '{{.Status}}'
    has_not Paused
}

@test "a paused container can be killed and removed" {
    ok tare run -d --name c busybox sleep 100
    ok tare pause c
    ok tare rm -f c
}

@test "the container's groups are neither the caller's nor below them" {
    ok tare run -d --name c busybox sleep 100
    local pid
    pid=$(cpid c)
    run cat "/proc/$pid/cgroup"
    has "tare$TAG/$(cid c)"
    [ -z "$(grep -v "/tare$TAG/" "/proc/$pid/cgroup")" ]
}

@test "--cgroup-parent is taken, and .. in it refused" {
    ok tare run -d --name c --cgroup-parent "/tare$TAG/mine" busybox sleep 100
    local pid
    pid=$(cpid c)
    run cat "/proc/$pid/cgroup"
    has "/tare$TAG/mine/"
    ok tare rm -f c
    find /sys/fs/cgroup -depth -type d -path "*/tare$TAG/mine*" -exec rmdir {} + || true
    fails 125 tare run --rm --cgroup-parent /../x busybox true
    has "cgroup parent"
}

@test "inside, the group is the root of its namespace and cannot be written" {
    ok tare run --rm busybox cat /proc/self/cgroup
    has_not tare
    run tare run --rm busybox sh -c 'for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/x && echo made $d; done'
    has_not made
}

# What a system manager or another engine in a container does: it moves itself down, and hands controllers on.
@test "version 2: who may write to his groups owns his own, makes others, and is still entered by exec" {
    [ -e /sys/fs/cgroup/cgroup.controllers ] || skip "cgroup version 2 is not the only one"
    local user dir
    for user in host auto; do
        ok tare run -d --name c --privileged --userns $user --health-cmd 'grep -q /init$ /proc/self/cgroup' --health-interval 1s busybox sh -ec '
            cd /sys/fs/cgroup; mkdir init; echo 1 >init/cgroup.procs
            until echo +pids >cgroup.subtree_control; do sleep 0.1; done # a check may be in the group above
            mkdir sub; echo 5 >sub/pids.max; >/tmp/done; exec sleep 1000'
        until_true 10 tare exec c test -e /tmp/done
        ok tare exec c cat /proc/self/cgroup /sys/fs/cgroup/sub/pids.max
        is $'0::/init\n5'
        until_true 10 eval "[ \"\$(tare inspect -f '{{.State.Health.Status}}' c)\" = healthy ]"
        dir=/sys/fs/cgroup/tare$TAG/$(cid c)
        [ "$(stat -c %u "$dir" "$dir/cgroup.procs" | uniq)" = "$(awk '{print $2}' "/proc/$(cat "$dir/init/cgroup.procs" | head -1)/uid_map")" ]
        [ "$(stat -c %u "$dir/pids.max")" = 0 ] # its own limits are not his
        ok tare rm -f c
    done
    ok tare run --rm --userns auto busybox sh -c '! mkdir /sys/fs/cgroup/sub && stat -c %u /sys/fs/cgroup'
    has 65534
}

@test "stats tell what the kernel counts" {
    needs stats
    ok tare run -d --name c -m 64m busybox sleep 100
    ok tare stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' c
    has "/ 64MiB"
    has " 1"
}

@test "groups are gone with the container" {
    ok tare run --rm --name c busybox true
    [ -z "$(find /sys/fs/cgroup -path "*tare$TAG/*" -type d -name '[0-9a-f]*' | head -1)" ]
}
