# What can be asked of a mount: owner (U), shifted owners (idmap), changes kept apart (O), a part of a volume, an image's files.
load lib

setup_file() {
    [ "$(id -u)" = 0 ] || skip "as root"
    roots_make
    tare run --rm busybox true # bridge, table, the monitors' group
}
teardown_file() { roots_remove; }
setup() {
    [ "$(id -u)" = 0 ] || skip "as root"
    leaks_before
    SRC=$(mktemp -d "$BATS_TEST_TMPDIR/srcXXXXXX")
    chmod 755 "$SRC"
}
teardown() { leaks_after; }

@test "-v …:U gives the source to the container's user, links to nobody" {
    mkdir -p "$SRC/a/b"
    touch "$SRC/a/b/file" "$BATS_TEST_TMPDIR/outside"
    ln -s "$BATS_TEST_TMPDIR/outside" "$SRC/a/link"
    ok tare run --rm -u 1234:567 -v "$SRC:/x:U" busybox sh -c 'stat -c %u:%g /x /x/a /x/a/b/file && echo own >/x/a/new'
    is $'1234:567\n1234:567\n1234:567'
    [ "$(stat -c %u:%g "$SRC/a/link")" = 1234:567 ]
    [ "$(stat -c %u:%g "$BATS_TEST_TMPDIR/outside")" = 0:0 ]
    ok tare run --rm -u 77:88 --mount "type=bind,src=$SRC,dst=/x,U=true" busybox stat -c %u:%g /x/a/new
    is 77:88
    ok tare run --rm -u 78:89 --mount "type=volume,src=owned,dst=/x,chown=true" busybox stat -c %u:%g /x
    is 78:89
    ok tare volume rm owned
}

@test "U never gives away a directory of the system" {
    local before
    before=$(stat -c %u:%g /var /usr)
    fails 125 tare run --rm -u 1234 -v /usr:/x:U busybox true
    has "a directory of the system"
    ln -s /var "$SRC/var"
    fails 125 tare run --rm -u 1234 -v "$SRC/var:/x:U" busybox true
    has "a directory of the system"
    [ "$(stat -c %u:%g /var /usr)" = "$before" ]
}

@test "a user namespace: U gives a bind to the user outside, idmap shows the owner as it is" {
    touch "$SRC/file"
    ok tare run --rm --userns auto -v "$SRC:/x" busybox stat -c %u /x/file
    is 65534
    ok tare run --rm --userns auto -v "$SRC:/x:idmap" busybox sh -c 'stat -c %u /x/file; touch /x/new'
    is 0
    ok stat -c %u "$SRC/new"
    is 0
    ok tare run --rm --userns auto -u 5 --mount "type=bind,src=$SRC,dst=/x,idmap" --entrypoint stat busybox -c %u /x/file
    is 0
    ok tare run --rm --userns auto -u 5 -v "$SRC:/x:U" busybox stat -c %u /x/file
    is 5
    [ "$(stat -c %u "$SRC/file")" -gt 100000 ]
    fails 125 tare run --rm -v "$SRC:/x:idmap" busybox true
    has "--userns auto"
}

@test "hosts, hostname and resolv.conf stand on top of what is mounted at /etc" {
    local dir="$BATS_TEST_TMPDIR/etc"
    mkdir "$dir"
    echo mine >"$dir/own"
    ok tare run --rm --network none --hostname inside -v "$dir:/etc" busybox sh -c 'cat /etc/own /etc/hostname; grep -c localhost /etc/hosts; ls /etc'
    has $'mine\ninside'
    has "resolv.conf"
    ok tare run --rm --network none --hostname inside -v "$dir:/etc:ro" busybox cat /etc/hostname # the places are there by now
    is inside
    echo other >"$dir/file"
    ok tare run --rm --network none --hostname inside -v "$dir:/etc" -v "$dir/file:/etc/hostname" busybox cat /etc/hostname
    is other
    ok tare run --rm --network none --hostname inside --tmpfs /etc busybox cat /etc/hostname
    is inside
}

@test "-v …:O: the container's changes are not the source's, last as long as it, and go with it" {
    echo old >"$SRC/file"
    echo gone >"$SRC/gone"
    chmod 701 "$SRC"
    ok tare run --name over -v "$SRC:/x:O" busybox sh -c 'stat -c %a /x; echo new >/x/file; rm /x/gone; mkdir /x/dir; ls /x; cat /x/file'
    is $'701\ndir\nfile\nnew'
    [ "$(cat "$SRC/file")" = old ] && [ -e "$SRC/gone" ] && [ ! -e "$SRC/dir" ]
    ok tare start -a over
    has new
    [ -e "$ROOT/containers/$(tare inspect -f '{{.Id}}' over)/overlays/0/upper/dir" ]
    ok tare rm over
    [ -z "$(find "$ROOT/containers" "$ROOT/trash" -name upper)" ]
    ok tare run --rm -v "$SRC:/x:O" busybox cat /x/file
    is old
    ok tare run --rm -v over-v:/x busybox sh -c 'echo v >/x/v'
    ok tare run --rm -v over-v:/x:O busybox sh -c 'rm /x/v; ls /x'
    ok tare run --rm -v over-v:/x busybox cat /x/v
    is v
    ok tare volume rm over-v
    fails 125 tare run --rm -v "$SRC/file:/x:O" busybox true
    has "O needs a directory"
    fails 125 tare run --rm --userns auto -v "$SRC:/x:O" busybox true
    has "cannot shift the owners"
}

@test "O over a source whose name is long and holds commas" {
    local deep="$SRC/$(printf 'd%.0s' {1..200})/$(printf 'e%.0s' {1..200}),comma"
    mkdir -p "$deep"
    echo deep >"$deep/file"
    ok tare run --rm -v "$deep:/x:O" busybox sh -c 'cat /x/file; echo >/x/file'
    is deep
    [ "$(cat "$deep/file")" = deep ]
}

@test "volume-subpath shows a part of a volume, which must be there" {
    ok tare run --rm -v parts:/v busybox sh -c 'mkdir -p /v/a/b; echo part >/v/a/b/file; ln -s a/b /v/inside; ln -s /etc /v/out; ln -s ../../../.. /v/up'
    ok tare run --rm --mount type=volume,src=parts,dst=/x,volume-subpath=a/b busybox sh -c 'ls /x; cat /x/file; echo more >/x/more'
    is $'file\npart'
    ok tare run --rm --mount type=volume,src=parts,dst=/x,volume-subpath=inside busybox cat /x/more
    is more
    ok tare run --rm --mount type=volume,src=parts,dst=/x,volume-subpath=a/b/file busybox cat /x
    is part
    fails 125 tare run --rm --mount type=volume,src=parts,dst=/x,volume-subpath=nosuch busybox true
    has "cannot access nosuch of volume parts"
    local each
    for each in out up; do
        fails 125 tare run --rm --mount type=volume,src=parts,dst=/x,volume-subpath=$each busybox true
        has "leads out of the volume"
    done
    for each in /etc ../x a/../../x; do
        fails 125 tare run --rm --mount type=volume,src=parts,dst=/x,volume-subpath=$each busybox true
        has "relative path within the volume"
    done
    ok tare run --rm -u 9:9 --mount type=volume,src=parts,dst=/x,volume-subpath=a,U busybox stat -c %u /x/b
    is 9
    ok tare run --rm -v parts:/v busybox stat -c %u /v
    is 0
    ok tare volume rm parts
}

@test "type=image shows an image's files, read-only, and keeps the image" {
    ok tare run --name maker busybox sh -c 'echo second >/second; rm /bin/vi'
    ok tare commit maker shown:1
    ok tare rm maker
    ok tare create --name looks --mount type=image,src=shown:1,dst=/i busybox sh -c 'cat /i/second; ls /i/bin/vi; touch /i/x'
    fails 1 tare start -a looks
    has second
    has "/i/bin/vi: No such file"
    has "Read-only file system"
    fails 1 tare rmi shown:1
    ok tare rm looks
    ok tare run --rm --mount type=image,src=busybox,dst=/i busybox sh -c '! touch /i/x && ls /i/bin/sh'
    has /i/bin/sh
    ok tare rmi shown:1
    fails 125 tare run --rm --mount type=image,src=shown:1,dst=/i busybox true
    has "No such image"
    has "tare pull shown:1"
    fails 125 tare run --rm --mount type=image,src=busybox,dst=/i,image-subpath=bin busybox true
    has "image-subpath"
}

@test "bind-recursive and propagation do what they say" {
    mkdir "$SRC/below"
    ok unshare -m --propagation unchanged sh -c "mount -t tmpfs none $SRC/below && touch $SRC/below/seen &&
        $TARE --root $ROOT --run-root $RUN run --rm --mount type=bind,src=$SRC,dst=/x busybox ls /x/below &&
        $TARE --root $ROOT --run-root $RUN run --rm --mount type=bind,src=$SRC,dst=/x,bind-recursive=disabled busybox sh -c 'ls /x/below; echo end' &&
        $TARE --root $ROOT --run-root $RUN run --rm --mount type=bind,src=$SRC,dst=/x,ro,bind-recursive=writable busybox sh -c 'touch /x/below/w && ! touch /x/w' &&
        $TARE --root $ROOT --run-root $RUN run --rm --mount type=bind,src=$SRC,dst=/x,ro,bind-recursive=readonly busybox sh -c '! touch /x/below/w2' &&
        umount $SRC/below"
    has seen
    fails 125 tare run --rm --mount "type=bind,src=$SRC,dst=/x,bind-recursive=readonly" busybox true
    has "requires 'readonly'"
    fails 125 tare run --rm --mount "type=bind,src=$SRC,dst=/x,bind-propagation=sideways" busybox true
    has "invalid propagation mode"
    local each
    for each in private rprivate slave rslave; do
        ok tare run --rm --mount "type=bind,src=$SRC,dst=/x,bind-propagation=$each" busybox cat /proc/self/mountinfo
        grep ' /x ' <<<"$output" | grep -c 'shared:' && false
    done
    ok tare run --rm --mount type=volume,src=copied,dst=/bin busybox ls /bin/sh
    fails 127 tare run --rm --mount type=volume,src=bare,dst=/bin,volume-nocopy busybox ls
    ok tare volume rm copied bare
}

@test "z and Z say nothing where there is no SELinux" {
    [ ! -e /sys/fs/selinux/enforce ] || skip "this host has SELinux"
    ok tare run --rm -v "$SRC:/x:z" -v "$SRC:/y:ro,Z" busybox ls /x /y
}
