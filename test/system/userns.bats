#!/usr/bin/env bats
# --userns: auto, nomap and keep-id, as root of the host.

load lib

setup_file() {
    [ "$(id -u)" = 0 ] || skip "as root"
    roots_make
    # What stays while the roots exist: bridge, table, the monitors' group.
    tare run --rm busybox true
    tare rm -f "$(tare run -d --network none busybox sleep 60)" >/dev/null
}
teardown_file() { [ -z "${ROOTS:-}" ] || roots_remove; }
setup() {
    [ "$(id -u)" = 0 ] || skip "as root"
    leaks_before
}
teardown() { [ "$(id -u)" != 0 ] || leaks_after; }

@test "auto: root inside owns the image's files, may write its root, and is nobody outside" {
    tare create --name a --network none --userns auto busybox sh -c 'touch /new; id -u; stat -c %u /new /bin/busybox; echo x >/etc/more; cat /proc/self/uid_map' >/dev/null
    run tare start -a a
    echo "$output"
    [ "$status" = 0 ]
    [ "${lines[0]}${lines[1]}${lines[2]}" = 000 ]
    read -r inside outside size <<<"${lines[3]}"
    [ "$inside" = 0 ] && [ "$outside" -gt 65536 ] && [ "$size" = 65536 ]
    [ "$(stat -c %u "$ROOT"/containers/*/upper/new)" = "$outside" ]
    # The range stays the container's.
    run tare start -a a
    [[ $output == *"$outside"* ]]
    tare rm a >/dev/null
}

@test "two containers have two ranges; a range is free again when its container is removed" {
    tare run -d --name one --network none --userns auto busybox sleep 60 >/dev/null
    tare run -d --name two --network none --userns auto busybox sleep 60 >/dev/null
    first=$(tare exec one cat /proc/self/uid_map)
    [ "$first" != "$(tare exec two cat /proc/self/uid_map)" ]
    [ "$(tare exec one id -u)" = 0 ]
    tare rm -f one >/dev/null
    [ "$(tare run --rm --network none --userns auto busybox cat /proc/self/uid_map)" = "$first" ]
    tare rm -f two >/dev/null
}

@test "exec gives its process the container's limits, also where they are above the caller's" {
    setpriv --dump | grep -q 'Capability bounding set:.*sys_resource' || skip "no CAP_SYS_RESOURCE here"
    tare run -d --name one --network none --userns auto --ulimit nofile=2000:3000 busybox sleep 60 >/dev/null
    run bash -c "ulimit -n 1000; '$TARE' --root '$ROOT' --run-root '$RUN' exec one sh -c 'ulimit -Sn; ulimit -Hn'"
    tare rm -f one >/dev/null
    echo "$output"
    [ "$output" = $'2000\n3000' ]
}

@test "engines with other roots take other ranges" {
    other="$BATS_TEST_TMPDIR/other"
    mkdir "$other"
    "$TARE" --root "$other/root" --run-root "$other/run" load -q -i "$FIXTURES/busybox.docker.tar"
    tare create --name one --network none --userns auto busybox true >/dev/null
    "$TARE" --root "$other/root" --run-root "$other/run" create --name two --network none --userns auto busybox true >/dev/null
    first=$(awk '{print $1}' <<<"$(readlink "$ROOT"/containers/*/userns)")
    second=$(awk '{print $1}' <<<"$(readlink "$other"/root/containers/*/userns)")
    [ -L "/var/lib/tare-userns/$first" ] && [ -L "/var/lib/tare-userns/$second" ] # not below /run: a stopped container keeps its ids over a boot
    "$TARE" --root "$other/root" --run-root "$other/run" system reset -f
    tare rm one >/dev/null
    echo "$first $second"
    [ "$first" -gt 65536 ] && [ "$second" -gt 65536 ] && [ "$first" != "$second" ]
    [ ! -e "/var/lib/tare-userns/$first" ]
}

@test "nomap and keep-id" {
    run tare run --rm --network none --userns nomap busybox cat /proc/self/uid_map
    [ "$(awk '{print $1, ($2 > 65536), $3}' <<<"$output")" = "0 1 65536" ]
    run tare run --rm --network none --userns keep-id busybox sh -c 'cat /proc/self/uid_map; touch /new; stat -c %u /new'
    [ "$(awk 'NR == 1 {print $1, $2, $3}' <<<"$output")" = "0 0 1" ]
    [ "${lines[2]}" = 0 ]
}

@test "auto:size=N, keep-id:uid=N,gid=N" {
    run tare run --rm --network none --userns auto:size=1000 busybox cat /proc/self/uid_map
    [ "$(awk '{print $1, ($2 > 65536), $3}' <<<"$output")" = "0 1 1000" ]
    tare create --name big --network none --userns auto:size=100000 busybox cat /proc/self/uid_map >/dev/null
    run tare start -a big
    [ "$(awk '{print $1, ($2 > 65536), $3}' <<<"$output")" = "0 1 100000" ]
    big=$(awk '{print $2}' <<<"$output")
    run tare run --rm --network none --userns auto busybox cat /proc/self/uid_map
    [ "$(awk '{print $2}' <<<"$output")" -ge $((big + 131072)) ]
    tare rm big >/dev/null
    mkdir "$BATS_TEST_TMPDIR/mine"
    run tare run --rm --network none --userns keep-id:uid=1000,gid=2000 -v "$BATS_TEST_TMPDIR/mine:/mine" busybox sh -c '
        id -u; id -g; touch /mine/x; stat -c %u:%g /mine/x /bin/busybox'
    [ "$(xargs <<<"$output")" = "1000 2000 1000:2000 0:0" ]
    [ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/mine/x")" = 0:0 ]
    run tare run --rm --network none --userns keep-id:uid=1000 -u 0 busybox sh -c 'touch /new; stat -c %u /new'
    [ "$output" = 0 ]
    fails 125 tare run --rm --network none --userns keep-id:size=3 busybox true
    has 'unknown option "size=3"'
}

@test "a volume is written as the container's root, with the default network and a terminal too" {
    tare run --rm --userns auto -v data:/data busybox sh -c 'echo x >/data/file; stat -c %u /data/file' | grep -qx 0
    tare run --rm --userns host -v data:/data busybox cat /data/file | grep -qx x
    tare volume rm data >/dev/null 2>&1 || rm -rf "$ROOT/volumes/data"
}

@test "cp, export, diff and commit show the ids inside, and what is copied in belongs to whom it belonged" {
    for state in stopped running; do
        # Made inside, by two owners.
        tare run -d --name m --network none --userns auto busybox sh -c '
            touch /own /etc/new; chown 1000:1001 /own; mkdir /in; chown 7:8 /in; sleep 60' >/dev/null
        until_true 5 tare exec m test -d /in
        [ $state = running ] || tare stop -t 0 m >/dev/null
        run tare diff m
        [ "$(sort <<<"$output" | xargs)" = "A /etc/new A /in A /own C /etc" ]
        [ "$(tare cp m:/own - | tar -tv --numeric-owner | awk '{print $2}')" = 1000/1001 ]
        [ "$(tare export m | tar -tv --numeric-owner own bin/busybox | awk '{print $2}' | xargs)" = "0/0 1000/1001" ]
        mkdir "$BATS_TEST_TMPDIR/$state"
        tare cp -a m:/own "$BATS_TEST_TMPDIR/$state/"
        [ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/$state/own")" = 1000:1001 ]
        # In: by cp, by cp -a, and as an archive; also into a directory of the image, which is copied up.
        tare cp "$BATS_TEST_TMPDIR/$state/own" m:/in/plain
        tare cp -a "$BATS_TEST_TMPDIR/$state/own" m:/in/kept
        tar -c -C "$BATS_TEST_TMPDIR/$state" --owner=:55 --group=:66 --numeric-owner own | tare cp - m:/var
        [ $state = running ] || tare start m >/dev/null
        [ "$(tare exec m stat -c %u:%g /in/plain /in/kept /var/own /var /in | xargs)" = "0:0 1000:1001 55:66 0:0 7:8" ]
        tare commit m committed:$state >/dev/null
        [ "$(tare run --rm --network none --userns host committed:$state stat -c %u:%g /own /in/plain /in/kept /var/own /var |
            xargs)" = "1000:1001 0:0 1000:1001 55:66 0:0" ]
        tare rm -f m >/dev/null
        tare rmi committed:$state >/dev/null
    done
}

@test "a device of the host under another name" {
    run tare run --rm --network none --userns auto --device /dev/zero:/dev/nought busybox stat -c %t:%T /dev/nought
    [ "$output" = 1:5 ]
}

@test "the configuration's default" {
    echo 'userns = auto' >"$ROOTS/conf"
    run tare --config "$ROOTS/conf" run --rm --network none busybox cat /proc/self/uid_map
    [ "$(awk '{print $3}' <<<"$output")" = 65536 ]
    run tare --config "$ROOTS/conf" run --rm --network none --userns host busybox cat /proc/self/uid_map
    [ "$(awk '{print $3}' <<<"$output")" = 4294967295 ]
}

@test "what cannot be combined says so" {
    tare run -d --name o --network none busybox sleep 60 >/dev/null
    run tare run --rm --userns auto --network none --pid container:o busybox true
    [ "$status" = 125 ]
    [[ $output == *"namespaces of others"* ]]
    tare rm -f o >/dev/null
}

@test "a user namespace beside namespaces of the host: each pair, and each of --isolate" {
    local kinds more
    for more in "--pid host" "--ipc host" "--uts host" "--network host" "--cgroupns host" "--pid host --oom-score-adj 5"; do
        # shellcheck disable=SC2086
        ok tare run --rm --userns auto $more busybox sh -c 'id -u; cut -d" " -f1 /proc/self/stat >/dev/null'
        is 0
    done
    for kinds in user user,mount user,mount,ipc user,mount,network user,pid user,mount,pid,network,ipc,uts,cgroup,time; do
        ok tare run --rm --isolate $kinds --rootfs / cat /proc/self/uid_map
        [ "$(awk '{ print $2 != 0 }' <<<"$output")" = 1 ]
    done
}

@test "--isolate time: clocks of its own" {
    ok tare run --rm --isolate time --rootfs / readlink /proc/self/ns/time
    [ "$output" != "$(readlink /proc/self/ns/time)" ]
    ok tare run --rm busybox readlink /proc/self/ns/time
    is "$(readlink /proc/self/ns/time)"
}
