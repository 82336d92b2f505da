#!/usr/bin/env bats
# as: user
# --userns keep-id, auto and nomap of an ordinary user: copies of the layers with other owners.

load lib

ready() {
    [ "$(id -u)" != 0 ] || skip "as an ordinary user"
    unshare -Ur true 2>/dev/null || skip "this host does not let ordinary users make user namespaces"
    grep -q "^$(id -un):" /etc/subuid || skip "no ranges in /etc/subuid"
}

setup_file() {
    [ "$(id -u)" != 0 ] || return 0
    roots_make
}

teardown_file() {
    [ -z "${ROOTS:-}" ] || {
        tare system reset -f
        rm -rf "$ROOTS"
        [ ! -e "$ROOTS" ]
    }
}

setup() {
    ready
}

run_none() {
    tare run --rm --network none "$@"
}

copies() { # layers that are copies
    grep -l '"owners"' "$ROOT"/layers/*.json 2>/dev/null | wc -l
}

@test "keep-id: the user is himself inside, his files are his, the image's files are root's" {
    mkdir "$ROOTS/mine"
    ok run_none --userns keep-id -v "$ROOTS/mine:/mine" busybox sh -c 'id -u; id -g; touch /mine/made; stat -c %u:%g /mine /mine/made /bin/busybox'
    is "$(id -u)"$'\n'"$(id -g)"$'\n'"$(id -u):$(id -g)"$'\n'"$(id -u):$(id -g)"$'\n'0:0
    [ "$(stat -c %u:%g "$ROOTS/mine/made")" = "$(id -u):$(id -g)" ]
    # Root inside is one of the range, who may write the root directory, and the user may not.
    ok run_none --userns keep-id -u 0 -v "$ROOTS/mine:/mine" busybox sh -c 'touch /new /mine/by-root; stat -c %u /new; echo x >>/etc/hosts'
    is 0
    [ "$(stat -c %u "$ROOTS/mine/by-root")" != "$(id -u)" ]
    fails 1 run_none --userns keep-id busybox touch /new
    rm -rf "$ROOTS/mine"
}

@test "keep-id with uid= and gid=: another number inside for the same person" {
    ok run_none --userns keep-id:uid=3000,gid=4000 -v "$ROOTS:/host" busybox sh -c 'id -u; id -g; touch /host/made; cat /proc/self/uid_map'
    [ "${lines[0]} ${lines[1]}" = "3000 4000" ]
    [ "$(xargs <<<"${lines[3]}")" = "3000 0 1" ]
    [ "$(stat -c %u "$ROOTS/made")" = "$(id -u)" ]
    rm "$ROOTS/made"
    # Above the ranges, and the user that the image or the command names.
    ok run_none --userns keep-id:uid=70000 busybox id -u
    is 70000
    ok run_none --userns keep-id -u 7:8 busybox sh -c 'id -u; id -g'
    is $'7\n8'
}

@test "keep-id: the user has a name, a home and a group inside" {
    local me home
    me=$(id -un) home=$(getent passwd "$(id -u)" | cut -d: -f6)
    ok run_none --userns keep-id busybox sh -c 'whoami; id -gn; echo $HOME; cd; pwd; grep -c . /etc/passwd; stat -c "%u:%g %a" /etc /etc/passwd'
    [ "${lines[*]:0:4}" = "$me $me / /" ]
    [ "${lines[5]} ${lines[6]}" = "0:0 755 0:0 644" ]
    ok run_none busybox grep -c . /etc/passwd
    had=$output
    ok run_none --userns keep-id busybox grep -c . /etc/passwd
    is $((had + 1))
    # The home is the working directory, or the user's own where that is mounted.
    ok run_none --userns keep-id -w /var busybox sh -c 'echo $HOME'
    is /var
    ok run_none --userns keep-id -v "$ROOTS:$home" busybox sh -c 'echo $HOME; whoami'
    is "$home"$'\n'"$me"
    # Also where nothing may be written to, for root inside, in exec, and under other numbers.
    ok run_none --userns keep-id --read-only busybox whoami
    is "$me"
    ok run_none --userns keep-id:uid=3000,gid=4000 busybox sh -c 'whoami; id -gn; grep ":4000:" /etc/group'
    is "$me"$'\n'"$me"$'\n'"$me:x:4000:"
    ok tare run -d --name k --network none --userns keep-id -u 0 busybox sh -c 'echo more:x:77:77::/:/bin/sh >>/etc/passwd; sleep 60'
    until_true 5 tare exec k grep -q ^more: /etc/passwd
    ok tare exec -u "$me" k whoami
    is "$me"
    ok tare restart -t 0 k
    ok tare exec k grep -c "^$me:" /etc/passwd
    is 1
    ok tare rm -f k
    # Names that the image has are not given twice, and a number that it has keeps its name.
    printf 'root:x:0:0::/root:/bin/sh\n%s:x:5:5::/:/bin/sh' "$me" >"$ROOTS/passwd"
    printf 'other:x:%d:\n' "$(id -g)" >"$ROOTS/group"
    ok tare create --name p --network none busybox true
    ok tare cp "$ROOTS/passwd" p:/etc/passwd
    ok tare cp "$ROOTS/group" p:/etc/group
    ok tare commit p named
    ok tare rm p
    ok run_none --userns keep-id named sh -c 'whoami; id -gn; tail -n 1 /etc/passwd'
    is "$(id -u)"$'\nother\n'"$(id -u):*:$(id -u):$(id -g)::/:/bin/sh"
    ok tare rmi named
    # Others get none, as with Docker.
    ok run_none --userns auto busybox grep -c . /etc/passwd
    is "$had"
    ok run_none --userns keep-id busybox true
    rm "$ROOTS/passwd" "$ROOTS/group"
}

@test "keep-id: links and nodes in the place of /etc and its files are left alone" {
    local dir="$ROOTS/links"
    for what in 'ln -s /tmp etc' 'mkdir etc; echo x:x:1:1::/:/bin/sh >to; ln -s /to etc/passwd' 'mkdir etc; mkfifo etc/passwd' 'mkdir -p etc/passwd' 'mkdir etc' ''; do
        rm -rf "$dir"
        mkdir -p "$dir/bin"
        cp /bin/busybox "$dir/bin/"
        (cd "$dir" && eval "$what")
        tar -c -C "$dir" . | tare import - links >/dev/null
        ok run_none --userns keep-id links /bin/busybox sed -n 's/^Uid:.//p' /proc/self/status
        [ "${output%%$'\t'*}" = "$(id -u)" ]
        [ ! -e /tmp/passwd ]
        ok tare rmi links
    done
    rm -rf "$dir"
}

@test "--rootfs: the files of a directory are copied with the owners that the namespace needs" {
    local dir="$ROOTS/rootfs"
    mkdir -p "$dir/bin" "$dir/etc" "$dir/sub"
    cp /bin/busybox "$dir/bin/"
    ln "$dir/bin/busybox" "$dir/bin/sh"
    echo one >"$dir/sub/file"
    chmod 2751 "$dir/sub"
    echo 'root:x:0:0::/:/bin/sh' >"$dir/etc/passwd"
    for mode in keep-id auto nomap; do
        ok run_none --userns $mode -u 0 --rootfs "$dir" /bin/sh -c '/bin/busybox stat -c "%u:%g %a %h" /sub /bin/sh; /bin/busybox touch /sub/new'
        is $'0:0 2751 2\n0:0 755 2'
    done
    [ ! -e "$dir/sub/new" ]
    ok tare create --name r --network none --userns keep-id -u 0 --rootfs "$dir" /bin/sh -c 'echo two >/sub/file; /bin/busybox rm /bin/sh; echo 3 >/new'
    ok tare diff r
    [ "$(xargs <<<"$output")" = "C /etc C /etc/passwd" ]
    ok tare start -a r
    ok tare diff r
    [ "$(sort <<<"$output" | xargs)" = "A /new C /bin C /etc C /etc/passwd C /sub C /sub/file D /bin/sh" ]
    ok tare cp r:/sub/file -
    ok tare export -o "$ROOTS/r.tar" r
    [ "$(tar -xO -f "$ROOTS/r.tar" sub/file)" = two ]
    [ "$(tar -tv --numeric-owner -f "$ROOTS/r.tar" new | awk '{print $2}')" = 0/0 ]
    ok tare inspect -f '{{.GraphDriver.Name}}' r
    is vfs
    ok tare rm r
    [ "$(cat "$dir/sub/file")" = one ]
    fails 125 run_none --userns keep-id --rootfs / true
    [ "${#lines[@]}" -le 2 ]
    rm -rf "$dir" "$ROOTS/r.tar"
}

@test "the key userns of tare.conf is for ordinary users, too" {
    mkdir "$ROOTS/conf"
    echo 'userns = keep-id' >"$ROOTS/conf/keep"
    echo 'userns = auto' >"$ROOTS/conf/auto"
    with() { tare --config "$ROOTS/conf/$1" run --rm --network none "${@:2}"; }
    ok with keep busybox id -u
    is "$(id -u)"
    ok with auto busybox awk '{print $1, $3}' /proc/self/uid_map
    is "0 1024"
    # Flags win; who shares namespaces, or is privileged, stays outside.
    ok with keep --userns host busybox id -u
    is 0
    ok with keep --privileged busybox id -u
    is 0
    ok tare run -d --name one --network none busybox sleep 60
    ok with keep --pid container:one busybox id -u
    is 0
    ok tare rm -f one
    # With one id alone the default is none.
    ok unshare -U --map-root-user sh -c "
        '$TARE' --root '$ROOTS/single' --run-root '$ROOTS/single-run' load -q -i '$FIXTURES/busybox.docker.tar'
        '$TARE' --config '$ROOTS/conf/keep' --root '$ROOTS/single' --run-root '$ROOTS/single-run' run --rm --network none busybox id -u"
    [ "${lines[-1]}" = 0 ]
    rm -rf "$ROOTS/conf" "$ROOTS/single" "$ROOTS/single-run"
}

@test "auto: each container has ids of its own, in which the image's files are root's" {
    ok tare create --name one --network none --userns auto busybox sh -c 'cat /proc/self/uid_map; touch /new; stat -c %u /new /bin/busybox'
    ok tare create --name two --network none --userns auto busybox cat /proc/self/uid_map
    ok tare start -a one
    [ "$(tail -n 2 <<<"$output" | xargs)" = "0 0" ]
    read -r inside first size <<<"${lines[0]}"
    [ "$inside $size" = "0 1024" ]
    ok tare start -a two
    read -r inside second size <<<"$output"
    [ "$second" -ge $((first + 1024)) ]
    ok tare rm one
    ok run_none --userns auto busybox cat /proc/self/uid_map
    [ "$(awk '{print $2}' <<<"$output")" = "$first" ]
    ok tare rm two
    [ -z "$(ls "$ROOT/userns" | grep -v lock)" ]
}

@test "auto is as large as its user needs, or as size= says; what is not there is refused" {
    ok run_none --userns auto -u 65532 busybox sh -c 'id -u; cat /proc/self/uid_map'
    [ "${lines[0]}" = 65532 ]
    [ "$(awk 'NR == 2 {print $3}' <<<"$output")" = 65536 ]
    ok run_none --userns auto:size=5000 busybox cat /proc/self/uid_map
    [ "$(awk '{print $3}' <<<"$output")" = 5000 ]
    fails 125 run_none --userns auto:size=100000 busybox true
    has "of 65536 ids no 100352 in a row are free"
    fails 125 run_none --userns auto:size=100 -u 200 busybox true
    has "200:0 is not mapped"
    fails 125 run_none --userns auto:big busybox true
    has 'unknown option "big"'
    ok tare ps -aq
    is ""
}

@test "nomap: the user is nobody inside" {
    mkdir "$ROOTS/mine"
    ok run_none --userns nomap -v "$ROOTS/mine:/mine" busybox sh -c 'id -u; stat -c %u /mine; touch /new; ! touch /mine/x'
    [ "${lines[0]} ${lines[1]}" = "0 65534" ]
    rmdir "$ROOTS/mine"
}

@test "owners, hard links and set-user-id bits of all layers are the image's" {
    image_load multi
    local list='find / -xdev ! -path "/proc*" ! -path "/sys*" ! -path "/dev*" ! -name resolv.conf ! -name hosts ! -name hostname ! -path /etc ! -path / ! -path /volume ! -path /etc/passwd ! -path /etc/group |
        sort | xargs stat -c "%n %f %u:%g %h %s"'
    ok run_none -u 0 multi sh -c "$list"
    plain=$output
    for mode in keep-id auto nomap; do
        ok run_none -u 0 --userns $mode multi sh -c "$list"
        diff <(echo "$plain") <(echo "$output")
    done
    grep -q ' 1000:' <<<"$plain" # or nothing was compared
}

@test "the copies are made once, counted by system df, and go with the image or when no container needs them" {
    tare image prune -f >/dev/null
    [ "$(copies)" = 0 ]
    before=$(tare system df --format '{{.Size}}' | head -1)
    ok tare create --name k --network none --userns keep-id busybox true
    [ "$(copies)" = 1 ]
    made=$(stat -c %Y.%i "$ROOT"/layers/*)
    ok run_none --userns keep-id busybox true
    [ "$(stat -c %Y.%i "$ROOT"/layers/*)" = "$made" ]
    [ "$(tare system df --format '{{.Size}}' | head -1)" != "$before" ]
    ok tare image prune -f
    [ "$(copies)" = 1 ]
    ok tare start -a k
    ok tare rm k
    ok tare image prune -f
    [ "$(copies)" = 0 ]
    # Gone while the container is there: it is made again.
    ok tare create --name k --network none --userns keep-id busybox true
    for json in $(grep -l '"owners"' "$ROOT"/layers/*.json); do rm "$json"; done
    ok tare start -a k
    [ "$(copies)" = 1 ]
    ok tare rm k
    image_load multi
    ok run_none --userns keep-id multi true
    [ "$(copies)" -ge 2 ]
    ok tare rmi multi
    [ "$(copies)" = 1 ]
}

@test "a copy that was not finished is no layer" {
    tare image prune -f >/dev/null
    # The worker is killed: the command fails, and nothing of a layer's name is there.
    mkdir "$ROOTS/bin"
    ln -s "$(dirname "$TARE")"/* "$ROOTS/bin/" 2>/dev/null || true
    rm -f "$ROOTS/bin/tare" "$ROOTS/bin/tare-unpack"
    cp "$TARE" "$ROOTS/bin/tare"
    printf '#!/bin/sh\nkill -9 $$\n' >"$ROOTS/bin/tare-unpack"
    chmod +x "$ROOTS/bin/tare-unpack"
    fails 125 "$ROOTS/bin/tare" --root "$ROOT" --run-root "$RUN" run --rm --network none --userns keep-id busybox true
    [ "$(copies)" = 0 ]
    ok tare ps -aq
    is ""
    ok run_none --userns keep-id busybox true
    ok tare system check
    is "all is well"
    rm -rf "$ROOTS/bin"
}

@test "cp, export, diff and commit show the ids inside, running and stopped" {
    for mode in keep-id auto; do
        ok tare run -d --name m --network none --userns $mode -u 0 busybox sh -c '
            touch /own /etc/new; chown 1000:1001 /own; mkdir /in; chown 7:8 /in; sleep 60'
        until_true 5 tare exec m test -d /in
        echo mine >"$ROOTS/mine"
        for state in running stopped; do
            [ $state = running ] || ok tare stop -t 0 m
            [ "$(tare cp m:/own - | tar -tv --numeric-owner | awk '{print $2}')" = 1000/1001 ]
            [ "$(tare export m | tar -tv --numeric-owner own bin/busybox | awk '{print $2}' | xargs)" = "0/0 1000/1001" ]
            ok tare cp "$ROOTS/mine" "m:/in/plain-$state"
            tar -c -C "$ROOTS" --owner=:55 --group=:66 --numeric-owner mine | tare cp - m:/var
        done
        ok tare diff m
        lines=; [ $mode = auto ] || lines="C /etc/group C /etc/passwd " # the user, who has a line in each
        [ "$(sort <<<"$output" | xargs)" = "A /etc/new A /in A /in/plain-running A /in/plain-stopped A /own A /var/mine C /etc ${lines}C /var" ]
        ok tare commit m committed
        for as in host keep-id auto; do
            ok run_none --userns $as -u 0 committed stat -c %u:%g /own /in/plain-running /in/plain-stopped /in /var/mine
            [ "$(xargs <<<"$output")" = "1000:1001 0:0 0:0 7:8 55:66" ]
        done
        ok tare rm -f m
        ok tare rmi committed
    done
}

@test "cp -a: the user is himself on both sides of keep-id" {
    echo mine >"$ROOTS/mine"
    ok tare run -d --name m --network none --userns keep-id busybox sleep 60
    ok tare cp -a "$ROOTS/mine" m:/tmp/in
    ok tare exec m sh -c 'stat -c %u:%g /tmp/in; echo >/tmp/out'
    is "$(id -u):$(id -g)"
    ok tare cp -a m:/tmp/out "$ROOTS/out"
    [ "$(stat -c %u:%g "$ROOTS/out")" = "$(id -u):$(id -g)" ]
    ok tare rm -f m
    rm "$ROOTS/mine" "$ROOTS/out"
}

@test "a new volume belongs to the container's root, filled or empty" {
    for mode in keep-id auto nomap; do
        ok run_none --userns $mode -u 0 -v v-$mode:/v -v e-$mode:/etc busybox sh -c 'stat -c %u /v /etc /etc/passwd; echo x >/v/x && echo x >>/etc/passwd && cat /v/x'
        [ "$(xargs <<<"$output")" = "0 0 0 x" ]
        ok tare volume rm v-$mode e-$mode
    done
}

@test "engines with other roots take other ids" {
    other="$ROOTS/other"
    mkdir "$other"
    "$TARE" --root "$other/root" --run-root "$other/run" load -q -i "$FIXTURES/busybox.docker.tar"
    ok tare create --name one --network none --userns auto busybox true
    ok "$TARE" --root "$other/root" --run-root "$other/run" create --name two --network none --userns auto busybox true
    [ "$(readlink "$ROOT"/containers/*/userns | awk '{print $1}')" != "$(readlink "$other"/root/containers/*/userns | awk '{print $1}')" ]
    ok "$TARE" --root "$other/root" --run-root "$other/run" system reset -f
    ok tare rm one
    rm -rf "$other"
}

@test "what a mount cannot do without root says so" {
    fails 125 run_none --userns keep-id --mount "type=bind,src=$ROOTS,dst=/x,idmap" busybox true
    has "only root of the host"
    ok tare ps -aq
    is ""
}

@test "one id alone is not enough, and the sentence says what to do" {
    ok unshare -U --map-root-user sh -c "
        tare() { '$TARE' --root '$ROOTS/single' --run-root '$ROOTS/single-run' \"\$@\"; }
        tare load -q -i '$FIXTURES/busybox.docker.tar'
        ! tare run --rm --network none --userns keep-id busybox true"
    rm -rf "$ROOTS/single" "$ROOTS/single-run"
    has "only your own id can be inside"
    has "--add-subuids"
}
