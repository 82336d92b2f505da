# Registries of one test file, on loopback: each in a folder of its own below $ROOTS, ended by its pid.

server_started() { # DIR: waits for DIR/port
    local i
    for ((i = 0; i < 100; i++)); do
        [ ! -s "$1/port" ] || return 0
        sleep 0.1
    done
    cat "$1/out" >&2
    return 1
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# An authority of our own and a certificate for localhost.
certificates_make() {
    [ ! -e "$ROOTS/ca.pem" ] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=tare tests" -keyout "$ROOTS/ca.key" \
        -out "$ROOTS/ca.pem" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout "$ROOTS/key.pem" \
        -out "$ROOTS/req.pem" 2>/dev/null
    openssl x509 -req -in "$ROOTS/req.pem" -CA "$ROOTS/ca.pem" -CAkey "$ROOTS/ca.key" -CAcreateserial -days 2 -out "$ROOTS/cert.pem" \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
}

reg_start() { # NAME [tls] [htpasswd]
    local dir=$ROOTS/registry-$1 port tls="" auth="" i
    mkdir -p "$dir"
    for ((i = 0; i < 5; i++)); do
        port=$(free_port)
        if [[ " $* " == *" tls "* ]]; then
            certificates_make
            tls="tls: {certificate: $ROOTS/cert.pem, key: $ROOTS/key.pem}"
        fi
        if [[ " $* " == *" htpasswd "* ]]; then
            htpasswd -Bbn user pass >"$dir/htpasswd"
            auth="auth: {htpasswd: {realm: test, path: $dir/htpasswd}}"
        fi
        cat >"$dir/config.yml" <<EOF
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir/data}}
http:
  addr: 127.0.0.1:$port
  $tls
$auth
EOF
        docker-registry serve "$dir/config.yml" >"$dir/out" 2>&1 3>&- &
        echo $! >"$dir/pid"
        for ((i = 0; i < 50; i++)); do
            if (exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
                echo "$port" >"$dir/port"
                return 0
            fi
            kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
            sleep 0.1
        done
    done
    cat "$dir/out" >&2
    return 1
}

reg_host() { # NAME
    echo "localhost:$(cat "$ROOTS/registry-$1/port")"
}

trust() { # HOST: its authority is known
    mkdir -p "$HOME/.config/containers/certs.d/$1"
    cp "$ROOTS/ca.pem" "$HOME/.config/containers/certs.d/$1/ca.crt"
}

liar_start() { # the lying registry, in $ROOTS/liar
    mkdir -p "$ROOTS/liar"
    python3 "$here/lying_registry.py" "$ROOTS/liar" >"$ROOTS/liar/out" 2>&1 3>&- &
    echo $! >"$ROOTS/liar/pid"
    server_started "$ROOTS/liar"
}

servers_stop() {
    local pid
    for pid in "$ROOTS"/*/pid; do
        [ ! -e "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true
    done
}

images_remove() {
    local ids
    ids=$(tare images -q --no-trunc)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || tare rmi -f $ids >/dev/null
}
