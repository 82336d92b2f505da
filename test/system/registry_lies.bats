#!/usr/bin/env bats
# A registry that lies, breaks off, stalls and sends us elsewhere: the error is a sentence, the time is bounded, nothing false gets into
# the store, no token goes to a stranger.

load lib
load registry

setup_file() {
    roots_make --empty
    export HOME=$ROOTS/home TARE_REGISTRY_STALL_SECONDS=1
    mkdir -p "$HOME"
    liar_start
    export LIAR=localhost:$(cat "$ROOTS/liar/port")
}

teardown_file() {
    servers_stop
    roots_remove
}

# Each pull starts from an empty store, so that every blob is fetched.
setup() {
    rm -rf "$ROOTS/fresh"
    mkdir "$ROOTS/fresh"
    ROOT=$ROOTS/fresh
}
teardown() {
    rm -rf "$ROOTS/fresh"
}

pulls() { # MODE
    ok timeout 120 "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$LIAR/$1"
    [ "$(find "$ROOT/refs" -type f | wc -l)" = 2 ]
}

refuses() { # MODE TEXT
    fails 1 timeout 120 "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$LIAR/$1"
    if [[ $output != *"$2"* ]] || [ "$(wc -l <<<"$output")" != 1 ]; then
        echo "expected one line with \"$2\", not:"
        echo "$output"
        return 1
    fi
    [ -z "$(find "$ROOT/refs" "$ROOT/images" -type f)" ]
    [ -z "$(find "$ROOT/layers" -mindepth 1)" ]
}

@test "truth" { pulls good; }
@test "a document packed by gzip" { pulls packed; }
@test "broken off in the middle: goes on by Range" {
    pulls truncate
    [ "$(grep -c '"range": "bytes=[1-9]' "$ROOTS/liar/log")" -ge 2 ]
}
@test "broken off, and Range is ignored" { pulls norange; }
@test "stalls: given up and gone on with" { pulls stall; }
@test "429 with Retry-After is waited for" { pulls busy; }
@test "503 is tried again" { pulls failing; }
@test "the token expires in the middle" {
    pulls expiring
    grep -q '"Bearer secret-expiring-2"' "$ROOTS/liar/log"
}
@test "a redirect to another host carries no token" {
    pulls crosshost
    grep -q '"Bearer secret-crosshost' "$ROOTS/liar/log"
    other=$(cat "$ROOTS/liar/other")
    grep -q "\"port\": $other" "$ROOTS/liar/log"
    ! grep "\"port\": $other" "$ROOTS/liar/log" | grep -q Bearer
}

@test "urls of a descriptor are never asked" {
    local other before
    other="\"port\": $(cat "$ROOTS/liar/other")"
    before=$(grep -c "$other" "$ROOTS/liar/log" || true)
    pulls urls
    [ "$(grep -c "$other" "$ROOTS/liar/log" || true)" = "$before" ]
}

@test "a layer that is not what the configuration says" { refuses wrongdiff "but the image's configuration says sha256:1111"; }
@test "more layers than can be stacked" { refuses manylayers "127"; }
@test "an index in an index without end" { refuses nested "an index in an index"; }
@test "redirects to the cloud's metadata service" { refuses inside "169.254.169.254"; }
@test "wrong bytes in a blob" { refuses corrupt "layer 1 of 1"; }
@test "a digest that does not fit the manifest" { refuses otherdigest "the registry names digest"; }
@test "a blob shorter than announced" { refuses short "the registry has only"; }
@test "a blob longer than announced" { refuses long "sent more than is allowed"; }
@test "breaks off for ever" { refuses always "broke off"; }
@test "401 for ever" { refuses loop401 "tare login $LIAR"; }
@test "sends us to the cloud's metadata service for a token" { refuses metadata "169.254.169.254"; }
@test "redirects for ever" { refuses redirects "more than 5 redirects"; }
@test "headers without end" { refuses headers "sent more than is allowed"; }
@test "a manifest of five megabytes" { refuses large "sent more than is allowed"; }
@test "a bomb packed by gzip" { refuses bomb "sent more than is allowed"; }
@test "no such manifest" { refuses missing "manifest unknown"; }
@test "index and manifest at once" { refuses both "both an index and a manifest"; }
@test "another type than announced" { refuses wrongtype "was announced as"; }
@test "a digest that climbs out of the store" { refuses traversal "invalid digest"; }
@test "no such platform: says which there are" { refuses foreign "linux/riscv64"; }
@test "the hotel's login page instead of a manifest" { refuses junk "not JSON"; }

@test "killed in the middle: the next pull goes on where it ended" {
    "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$LIAR/stall2" 3>&- &
    pid=$!
    until_true 10 grep -q 'stall2/blobs.*"range": null' "$ROOTS/liar/log"
    until_true 10 sh -c "find '$ROOT/ingest' -size +500k | grep -q ."
    kill -9 $pid
    wait $pid || true
    pulls stall2
    grep -q 'stall2/blobs.*"range": "bytes=[1-9]' "$ROOTS/liar/log"
    until_true 5 sh -c "! pgrep -P 1 -x tare-fetch" # the workers went with their parent
}
