#!/usr/bin/env bats
# tare inside a container of tare's own, with its data on a volume and on a tmpfs. The host's root is the image: nothing is written to it.

load lib

setup_file() {
    roots_make
    tare run --rm busybox true
}

teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() { leaks_after; }

# The root of the host is one file system: what the tests have made may lie on another.
host_root() { # option… command…
    tare run --rm --privileged --rootfs / -v "$ROOTS:$ROOTS:ro" -v "${TARE%/*}:${TARE%/*}:ro" -v "$FIXTURES:$FIXTURES:ro" "$@"
}

inside() { # option… : what a user does first, in a privileged container with the data in /inner
    cat >"$ROOTS/script" <<'END'
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /inner/root /inner/run
t() { "$1" --root /inner/root --run-root /inner/run "${@:2}"; }
t "$1" load -q -i "$2/busybox.docker.tar"
[ "$(t "$1" run --rm --network none -m 64m busybox echo one)" = one ]
[ "$(t "$1" run --rm busybox echo two)" = two ]
t "$1" run -d --name x -p 127.0.0.1::80 busybox sleep 1000
[ "$(t "$1" exec x echo three)" = three ]
t "$1" stop -t 0 x
t "$1" rm x
t "$1" system reset -f
echo everything
END
    ok host_root "$@" bash "$ROOTS/script" "$TARE" "$FIXTURES"
    has everything
}

@test "data on a volume" {
    inside -v inner:/inner
    ok tare volume rm inner
}

@test "data on a tmpfs" {
    inside --tmpfs /inner
}

@test "data on the container's own overlay: each container has a copy of its image's files" {
    cat >"$ROOTS/script" <<'END'
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /inner/root /inner/run
t() { "$tare" --root /inner/root --run-root /inner/run "$@"; }
tare=$1
t load -q -i "$2/multi.docker.tar"
t load -q -i "$2/busybox.docker.tar"
list='find / -xdev ! -path "/proc*" ! -path "/sys*" ! -path "/dev*" ! -name resolv.conf ! -name hosts ! -name hostname ! -path /etc ! -path / ! -path "/volume*" | sort | xargs stat -c "%n %f %u:%g %F %s %Y" | sed "s/ directory [0-9]* / /"'
# Said once, and the same files as with an overlay. How large a directory is, is its file system's affair.
t run --rm -u 0 --network none multi sh -c "$list" >/tmp/files 2>/tmp/said
[ "$(grep -c 'lies on an overlay' /tmp/said)" = 1 ]
diff /tmp/files "$3"
t run --rm --network none busybox true 2>/tmp/said
! grep 'lies on' /tmp/said
[ -z "$(t ps -aq)" ]
[ -z "$(ls /inner/root/containers)" ]
# Everything else, too: the changes, copies in and out, archives, images of it, sizes, checks.
t create --name x busybox sh -c 'echo changed >>/etc/passwd; echo new >/new; rm /etc/group; chmod 700 /tmp; mkdir /dir; sleep 1000'
[ -z "$(t diff x)" ]
t start x
until t exec x test -d /dir; do sleep 0.1; done
[ "$(t diff x | sort | xargs)" = "A /dir A /new C /etc C /etc/passwd C /tmp D /etc/group" ]
echo hello >/tmp/in
t cp /tmp/in x:/dir/in
[ "$(t exec x cat /dir/in)" = hello ]
t exec --user 0 x sh -c 'echo more >>/dir/in'
t stop -t 0 x
t cp /tmp/in x:/dir/stopped
[ "$(t cp x:/dir/in - | tar -xO | xargs)" = "hello more" ]
[ "$(t diff x | sort | xargs)" = "A /dir A /dir/in A /dir/stopped A /new C /etc C /etc/passwd C /tmp D /etc/group" ]
t commit x committed >/dev/null
[ "$(t run --rm --network none committed sh -c 'cat /new /dir/stopped; ls /etc/group; stat -c %a /tmp' 2>/dev/null | xargs)" = "new hello 700" ]
[ "$(t export x | tar -xO dir/in | xargs)" = "hello more" ]
[ "$(t inspect -f '{{.GraphDriver.Name}}' x)" = vfs ]
t ps -as --format '{{.Size}}' | grep -q MB
t system df >/dev/null
[ "$(t system check)" = "all is well" ]
t start x
[ "$(t exec x cat /new)" = new ]
t rm -f x
t run --rm --userns auto --network none busybox sh -c 'stat -c %u:%g /bin/busybox; touch /mine' >/tmp/out
[ "$(cat /tmp/out)" = 0:0 ]
t run --rm --read-only busybox sh -c '! touch /x'
t run -d --restart always --name y busybox true
until [ "$(t inspect -f '{{.RestartCount}}' y)" != 0 ]; do sleep 0.1; done
t rm -f y
t create --name killed busybox true
t container prune -f | grep -q Deleted
! t run --rm --rootfs / true 2>/tmp/said
grep -q 'which is one of them' /tmp/said
mkdir -p /small/bin; cp /bin/busybox /small/bin/sh
[ "$(t run --rm --network none --rootfs /small /bin/sh -c 'echo from a directory >/x; cat /x')" = "from a directory" ]
[ ! -e /small/x ]
[ "$(t system check)" = "all is well" ]
t system reset -f
echo everything
END
    image_load multi
    ok tare run --rm -u 0 --network none multi sh -c "$(sed -n "s/^list='\(.*\)'$/\1/p" "$ROOTS/script")"
    echo "$output" >"$ROOTS/list"
    ok host_root bash -x "$ROOTS/script" "$TARE" "$FIXTURES" "$ROOTS/list"
    has everything
    ok tare rmi multi
}
