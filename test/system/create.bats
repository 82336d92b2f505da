#!/usr/bin/env bats
# Creating, renaming and removing: what is on disk at each moment is whole, or somebody takes it away.

load lib

setup_file() {
    roots_make
}

teardown_file() {
    roots_remove
}

setup() {
    leaks_before
}

teardown() {
    leaks_after
}

# What a creation that was killed leaves: the directory with its journal, the name, the pin; no configuration.
half_made() { # NAME
    ok tare create --name "$1" --network none busybox true
    id=$output
    rm "$ROOT/containers/$id/config.json"
}

@test "an unfinished creation is undone by the next command" {
    half_made half
    printf c >"$RUN/pending/$id"
    ok tare ps -aq
    is ""
    [ ! -e "$ROOT/containers/$id" ] && [ ! -L "$ROOT/names/half" ] && [ ! -e "$ROOT/pins/$id" ] && [ ! -e "$RUN/pending/$id" ]
    ok tare create --name half --network none busybox true
    ok tare rm half
}

@test "so is one whose directory has nothing in it yet, and one of before a reboot" {
    local id
    id=$(printf 'a%.0s' {1..64})
    mkdir "$ROOT/containers/$id"
    printf c >"$RUN/pending/$id"
    ok tare ps -aq
    [ ! -e "$ROOT/containers/$id" ]
    half_made half
    ok tare system check --repair
    [ ! -e "$ROOT/containers/$id" ] && [ ! -L "$ROOT/names/half" ]
}

@test "what a living command is making is left alone" {
    half_made half
    printf c >"$RUN/pending/$id"
    python3 -c "
import fcntl, sys, time
f = open('$RUN/pending/$id', 'r+')
fcntl.lockf(f, fcntl.LOCK_EX)
open('$BATS_TEST_TMPDIR/held', 'w')
time.sleep(60)" 3>&- &
    local holder=$!
    until_true 5 test -e "$BATS_TEST_TMPDIR/held"
    ok tare ps -aq
    ok tare system check --repair
    [ -e "$ROOT/containers/$id" ] && [ -L "$ROOT/names/half" ]
    kill "$holder"
    wait "$holder" || true
    ok tare ps -aq
    [ ! -e "$ROOT/containers/$id" ] && [ ! -L "$ROOT/names/half" ]
}

@test "a removal that was cut short is carried on" {
    ok tare create --name gone --network none busybox true
    printf r >"$RUN/pending/$output"
    ok tare ps -aq
    ok tare ps -aq
    is ""
    fails 1 tare inspect gone
}

@test "a creation that fails leaves no volume, name or directory" {
    fails 125 tare run --rm --name bad -v /data -v named:/x --volume-driver nosuch --network none busybox true
    ok tare volume ls -q
    is ""
    fails 1 tare create --name bad -v /data --mount type=volume,source=v1,target=/y,volume-driver=nosuch --network none busybox true
    ok tare volume ls -q
    is ""
    ok tare ps -aq
    is ""
    [ ! -L "$ROOT/names/bad" ]
}

@test "a name that is taken is the other's still after a failed creation" {
    ok tare create --name mine --network none busybox true
    fails 1 tare create --name mine --network none busybox true
    has "Conflict. The container name \"/mine\" is already in use"
    ok tare inspect -f '{{.Name}}' mine
    ok tare rm mine
}

@test "rename: removal gives back the new name, and not the old one that another has taken" {
    ok tare create --name first --network none busybox true
    ok tare rename first second
    ok tare create --name first --network none busybox true
    ok tare rm second
    ok tare inspect -f '{{.Name}}' first
    is /first
    ok tare create --name second --network none busybox true
    ok tare rm first second
    fails 1 tare inspect first
}

@test "--cidfile holds the id, and is not overwritten" {
    ok tare create --cidfile "$BATS_TEST_TMPDIR/cid" --network none busybox true
    [ "$(cat "$BATS_TEST_TMPDIR/cid")" = "$output" ]
    fails 1 tare create --cidfile "$BATS_TEST_TMPDIR/cid" --network none busybox true
    has "container ID file found"
    ok tare rm "$(cat "$BATS_TEST_TMPDIR/cid")"
}

@test "values that would be taken for something else are refused, and leave nothing" {
    fails 125 tare run --isolate pid,nett busybox true
    has '"nett" is no namespace (mount, pid, network'
    fails 125 tare run --isolate user --userns host busybox true
    has "--isolate user and --userns host"
    fails 125 tare run --isolate none,pid busybox true
    has "none stands alone"
    fails 125 tare run --dns 192.0.2.1,x busybox true
    fails 125 tare run --dns x busybox true
    has "--dns: x is not an IP address"
    fails 1 tare oci state x
    has "it stands first"
    fails 1 tare load -i /etc/passwd
    has "load /etc/passwd: not an archive"
    ok tare ps -aq
    is ""
}

@test "load on a terminal shows each layer of an archive by its short id, and the name at the end" {
    local kind diff seen
    diff=$(tar -xOf "$FIXTURES/busybox.docker.tar" manifest.json | jq -r '.[0].Config')
    diff=$(tar -xOf "$FIXTURES/busybox.docker.tar" "$diff" | jq -r '.rootfs.diff_ids[0][7:19]')
    for kind in docker oci; do
        tare rmi busybox
        seen=$(printf '%s\n' "expect : Downloading" "expect Pull complete" "expect Loaded image: busybox:latest" 'end 0' |
            "$here/terminal" "$TARE" --root "$ROOT" --run-root "$RUN" load -i "$FIXTURES/busybox.$kind.tar" 2>&1) || { echo "$seen"; return 1; }
    done
    seen=$("$here/terminal" --show "$TARE" --root "$ROOT" --run-root "$RUN" load -i "$FIXTURES/busybox.docker.tar")
    [[ $seen == *"$diff: Downloading"*"$diff: Pull complete"* ]]
}

@test "what this machine does not have is refused, what there is is named, and nothing is left" {
    local row n
    n=$(nproc --all)
    for row in "--cpus $((n + 1))|as there are only" "--cpuset-cpus 4000|Requested CPUs are not available - requested 4000" \
        "--cpuset-cpus x|not a list such as" "--stop-signal FOO|invalid signal: FOO" "--sysctl kernel.foo=1|sysctl kernel.foo: it is"; do
        # shellcheck disable=SC2086
        fails 125 tare run --rm ${row%|*} --network none busybox true
        has "${row#*|}"
    done
    ok tare ps -aq
    is ""
    ok tare create --name fits --cpus "$n" --cpuset-cpus 0 --stop-signal RTMIN+3 --network none busybox true
    fails 1 tare update --cpus "$((n + 1))" fits
    has "as there are only"
    ok tare rm fits
}
