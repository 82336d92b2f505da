# Ways out through the engine's own work at start, exec and on files: sections A and B of the catalogue of attacks.
load lib
bats_require_minimum_version 1.5.0

setup_file() { attack_file; }
teardown_file() { roots_remove; }
setup() { host_before; }
teardown() { host_after; }

@test "no descriptor but the three is left open (CVE-2024-21626, CVE-2016-9962)" {
    attempt -- fds
    is ""
    ok tare run -d --name c -v "$ROOTS/probe:/probe:ro" busybox sleep 100
    ok tare exec c /probe fds
    is ""
}

@test "a working directory behind a descriptor leads nowhere outside (CVE-2024-21626)" {
    for n in 3 4 5 6 7 8 9 10; do
        run tare run --rm -w "/proc/self/fd/$n" busybox sh -c 'ls ../../../../../../../; busybox readlink /proc/self/cwd'
        has_not canary
        has_not lost+found
        has_not unreachable
    done
    ok tare run -d --name c busybox sleep 100
    for n in 3 4 5 6 7 8; do
        run tare exec -w "/proc/self/fd/$n" c sh -c 'ls ../../../../../../../; busybox readlink /proc/self/cwd'
        has_not lost+found
        has_not unreachable
    done
}

@test "the engine's programs cannot be opened for writing from inside (CVE-2019-5736)" {
    hostile_image evil "rm bin/sh; printf '#!/proc/self/exe\n' >bin/sh; chmod 755 bin/sh"
    ok tare run -d --name c -v "$ROOTS/probe:/probe:ro" --cap-add SYS_PTRACE evil /probe exe 3
    for _ in $(seq 20); do
        run tare exec c /bin/sh
    done
    ok tare wait c
    ok tare logs c
    has "opened 0"
}

@test "a masked file stays masked whatever the image puts at /dev/null (CVE-2025-31133)" {
    for target in /proc/sysrq-trigger /proc/sys/kernel/core_pattern "$CANARY/file"; do
        hostile_image evil "mkdir -p dev; rm -f dev/null; ln -s $target dev/null"
        ok tare run --rm evil sh -c 'stat -c %t:%T /dev/null /proc/interrupts; (echo x >/proc/sys/kernel/core_pattern) 2>&1; true'
        has "1:3"
        has "ead-only"
    done
}

@test "a terminal is ours whatever the image puts at /dev/console, /dev/pts, /dev/ptmx (CVE-2025-52565, CVE-2026-88264)" {
    for trick in "rm -rf dev/pts; ln -s $CANARY dev/pts" "rm -f dev/console; ln -s $CANARY/new dev/console" \
        "rm -f dev/ptmx; ln -s $CANARY/file dev/ptmx"; do
        hostile_image evil "mkdir -p dev; $trick"
        run "$here/terminal" --show "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -t evil sh -c 'stat -c %t:%T /dev/console; tty'
        has "88:"
        has "/dev/"
    done
    [ ! -e "$CANARY/new" ]
}

@test "an image whose /dev is a link makes nothing outside (CVE-2026-41579)" {
    hostile_image evil "rm -rf dev; ln -s $CANARY/dir dev"
    run tare run --rm evil true
    [ -z "$(ls -A "$CANARY/dir")" ]
    hostile_image evil "rm -rf dev; ln -s ../../../../../../../../..$CANARY/dir dev"
    run tare run --rm evil true
    [ -z "$(ls -A "$CANARY/dir")" ]
}

@test "images whose /proc or /sys are links get no mount elsewhere (CVE-2019-19921, CVE-2023-27561)" {
    for name in proc sys; do
        hostile_image evil "rm -rf $name; ln -s /tmp $name; mkdir -p tmp"
        run tare run --rm evil sh -c 'grep -c . /proc/self/mountinfo'
        has_not "Segmentation"
    done
}

@test "volumes over /proc and below it are refused (CVE-2019-16884)" {
    fails 125 tare run --rm -v "$CANARY:/proc" busybox true
    fails 125 tare run --rm -v "$CANARY:/proc/self/attr" busybox true
}

@test "a volume's target that is a link stays inside the root (CVE-2021-30465)" {
    hostile_image evil "mkdir -p a; ln -s $CANARY a/link; ln -s ../../../../../../../../../..$CANARY a/up"
    ok tare run --rm -v "$ROOTS/probe:/a/link/new" evil true
    run tare run --rm -v "$ROOTS/probe:/a/up/other" evil true
    [ "$(ls "$CANARY")" = "dir
file" ]
}

@test "a read-only root is read-only whatever is mounted over /proc (CVE-2026-115521)" {
    run tare run --rm --read-only busybox touch /x
    has "Read-only"
    run tare run --rm --read-only busybox sh -c 'touch /etc/x /bin/x'
    has "Read-only"
}

@test "users that overflow or look like numbers are refused or what they say (CVE-2016-3697, CVE-2024-40635, CVE-2026-30892)" {
    hostile_image evil "printf '4294967296:x:0:0::/:/bin/sh\n1000a:x:77:77::/:/bin/sh\n00:x:5:5::/:/bin/sh\n' >>etc/passwd"
    for user in 4294967296 4294967295 -1 0x0 99999999999999999999 1000:4294967296 "1000 " "root:0x0"; do
        run tare run --rm -u "$user" -v "$ROOTS/probe:/probe:ro" evil /probe ids
        has_not "uid 0 "
        [ "$status" != 0 ]
    done
    ok tare run --rm -u 1000 -v "$ROOTS/probe:/probe:ro" evil /probe ids
    has "uid 1000 1000 1000 gid 1000" # as its passwd says
    ok tare run --rm -u 1000: -v "$ROOTS/probe:/probe:ro" evil /probe ids
    has "uid 1000 1000 1000 gid 1000" # nothing behind the colon says nothing, as with Docker
    ok tare run --rm -u 1000a -v "$ROOTS/probe:/probe:ro" evil /probe ids
    has "uid 77 77 77 gid 77"
}

@test "supplementary groups are the image's, not the caller's (CVE-2022-36109)" {
    attempt -u 1000:1000 -- ids
    is "uid 1000 1000 1000 gid 1000 1000 1000 groups 1000"
    attempt -u 1000:1000 --group-add 55 -- ids
    has "groups"
    has "55"
}

@test "sysctls of the host are refused (cr8escape, CVE-2022-0811)" {
    for sysctl in kernel.core_pattern=x 'net.ipv4.ip_forward=1+kernel.core_pattern=x' kernel.shm_rmid_forced/../core_pattern=x \
        vm.swappiness=1 net/../kernel/core_pattern=x; do
        fails 125 tare run --rm --sysctl "$sysctl" busybox true
    done
    ok tare run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward
    is 1
}

@test "names from outside do not write lines into files inside (CVE-2022-4318)" {
    fails 125 tare run --rm --hostname $'a\nroot::0:0' busybox true
    fails 125 tare run --rm --add-host $'x\ny:1.2.3.4' busybox true
    run tare run --rm -e $'HOME=/\nroot2::0:0::/:/bin/sh' busybox grep -c root2 /etc/passwd
    has 0
}

@test "programs of the image are not run by the host: top (CVE-2022-1227)" {
    hostile_image evil "mkdir -p usr/bin; for p in ps nsenter; do rm -f usr/bin/\$p bin/\$p; printf '#!/bin/sh\ntouch /ran\n' >usr/bin/\$p; chmod 755 usr/bin/\$p; cp usr/bin/\$p bin/; done"
    ok tare run -d --name c evil sleep 100
    tare top --help >/dev/null 2>&1 || skip "known: tare top is not there yet"
    ok tare top c
    has sleep
    fails 1 tare exec c test -e /ran
}

# What a container's /etc/passwd and /etc/group may be, as commands in the image's root.
passwd_tricks=(
    "rm -f etc/passwd etc/group; mkfifo etc/passwd etc/group"
    "rm -f etc/passwd etc/group; ln -s /dev/zero etc/passwd; ln -s /proc/kmsg etc/group"
    "rm -f etc/passwd etc/group; ln -s group etc/passwd; ln -s passwd etc/group"
    "rm -f etc/passwd; mkdir etc/passwd"
    "rm -f etc/passwd; ln -s $CANARY/passwd etc/passwd; ln -s ../../../../../../../../..$CANARY/passwd etc/other"
    "rm -f etc/passwd; head -c 3000000 /bin/busybox | tr -d '\\n' >etc/passwd"
)

@test "passwd and group that are pipes, devices, links, or huge neither hang nor lend a user (CVE-2024-9676, CVE-2026-47262)" {
    echo "nobody:x:0:0::/:/bin/sh" >"$CANARY/passwd"
    local trick
    for trick in "${passwd_tricks[@]}"; do
        hostile_image evil "$trick"
        run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -u nobody -v "$ROOTS/probe:/probe:ro" evil /probe ids
        [ "$status" != 124 ]
        has_not "uid 0"
    done
    ok tare run -d --name c -v "$ROOTS/probe:/probe:ro" busybox sh -c 'rm /etc/passwd /etc/group; mkfifo /etc/passwd /etc/group; sleep 100'
    until_true 5 test -p "/proc/$(tare inspect -f '{{.State.Pid}}' c)/root/etc/passwd"
    run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" exec -u nobody c /probe ids
    [ "$status" != 124 ]
    has_not "uid 0"
    rm "$CANARY/passwd"
    host_state >"$BATS_TEST_TMPDIR/host" # the canary's directory has a new time
}

@test "volumes over /dev and below it get no device of ours, and no terminal is taken from there" {
    run tare run --rm -v "$CANARY/dir:/dev" busybox true
    run tare run --rm -t -v "$CANARY/dir:/dev/pts" busybox true
    run tare run --rm -v "$CANARY/dir:/dev/shm" -v "$CANARY/dir:/dev/mqueue" busybox true
    [ -z "$(ls -A "$CANARY/dir")" ]
    ok tare run -d --name c --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox sh -c \
        'mkfifo /p; mount --bind /p /dev/pts/ptmx; touch /ready; sleep 100'
    until_true 5 tare exec c test -e /ready
    run timeout 60 "$here/terminal" --show "$TARE" --root "$ROOT" --run-root "$RUN" exec -t c true
    [ "$status" != 124 ]
}

@test "no program of ours loads what an image brings: both that enter containers are static" {
    local program
    for program in "$TARE" "$TARE-oci" "$(dirname "$TARE")/tare-monitor"; do
        run readelf -lW "$program"
        has LOAD
        has_not INTERP
    done
    ok tare run -d --name c -e LD_PRELOAD=/evil.so -e LD_LIBRARY_PATH=/evil busybox sleep 100
    ok tare exec -e LD_PRELOAD=/evil.so c true
    local monitor
    monitor=$(awk '/^PPid/ {print $2}' "/proc/$(tare inspect -f '{{.State.Pid}}' c)/status")
    run tr '\0' '\n' <"/proc/$monitor/environ"
    has_not LD_
}

@test "labels of an image configure nothing (CVE-2026-94603, CVE-2026-53488)" {
    local labels=() name
    for name in io.podman.annotations.privileged io.podman.annotations.checkpoint.name io.podman.annotations.label tare.privileged \
        io.containers.capabilities org.systemd.property.ExecStart run.oci.keep_original_groups com.docker.volume.anonymous; do
        labels+=(-c "LABEL $name=TRUE")
    done
    ok tare import "${labels[@]}" "$FIXTURES/busybox.tar" labelled
    ok tare create --name c labelled sleep 1
    ok tare create --name victim busybox sleep 1
    diff <(tare inspect -f '{{json .HostConfig}}' c) <(tare inspect -f '{{json .HostConfig}}' victim)
    ok tare run --rm labelled grep CapEff /proc/self/status
    has 00000000800405fb
}

@test "a fork bomb ends with its container" {
    ok tare run --rm busybox sh -c 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max'
    is 4096
    ok tare run -d --name c --pids-limit 60 busybox sh -c 'f() { f | f & f; }; f; sleep 100'
    sleep 0.5
    ok timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" rm -f c
}

@test "the OCI runtime: /dev, its nodes and the console that are links in the root lead nowhere (CVE-2026-88264, CVE-2026-88265)" {
    local trick
    for trick in "rm -rf dev; ln -s $CANARY/dir dev" "mkdir -p dev; ln -s $CANARY/dir/x dev/console" "mkdir -p dev; ln -s $CANARY/file dev/null" \
        "mkdir -p dev; ln -s $CANARY/dir dev/pts" "rm -rf proc; ln -s $CANARY/dir proc" "rm -rf sys; ln -s $CANARY/dir sys"; do
        oci_bundle '' sh -c 'stat -c %t:%T /dev/null'
        (cd "$ROOTS/b/rootfs" && eval "$trick")
        run timeout 60 "$TARE" oci --root "$ROOTS/oci" run --bundle "$ROOTS/b" c </dev/null
        [ "$status" != 124 ]
        [ "$status" != 0 ] || is 1:3
        oci delete --force c >/dev/null 2>&1 || true
        [ -z "$(ls -A "$CANARY/dir")" ]
        [ "$(cat "$CANARY/file")" = secret ]
    done
}

@test "the OCI runtime: working directories behind descriptors, in create and exec (CVE-2024-21626)" {
    local n
    for n in 3 4 5 6 7 8 9 10; do
        oci_bundle "c['process']['cwd'] = '/proc/self/fd/$n'" sh -c 'ls ../../../../../../../; busybox readlink /proc/self/cwd'
        run oci run --bundle "$ROOTS/b" c </dev/null
        has_not lost+found
        has_not unreachable
        oci delete --force c >/dev/null 2>&1 || true
    done
    oci_bundle '' sleep 100
    oci create --bundle "$ROOTS/b" c </dev/null >/dev/null 2>&1 3>&-
    oci start c
    for n in 3 4 5 6 7 8 9 10; do
        run oci exec --cwd "/proc/self/fd/$n" c sh -c 'ls ../../../../../../../; busybox readlink /proc/self/cwd' </dev/null
        has_not lost+found
        has_not unreachable
    done
}

@test "the OCI runtime: sysctls of the host, and users that overflow, are refused" {
    local key # values that are there already: a hole in this test must not stay one in the host
    for key in vm.swappiness kernel.pid_max kernel/pid_max net/../kernel/pid_max fs.file-max; do
        oci_bundle "c['linux']['sysctl'] = {'$key': open('/proc/sys/' + '$key'.replace('net/../', '').replace('.', '/')).read().strip()}" true
        run oci run --bundle "$ROOTS/b" c </dev/null
        [ "$status" != 0 ]
        has sysctl
    done
    oci_bundle 'c["process"]["user"] = {"uid": 4294967296, "gid": 0}' /probe ids
    run oci run --bundle "$ROOTS/b" c </dev/null
    [ "$status" != 0 ]
    has_not "uid 0"
}

@test "the OCI runtime: sizes beyond any sense are an error, no crash (CVE-2021-43784)" {
    oci_bundle 'c["hostname"] = "x" * 100000' true
    run oci run --bundle "$ROOTS/b" c </dev/null
    [ "$status" != 0 ]
    [ "$status" -lt 128 ]
    oci_bundle 'c["mounts"] += [{"destination": "/" + "d/" * 40000, "type": "bind", "source": "/tmp", "options": ["bind"]}]' true
    run oci run --bundle "$ROOTS/b" c </dev/null
    [ "$status" != 0 ]
    [ "$status" -lt 128 ]
    oci_bundle 'c["linux"]["namespaces"].append({"type": "user"}); c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": i, "hostID": 100000 + i, "size": 1} for i in range(100000)]' true
    run oci run --bundle "$ROOTS/b" c </dev/null
    [ "$status" != 0 ]
    [ "$status" -lt 128 ]
}

@test "mounts made inside stay inside" {
    ok tare run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined -v "$CANARY:/data" busybox \
        sh -c 'mount -t tmpfs x /data/dir && touch /data/dir/inside'
    [ -z "$(ls -A "$CANARY/dir")" ]
    run grep -c "$CANARY" /proc/self/mountinfo
    is 0
}

@test "links in a container do not lead copies out of it (CVE-2018-15664, CVE-2019-14271)" {
    hostile_image evil "ln -s $CANARY out; ln -s $CANARY/file leak"
    ok tare run -d --name c evil sleep 100
    echo evil >"$BATS_TEST_TMPDIR/evil"
    run tare cp "$BATS_TEST_TMPDIR/evil" c:/out/file
    run tare cp -L c:/leak "$BATS_TEST_TMPDIR/got"
    [ "$(cat "$CANARY/file")" = secret ]
    if [ -e "$BATS_TEST_TMPDIR/got" ]; then [ "$(cat "$BATS_TEST_TMPDIR/got")" != secret ]; fi
}

@test "ids that are paths are refused" {
    for id in .. ../.. a/b /etc ./x; do
        run tare inspect "$id"
        [ "$status" != 0 ]
        run tare run --rm --name "$id" busybox true
        [ "$status" = 125 ]
    done
}

@test "the engine's directories are closed to other users (CVE-2021-41091, CVE-2024-25621)" {
    ok tare run -d --name c busybox sleep 100
    run setpriv --reuid 65534 --regid 65534 --clear-groups find "$ROOT" "$RUN" -mindepth 2 -readable
    has_not config.json
    "$TARE" --root "$ROOTS/new/root" --run-root "$ROOTS/new/run" ps # makes both
    [ "$(stat -c %a "$ROOTS/new/run")" = 700 ]
    [ "$(stat -c %a "$ROOTS/new/root")" = 711 ]
}
