# Files: diff, cp, export, commit.

load lib
setup_file() { roots_make; }
teardown_file() { roots_remove; }
setup() {
    leaks_before
    HERE=$BATS_TEST_TMPDIR
    mkdir -p "$HERE/dir/sub"
    echo one >"$HERE/dir/one"
    ln -s one "$HERE/dir/link"
    echo two >"$HERE/dir/sub/two"
    echo file >"$HERE/file"
    cd "$HERE"
}
teardown() {
    tare rm -f c >/dev/null 2>&1 || true
    cd /
    leaks_after
}

made() { # a container that ended
    tare run --name c --network none "$@" >/dev/null
}

alive() { # one that runs
    tare run -d --name c --network none "$@" >/dev/null
}

@test "diff: added, changed, deleted; the engine's own mount points do not count" {
    made busybox sh -c 'echo x >/new; mkdir -p /a/b; rm /etc/passwd; echo x >>/etc/group; rm -rf /usr'
    ok tare diff c
    is "A /a
A /a/b
C /etc
C /etc/group
D /etc/passwd
A /new
D /usr"
    tare rm c
    made busybox true
    ok tare diff c
    is ""
}

@test "diff: of a container that runs, and a directory that took another's place" {
    alive busybox sh -c 'rm -rf /etc; mkdir /etc; echo >/etc/own; exec sleep 60'
    until_true 5 sh -c "[ -e $ROOT/containers/*/upper/etc/own ]"
    ok tare diff c
}

@test "cp: names as docker cp gives them" {
    made busybox true
    ok tare cp file c:/copied
    ok tare cp file c:/tmp
    ok tare cp dir c:/new
    ok tare cp dir c:/tmp/
    ok tare cp dir/. c:/home
    ok tare cp c:/new out
    diff -r dir out
    ok tare cp c:/new out
    diff -r dir out/new
    ok tare cp c:/home/. content
    diff -r dir content
    ok tare cp c:/tmp/f"ile" name
    [ "$(cat name)" = file ]
    ok tare cp c:/new/link .
    [ "$(readlink link)" = one ]
    ok tare cp -L c:/new/link followed
    [ "$(cat followed)" = one ]
    ok tare cp file dir c:/var
    ok tare cp c:/var/file c:/var/dir several 2>/dev/null || mkdir several
    ok tare cp c:/var/file c:/var/dir several
    diff -r dir several/dir
}

@test "cp: what docker cp refuses" {
    made busybox true
    fails 1 tare cp file c:/nodir/
    has "no such directory"
    fails 1 tare cp c:/nope .
    has "Could not find the file /nope in container c"
    fails 1 tare cp dir c:/etc/passwd
    has "cannot copy directory"
    fails 1 tare cp file out
    has "must specify at least one container source"
    fails 1 tare cp c:/etc c:/tmp
    has "copying between containers is not supported"
    fails 1 tare cp nope:/etc .
    has "No such container: nope"
    fails 1 sh -c "tar c dir | '$TARE' --root '$ROOT' --run-root '$RUN' cp - c:/etc/passwd"
    has "must be a directory"
}

@test "cp: archives on standard input and output, compressed too, with their owners" {
    made busybox true
    tar c --owner=1234 --group=4321 dir | tare cp - c:/tmp
    tar cz dir | tare cp - c:/home
    truncate -s 70M zeros
    tar cz zeros | tare cp - c:/home # grows more than a layer may: the user's own archive has no such limit
    rm zeros
    ok sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' cp c:/tmp/dir - | tar tv --numeric-owner"
    has "1234/4321"
    has "dir/sub/two"
    tare cp c:/home/dir - | tar x -C "$HERE/dir/sub"
    [ "$(cat dir/sub/dir/one)" = one ]
}

@test "cp: -a keeps owners, without it they are the destination's" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    made busybox sh -c 'echo x >/own; chown 77:88 /own'
    ok tare cp c:/own mine
    [ "$(stat -c %u:%g mine)" = 0:0 ]
    ok tare cp -a c:/own theirs
    [ "$(stat -c %u:%g theirs)" = 77:88 ]
    ok tare cp theirs c:/root1
    ok tare cp -a theirs c:/root2
    tare cp c:/root1 - | tar tv --numeric-owner | grep -q " 0/0 "
    tare cp c:/root2 - | tar tv --numeric-owner | grep -q " 77/88 "
}

@test "cp: a large file with holes in both directions, by no worker: mode, time and attributes are kept" {
    local dir
    truncate -s 40M big
    head -c 3000000 /dev/urandom | dd of=big bs=1M seek=20 conv=notrunc status=none
    chmod 4751 big
    touch -d '2020-02-03 04:05:06.789' big
    setfattr -n user.colour -v red big
    made busybox sh -c 'echo old >/there'
    ok strace -f -qq -e trace=execve,execveat -o "$HERE/trace" "$TARE" --root "$ROOT" --run-root "$RUN" cp big c:/there
    ok tare cp c:/there back
    [ "$(grep -c "exec.*= 0" trace)" = 1 ] # tare itself
    cmp big back
    for dir in back "$ROOT"/containers/*/upper/there; do
        [ "$(stat -c '%a %y %s' "$dir")" = "$(stat -c '%a %y %s' big)" ]
        [ "$(stat -c %b "$dir")" -lt 10000 ] # blocks of 512: 40 MB have 81920
        [ "$(getfattr --only-values -n user.colour "$dir")" = red ]
    done
    ok tare cp big c:/tmp/sub 2>/dev/null
    fails 1 tare cp big c:/tmp/sub/x
    mkdir -p dest/big
    fails 1 tare cp c:/there dest/big/there/
    ok tare cp c:/there dest/big
    fails 1 tare cp big c:/nowhere/big
    has "Could not find the file /nowhere/big in container c"
}

@test "cp: a file that does not fit leaves no half of it" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    mkdir small
    mount -t tmpfs -o size=1m tare-test small
    made busybox dd if=/dev/zero of=/big bs=1M count=3
    run tare cp c:/big small
    local left
    left=$(ls small)
    umount small
    [ "$status" = 1 ]
    has "No space left on device"
    [ -z "$left" ]
}

@test "cp: into and out of what is mounted in a container that runs" {
    mkdir bind
    alive -v "$HERE/bind:/bind" --tmpfs /mem -v v1:/vol busybox sh -c 'echo in >/mem/x; exec sleep 60'
    until_true 5 tare exec c test -e /mem/x
    ok tare cp c:/mem/x .
    [ "$(cat x)" = in ]
    ok tare cp file c:/mem/
    ok tare exec c cat /mem/file
    is file
    ok tare cp c:/proc/1/limits limits # no size, and yet a content
    grep -q "Max open files" limits
    ok tare cp file c:/bind/
    [ "$(cat bind/file)" = file ]
    ok tare cp file c:/vol/
    tare kill c
    ok tare cp c:/vol/file vol # it does not run any longer
    [ "$(cat vol)" = file ]
    ok tare cp c:/bind/file -
    tare rm -f c
    tare volume rm v1
}

@test "cp: links of the container lead nowhere on the host" {
    mkdir outside
    echo secret >outside/secret
    for kind in made alive; do
        $kind busybox sh -c "ln -s $HERE/outside /out; ln -s $HERE/outside/secret /file; ln -s ../../../../../../..$HERE/outside /up; sleep 0.1; [ $kind = made ] || exec sleep 60"
        until_true 5 sh -c "[ -L $ROOT/containers/*/upper/up ]"
        run tare cp -L c:/file leaked
        [ "$status" != 0 ]
        run tare cp file c:/out/written
        [ "$status" != 0 ]
        run tare cp file c:/up/written
        [ "$status" != 0 ]
        run sh -c "tar c --transform 's,^,out/,' file | '$TARE' --root '$ROOT' --run-root '$RUN' cp - c:/"
        [ "$status" != 0 ]
        [ "$(ls outside)" = secret ]
        [ ! -e leaked ]
        tare rm -f c
    done
}

@test "cp: archives that lead out are refused" {
    made busybox true
    python3 - <<'PY'
import io, tarfile
for name, member in {"dots": "../evil", "deep": "a/../../evil"}.items():
    with tarfile.open(name + ".tar", "w") as t:
        i = tarfile.TarInfo(member)
        i.size = 1
        t.addfile(i, io.BytesIO(b"x"))
with tarfile.open("link.tar", "w") as t:
    i = tarfile.TarInfo("l")
    i.type, i.linkname = tarfile.SYMTYPE, "/etc"
    t.addfile(i)
    i = tarfile.TarInfo("l/evil")
    i.size = 1
    t.addfile(i, io.BytesIO(b"x"))
PY
    for archive in dots deep link; do
        run tare cp - c:/tmp <$archive.tar
        [ "$status" != 0 ]
    done
    ok tare diff c
    has_not evil
}

@test "cp: a read-only root and a read-only volume take nothing" {
    mkdir bind
    tare create --name c --network none --read-only -v "$HERE/bind:/bind:ro" busybox true
    fails 1 tare cp file c:/file
    has "container rootfs is marked read-only"
    fails 1 tare cp file c:/bind/file
    has "mounted volume is marked read-only"
    [ ! -e bind/file ]
}

@test "export: the merged tree, the same bytes each time" {
    made busybox sh -c 'echo x >/new; rm /etc/passwd'
    ok tare export -o one.tar c
    ok sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' export c >two.tar"
    cmp one.tar two.tar
    ok tar tf one.tar
    has new
    has bin/busybox
    has_not etc/passwd
    mkdir unpacked
    tar x -C unpacked -f one.tar
    [ "$(cat unpacked/new)" = x ]
}

@test "commit: the changes are a layer, deletions too; the same changes give the same layer" {
    made busybox sh -c 'echo x >/new; rm /etc/passwd; rm -rf /usr; mkdir /usr; echo >/usr/own; mkdir -p /a/b; chmod 4711 /a/b'
    ok tare commit -a me -m why -c 'CMD ["cat", "/new"]' -c 'ENV A=b' c made:1
    ok tare commit c made:2
    ok sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' image inspect -f '{{json .RootFS.Layers}}' made:1 made:2 | uniq | wc -l"
    is 1
    ok tare run --rm --network none made:1
    is x
    ok tare run --rm --network none made:1 sh -c 'ls /usr; stat -c %a /a/b; ls /etc/passwd; echo $A'
    has own
    has 4711
    has "No such file"
    has_not "bin"
    tare rm c
    tare rmi made:1 made:2
}

@test "commit: one that ends at that moment is taken as it stands" {
    local i
    ok tare create --name c --network none busybox touch /made
    for ((i = 0; i < 20; i++)); do
        ok tare start c
        ok tare commit c made:ends
    done
    ok tare wait c
    ok tare rmi made:ends
}

@test "commit: a container that runs is held still, and goes on" {
    alive busybox sh -c 'echo x >/new; sleep 60'
    until_true 5 sh -c "[ -e $ROOT/containers/*/upper/new ]"
    ok tare commit c made:3
    ok tare inspect -f '{{.State.Status}}' c
    is running
    ok tare run --rm --network none made:3 cat /new
    is x
    fails 1 tare commit -c 'NONSENSE x' c made:4
    tare rmi made:3
}

@test "events: every change of state once, in order; filters and formats" {
    since=$(date +%s.%N)
    tare run -d --name c --network none -l k=v busybox sleep 60 >/dev/null
    tare exec c true
    tare pause c
    tare unpause c
    tare stop -t 0 c
    tare rm c
    ok tare events --since "$since" --until 0s --format '{{.Action}}'
    echo "$output" | sed 's/:.*//' | grep -v '^kill$' >seen
    printf '%s\n' create start exec_create exec_start exec_die pause unpause die stop destroy | sort >wanted
    diff wanted <(sort seen)
    ok tare events --since "$since" --until 0s -f event=die -f label=k=v --format '{{.Type}} {{.Actor.Attributes.name}}'
    is "container c"
    ok tare events --since "$since" --until 0s -f container=other
    is ""
    ok tare events --since "$since" --until 0s -f event=create --format json
    has '"Action":"create"'
    fails 1 tare events --filter nonsense=x --until 0s
    has "invalid filter 'nonsense'"
}

@test "events: followed while they happen" {
    "$TARE" --root "$ROOT" --run-root "$RUN" events -f event=start --format '{{.Action}}' >followed 3>&- &
    pid=$!
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' run --rm --network none busybox true; grep -q start followed"
    kill $pid
    wait $pid || true
}

dig() { # DIRECTORY DEPTH
    python3 -c 'import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])):
    os.mkdir("x")
    os.chdir("x")' "$@"
}

@test "a tree of 3000 directories in each other: one sentence, and nothing is left of it; one of 500 goes everywhere" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    local command
    made busybox mkdir /w /flat
    dig "$(echo "$ROOT"/containers/*/upper/w)" 3000
    mkdir host
    dig host 3000
    ls -A "$ROOT/ingest" >before
    tare images -qa >images-before
    for command in "export -o out c" "commit c deep" "diff c" "cp c:/w out" "cp c:/w host2/" "cp c:/w -" "cp host c:/new" "cp host c:/flat"; do
        mkdir -p host2
        # shellcheck disable=SC2086
        run sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' $command 2>&1 >taken"
        [ "$status" = 1 ]
        has "directories are nested deeper than 512"
        [ "${#lines[@]}" = 1 ] && [ "${#output}" -lt 250 ]
        [ ! -e out ] && [ -z "$(ls -A host2)" ]
    done
    tare images -qa >images
    cmp images-before images
    [ "$(ls -A "$ROOT/ingest")" = "$(cat before)" ]
    [ ! -e "$(echo "$ROOT"/containers/*/upper)/new" ]
    [ -z "$(ls -A "$ROOT"/containers/*/upper/flat)" ]
    ok tare system check
    tare rm c
    made busybox mkdir /w
    dig "$(echo "$ROOT"/containers/*/upper/w)" 500
    ok tare export -o out c
    ok tare commit c deep
    ok sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' diff c | wc -l"
    is 501
    ok tare cp c:/w copied
    [ "$(find copied -type d | wc -l)" = 501 ]
    ok tare cp copied c:/again
    ok tare run --rm deep sh -c 'find /w -type d | wc -l'
    is 501
    tare rmi deep
}
