# Registries of one test file, on loopback: each in a folder of its own below $ROOTS, ended by its pid.

server_started() { # DIR: waits for DIR/port
    until_true 10 test -s "$1/port" || { cat "$1/out" >&2; return 1; }
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
        -extfile <(echo "subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1") 2>/dev/null
}

# tls: with the certificate for localhost; mutual: and only for clients with one of our authority; htpasswd: user/pass; tokens: tokens
# of the service in $ROOTS/tokens. data:NAME: over the files of another registry.
reg_start() { # NAME [tls|mutual] [htpasswd|tokens] [data:NAME]
    local dir=$ROOTS/registry-$1 port tls="" auth="" i data=$ROOTS/registry-$1/data
    mkdir -p "$dir"
    for ((i = 0; i < 5; i++)); do
        port=$(free_port)
        if [[ " $* " == *" tls "* || " $* " == *" mutual "* ]]; then
            certificates_make
            tls="tls: {certificate: $ROOTS/cert.pem, key: $ROOTS/key.pem}"
            [[ " $* " != *" mutual "* ]] || tls="${tls%\}}, clientcas: [$ROOTS/ca.pem]}"
        fi
        [[ " $* " != *" data:"* ]] || data=$ROOTS/registry-$(sed 's/.* data:\([a-z]*\).*/\1/' <<<" $* ")/data
        if [[ " $* " == *" tokens "* ]]; then
            auth="auth: {token: {realm: 'http://localhost:$(cat "$ROOTS/tokens/port")/token', service: tests, issuer: tests, rootcertbundle: $ROOTS/tokens/cert.pem}}"
        fi
        if [[ " $* " == *" htpasswd "* ]]; then
            htpasswd -Bbn user pass >"$dir/htpasswd"
            auth="auth: {htpasswd: {realm: test, path: $dir/htpasswd}}"
        fi
        cat >"$dir/config.yml" <<EOF
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $data}}
http:
  addr: 127.0.0.1:$port
  $tls
$auth
EOF
        docker-registry serve "$dir/config.yml" >"$dir/out" 2>&1 3>&- &
        echo $! >"$dir/pid"
        until (exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
            kill -0 "$(cat "$dir/pid")" 2>/dev/null || continue 2 # somebody took the port
            sleep 0.1
        done
        echo "$port" >"$dir/port"
        return 0
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

client_certificate() { # NAME: $ROOTS/NAME.cert and NAME.key, of our authority
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$ROOTS/$1.key" -out "$ROOTS/$1.req" 2>/dev/null
    openssl x509 -req -in "$ROOTS/$1.req" -CA "$ROOTS/ca.pem" -CAkey "$ROOTS/ca.key" -CAcreateserial -days 2 -out "$ROOTS/$1.cert" \
        -extfile <(echo "extendedKeyUsage=clientAuth") 2>/dev/null
}

tokens_start() { # a token service, in $ROOTS/tokens
    mkdir -p "$ROOTS/tokens"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=tokens" -keyout "$ROOTS/tokens/key.pem" -out "$ROOTS/tokens/cert.pem" 2>/dev/null
    python3 "$here/token_server.py" "$ROOTS/tokens" >"$ROOTS/tokens/out" 2>&1 3>&- &
    echo $! >"$ROOTS/tokens/pid"
    server_started "$ROOTS/tokens"
}

proxy_start() { # in $ROOTS/proxy
    mkdir -p "$ROOTS/proxy"
    python3 "$here/http_proxy.py" "$ROOTS/proxy" >"$ROOTS/proxy/out" 2>&1 3>&- &
    echo $! >"$ROOTS/proxy/pid"
    server_started "$ROOTS/proxy"
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
