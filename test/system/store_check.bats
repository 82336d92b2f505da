#!/usr/bin/env bats
# What a crash, a bad disk or a stranger's hand does to the store: system check says it, sets it aside or mends it, and meanwhile
# everything that does not need the torn part goes on.

load lib

# Two images that share no layer: busybox is torn, other must never notice.
setup() { # hexadecimal digests and the key, as the name's record has them
    MANIFEST=$(json "['manifest']['digest'][7:]")
    CONFIG=$(json "['config']['digest'][7:]")
    BLOB=$(json "['blobs'][0][7:]")
    LAYER=$(json "['layers'][0]")
}
setup_file() {
    roots_make
    tar -C "$FIXTURES/busybox" -cf "$ROOTS/other.tar" ./bin --mtime=@1
    tare import -c 'CMD ["true"]' "$ROOTS/other.tar" other:1 >/dev/null
}
teardown_file() { roots_remove; }
teardown() {
    tare rm -f c >/dev/null 2>&1 || true
    tare system check --repair >/dev/null 2>&1 || true
    image_load busybox
    tare system check --repair
    rm -rf "$ROOT/torn"
}

json() { python3 -c "import json; print(json.load(open('$ROOT/refs/docker.io%library%busybox:latest'))$1)"; }

# finds TEXT: the check says so and ends with 1, and the other image runs as before. The first answer stays in $output.
finds() {
    fails 1 tare system check
    has "found: $1"
    [ "$(wc -l <<<"$output")" = 1 ] || { echo "$output"; return 1; }
    "$TARE" --root "$ROOT" --run-root "$RUN" run --rm --network none other:1 true
    tare images 2>/dev/null | grep -q '^other '
}

repairs() {
    ok tare system check --repair
    has "repaired: $1"
    ok tare system check
    is "all is well"
    ok tare run --rm --network none busybox true
}

tear() { # FILE: cut in the middle, as after a power cut
    truncate -s $(($(stat -c %s "$1") / 2)) "$1"
}

@test "all is well in a store that nobody touched" {
    ok tare system check
    is "all is well"
}

@test "a torn blob of a layer: set aside, containers go on, and the image is whole again after a load" {
    tear "$ROOT/blobs/sha256/$BLOB"
    ok tare system check --quick # which does not read
    finds "image docker.io/library/busybox:latest, sha256:$BLOB: damaged: the content has digest sha256:"
    ok tare run -d --name c --network none busybox sleep 60
    fails 1 tare save -o "$BATS_TEST_TMPDIR/x" busybox
    fails 1 tare system check --repair
    has "set aside in torn/, pull the image again"
    [ -n "$(ls "$ROOT/torn")" ]
    ok tare exec c ls /bin/busybox
    ok tare run --rm --network none busybox true # the unpacked layer is whole
    finds "image docker.io/library/busybox:latest, sha256:$BLOB: missing: pull the image again"
    image_load busybox
    ok tare system check
    ok tare save -o "$BATS_TEST_TMPDIR/x" busybox
}

@test "a byte changed in a blob" {
    printf x | dd of="$ROOT/blobs/sha256/$BLOB" bs=1 seek=100 conv=notrunc 2>/dev/null
    finds "image docker.io/library/busybox:latest, sha256:$BLOB: damaged"
}

@test "a torn configuration: run says what to do" {
    tear "$ROOT/blobs/sha256/$CONFIG"
    fails 125 tare run --rm --network none busybox true
    has "is damaged"
    has "tare system check --repair"
    finds "image docker.io/library/busybox:latest, sha256:$CONFIG: damaged"
    fails 1 tare system check --repair
    image_load busybox
    ok tare system check
    ok tare run --rm --network none busybox true
}

@test "a manifest that is gone" {
    rm "$ROOT/blobs/sha256/$MANIFEST"
    finds "image docker.io/library/busybox:latest, sha256:$MANIFEST: missing"
    ok tare run --rm --network none busybox true
    image_load busybox
    ok tare system check
}

@test "a torn layer is unpacked again; a container that stands on the old one goes on" {
    ok tare run -d --name c --network none busybox sleep 60
    tear "$ROOT/layers/$LAYER.json"
    finds "image docker.io/library/busybox:latest, $LAYER: the unpacked layer is missing or incomplete"
    repairs "image docker.io/library/busybox:latest, $LAYER"
    ok tare exec c ls -l /bin/busybox
    ok tare restart -t 0 c
    ok tare exec c ls -l /bin/busybox
}

@test "a layer that is gone" {
    rm -rf "$ROOT/layers/$LAYER"
    finds "image docker.io/library/busybox:latest, $LAYER: the unpacked layer is missing or incomplete"
    repairs "image docker.io/library/busybox:latest, $LAYER"
}

@test "a layer and its blob, both torn: said, and a load mends both" {
    tear "$ROOT/layers/$LAYER.json"
    rm "$ROOT/blobs/sha256/$BLOB"
    fails 1 tare system check --repair
    has "it cannot be unpacked again"
    ok tare run --rm --network none other:1 true
    image_load busybox
    ok tare system check
    ok tare run --rm --network none busybox true
}

@test "a torn record of a name" {
    tear "$ROOT/refs/docker.io%library%busybox:latest"
    finds "image refs/docker.io%library%busybox:latest: "
    fails 125 tare run --rm --network none busybox true
    ok tare system check --repair
    has "set aside in torn/"
    ok tare run --rm --network none "${CONFIG:0:12}" true # the image itself is there
    image_load busybox
    ok tare system check
}

@test "a torn record of an image, and one that is gone: written again from the name's" {
    tear "$ROOT/images/$CONFIG"
    fails 1 tare system check
    ok tare run --rm --network none other:1 true
    ok tare system check --repair
    ok tare system check
    ok tare run --rm --network none busybox true
    rm "$ROOT/images/$CONFIG"
    finds "image docker.io/library/busybox:latest, images/$CONFIG: the image's own record is missing"
    repairs "image docker.io/library/busybox:latest, images/$CONFIG"
}

@test "a torn index.json" {
    tear "$ROOT/index.json"
    finds "image index.json: missing or not an index"
    repairs "image index.json"
    ok skopeo inspect "oci:$ROOT:docker.io/library/busybox:latest"
    rm "$ROOT/index.json"
    finds "image index.json: missing or not an index"
    ok tare tag busybox again:1 # whoever changes a name writes it anew
    ok tare system check
    tare rmi again:1
}

@test "a partial blob goes when it is old, or from ahead of the clock; never while somebody fetches it" {
    local part
    mkdir -p "$ROOT/ingest"
    for day in -2 0 2; do
        part=$(printf '%064d' $((day + 3)))
        echo partial >"$ROOT/ingest/$part.part"
        touch -d "$day days" "$ROOT/ingest/$part.part"
    done
    part=$(printf '%064d' 9)
    echo partial >"$ROOT/ingest/$part.part"
    touch -d '-2 days' "$ROOT/ingest/$part.part"
    # As a pull holds it: F_OFD_SETLK.
    ok python3 - "$ROOT/ingest/b-$part.lock" "$TARE" --root "$ROOT" --run-root "$RUN" system check --repair <<'PYTHON'
import fcntl, struct, subprocess, sys
lock = open(sys.argv[1], "w")
fcntl.fcntl(lock, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
sys.exit(subprocess.run(sys.argv[2:]).returncode)
PYTHON
    ok find "$ROOT/ingest" -name '0000*.part' -printf '%f '
    [ "$(tr ' ' '\n' <<<"$output" | sort | tr -d '\n')" = "$(printf '%064d.part' 3 9)" ] || { echo "$output"; false; }
    rm "$ROOT/ingest"/0000*.part
}
