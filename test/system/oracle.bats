#!/usr/bin/env bats
# The leak oracle itself: it must see each kind of leak, or its silence after the other tests means nothing.

load lib

setup_file() {
    roots_make --empty
}

teardown_file() {
    roots_remove
}

# sees WORDS COMMAND…: after the command the oracle names the words; the test then takes the leak away itself.
sees() {
    local words=$1
    shift
    leaks >"$BATS_TEST_TMPDIR/before"
    "$@"
    run comm -13 "$BATS_TEST_TMPDIR/before" <(leaks)
    has "$words"
}

gone() { # and afterwards everything is as before
    until_true 5 diff "$BATS_TEST_TMPDIR/before" <(leaks)
}

@test "a mount" {
    mkdir -p "$RUN/mnt"
    sees "mount $RUN/mnt tmpfs" mount -t tmpfs leak "$RUN/mnt"
    umount "$RUN/mnt"
    rmdir "$RUN/mnt"
    gone
}

@test "an interface on our bridge" {
    leak() {
        ip link add "tare${TAG}" type bridge
        ip link add leak0 type veth peer name leak1
        ip link set leak0 master "tare${TAG}"
    }
    sees "link leak0 on tare$TAG" leak
    ip link del leak0
    ip link del "tare${TAG}"
    gone
}

@test "an element in our table" {
    leak() {
        nft "add table inet tare$TAG; add map inet tare$TAG ports { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.1 }; }"
    }
    sees "nft map ports" leak
    nft delete table inet "tare$TAG"
    gone
}

@test "a cgroup" {
    sees "cgroup /sys/fs/cgroup/pids/tare$TAG/leak" mkdir -p "/sys/fs/cgroup/pids/tare$TAG/leak"
    rmdir "/sys/fs/cgroup/pids/tare$TAG/leak" "/sys/fs/cgroup/pids/tare$TAG"
    gone
}

@test "a process, and one more descriptor of it" {
    cp /bin/busybox "$BATS_TEST_TMPDIR/tare-leak"
    ln -s tare-leak "$BATS_TEST_TMPDIR/sleep" # busybox looks at its name
    leak() {
        "$BATS_TEST_TMPDIR/sleep" 60 7>"$RUN/open" 3>&- &
        pid=$!
        until_true 5 test -e "$RUN/open"
        until_true 5 bash -c "readlink /proc/$pid/exe | grep -q tare-leak"
    }
    sees "tare-leak with" leak
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    rm -f "$RUN/open"
    gone
}

@test "a container's folder, a name, a lease, something pending, trash, a temporary file" {
    leak() {
        mkdir -p "$ROOT/containers/x" "$ROOT/names" "$ROOT/trash/y" "$RUN/leases/bridge" "$RUN/pending" "$ROOT/blobs/sha256"
        touch "$ROOT/names/web" "$RUN/leases/bridge/10.0.0.2" "$RUN/pending/z" "$ROOT/blobs/sha256/.tmp123"
    }
    sees "file root/containers/x" leak
    has "file root/names/web"
    has "file root/trash/y"
    has "file run/leases/bridge/10.0.0.2"
    has "file run/pending/z"
    has "file root/blobs/sha256/.tmp123"
    rm -rf "$ROOT/containers" "$ROOT/names" "$ROOT/trash" "$RUN/leases" "$RUN/pending" "$ROOT/blobs"
    gone
}

@test "shared memory" {
    sees "shm tare$TAG-leak" touch "/dev/shm/tare$TAG-leak"
    rm "/dev/shm/tare$TAG-leak"
    gone
}

@test "what must stay is no leak: blobs, layers, the cache" {
    leaks >"$BATS_TEST_TMPDIR/before"
    mkdir -p "$ROOT/blobs/sha256" "$ROOT/layers/abc/diff" "$RUN/cache"
    touch "$ROOT/blobs/sha256/0123" "$RUN/cache/seccomp-1" "$ROOT/index.json" "$ROOT/oci-layout"
    gone
    rm -rf "$ROOT/blobs" "$ROOT/layers" "$RUN/cache" "$ROOT/index.json" "$ROOT/oci-layout"
}
