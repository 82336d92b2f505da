# What code in a container can ask of the kernel: section C of the catalogue of attacks. Each line names what it defends against.
load lib

setup_file() { attack_file; }
teardown_file() { roots_remove; }
setup() { host_before; }
teardown() { host_after; }

@test "socket families that only widen the surface are closed (CVE-2026-31431, vsock, packet)" {
    for family in 38 40 17 29 44 0xdeadbeef00000026 0x100000028; do
        attempt -- call socket $family 5 0
        is "socket: EPERM"
    done
    for family in 1 2 10 0xdeadbeef00000002; do
        attempt -- call socket $family 2 0
        is "socket: ok"
    done
    attempt -- call socketpair 38 5 0
    is "socketpair: EPERM"
}

@test "AF_PACKET comes with NET_RAW only" {
    attempt --cap-add NET_RAW -- call socket 17 3 0
    is "socket: ok"
}

@test "other ABIs do not get past the filter (int 0x80, x32)" {
    attempt -- int80 20
    is "int80: ENOSYS"
    attempt -- int80 102 1
    is "int80: ENOSYS"
    attempt -- x32 39
    is "x32: ENOSYS"
}

@test "no user namespace inside, by no call (CVE-2022-0185, CVE-2024-1086, CVE-2026-43284)" {
    attempt -- userns
    has_not ok
    has "clone3: ENOSYS"
    has "unshare: EPERM"
    has "clone with noise: EPERM"
}

@test "io_uring is absent, keyrings and tracing interfaces are closed" {
    attempt -- call io_uring_setup 1 0
    is "io_uring_setup: ENOSYS"
    for call in keyctl add_key bpf perf_event_open userfaultfd kexec_load open_tree fsopen mount umount2 pivot_root setns swapon \
        reboot syslog vmsplice unshare; do
        attempt -- call $call 0 0 0 0
        is "$call: EPERM"
    done
}

@test "calls that this kernel may learn one day are absent, not forbidden" {
    attempt -- call 600
    is "600: ENOSYS"
}

@test "file handles do not lead out (shocker)" {
    attempt -- handle /
    is "open_by_handle_at: EPERM"
    attempt -v "$CANARY:/data" -- handle /data
    is "open_by_handle_at: EPERM"
}

@test "nothing is typed into the terminal of who started it (CVE-2017-5226, CVE-2023-1523)" {
    attempt -- steal
    has_not ok
    run "$here/terminal" --show "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -it -v "$ROOTS/probe:/probe:ro" busybox /probe steal
    has "TIOCSTI: EPERM"
    has "TIOCSTI with noise: EPERM"
    has "TIOCLINUX with noise: EPERM"
    ok tare run -d --name c -v "$ROOTS/probe:/probe:ro" busybox sleep 100
    run "$here/terminal" --show "$TARE" --root "$ROOT" --run-root "$RUN" exec -it c /probe steal
    has "TIOCSTI: EPERM"
    has_not "TIOCSTI: ok"
}

@test "no release agent: cgroups cannot be mounted nor written (CVE-2022-0492)" {
    ok tare run --rm busybox sh -c 'mkdir /tmp/c; mount -t cgroup -o memory x /tmp/c 2>&1; mount -t cgroup2 x /tmp/c 2>&1; true'
    has "ermission denied"
    run tare run --rm busybox sh -c 'for f in $(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name notify_on_release 2>/dev/null); do
        (echo 1 >$f) 2>/dev/null && echo wrote $f; done; true'
    is ""
}

@test "release agents are out of reach even with SYS_ADMIN and without a filter" {
    run tare run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox sh -c '
        mkdir /tmp/c; mount -t cgroup -o memory x /tmp/c && (echo /evil >/tmp/c/release_agent) 2>&1; true'
    [ -z "$(cat /sys/fs/cgroup/memory/release_agent 2>/dev/null)" ]
}

@test "files of /proc and /sys that are the host's are masked or read-only" {
    for path in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/kernel/modprobe /proc/irq/default_smp_affinity \
        /sys/kernel/uevent_helper /proc/sys/vm/overcommit_memory /sys/power/state /proc/sys/fs/binfmt_misc/register; do
        attempt -- write $path
        has_not ": ok"
    done
    for path in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/interrupts /proc/latency_stats; do
        attempt -- read $path
        has_not ": ok"
    done
    for path in /proc/acpi /proc/scsi /proc/asound /sys/firmware /sys/devices/virtual/powercap; do
        ok tare run --rm busybox sh -c "ls -A $path 2>/dev/null; true"
        is ""
    done
}

@test "masked files are the null device, or empty, and cannot be written" {
    ok tare run --rm busybox sh -c 'stat -c %t:%T /proc/interrupts; echo x >/proc/interrupts; head -c1 /proc/interrupts | wc -c'
    has 1:3
    has 0
    # Each of them that this kernel has: whether it would let itself be read or not.
    ok tare run --rm busybox sh -c 'for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats \
        /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware /sys/fs/selinux; do
        [ -e $path ] || continue
        if [ -d $path ]; then [ -z "$(ls -A $path)" ] && ! mkdir $path/x 2>/dev/null; else [ "$(stat -c %F,%t:%T $path)" = "character special file,1:3" ]; fi ||
            echo "not masked: $path"
    done'
    is ""
}

@test "device nodes cannot be made, and disks not opened" {
    attempt -- mknod /tmp/disk b 254 0
    is "mknod: EPERM"
    attempt -- mknod /tmp/mem c 1 1
    is "mknod: EPERM"
    attempt --cap-add MKNOD -- mknod /tmp/disk b 254 0
    has_not "open: ok"
    attempt --cap-add MKNOD -- mknod /tmp/mem c 1 1
    has_not "open: ok"
}

@test "abstract sockets of the host are out of reach, with its network too (CVE-2020-15257)" {
    python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("\0tare-attack"); s.listen(5); print("x", flush=True); time.sleep(600)' >"$BATS_TEST_TMPDIR/ready" 3>&- &
    local server=$!
    until_true 5 test -s "$BATS_TEST_TMPDIR/ready"
    attempt -- abstract tare-attack
    is "connect: ECONNREFUSED"
    attempt --network host -- abstract tare-attack
    kill $server
    is "connect: EPERM"
}

@test "shared memory is limited" {
    ok tare run --rm busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2>&1; true'
    has "No space left"
}

@test "no capability beyond the eleven, none inheritable or ambient (CVE-2022-24769)" {
    for options in "" "--user 1000" "--user 0 --security-opt no-new-privileges"; do
        # shellcheck disable=SC2086
        ok tare run --rm $options busybox grep Cap /proc/self/status
        has "CapInh:	0000000000000000"
        has "CapAmb:	0000000000000000"
        has "CapBnd:	00000000800405fb"
    done
    ok tare run --rm --user 1000 busybox grep CapEff /proc/self/status
    has "0000000000000000"
    ok tare run -d --name c busybox sleep 100
    ok tare exec c grep Cap /proc/self/status
    has "CapInh:	0000000000000000"
    has "CapEff:	00000000800405fb"
}

@test "a filter is there, in exec as well" {
    ok tare run -d --name c busybox sleep 100
    ok tare exec c grep Seccomp: /proc/self/status
    has 2
    ok tare exec c grep Seccomp: /proc/1/status
    has 2
}
