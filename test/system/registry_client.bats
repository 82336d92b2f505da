#!/usr/bin/env bats
# What stands between a user and a registry: proxies, certificates, tokens, helpers, mirrors, terminals; on loopback.

load lib
load registry

setup_file() {
    roots_make --empty
    export HOME=$ROOTS/home DOCKER_CONFIG=$ROOTS/docker REGISTRIES=$ROOTS/registries.conf
    mkdir -p "$HOME" "$DOCKER_CONFIG"
    reg_start plain
    for image in busybox multi; do
        skopeo copy -q --dest-tls-verify=false "oci-archive:$FIXTURES/$image.oci.tar" "docker://$(reg_host plain)/test/$image:1.0"
    done
    certificates_make
    proxy_start
    PROXY=http://localhost:$(cat "$ROOTS/proxy/port")
    PLAIN=$(reg_host plain)
    export PROXY PLAIN
}

teardown_file() {
    servers_stop
    images_remove
    roots_remove
}

teardown() {
    images_remove
    rm -rf "$HOME/.config" "$DOCKER_CONFIG/config.json"
    : >"$ROOTS/proxy/log"
}

proxied() { # COMMAND…: nothing of the developer's own proxies
    env -u HTTP_PROXY -u HTTPS_PROXY -u NO_PROXY -u http_proxy -u https_proxy -u no_proxy "$@"
}

# --- what is shown -----------------------------------------------------------------------------------------------------------------

@test "on a terminal each layer has one line with a bar, redrawn in place" {
    local seen
    seen=$(printf '%s\n' 'expect 1.0: Pulling from test/multi' 'expect Downloading [' 'expect ]  ' 'expect B/' 'expect Pull complete' \
        'expect Status: Downloaded newer image' 'end 0' | "$here/terminal" "$TARE" --root "$ROOT" --run-root "$RUN" pull "$PLAIN/test/multi:1.0" 2>&1) ||
        { echo "$seen"; return 1; }
    tare rmi "$PLAIN/test/multi:1.0"
    "$here/terminal" --show sh -c "stty cols 60 rows 24; exec '$TARE' --root '$ROOT' --run-root '$RUN' pull '$PLAIN/test/multi:1.0'" \
        >"$BATS_TEST_TMPDIR/seen"
    # What the screen would show at the end, line by line, and no line is wider than the terminal.
    python3 - "$BATS_TEST_TMPDIR/seen" <<'EOF'
import re, sys
rows, y = [""], 0
for part in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", open(sys.argv[1], newline="").read()):
    move = re.match(r"\x1b\[(\d*)([A-Z])", part)
    if move:
        y += {"A": -1, "B": 1}.get(move[2], 0) * int(move[1] or 1)
        rows[y] = "" if move[2] == "K" else rows[y]
    elif part == "\n":
        y += 1
        rows += [""] * (y + 1 - len(rows))
    elif part != "\r":
        assert len(part) < 60 or not re.match(r"[0-9a-f]{12}: ", part), part
        rows[y] = part
layers = [r for r in rows if re.match(r"[0-9a-f]{12}: ", r)]
assert len(layers) == 5 and all(r.endswith("Pull complete") for r in layers), rows
EOF
}

@test "not on a terminal: one line a layer and no escape; -q: the name alone" {
    ok tare pull "$PLAIN/test/multi:1.0"
    [ "$(grep -c 'Pull complete' <<<"$output")" = 5 ]
    [[ $output != *$'\e'* && $output != *Downloading* ]]
    ok tare pull -q "$PLAIN/test/multi:1.0"
    is "$PLAIN/test/multi:1.0"
}

# --- proxies -----------------------------------------------------------------------------------------------------------------------

@test "HTTPS_PROXY: CONNECT, for the registry and its blobs; the proxy resolves the name" {
    reg_start tls tls data:plain
    local host
    host=registry.test:$(cat "$ROOTS/registry-tls/port")
    trust "$host"
    ok proxied env HTTPS_PROXY="$PROXY" "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$host/test/multi:1.0"
    grep -q "^CONNECT $host" "$ROOTS/proxy/log"
    ! grep -qv "^CONNECT" "$ROOTS/proxy/log"
    tare rmi "$host/test/multi:1.0"
    fails 1 proxied env HTTPS_PROXY="$PROXY" NO_PROXY=.test "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$host/test/multi:1.0"
    has "no such host"
    fails 1 proxied env HTTP_PROXY="$PROXY" "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$host/test/multi:1.0"
    fails 1 proxied env HTTPS_PROXY=http://localhost:1 "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$host/test/multi:1.0"
    has "localhost"
}

@test "HTTP_PROXY: plain HTTP through it, with the proxy's own password, which nobody else sees" {
    local host=registry.test:${PLAIN#*:}
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$host" >"$REGISTRIES"
    CONTAINERS_REGISTRIES_CONF=$REGISTRIES ok proxied env http_proxy="http://me:secret@${PROXY#http://}" \
        "$TARE" -D --root "$ROOT" --run-root "$RUN" pull -q "$host/test/busybox:1.0"
    grep -q "^GET http://$host/v2/test/busybox/manifests/1.0 Basic $(printf me:secret | base64)" "$ROOTS/proxy/log"
    has_not secret
}

@test "loopback is never proxied" {
    ok proxied env HTTP_PROXY="$PROXY" HTTPS_PROXY="$PROXY" "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$PLAIN/test/busybox:1.0"
    [ ! -s "$ROOTS/proxy/log" ]
}

# --- certificates ------------------------------------------------------------------------------------------------------------------

# Runs a command with a file tree over /etc/DIR, in a mount namespace of its own.
with_etc() { # DIR TREE COMMAND…
    unshare -m sh -c 'mount -t tmpfs none "/etc/${1%%/*}" && mkdir "/etc/$1" && cp -r "$2"/. "/etc/$1" && shift 2 && exec "$@"' sh "$@"
}

@test "client certificates: of /etc/docker and of /etc/containers" {
    local host dir
    reg_start mutual mutual data:plain
    client_certificate client
    host=$(reg_host mutual)
    trust "$host"
    fails 1 tare pull -q "$host/test/busybox:1.0"
    has "wants another client certificate, or one at all"
    has "/etc/docker/certs.d/$host"
    mkdir -p "$ROOTS/certs/$host"
    cp "$ROOTS/ca.pem" "$ROOTS/certs/$host/ca.crt"
    cp "$ROOTS/client.cert" "$ROOTS/client.key" "$ROOTS/certs/$host/"
    for dir in docker containers; do
        mkdir -p "/etc/$dir" 2>/dev/null || true
        ok with_etc $dir/certs.d "$ROOTS/certs" "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$host/test/busybox:1.0"
        tare rmi "$host/test/busybox:1.0" >/dev/null
    done
    rm "$ROOTS/certs/$host/client.key"
    fails 1 with_etc docker/certs.d "$ROOTS/certs" "$TARE" --root "$ROOT" --run-root "$RUN" pull -q "$host/test/busybox:1.0"
    has "missing key client.key for client certificate client.cert"
}

tls_liar() { # NAME DAYS: a lying registry with a certificate of its own, which the user trusts; sets $host
    local dir=$ROOTS/$1
    mkdir -p "$dir"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout "$dir/key.pem" -out "$dir/req.pem" 2>/dev/null
    openssl x509 -req -in "$dir/req.pem" -signkey "$dir/key.pem" -days "$2" -out "$dir/cert.pem" -extfile <(echo "subjectAltName=DNS:localhost") \
        2>/dev/null
    python3 "$here/lying_registry.py" "$dir" >"$dir/out" 2>&1 3>&- &
    echo $! >"$dir/pid"
    server_started "$dir"
    host=localhost:$(cat "$dir/port")
    mkdir -p "$HOME/.config/containers/certs.d/$host"
    cp "$dir/cert.pem" "$HOME/.config/containers/certs.d/$host/ca.crt"
}

@test "an expired certificate is refused; https never sends to http for a token" {
    local host
    tls_liar fresh 1
    ok tare pull -q "$host/good"
    fails 1 tare pull -q "$host/plainrealm"
    has "not https"
    tls_liar expired -1
    fails 1 tare pull -q "$host/good"
    has expired
}

# --- tokens ------------------------------------------------------------------------------------------------------------------------

@test "tokens: asked for by scope, with and without a password; to push, too" {
    tokens_start
    reg_start token tokens data:plain
    local host
    host=$(reg_host token)
    fails 1 tare pull -q "$host/test/busybox:1.0"
    has "tare login $host"
    ok tare login -u user -p pass "$host"
    ok tare pull -q "$host/test/busybox:1.0"
    grep -q '"scope": \["repository:test/busybox:pull"\]' "$ROOTS/tokens/log"
    ok tare tag "$host/test/busybox:1.0" "$host/public/busybox:1"
    ok tare push "$host/public/busybox:1"
    grep -q 'repository:public/busybox:pull,push' "$ROOTS/tokens/log"
    has "Mounted from test/busybox"
    tare logout "$host"
    fails 1 tare push "$host/public/busybox:2"
    ok tare pull -q "$host/public/busybox:1"
    tail -1 "$ROOTS/tokens/log" | grep -q '"user": null'
    fails 1 tare login -u user -p wrong "$host"
    has "incorrect username or password"
}

@test "an identity token instead of a password: the refresh grant" {
    local host
    host=$(reg_host token)
    printf '{"auths":{"%s":{"auth":"%s","identitytoken":"identity-1"}}}' "$host" "$(printf '<token>:' | base64)" >"$DOCKER_CONFIG/config.json"
    ok tare pull -q "$host/test/busybox:1.0"
    tail -1 "$ROOTS/tokens/log" | grep -q '"method": "POST".*refresh_token'
    tare rmi "$host/test/busybox:1.0"
    sed -i 's/identity-1/identity-2/' "$DOCKER_CONFIG/config.json"
    fails 1 tare pull -q "$host/test/busybox:1.0"
    has_not identity-2
}

# --- helpers -----------------------------------------------------------------------------------------------------------------------

@test "credsStore: login stores by the helper, pull asks it, logout erases" {
    local host
    host=$(reg_host token)
    mkdir -p "$ROOTS/bin"
    cat >"$ROOTS/bin/docker-credential-file" <<EOF
#!/bin/sh
echo "\$1" >>$ROOTS/helper.log
case \$1 in
    store) cat >$ROOTS/helper.json ;;
    get) read -r s; cat $ROOTS/helper.json 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
    erase) rm $ROOTS/helper.json ;;
    list) echo '{}' ;;
esac
EOF
    chmod +x "$ROOTS/bin/docker-credential-file"
    export PATH=$ROOTS/bin:$PATH
    echo '{"credsStore":"file"}' >"$DOCKER_CONFIG/config.json"
    ok tare login -u user -p pass "$host"
    has_not "stored unencrypted"
    python3 -c "import json,sys; d=json.load(open('$ROOTS/helper.json')); assert (d['ServerURL'], d['Username'], d['Secret']) == ('$host', 'user', 'pass'), d"
    ! grep -q "$(printf user:pass | base64)" "$DOCKER_CONFIG/config.json"
    ok tare pull -q "$host/test/busybox:1.0"
    grep -q '^get$' "$ROOTS/helper.log"
    ok tare logout "$host"
    [ ! -e "$ROOTS/helper.json" ]
    tare rmi "$host/test/busybox:1.0"
    fails 1 tare pull -q "$host/test/busybox:1.0"

    # A helper of one registry wins over the store; a helper's identity token has the user <token>.
    printf '{"credsStore":"absent","credHelpers":{"%s":"file"}}' "$host" >"$DOCKER_CONFIG/config.json"
    printf '{"ServerURL":"%s","Username":"<token>","Secret":"identity-1"}' "$host" >"$ROOTS/helper.json"
    ok tare pull -q "$host/test/busybox:1.0"
    tail -1 "$ROOTS/tokens/log" | grep -q '"method": "POST"'
}

# --- kinds of images ---------------------------------------------------------------------------------------------------------------

@test "--pull newer: only when the tag stands for another image; what is here will do when the registry is away" {
    local name=$PLAIN/test/moving:1 first
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$PLAIN/test/busybox:1.0" "docker://$name"
    ok tare run --rm --network none --pull newer "$name" true
    has "Downloaded newer image"
    ok tare run --rm --network none --pull newer "$name" true
    is ""
    first=$(tare images -q --no-trunc "$name")
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$PLAIN/test/multi:1.0" "docker://$name"
    ok tare run --rm --network none --pull missing "$name" true
    is ""
    ok tare run --rm --network none --pull newer "$name" true
    has "Downloaded newer image"
    [ "$(tare images -q --no-trunc "$name")" != "$first" ]
    ok tare tag "$name" localhost:1/away:1
    ok tare run --rm --network none --pull newer localhost:1/away:1 true
    has "using the image in the store"
    fails 125 tare run --rm --network none --pull always localhost:1/away:1 true
    fails 125 tare run --rm --network none --pull never localhost:1/nothing true
    has "No such image"
    fails 125 tare run --rm --pull sometimes "$name" true
}

@test "zstd layers, as skopeo makes them" {
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false --dest-compress-format zstd -f oci "docker://$PLAIN/test/multi:1.0" "oci:$ROOTS/zstd:z"
    skopeo copy -q --dest-tls-verify=false --dest-compress-format zstd "oci:$ROOTS/zstd:z" "docker://$PLAIN/test/zstd:1"
    skopeo inspect --raw --tls-verify=false "docker://$PLAIN/test/zstd:1" | grep -q tar+zstd
    ok tare pull -q "$PLAIN/test/zstd:1"
    ok tare run --rm --network none "$PLAIN/test/zstd:1"
    has "hello from the image"
    ok tare tag "$PLAIN/test/zstd:1" "$PLAIN/test/zstd:2"
    ok tare push "$PLAIN/test/zstd:2"
    skopeo inspect --raw --tls-verify=false "docker://$PLAIN/test/zstd:2" | grep -q tar+zstd
}

@test "a Docker image: its manifest byte for byte, an OCI one derived, and skopeo reads the store in place" {
    local digest raw
    skopeo copy -q --dest-tls-verify=false "docker-archive:$FIXTURES/multi.docker.tar" "docker://$PLAIN/test/docker:1.0" --format v2s2
    raw=$(skopeo inspect --raw --tls-verify=false "docker://$PLAIN/test/docker:1.0" | sha256sum)
    ok tare pull -q "$PLAIN/test/docker:1.0"
    digest=$(tare image inspect --format '{{index .RepoDigests 0}}' "$PLAIN/test/docker:1.0")
    [ "${digest#*sha256:}  -" = "$raw" ]
    [ "$(sha256sum <"$ROOT/blobs/sha256/${digest#*sha256:}")" = "$raw" ]
    ok skopeo inspect "oci:$ROOT:$PLAIN/test/docker:1.0"
    ok skopeo inspect --raw "oci:$ROOT:$PLAIN/test/docker:1.0"
    has "application/vnd.oci.image.config.v1+json"
    ok skopeo copy -q "oci:$ROOT:$PLAIN/test/docker:1.0" "dir:$ROOTS/copied"
    [ "$(ls "$ROOTS/copied" | grep -cE '^[0-9a-f]{64}$')" = 6 ]
    ok tare tag "$PLAIN/test/docker:1.0" "$PLAIN/test/again:1.0"
    ok tare push "$PLAIN/test/again:1.0"
    [ "$(skopeo inspect --raw --tls-verify=false "docker://$PLAIN/test/again:1.0" | sha256sum)" = "$raw" ]
}

@test "variants: arm/v7 for arm, v6 where there is no v7, arm64 with and without v8" {
    local v dir=$ROOTS/variants
    mkdir "$dir"
    python3 "$here/variants.py" "$FIXTURES/busybox.oci" "$dir" arm/v6 arm/v7 arm64/v8 386
    skopeo copy -q --all --dest-tls-verify=false "oci:$dir:all" "docker://$PLAIN/test/variants:1"
    for v in linux/arm/v7=arm/v7 linux/arm=arm/v7 linux/arm/v6=arm/v6 linux/arm/v8=arm/v7 linux/arm64=arm64 linux/arm64/v8=arm64 \
        linux/386=386; do
        ok tare pull -q --platform "${v%=*}" "$PLAIN/test/variants:1"
        ok tare image inspect --format '{{.Architecture}}{{with .Variant}}/{{.}}{{end}}' "$PLAIN/test/variants:1"
        [[ ${output%/v8} == "${v#*=}" ]] || { echo "$v: $output"; return 1; }
    done
    fails 1 tare pull -q --platform linux/arm/v5 "$PLAIN/test/variants:1"
    has "linux/arm/v6"
    fails 1 tare pull -q "$PLAIN/test/variants:1"
    has "linux/arm64"
}

@test "mirrors: the first that answers; a mirror for digests only; what is blocked stays so" {
    cat >"$REGISTRIES" <<EOF
unqualified-search-registries = ["$PLAIN"]
[[registry]]
prefix = "example.invalid"
location = "example.invalid"
[[registry.mirror]]
location = "localhost:1"
insecure = true
[[registry.mirror]]
location = "$PLAIN"
insecure = true
[[registry]]
prefix = "digest.invalid"
location = "digest.invalid"
mirror-by-digest-only = true
[[registry.mirror]]
location = "$PLAIN/test"
insecure = true
[[registry]]
prefix = "*.evil.invalid"
blocked = true
[aliases]
"short" = "$PLAIN/test/busybox"
EOF
    export CONTAINERS_REGISTRIES_CONF=$REGISTRIES
    local digest
    digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$PLAIN/test/busybox:1.0")
    ok tare pull -q example.invalid/test/busybox:1.0
    has "example.invalid/test/busybox:1.0"
    ok tare pull -q "digest.invalid/busybox@$digest"
    fails 1 tare pull -q digest.invalid/busybox:1.0
    fails 1 tare pull -q very.evil.invalid/x
    has blocked
    ok tare pull -q short:1.0
    ok tare pull -q test/multi:1.0
    ok tare image inspect --format '{{index .RepoTags 0}}{{"\n"}}{{index .RepoTags 1}}' test/multi:1.0
    has "$PLAIN/test/multi:1.0"
}

@test "many pulls at once (TARE_TEST_PULLS, 60): one download, and a bounded number of processes" {
    local i pids=() most=0 now name all
    liar_start
    name=localhost:$(cat "$ROOTS/liar/port")/many
    for ((i = 0; i < ${TARE_TEST_PULLS:-60}; i++)); do
        "$TARE" --root "$ROOTS/many" --run-root "$ROOTS/many-run" pull -q "$name" >/dev/null 3>&- &
        pids+=($!)
    done
    all=$(IFS=,; echo "${pids[*]}")
    while kill -0 "${pids[-1]}" 2>/dev/null; do
        now=$(pgrep -c -x tare-unpack -P "$all" || true)
        [ "$now" -le "$most" ] || most=$now
        sleep 0.05
    done
    for i in "${pids[@]}"; do wait "$i"; done
    [ "$most" -le 2 ] || { echo "$most workers"; return 1; }
    # The layer came once; manifests and the small configuration are asked for by each.
    [ "$(sed -n 's/.*"path": "\(\/v2\/many\/blobs\/[^"]*\)".*/\1/p' "$ROOTS/liar/log" | sort | uniq -c | sort -n | awk 'NR == 1 {print $1}')" = 1 ]
    ok "$TARE" --root "$ROOTS/many" --run-root "$ROOTS/many-run" system reset -f
    rm -rf "$ROOTS/many" "$ROOTS/many-run"
}
