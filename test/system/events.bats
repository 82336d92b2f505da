#!/usr/bin/env bats
# Events: every change of a container, an image, a volume or a network is told exactly once, whoever makes it and whoever dies.

load lib

setup_file() {
    roots_make
}

teardown_file() {
    : >>"$RUN/events.1" # as when the log was turned over: it goes with the engine
    roots_remove
}

setup() {
    leaks_before
    SINCE=$(date +%s.%N)
}

teardown() {
    leaks_after
}

# The monitor's pid: it holds the lock.
monitor_of() { # NAME
    local inode
    inode=$(stat -c %i "$RUN/containers/$(tare inspect -f '{{.Id}}' "$1")/lock")
    awk -v end=":$inode" '$2 == "POSIX" && substr($6, length($6) - length(end) + 1) == end { print $5 }' /proc/locks
}

# What was told since the test began, as "type action" lines.
told() { # [FILTER…]
    tare events --since "$SINCE" --until "$(date +%s.%N)" --format '{{.Type}} {{.Action}}' "$@"
}

told_is() { # LINES…
    local want
    want=$(printf '%s\n' "$@")
    output=$(told)
    is "$want"
}

@test "a container's life, with its network and its volume" {
    [ "$(id -u)" = 0 ] || skip "networks need root"
    tare run -d --name life -v life-data:/data busybox sleep 100 >/dev/null
    tare pause life >/dev/null
    tare unpause life >/dev/null
    tare rename life lives
    tare update --restart no lives >/dev/null
    tare stop -t 0 lives >/dev/null
    tare rm -v lives >/dev/null
    tare volume rm life-data >/dev/null
    told_is "volume create" "container create" "network connect" "volume mount" "container start" "container pause" \
        "container unpause" "container rename" "container update" "container kill" "container die" "container stop" \
        "network disconnect" "volume unmount" "container destroy" "volume destroy" || {
        # stop and the giving back may stand in either order
        false
    }
    run tare events --since "$SINCE" --until "$(date +%s.%N)" --filter event=rename --format '{{.Actor.Attributes.oldName}} {{.Actor.Attributes.name}}'
    is "/life lives"
    run tare events --since "$SINCE" --until "$(date +%s.%N)" --filter volume=life-data --filter event=mount --format '{{json .Actor.Attributes}}'
    has '"destination":"/data"'
    has '"read/write":"true"'
}

@test "images" {
    tare tag busybox other:1 >/dev/null
    tare save -o "$BATS_TEST_TMPDIR/other.tar" other:1
    tare rmi other:1 >/dev/null
    tare load -q -i "$BATS_TEST_TMPDIR/other.tar" >/dev/null
    tare rmi other:1 >/dev/null
    mkdir "$BATS_TEST_TMPDIR/d"
    echo hello >"$BATS_TEST_TMPDIR/d/f"
    tar -C "$BATS_TEST_TMPDIR/d" -cf - . | tare import - imported:1 >/dev/null
    tare rmi imported:1 >/dev/null
    tare image prune -f >/dev/null
    told_is "image tag" "image save" "image untag" "image load" "image untag" "image import" "image untag" "image delete" "image prune"
}

@test "volumes and networks made and removed, and prunings" {
    tare volume create v1 >/dev/null
    tare volume create v1 >/dev/null # there already: nothing changed
    tare volume rm v1 >/dev/null
    tare volume create >/dev/null
    tare volume prune -f >/dev/null
    tare container prune -f >/dev/null
    if [ "$(id -u)" = 0 ]; then
        tare network create n1 >/dev/null
        tare network rm n1 >/dev/null
        told_is "volume create" "volume destroy" "volume create" "volume destroy" "volume prune" "container prune" "network create" "network destroy"
    fi
}

@test "a network joined and left while the container runs" {
    [ "$(id -u)" = 0 ] || skip "networks need root"
    tare network create joined >/dev/null
    tare network create left >/dev/null
    tare run -d --name joins --network left busybox sleep 100 >/dev/null
    tare network connect joined joins
    tare network disconnect left joins
    tare rm -f joins >/dev/null
    run tare events --since "$SINCE" --until "$(date +%s.%N)" --filter type=network --format '{{.Action}} {{.Actor.Attributes.name}}'
    is $'create joined\ncreate left\nconnect left\nconnect joined\ndisconnect left\ndisconnect joined'
    tare network rm joined left >/dev/null
}

@test "exec, also in the background, also when the command that asked is killed" {
    tare run -d --name execs --network none busybox sleep 100 >/dev/null
    tare exec execs true
    count() { told --filter "event=$1" | wc -l; }
    tare exec -d execs sh -c 'exit 3'
    until_true 5 eval '[ "$(count exec_die)" = 2 ]'
    "$TARE" --root "$ROOT" --run-root "$RUN" exec execs sh -c 'touch /begun; until [ -e /end ]; do usleep 20000; done' 3>&- &
    local asked=$! root
    root=/proc/$(tare inspect -f '{{.State.Pid}}' execs)/root
    until_true 5 test -e "$root/begun"
    kill -KILL $asked
    touch "$root/end"
    until_true 5 eval '[ "$(count exec_die)" = 3 ]'
    fails 127 tare exec execs no-such-program
    run told --filter event=exec_create --filter event=exec_start --filter event=exec_die
    [ "$(grep -c exec_create <<<"$output")" = 4 ]
    [ "$(grep -c exec_start <<<"$output")" = 4 ]
    [ "$(grep -c exec_die <<<"$output")" = 4 ]
    run tare events --since "$SINCE" --until "$(date +%s.%N)" --filter event=exec_die --format '{{.Actor.Attributes.exitCode}}'
    is $'0\n3\n0\n127'
    tare rm -f execs >/dev/null
}

@test "out of memory, health, restart by policy" {
    tare run -d --name sick --network none --health-cmd false --health-interval 200ms --health-retries 1 busybox sleep 100 >/dev/null
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' inspect -f '{{.State.Health.Status}}' sick | grep -q unhealthy"
    tare rm -f sick >/dev/null
    run told --filter container=sick --filter event=health_status
    is "container health_status: unhealthy"
    SINCE=$(date +%s.%N)
    tare run --name again --network none --restart on-failure:2 busybox false || true
    until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' inspect -f '{{.State.Status}} {{.RestartCount}}' again | grep -q 'exited 2'"
    run told --filter container=again --filter event=start --filter event=die
    is $'container start\ncontainer die\ncontainer start\ncontainer die\ncontainer start\ncontainer die'
    tare rm again >/dev/null
}

@test "attached, detached, resized" {
    tare run -d --name at --network none -i busybox cat >/dev/null
    mkfifo "$BATS_TEST_TMPDIR/in"
    "$TARE" --root "$ROOT" --run-root "$RUN" attach --sig-proxy=false at <>"$BATS_TEST_TMPDIR/in" 3>&- &
    local pid=$!
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' events --since $SINCE --until \$(date +%s.%N) --filter event=attach | grep -q attach"
    kill $pid
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' events --since $SINCE --until \$(date +%s.%N) --filter event=detach | grep -q detach"
    tare rm -f at >/dev/null
    run told --filter event=attach --filter event=detach
    is $'container attach\ncontainer detach'
}

@test "files copied out and in, as archives too, and an export: once each, none for a failure" {
    tare create --network none --name copied busybox true >/dev/null
    ok tare cp copied:/etc/passwd "$BATS_TEST_TMPDIR/passwd"
    ok tare cp "$BATS_TEST_TMPDIR/passwd" copied:/tmp
    tare cp copied:/etc/passwd - >"$BATS_TEST_TMPDIR/tar"
    tare cp - copied:/tmp <"$BATS_TEST_TMPDIR/tar"
    tare export copied >"$BATS_TEST_TMPDIR/all"
    fails 1 tare cp copied:/nowhere "$BATS_TEST_TMPDIR/nowhere"
    tare rm copied >/dev/null
    told_is "container create" "container archive-path" "container extract-to-dir" "container archive-path" \
        "container extract-to-dir" "container export" "container destroy"
}

@test "many writers at once lose and tear nothing" {
    local i
    for i in 1 2 3 4 5 6 7 8; do
        (for k in 1 2 3 4 5; do tare volume create "many-$i-$k" >/dev/null; done) &
    done
    wait
    for i in 1 2 3 4 5 6 7 8; do
        tare volume rm many-$i-{1,2,3,4,5} >/dev/null &
    done
    wait
    [ "$(told | sort | uniq -c | tr -s ' ')" = $' 40 volume create\n 40 volume destroy' ]
    tare events --since "$SINCE" --until "$(date +%s.%N)" --format json | jq -es 'length == 80' >/dev/null
    [ "$(tare events --since "$SINCE" --until "$(date +%s.%N)" --format '{{.Actor.ID}} {{.Action}}' | sort -u | wc -l)" = 80 ]
}

@test "killed monitors: start and die are told once each, and so is what was given back" {
    local id pid
    id=$(tare run -d --name orphan -v orphan-data:/data --network none busybox sleep 100)
    pid=$(awk -F'[ :,]+' '/monitor/ {print; exit}' /dev/null; tare inspect -f '{{.State.Pid}}' orphan)
    kill -KILL "$(awk '/^PPid/ {print $2}' "/proc/$pid/status")" # its monitor
    kill -KILL "$pid"
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' inspect -f '{{.State.Status}}' orphan | grep -q exited"
    tare rm -v orphan >/dev/null
    tare volume rm orphan-data >/dev/null
    run told
    for event in "container create" "volume mount" "container start" "container die" "volume unmount" "container destroy"; do
        [ "$(grep -cx "$event" <<<"$output")" = 1 ] || { echo "$event is there $(grep -cx "$event" <<<"$output") times:"; echo "$output"; false; }
    done
}

@test "a container that was renamed has its new name in every event, whoever tells it" {
    tare run -d --name old --network none busybox sleep 1000 >/dev/null
    tare rename old new
    tare pause new >/dev/null
    tare unpause new >/dev/null
    kill -KILL "$(monitor_of new)"
    tare rename new newer # its monitor is dead: the next one has the name, too
    tare stop -t 0 newer >/dev/null
    tare rm newer >/dev/null
    run tare events --since "$SINCE" --until "$(date +%s.%N)" --filter type=container --format '{{.Action}} {{.Actor.Attributes.name}}'
    is $'create old\nstart old\nrename new\npause new\nunpause new\nrename newer\nkill newer\ndie newer\nstop newer\ndestroy newer'
}

@test "a change whose maker was killed before he told it is told by the next command, once" {
    tare volume create kept >/dev/null
    local inode
    inode=$(stat -c %i "$ROOT/volumes/kept")
    mkdir -p "$RUN/changes"
    # as `volume create` leaves it: the volume was not there; and one that was not made
    printf '0 %s volumes/kept\n{"status":"create","id":"late"\n' "$(date +%s%N)" >"$RUN/changes/0123456789abcdef"
    printf '%s %s volumes/kept\n{"status":"destroy","id":"never"\n' "$inode" "$(date +%s%N)" >"$RUN/changes/0123456789abcdee"
    tare ps -q
    [ "$(grep -c '"id":"late"' "$RUN/events")" = 1 ]
    fails 1 grep '"id":"never"' "$RUN/events"
    [ -z "$(ls "$RUN/changes")" ]
    printf '0 %s volumes/kept\n{"status":"create","id":"late"\n' "$(($(date +%s%N) - 600000000000))" >"$RUN/changes/0123456789abcdef" # it was told
    tare ps -q
    [ "$(grep -c '"id":"late"' "$RUN/events")" = 1 ]
    tare volume rm kept >/dev/null
}

@test "network connect and disconnect, killed before and after they tell it: told once each all the same" {
    [ "$(id -u)" = 0 ] && command -v strace >/dev/null || skip "needs root and strace"
    local end="$RUN/containers/*/end-events" call
    tare network create joined >/dev/null
    for call in "connect write" "disconnect write" "disconnect unlinkat"; do
        tare run -d --name joins --network none busybox sleep 100 >/dev/null
        tare network disconnect none joins
        [ "$call" = "connect write" ] || tare network connect joined joins
        SINCE=$(date +%s.%N)
        # The write into the log, or the end of what was to be told at the end.
        strace -f -qq -o /dev/null -P "$RUN/events" -P end-events -e trace="${call#* }" -e inject="${call#* }:error=EIO:signal=KILL" \
            "$TARE" --root "$ROOT" --run-root "$RUN" network "${call% *}" joined joins || true
        tare rm -f joins >/dev/null
        run tare events --since "$SINCE" --until "$(date +%s.%N)" --filter type=network --format '{{.Action}}'
        case $call in
        connect*) is $'connect\ndisconnect' ;;
        *) is disconnect ;;
        esac
    done
    tare network rm joined >/dev/null
}

@test "an anonymous volume goes with a container of --rm" {
    tare run --rm --network none -v /data busybox true
    run told --filter type=volume
    is $'volume create\nvolume mount\nvolume unmount\nvolume destroy'
}

@test "an anonymous volume's end is told, whoever removes it" {
    local count
    tare run --rm --network none -v /data busybox true
    tare create --name anon --network none -v /data busybox true >/dev/null
    tare rm -v anon >/dev/null
    tare run -d --rm --name anon --network none -v /data busybox sleep 1000 >/dev/null
    kill -KILL "$(monitor_of anon)"
    tare rm -f anon >/dev/null
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' ps -q; [ \$('$TARE' --root '$ROOT' --run-root '$RUN' events --since $SINCE --until \$(date +%s.%N) --filter type=volume --filter event=destroy | wc -l) = 3 ]"
    run tare events --since "$SINCE" --until "$(date +%s.%N)" --filter type=volume --format '{{.Actor.ID}}'
    count=$(sort <<<"$output" | uniq -c | awk '{ print $1 }' | sort | tr '\n' ' ')
    [ "$count" = "2 4 4 " ] # create and destroy; with mount and unmount in between
}
