# Mounts, volumes, copies: links that lead out, and racers that put them there between look and use. Section B of the catalogue.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    attack_file
    echo secret >"$CANARY/dir/secret"
    printf 'outsider:x:4242:4242::/:/bin/sh\n' >"$CANARY/dir/passwd"
}
teardown_file() { roots_remove; }
setup() { host_before; }
teardown() {
    [ -z "${SWAPPER:-}" ] || kill "$SWAPPER" 2>/dev/null || true
    tare rm -f racer >/dev/null 2>&1 || true
    tare volume rm -f vv ww >/dev/null 2>&1 || true
    host_after
}

# A container that changes /v/a, in the volume vv, from a directory into a link out and back, as fast as it can.
race() {
    ok tare run -d --name racer -v vv:/v -v "$ROOTS/probe:/probe:ro" busybox sh -c \
        "mkdir -p /v/a; echo own >/v/a/own; ln -s $CANARY/dir /v/b; exec /probe swap /v/a /v/b 60"
    until_true 5 eval "tare logs racer | grep -q ready"
}

canary_is_untouched() {
    [ "$(cd "$CANARY" && find . | sort | tr '\n' ' ')" = ". ./dir ./dir/passwd ./dir/secret ./file " ]
}

@test "a racer does not lead mounts, their targets, or the working directory out (CVE-2021-30465, CVE-2024-45310)" {
    race
    local i done=0
    for i in 1 2 3 4 5; do
        run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -v vv:/v -v "$ROOTS/probe:/v/a/file$i" --tmpfs "/v/a/dir$i" \
            -w "/v/a/work$i" busybox cat /v/a/secret /v/a/passwd
        [ "$status" != 124 ]
        has_not "outsider"
        [[ "$output" != *"no such file"* ]] || done=$((done + 1))
        canary_is_untouched
        run grep -c "$CANARY" /proc/self/mountinfo
        is 0
    done
}

@test "a racer does not lead exec's working directory out" {
    race
    for _ in 1 2 3 4 5 6; do
        run tare exec -w /v/a racer cat secret passwd
        has_not outsider
    done
}

@test "a racer does not lead copies out, neither in nor out (CVE-2018-15664, CVE-2026-41568)" {
    race
    local i out=$BATS_TEST_TMPDIR
    echo evil >"$out/evil"
    for i in 1 2 3 4 5; do
        run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" cp "$out/evil" "racer:/v/a/secret"
        [ "$status" != 124 ]
        run tare cp racer:/v/a/secret "$out/got$i"
        run tare cp -L racer:/v/a/passwd "$out/pass$i"
        run tare cp racer:/v/. "$out/tree$i"
        canary_is_untouched
    done
    [ "$(cat "$CANARY/dir/secret")" = secret ]
    run grep -rl -e "^secret" -e outsider "$out" # what is a link there is not followed
    has_not got
    has_not pass
    has_not tree
}

@test "a racer that puts a link, a pipe or a device where a single file is copied gains nothing and stops nothing" {
    local i kind out=$BATS_TEST_TMPDIR
    echo evil >"$out/evil"
    for kind in "ln -s $CANARY/file" "mkfifo" "mknod"; do
        ok tare run -d --name racer -v vv:/v -v "$ROOTS/probe:/probe:ro" busybox sh -c \
            "rm -rf /v/*; echo own >/v/a; $kind /v/b $([ "$kind" != mknod ] || echo c 1 8); exec /probe swap /v/a /v/b 60"
        until_true 5 eval "tare logs racer | grep -q ready"
        for i in 1 2 3 4 5 6; do
            rm -rf "$out/got"
            run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" cp racer:/v/a "$out/got"
            [ "$status" != 124 ]
            [ ! -f "$out/got" ] || [ -L "$out/got" ] || [ "$(cat "$out/got")" = own ] || [ "$(cat "$out/got")" = evil ]
            run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" cp "$out/evil" racer:/v/a
            [ "$status" != 124 ]
        done
        canary_is_untouched
        [ "$(cat "$CANARY/file")" = secret ]
        tare rm -f racer
    done
}

@test "a racer does not lend the container a user of the host (CVE-2024-9676)" {
    race
    hostile_image evil "rm -f etc/passwd; ln -s /v/a/passwd etc/passwd; mkdir -p v/a"
    for _ in 1 2 3 4 5; do
        run tare run --rm -v vv:/v -u outsider evil id
        has_not 4242
        [ "$status" != 0 ]
    done
}

@test "a volume that is filled while another container has it gets no right of the host's files" {
    hostile_image evil "mkdir -p v; cd v; for i in \$(seq 300); do mkfifo -m 666 f\$i; done"
    ok tare run -d --name racer -v ww:/v -v "$ROOTS/probe:/probe:ro" busybox /probe plant /v "$CANARY/file"
    until_true 5 eval "tare logs racer | grep -q ready"
    run tare run --rm -v ww:/v evil true
    ok tare exec racer touch /v/enough
    ok tare wait racer
    ok tare logs racer
    has_not "planted 0"
    [ "$(stat -c %a "$CANARY/file")" = 640 ]
}

@test "a volume's path in the image that is a link brings nothing of the host (CVE-2022-23648)" {
    mkdir -p "$ROOTS/image-vol"
    tar -C "$ROOTS/image-vol" -xf "$FIXTURES/busybox.tar"
    ln -s "$CANARY/dir" "$ROOTS/image-vol/vol"
    ln -s "../../../../../../../..$CANARY" "$ROOTS/image-vol/up"
    tar -C "$ROOTS/image-vol" -cf "$ROOTS/vol.tar" .
    rm -rf "$ROOTS/image-vol"
    ok tare import -c 'VOLUME /vol' -c 'VOLUME /up/dir' "$ROOTS/vol.tar" vol
    run tare run --rm vol sh -c 'cat /vol/* /up/dir/*'
    has_not outsider
    run grep -rl outsider "$ROOT/volumes"
    is ""
}

@test "the OCI runtime: a racer in the root does not lead /proc, /sys, /dev and mounts out (CVE-2025-52881, CVE-2026-41579)" {
    local name
    for name in proc proc dev sys mnt; do
        oci_bundle 'c["mounts"].append({"destination": "/mnt/x", "type": "tmpfs", "source": "tmpfs"})' sh -c \
            'for i in $(seq 9999); do for d in /proc /other; do cd $d 2>/dev/null && [ -e self/stat ] && echo mask $(stat -c %t:%T timer_list) $( (: >>sys/vm/swappiness) 2>/dev/null && echo writable || echo read-only) && exit; done; done'
        mkdir -p "$ROOTS/b/rootfs/$name"
        ln -s "$CANARY/dir" "$ROOTS/b/rootfs/other"
        "$PROBE" swap "$ROOTS/b/rootfs/$name" "$ROOTS/b/rootfs/other" 60 >/dev/null 3>&- &
        SWAPPER=$!
        for _ in 1 2 3 4 5; do
            run timeout 60 "$TARE" oci --root "$ROOTS/oci" run --bundle "$ROOTS/b" c </dev/null
            [ "$status" != 124 ]
            [[ "$name$output" != *mask* ]] || has "mask 1:3 read-only" # what was started has what it should have
            oci delete --force c >/dev/null 2>&1 || true
            canary_is_untouched
        done
        kill "$SWAPPER"
        SWAPPER=
    done
}

@test "the OCI runtime: a racer does not lead exec's working directory out" {
    oci_bundle '' sh -c "mkdir /a; ln -s $CANARY/dir /b; /probe swap /a /b 60"
    oci run --bundle "$ROOTS/b" c >"$ROOTS/log" 2>&1 3>&- </dev/null &
    until_true 5 grep -q ready "$ROOTS/log"
    for _ in 1 2 3 4 5; do
        run oci exec --cwd /a c cat secret passwd </dev/null
        has_not outsider
    done
    oci delete --force c
    wait $! || true
}

@test "archives that are copied in do not get out of their directory (CVE-2021-41089, moby 52948)" {
    ok tare run -d --name c busybox sleep 100
    python3 - "$ROOTS/evil.tar" "$CANARY" <<'P'
import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w")
def add(name, kind=tarfile.REGTYPE, link="", data=b"evil\n", mode=0o777):
    i = tarfile.TarInfo(name)
    i.type, i.linkname, i.mode, i.size = kind, link, mode, len(data) if kind == tarfile.REGTYPE else 0
    t.addfile(i, io.BytesIO(data) if i.size else None)
canary = sys.argv[2]
add("l", tarfile.SYMTYPE, canary)
add("l/evil")
add("l", tarfile.DIRTYPE)
add("m", tarfile.SYMTYPE, canary + "/file")
add("m", mode=0o4777)
add("../" * 12 + canary + "/up")
add("h", tarfile.LNKTYPE, canary + "/file")
add("h2", tarfile.LNKTYPE, "../" * 12 + canary + "/file")
t.close()
P
    run tare cp - c:/tmp <"$ROOTS/evil.tar"
    canary_is_untouched
    [ "$(cat "$CANARY/file")" = secret ]
    run tare exec c cat /tmp/h /tmp/h2
    has_not secret
}

@test "what the host's side of a copy, an export or a commit executes is the engine's own (CVE-2019-14271, CVE-2026-41567)" {
    hostile_image evil "mkdir -p usr/bin usr/lib; for p in tar xz gzip unpigz zstd id; do rm -f usr/bin/\$p; printf '#!/bin/sh\ntouch /ran\n' >usr/bin/\$p; chmod 755 usr/bin/\$p; done
        for l in libnss_files.so.2 libnss_dns.so.2; do cp usr/bin/tar usr/lib/\$l; done"
    ok tare run -d --name c -e LD_PRELOAD=/usr/lib/libnss_files.so.2 evil sleep 100
    gzip -c "$FIXTURES/busybox.tar" >"$ROOTS/x.tar.gz"
    local trace=$ROOTS/trace
    ok strace -f -qq -e trace=execve,execveat -o "$trace.1" "$TARE" --root "$ROOT" --run-root "$RUN" cp c:/etc "$BATS_TEST_TMPDIR/etc"
    ok strace -f -qq -e trace=execve,execveat -o "$trace.2" "$TARE" --root "$ROOT" --run-root "$RUN" export -o "$ROOTS/x.tar" c
    ok strace -f -qq -e trace=execve,execveat -o "$trace.3" "$TARE" --root "$ROOT" --run-root "$RUN" commit c committed
    strace -f -qq -e trace=execve,execveat -o "$trace.4" "$TARE" --root "$ROOT" --run-root "$RUN" cp - c:/tmp <"$ROOTS/x.tar.gz"
    run grep -hE 'exec' "$trace".{1,2,3,4}
    has execve
    run grep -hEv '(execve\("[^"]*/tare"|execve(at)?\([^"]*"[^"]*",? ?\["[^"]*tare-|\+\+\+|---|resumed)' "$trace".{1,2,3,4}
    is ""
    fails 1 tare exec c test -e /ran
}

@test "names that no honest program gives survive export, commit and copies, and lead nowhere" {
    ok tare run -d --name c -v "$ROOTS/probe:/probe:ro" busybox sh -c \
        'mkdir /n; cd /n; touch -- -rf "a
b" "$(printf "\\033[2J\\377")" " " "..." "*"; ln -s / root; mkfifo pipe; mkdir -p "d/ ..;x"; touch ready; sleep 100'
    until_true 5 tare exec c test -e /n/ready
    ok tare export -o "$ROOTS/names.tar" c
    ok tare commit c names
    ok tare cp c:/n "$BATS_TEST_TMPDIR/n"
    ok tare run --rm names sh -c 'ls -A /n | wc -l'
    is 10
    [ "$(find "$BATS_TEST_TMPDIR/n" -mindepth 1 -maxdepth 1 -printf x | wc -c)" = 10 ]
    python3 - "$ROOTS/names.tar" <<'P'
import sys, tarfile
for m in tarfile.open(sys.argv[1], errors="surrogateescape"):
    assert not m.name.startswith("/") and ".." not in m.name.split("/"), m.name
P
}

@test "a tree deeper than there are descriptors is removed with its container" {
    ok tare run --name c -v "$ROOTS/probe:/probe:ro" busybox /probe dig x 6000
    is "dig: ok"
    ok tare rm c
    until_true 20 eval "[ -z \"\$(ls -A '$ROOT/trash')\" ]"
}

@test "names of volumes and networks that are paths are refused" {
    for name in .. ../x a/b .hidden /etc/../x; do
        run tare volume create "$name"
        [ "$status" != 0 ]
        run tare volume rm -f "$name"
        run tare network create "$name"
        [ "$status" != 0 ]
    done
}

@test "a racer leads neither a volume's subpath nor a change of owner (U) out" {
    race
    local i shown=0
    for i in 1 2 3 4 5 6 7 8; do
        run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm --mount type=volume,src=vv,dst=/x,volume-subpath=a \
            busybox sh -c 'ls /x; cat /x/passwd; exit 0'
        [ "$status" != 124 ]
        has_not "outsider"
        [[ "$output" != *own* ]] || shown=$((shown + 1))
        run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -u 4321 -v vv:/x:U busybox true
        [ "$status" = 0 ]
        run timeout 60 "$TARE" --root "$ROOT" --run-root "$RUN" run --rm -u 4321 \
            --mount type=volume,src=vv,dst=/x,volume-subpath=a,U busybox true
        [ "$status" != 124 ]
        [ -z "$(find "$CANARY" -user 4321)" ]
        canary_is_untouched
    done
    echo "the subpath was a directory $shown times of 8"
}
