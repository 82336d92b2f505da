#!/usr/bin/env bats
# Pull, push, login against Debian's docker-registry on loopback: plain, with TLS, with passwords; images pushed by skopeo.

load lib
load registry

setup_file() {
    roots_make --empty
    export HOME=$ROOTS/home DOCKER_CONFIG=$ROOTS/docker REGISTRIES=$ROOTS/registries.conf
    mkdir -p "$HOME" "$DOCKER_CONFIG"
    reg_start plain
    reg_start tls tls
    reg_start auth tls htpasswd
    for image in busybox multi; do
        skopeo copy -q --dest-tls-verify=false "oci-archive:$FIXTURES/$image.oci.tar" "docker://$(reg_host plain)/test/$image:1.0"
    done
    skopeo copy -q --dest-tls-verify=false "docker-archive:$FIXTURES/multi.docker.tar" "docker://$(reg_host plain)/test/docker:1.0" \
        --format v2s2
    skopeo copy -q --dest-tls-verify=false "oci-archive:$FIXTURES/busybox.oci.tar" "docker://$(reg_host tls)/test/busybox:1.0"
    skopeo copy -q --dest-tls-verify=false --dest-creds user:pass "oci-archive:$FIXTURES/busybox.oci.tar" \
        "docker://$(reg_host auth)/private/busybox:1.0"
}

teardown_file() {
    servers_stop
    images_remove
    roots_remove
}

@test "pull says what Docker says, a line for each layer" {
    local name
    name=$(reg_host plain)/test/multi:1.0
    ok tare pull "$name"
    [ "${lines[0]}" = "1.0: Pulling from test/multi" ]
    [ "$(grep -c ': Pull complete$' <<<"$output")" = 5 ]
    grep -qE '^Digest: sha256:[0-9a-f]{64}$' <<<"$output"
    grep -qx "Status: Downloaded newer image for $name" <<<"$output"
    [ "${lines[-1]}" = "$name" ]
}

@test "pull again: the image is up to date, no blob is fetched" {
    local name
    name=$(reg_host plain)/test/multi:1.0
    ok tare pull "$name"
    grep -qx "Status: Image is up to date for $name" <<<"$output"
    [ "$(grep -c ': Already exists$' <<<"$output")" = 5 ]
}

@test "pull -q prints the name only; without a tag it is latest" {
    local host
    host=$(reg_host plain)
    ok tare pull -q "$host/test/busybox:1.0"
    [ "$output" = "$host/test/busybox:1.0" ]
    fails 1 tare pull "$host/test/busybox"
    [[ $output == *"Using default tag: latest"*"manifest for $host/test/busybox:latest: not found"* ]]
}

@test "pull by digest" {
    local host digest
    host=$(reg_host plain)
    digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/test/busybox:1.0")
    ok tare pull "$host/test/busybox@$digest"
    grep -qx "Digest: $digest" <<<"$output"
    fails 1 tare pull "$host/test/busybox@sha256:$(printf '%064d' 1)"
}

@test "a Docker schema 2 image keeps its manifest byte for byte" {
    local host digest
    host=$(reg_host plain)
    digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$host/test/docker:1.0")
    ok tare pull "$host/test/docker:1.0"
    grep -qx "Digest: $digest" <<<"$output"
    [ "$(sha256sum <"$ROOT/blobs/sha256/${digest#sha256:}")" = "${digest#sha256:}  -" ]
}

@test "pull --platform says which there are" {
    fails 1 tare pull --platform linux/s390x "$(reg_host plain)/test/busybox:1.0"
    [[ $output == *"linux/amd64"*"linux/s390x"* ]]
}

@test "pull -a brings every tag" {
    local host
    host=$(reg_host plain)
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$host/test/busybox:1.0" "docker://$host/many/busybox:a"
    skopeo copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$host/test/busybox:1.0" "docker://$host/many/busybox:b"
    ok tare pull -a "$host/many/busybox"
    ok tare images -q --no-trunc "$host/many/busybox:*"
    ok tare images "$host/many/busybox"
    [ "$(grep -c "^$host/many/busybox" <<<"$output")" = 2 ]
    fails 1 tare pull -a "$host/many/busybox:a"
}

@test "TLS: an unknown authority is refused, and the error says where to put it" {
    fails 1 tare pull "$(reg_host tls)/test/busybox:1.0"
    [[ $output == *"certs.d/$(reg_host tls)/ca.crt"* ]]
}

@test "TLS: with the authority in certs.d" {
    local host
    host=$(reg_host tls)
    mkdir -p "$HOME/.config/containers/certs.d/$host"
    cp "$ROOTS/ca.pem" "$HOME/.config/containers/certs.d/$host/ca.crt"
    ok tare pull -q "$host/test/busybox:1.0"
    fails 1 tare pull "127.0.0.2:${host#*:}/test/busybox:1.0" # a name that the certificate has not
    rm -r "$HOME/.config/containers/certs.d"
}

@test "TLS: insecure in registries.conf skips the check" {
    local host
    host=$(reg_host tls)
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$host" >"$REGISTRIES"
    CONTAINERS_REGISTRIES_CONF=$REGISTRIES ok tare pull -q "$host/test/busybox:1.0"
}

@test "login, pull, logout" {
    local host
    host=$(reg_host auth)
    trust "$host"
    fails 1 tare pull "$host/private/busybox:1.0"
    [[ $output == *"unauthorized"*"tare login $host"* ]]
    run tare login -u user --password-stdin "$host" <<<wrong
    [ "$status" = 1 ]
    [[ $output == *"incorrect username or password"* ]]
    [ ! -e "$DOCKER_CONFIG/config.json" ]
    run tare login -u user --password-stdin "$host" <<<pass
    [ "$status" = 0 ]
    [[ $output == *"Login Succeeded"* ]]
    [ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
    ok tare pull -q "$host/private/busybox:1.0"
    ok tare logout "$host"
    fails 1 tare pull "$host/private/busybox:1.0"
}

@test "credentials from auth.json and from a helper" {
    local host
    host=$(reg_host auth)
    trust "$host"
    printf '{"auths":{"%s/private":{"auth":"%s"}}}' "$host" "$(printf user:pass | base64)" >"$ROOTS/auth.json"
    REGISTRY_AUTH_FILE=$ROOTS/auth.json ok tare pull -q "$host/private/busybox:1.0"

    mkdir -p "$ROOTS/bin"
    cat >"$ROOTS/bin/docker-credential-test" <<EOF
#!/bin/sh
read -r server
[ "\$1 \$server" = "get $host" ] || { echo "credentials not found in native keychain"; exit 1; }
[ -z "\$SECRET_OF_TARE" ] || exit 1
echo '{"ServerURL":"$host","Username":"user","Secret":"pass"}'
EOF
    chmod +x "$ROOTS/bin/docker-credential-test"
    printf '{"credHelpers":{"%s":"test"}}' "$host" >"$ROOTS/auth.json"
    PATH=$ROOTS/bin:$PATH SECRET_OF_TARE=1 REGISTRY_AUTH_FILE=$ROOTS/auth.json ok tare pull -q "$host/private/busybox:1.0"
    printf '{"credsStore":"absent"}' >"$ROOTS/auth.json"
    REGISTRY_AUTH_FILE=$ROOTS/auth.json fails 1 tare pull -q "$host/private/busybox:1.0"
    [[ $output == *"docker-credential-absent is not in PATH"* ]]
}

@test "no credential appears in the debug log" {
    local host
    host=$(reg_host auth)
    trust "$host"
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$host" "$(printf user:pass | base64)" >"$ROOTS/auth.json"
    REGISTRY_AUTH_FILE=$ROOTS/auth.json ok tare -D pull "$host/private/busybox:1.0"
    [[ $output == *"GET https://"* ]]
    ! grep -qE "pass|$(printf user:pass | base64)|Basic" <<<"$output"
}

@test "registries.conf: mirror, block, alias" {
    local host
    host=$(reg_host plain)
    cat >"$REGISTRIES" <<EOF
[[registry]]
prefix = "docker.io"
location = "blocked.invalid"
[[registry.mirror]]
location = "$host"
insecure = true
[[registry]]
prefix = "evil.example"
blocked = true
[aliases]
"bb" = "$host/test/busybox"
EOF
    export CONTAINERS_REGISTRIES_CONF=$REGISTRIES
    ok tare pull -q test/busybox:1.0
    [ "$output" = docker.io/test/busybox:1.0 ]
    fails 1 tare pull evil.example/x
    [[ $output == *blocked* ]]
    ok tare pull -q bb:1.0
    ok tare images bb
    grep -q '^bb ' <<<"$output"
    printf 'x = [\n' >"$REGISTRIES"
    fails 1 tare pull -q bb:1.0
    [[ $output == *"registries.conf:"* ]]
}

@test "push: blobs, manifest; again: all there; to another repository: mounted" {
    local host
    host=$(reg_host plain)
    ok tare pull -q "$host/test/multi:1.0"
    ok tare tag "$host/test/multi:1.0" "$(reg_host auth)/pushed/multi:2"
    trust "$(reg_host auth)"
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$(reg_host auth)" "$(printf user:pass | base64)" >"$ROOTS/auth.json"
    export REGISTRY_AUTH_FILE=$ROOTS/auth.json
    ok tare push "$(reg_host auth)/pushed/multi:2"
    [ "${lines[0]}" = "The push refers to repository [$(reg_host auth)/pushed/multi]" ]
    [ "$(grep -cE ': (Pushed|Mounted from private/busybox)$' <<<"$output")" = 5 ] || { echo "$output"; return 1; }
    [[ ${lines[-1]} =~ ^2:\ digest:\ sha256:[0-9a-f]{64}\ size:\ [0-9]+$ ]]
    ok tare push "$(reg_host auth)/pushed/multi:2"
    [ "$(grep -c ': Layer already exists$' <<<"$output")" = 5 ]
    ok skopeo inspect --tls-verify=false --creds user:pass "docker://$(reg_host auth)/pushed/multi:2"

    ok tare tag "$(reg_host auth)/pushed/multi:2" "$(reg_host auth)/second/multi:2"
    ok tare push "$(reg_host auth)/second/multi:2"
    # The lowest layer is busybox's own, which an earlier test may have pulled from another repository.
    [ "$(grep -cE ': Mounted from (pushed/multi|private/busybox)$' <<<"$output")" = 5 ]
    [ "$(grep -c ': Mounted from pushed/multi$' <<<"$output")" -ge 4 ]
}

@test "a registry that is not there" {
    fails 1 tare pull localhost:1/x
    [[ $output == *"pull localhost:1/x: cannot connect to localhost port 1"* ]]
    fails 1 tare pull no-such-host.invalid/x
    [[ $output == *"pull no-such-host.invalid/x: no such host"* ]]
}

@test "tare itself loads no library; only the worker does" {
    ! ldd "$TARE" 2>/dev/null | grep -q curl
    ldd "$(dirname "$TARE")/tare-fetch" | grep -q libcurl
}
