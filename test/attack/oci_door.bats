# The other front door: rows of sections A and B that enter.bats, join.bats and mounts.bats show for `tare run`, against `tare oci`; and the racers of the one at the door of the other.
load lib
bats_require_minimum_version 1.5.0

setup_file() { attack_file; }
teardown_file() { roots_remove; }
setup() { host_before; }
teardown() {
    [ -z "${SWAPPER:-}" ] || kill "$SWAPPER" 2>/dev/null || true
    oci delete --force c 2>/dev/null || true
    rm -rf "$ROOTS/b"
    host_after
}

# In the bundle's root, as its own commands: trick 'commands'.
trick() { (cd "$ROOTS/b/rootfs" && eval "$1"); }
run_oci() { run timeout 120 "$TARE" oci --root "$ROOTS/oci" run --bundle "$ROOTS/b" c </dev/null; }
# Under a terminal of ours.
run_terminal() { run timeout 120 "$here/terminal" --show "$TARE" oci --root "$ROOTS/oci" run --bundle "$ROOTS/b" c; }

@test "the OCI runtime's programs cannot be opened for writing from inside, by who is executed or created (CVE-2019-5736)" {
    oci_bundle 'c["process"]["capabilities"] = {k: v + ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"] for k, v in c["process"]["capabilities"].items()}' /probe exe 3
    trick "rm bin/sh; printf '#!/proc/self/exe\n' >bin/sh; chmod 755 bin/sh"
    "$TARE" oci --root "$ROOTS/oci" run --bundle "$ROOTS/b" c >"$ROOTS/log" 2>&1 3>&- </dev/null &
    local pid=$!
    until_true 10 eval '[ "$(oci state c | jq -r .status)" = running ]'
    for _ in $(seq 20); do run oci exec c /bin/sh </dev/null; done
    wait "$pid"
    grep -q "opened 0" "$ROOTS/log"
}

holds_sockets_only() { # PID
    local fd
    for fd in /proc/"$1"/fd/*; do
        [ "${fd##*/}" -le 2 ] || [[ "$(readlink "$fd")" == socket:* ]] || return 1
    done
}

@test "no descriptor but the three is left open, in no state: created, running, exec, with a terminal, a hook, a filter" {
    for change in "" 'c["hooks"] = {"createContainer": [{"path": "/bin/true"}], "startContainer": [{"path": "/bin/true"}]}' \
        'c["linux"]["namespaces"].append({"type": "user"}); c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]' \
        'c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}'; do
        oci_bundle "$change" /probe fds
        exec 7<"$CANARY/file" 8<"$CANARY/dir" # of the caller
        run_oci
        [ "$status" = 0 ] || { echo "$output"; false; }
        is ""
        oci_bundle "$change" sleep 100
        oci create --bundle "$ROOTS/b" --pid-file "$ROOTS/pid" c </dev/null >/dev/null 2>&1 3>&-
        until_true 10 holds_sockets_only "$(cat "$ROOTS/pid")" # it closes the rest before it waits
        [ -z "$(tr '\0' '\n' <"/proc/$(cat "$ROOTS/pid")/environ")" ]
        oci start c
        run oci exec c /probe fds </dev/null
        is ""
        oci delete --force c
        exec 7<&- 8<&-
    done
    oci_bundle 'c["process"]["terminal"] = True' /probe fds
    run_terminal
    is ""
}

@test "mounts over /proc and inside it are refused; /proc and /sys that are links get none elsewhere (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561)" {
    local target name
    for target in /proc /proc/self/attr /proc/1/attr/current /proc/sys /proc/../proc/self; do
        oci_bundle 'c["mounts"].append({"destination": "'"$target"'", "type": "bind", "source": "'"$CANARY"'", "options": ["rbind"]})' true
        run_oci
        [ "$status" != 0 ]
        has "/proc"
    done
    for name in proc sys; do
        oci_bundle '' sh -c 'grep -c . /proc/self/mountinfo'
        trick "rm -rf $name; mkdir -p tmp; ln -s /tmp $name"
        run_oci
        [ "$status" != 0 ]
        has "/$name"
    done
}

@test "a mask is the null device and read-only whatever lies at /dev/null in the root (CVE-2025-31133)" {
    local target
    for target in /proc/sysrq-trigger /proc/sys/kernel/core_pattern "$CANARY/file"; do
        oci_bundle '' sh -c 'stat -c %t:%T /dev/null /proc/timer_list; (echo x >/proc/sys/kernel/core_pattern) 2>&1; (echo x >/proc/timer_list) 2>/dev/null; true'
        trick "mkdir -p dev; ln -s $target dev/null"
        run_oci
        is "1:3
1:3
sh: can't create /proc/sys/kernel/core_pattern: Read-only file system"
        # Nothing on /dev: what the root has is there, or the container is not.
        oci_bundle 'c["mounts"] = [m for m in c["mounts"] if not m["destination"].startswith("/dev")]' sh -c 'stat -c %t:%T /proc/timer_list'
        trick "mkdir -p dev; ln -s $target dev/null"
        run_oci
        [ "$status" != 0 ] || is "1:3"
    done
}

@test "a terminal is ours whatever the root has at /dev/console, /dev/pts, /dev/ptmx (CVE-2025-52565, CVE-2026-88264)" {
    local tricks="rm -rf dev/pts; ln -s $CANARY dev/pts|ln -s $CANARY/new dev/console|ln -s $CANARY/file dev/console|ln -s $CANARY/file dev/ptmx|ln -s $CANARY/file dev/tty" one change
    while IFS= read -r -d '|' one; do
        for change in '' 'c["mounts"] = [m for m in c["mounts"] if m["destination"] != "/dev"]'; do
            oci_bundle 'c["process"]["terminal"] = True;'"$change" sh -c 'stat -L -c %t:%T /dev/console; test -t 0 && echo terminal'
            trick "mkdir -p dev/pts dev/shm dev/mqueue; $one"
            run_terminal
            [ "$status" != 124 ]
            [[ "$output" != *terminal* ]] || has "88:"
            [ ! -e "$CANARY/new" ]
            [ "$(cat "$CANARY/file")" = secret ]
        done
    done <<<"$tricks|"
}

@test "a racer in the root leads no terminal out (CVE-2025-52565)" {
    local name
    for name in dev/console dev/pts dev; do
        oci_bundle 'c["process"]["terminal"] = True; c["mounts"] = [m for m in c["mounts"] if m["destination"] != "/dev"]' sh -c 'test -t 0 && echo terminal'
        trick "mkdir -p dev/pts dev/shm dev/mqueue; [ -e $name ] || : >$name; ln -s $CANARY/$([ $name = dev/console ] && echo file || echo dir) other"
        "$PROBE" swap "$ROOTS/b/rootfs/$name" "$ROOTS/b/rootfs/other" 60 >/dev/null 3>&- &
        SWAPPER=$!
        for _ in 1 2 3 4; do
            run_terminal
            [ "$status" != 124 ]
            [ -z "$(ls -A "$CANARY/dir")" ]
            [ "$(cat "$CANARY/file")" = secret ]
        done
        kill "$SWAPPER"
        SWAPPER=
    done
}

@test "a read-only root is read-only, with mounts of the bundle's on it and links for /proc (CVE-2026-115521)" {
    local change
    for change in '' 'c["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "t"})' 'c["mounts"] = []' \
        'c["linux"]["namespaces"].append({"type": "user"}); c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]'; do
        oci_bundle 'c["root"]["readonly"] = True;'"$change" sh -c 'for f in /x /etc/x /bin/x; do (: >$f) 2>&1; done'
        trick "mkdir -p proc dev sys; ln -s self/fd proc/x"
        run_oci
        [ "$(grep -c "Read-only" <<<"$output")" = 3 ] || { echo "$change: $output"; false; }
        [ ! -e "$ROOTS/b/rootfs/x" ]
    done
}

@test "users of exec that overflow or look like numbers are refused (CVE-2016-3697, CVE-2024-40635, CVE-2026-30892)" {
    local user
    oci_bundle 'c["process"]["user"] = {"uid": 1000, "gid": 1000}' sleep 100
    trick "printf '4294967295:x:0:0::/:/bin/sh\n-1:x:0:0::/:/bin/sh\n' >etc/passwd"
    oci create --bundle "$ROOTS/b" c </dev/null >/dev/null 2>&1 3>&-
    oci start c
    for user in 4294967295 4294967296 4294967294999 -1 0x0 "" ":" "1000:" "1000:4294967295" "1000:-1" "1000:0:0" root "1e3" "00000000000000000000:4294967296"; do
        run oci exec --user "$user" c /probe ids </dev/null
        [ "$status" != 0 ] || { echo "$user: $output"; false; }
        has_not "uid 0 "
    done
    run oci exec --user 4294967294:4294967294 c /probe ids </dev/null
    has "uid 4294967294 4294967294 4294967294 gid 4294967294"
    for user in 4294967295 4294967296; do
        for id in uid gid; do
            oci delete --force c
            oci_bundle 'c["process"]["user"] = {"uid": 1000, "gid": 1000, "'$id'": '$user'}' /probe ids
            run_oci
            [ "$status" != 0 ]
            has "process.user.$id"
        done
    done
}

@test "groups and capabilities of the caller do not come in, nor an inheritable one (CVE-2022-36109, CVE-2022-24769)" {
    oci_bundle 'c["process"]["user"] = {"uid": 1000, "gid": 1000}' sh -c '/probe ids; grep -E "CapInh|CapPrm|CapEff|CapAmb" /proc/self/status'
    ln -sf busybox "$ROOTS/b/rootfs/bin/grep"
    run setpriv --groups 4,27,55 --inh-caps +chown,+net_raw,+kill,+sys_admin "$TARE" oci --root "$ROOTS/oci" run --bundle "$ROOTS/b" c </dev/null
    [ "$status" = 0 ] || { echo "$output"; false; }
    [[ ${lines[0]} == "uid 1000 1000 1000 gid 1000 1000 1000 groups" ]] # what the document says, and no more
    [ "$(grep -c ':.0000000000000000$' <<<"$output")" = 4 ]
    oci_bundle 'c["process"]["user"] = {"uid": 0, "gid": 0}' sleep 100
    ln -sf busybox "$ROOTS/b/rootfs/bin/grep"
    oci create --bundle "$ROOTS/b" c </dev/null >/dev/null 2>&1 3>&-
    oci start c
    run setpriv --groups 4,27,55 --inh-caps +chown,+net_raw,+kill,+sys_admin "$TARE" oci --root "$ROOTS/oci" exec c sh -c '/probe ids; grep -E "CapInh|CapAmb" /proc/self/status' </dev/null
    [ "$(grep -c ':.0000000000000000$' <<<"$output")" = 2 ]
    has_not 55
}

@test "programs of the root are not run by the runtime: ps, events, hooks get nothing of the container's (CVE-2022-1227, CVE-2025-23266)" {
    oci_bundle 'c["process"]["env"] += ["LD_PRELOAD=/evil.so", "GCONV_PATH=/evil"]; c["hooks"] = {n: [{"path": "/bin/sh", "args": ["sh", "-c", "pwd >>'"$ROOTS"'/hooks; env >>'"$ROOTS"'/hooks"]}] for n in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}' sleep 100
    trick "for p in ps nsenter true env; do rm -f bin/\$p; printf '#!/bin/sh\n: >/ran\n' >bin/\$p; chmod 755 bin/\$p; done; mkdir -p lib; cp bin/ps evil.so"
    rm -f "$ROOTS/hooks"
    export OF_THE_CALLER=1
    oci create --bundle "$ROOTS/b" c </dev/null >/dev/null 2>&1 3>&-
    oci start c
    ok oci ps c
    has sleep
    ok oci events --stats c
    oci delete --force c
    [ ! -e "$ROOTS/b/rootfs/ran" ]
    run grep -cE "LD_PRELOAD|GCONV|OF_THE_CALLER" "$ROOTS/hooks"
    is 0
    [ "$(grep -c '^/' "$ROOTS/hooks")" = 5 ]
}

@test "annotations configure nothing but what features calls unsafe" {
    oci_bundle 'c["annotations"] = {n: "TRUE" for n in ("io.podman.annotations.privileged", "tare.privileged", "run.oci.handler", "run.oci.seccomp.receiver", "run.oci.hooks.stdout", "org.criu.config", "module.wasm.image/variant", "run.oci.mount_context_type")}' sh -c 'grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status; grep -c . /proc/self/mountinfo'
    ln -sf busybox "$ROOTS/b/rootfs/bin/grep"
    run_oci
    local with=$output
    python3 - "$ROOTS/b/config.json" <<'PY'
import json, sys
c = json.load(open(sys.argv[1])); del c["annotations"]; json.dump(c, open(sys.argv[1], "w"))
PY
    run_oci
    is "$with"
}

@test "the runtime's directories are closed to other users, whatever the umask (CVE-2021-41091, CVE-2024-25621)" {
    oci_bundle '' sleep 100
    (umask 0 && "$TARE" oci --root "$ROOTS/new/oci" create --bundle "$ROOTS/b" c </dev/null >/dev/null 2>&1 3>&-)
    [ "$(stat -c %a "$ROOTS/new/oci")" = 700 ]
    [ "$(stat -c %a "$ROOTS/new/oci/c")" = 700 ]
    [ -z "$(find "$ROOTS/new/oci/c" -type f -perm /077)" ]
    "$TARE" oci --root "$ROOTS/new/oci" delete --force c
    rm -rf "$ROOTS/new"
}

@test "ids that are paths are refused, and no state directory is followed (moby 4f84bcb967)" {
    local id
    oci_bundle '' true
    for id in .. . ../x a/b /etc "a b" "" $'a\nb' "$(printf 'x%.0s' {1..300})"; do
        run oci create --bundle "$ROOTS/b" "$id" </dev/null
        [ "$status" != 0 ]
        has "invalid container id"
        run oci delete --force "$id"
        [ "$status" != 0 ]
    done
    mkdir -p "$ROOTS/oci"
    ln -s "$CANARY/dir" "$ROOTS/oci/link"
    run oci state link
    [ "$status" != 0 ]
    run oci delete link
    [ "$status" != 0 ]
    [ -d "$CANARY/dir" ]
    rm -f "$ROOTS/oci/link"
}

@test "mounts made inside stay inside, and those of the bundle too (shared propagation)" {
    oci_bundle 'c["process"]["capabilities"] = {k: v + ["CAP_SYS_ADMIN"] for k, v in c["process"]["capabilities"].items()}; c["linux"].pop("seccomp", None)
c["mounts"].append({"destination": "/data", "type": "bind", "source": "'"$CANARY"'", "options": ["rbind"]})' sh -c 'mount -t tmpfs x /data/dir && : >/data/dir/inside && echo mounted'
    ln -sf busybox "$ROOTS/b/rootfs/bin/mount"
    run_oci
    is mounted
    [ -z "$(ls -A "$CANARY/dir")" ]
    run grep -c "$CANARY" /proc/self/mountinfo
    is 0
}

@test "control groups: read-only, and no release agent (CVE-2022-0492, CVE-2023-25809)" {
    oci_bundle 'c["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]})' sh -c \
        'for f in $(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name notify_on_release -o -name devices.allow); do (echo 1 >$f) 2>/dev/null && echo wrote $f; done; echo seen'
    ln -sf busybox "$ROOTS/b/rootfs/bin/find"
    run_oci
    is seen
}

@test "passwd that is a pipe, a device, a link, huge: a variable at most (CVE-2024-9676, CVE-2026-47262)" {
    local one
    echo "evil:x:0:0::/canary-home:/bin/sh" >"$CANARY/dir/passwd"
    for one in "mkfifo etc/passwd" "ln -s /dev/zero etc/passwd" "ln -s passwd etc/passwd" "mkdir etc/passwd" "ln -s ../../../../../../../..$CANARY/dir/passwd etc/passwd" \
        "ln -s $CANARY/dir/passwd etc/passwd" "yes a:b:c:d | tr -d '\n' | head -c 3000000 >etc/passwd" "printf 'r:x:0:0::/a\nX=1:/bin/sh\n' >etc/passwd"; do
        oci_bundle '' sh -c 'echo "home $HOME"; echo "x $X"'
        trick "rm -rf etc/passwd; $one"
        run_oci
        [ "$status" = 0 ] || { echo "$one: $output"; false; }
        has "home /"
        has_not canary-home
        has "x "
        has_not "x 1"
    done
    rm "$CANARY/dir/passwd"
    host_state >"$BATS_TEST_TMPDIR/host"
}

@test "tare run with a root of the host's: a racer in it does not lead /proc, /sys, /dev and mounts out (CVE-2025-52881, CVE-2026-41579)" {
    local name
    for name in proc dev sys mnt; do
        oci_bundle '' true # for its root
        trick "mkdir -p proc dev sys mnt $name; ln -s $CANARY/dir other"
        "$PROBE" swap "$ROOTS/b/rootfs/$name" "$ROOTS/b/rootfs/other" 60 >/dev/null 3>&- &
        SWAPPER=$!
        for _ in 1 2 3 4; do
            run timeout 120 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm --network none --tmpfs /mnt/x --rootfs "$ROOTS/b/rootfs:rw" sh -c \
                '[ ! -e /proc/self/stat ] || echo mask $(stat -c %t:%T /proc/timer_list) $( (: >>/proc/sys/vm/swappiness) 2>/dev/null && echo writable || echo read-only)'
            [ "$status" != 124 ]
            [[ "$output" != *mask* ]] || has "mask 1:3 read-only"
            [ -z "$(ls -A "$CANARY/dir")" ]
        done
        kill "$SWAPPER"
        SWAPPER=
    done
}

@test "exec into a container that has the host's process numbers: nothing of it can be looked into" {
    oci_bundle 'c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "pid"]' /probe snoop 60 engine
    oci run --bundle "$ROOTS/b" c >"$ROOTS/log" 2>&1 3>&- </dev/null &
    local pid=$!
    until_true 10 grep -q ready "$ROOTS/log"
    for _ in 1 2 3 4 5; do oci exec c /probe ids </dev/null >/dev/null; done
    oci kill c TERM
    wait "$pid" || true
    run cat "$ROOTS/log"
    has_not descriptor
    has_not "another file system"
}
