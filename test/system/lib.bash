# Helpers of the system tests. Each bats file begins with
#
#     load lib
#     setup_file() { roots_make; }          # roots of its own below /tmp (or $TEST_ROOTS), with the image busybox loaded
#     teardown_file() { roots_remove; }     # removes them; fails when anything of them is left on the host
#     setup() { leaks_before; }             # the oracle (test/tool/leaks.c) looks before and after every test
#     teardown() { leaks_after; }
#
# and calls `tare`, which is the program under test with these roots. Third line of a file: `# as: user` runs it as an ordinary user,
# `# lane: alone` runs it when nothing else runs. A file can be run by itself: bats test/system/NAME.bats (build/tare is taken).

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TARE=${TARE:-$(readlink -f "$here/../../build/tare")}
FIXTURES=${FIXTURES:-/tmp/tare-fixtures-$(id -u)}
LEAKS=${LEAKS:-$(readlink -f "$here/../../build/test/tool/leaks")} # the oracle
PATIENCE=${TEST_PATIENCE:-12} # a test that passes waits for none of it
export TARE FIXTURES LEAKS PATIENCE

tare() {
    "$TARE" --root "$ROOT" --run-root "$RUN" "$@"
}

# Roots of this file. The paths are short: a unix socket's path ends at 108 bytes.
roots_make() { # [--empty]
    [ -e "$FIXTURES/done" ] || "$here/fixtures" "$FIXTURES"
    ROOTS=$(mktemp -d "${TEST_ROOTS:-/tmp}/tt.XXXXXX")
    ROOT=$ROOTS/root RUN=$ROOTS/run
    mkdir "$ROOT" "$RUN"
    TAG=$("$LEAKS" tag "$RUN")
    export ROOTS ROOT RUN TAG
    [ -z "${TEST_WORK:-}" ] || echo "$ROOT $RUN" >>"$TEST_WORK/roots" 2>/dev/null || true
    [ "${1:-}" = --empty ] || image_load busybox
}

image_load() { # NAME: busybox or multi, from the archive that was made once
    tare load -q -i "$FIXTURES/$1.docker.tar" >/dev/null
}

# The end of the roots: `tare system reset` takes everything away, and then nothing at all may be left on the host.
roots_remove() {
    local left='' said
    [ -n "${ROOTS:-}" ] || return 0 # setup_file skipped
    said=$(tare system reset -f 2>&1) || left="tare system reset -f: $said"$'\n'
    left+=$(leaks_wait "" --all)
    tare_host_clean
    rm -rf "$ROOTS" 2>/dev/null || true
    [ ! -e "$ROOTS" ] || left+=$'\n'"cannot remove $ROOTS"
    [ -n "$left" ] || return 0
    printf 'left behind by %s:\n%s\n' "$BATS_TEST_FILENAME" "$left" >&2
    return 1
}

# What a reset that failed left on the host, so that it does not spoil the next tests.
tare_host_clean() {
    local dir link
    [ "$(id -u)" = 0 ] && [ -n "${TAG:-}" ] || return 0
    for link in $(nft list table inet "tare$TAG" 2>/dev/null | grep -oE "tn-[0-9a-f]{12}|tare$TAG[0-9a-z-]*" | sort -u); do
        ip link del "$link" 2>/dev/null || true
    done
    nft delete table inet "tare$TAG" 2>/dev/null || true
    nft delete table bridge "tare$TAG" 2>/dev/null || true
    for dir in /sys/fs/cgroup/*/"tare$TAG" /sys/fs/cgroup/"tare$TAG"; do
        [ ! -d "$dir" ] || find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

leaks() { # [--all]
    "$LEAKS" "$@" "$ROOT" "$RUN"
}

# leaks_wait BEFORE [--all]: waits until the oracle's answer is as before (reaping and unlinking come after the command's answer); prints what is more.
leaks_wait() {
    local now more end=$((SECONDS + 5 * PATIENCE))
    while
        now=$(leaks "${@:2}")
        [ "$now" != "$1" ] || return 0 # most often, and without five processes
        more=$(comm -13 <(sort <<<"$1") <(sort <<<"$now") | sed '/^$/d')
        [ -n "$more" ]
    do
        [ "$SECONDS" -lt "$end" ] || {
            echo "$more"
            return
        }
        sleep 0.1
    done
}

leaks_before() {
    leaks >"$BATS_TEST_TMPDIR/leaks"
}

leaks_after() {
    local more
    more=$(leaks_wait "$(cat "$BATS_TEST_TMPDIR/leaks")")
    if [ -n "$more" ]; then
        echo "left behind:"
        echo "$more"
        return 1
    fi
}

# --- saying what was expected ----------------------------------------------------------------------------------------------------

# ok COMMAND…: runs it; it must succeed. $output has both streams. fails STATUS COMMAND…: it must end with the status.
ok() {
    run "$@"
    if [ "$status" != 0 ]; then
        echo "status $status of: $*"
        echo "$output"
        return 1
    fi
}

fails() {
    local want=$1
    shift
    run "$@"
    if [ "$status" != "$want" ]; then
        echo "status $status instead of $want of: $*"
        echo "$output"
        return 1
    fi
}

is() { # the output is exactly
    if [ "$output" != "$1" ]; then
        printf 'expected: %s\nfound:    %s\n' "$1" "$output"
        return 1
    fi
}

has() { # the output has the text
    if [[ "$output" != *"$1"* ]]; then
        printf 'expected somewhere: %s\nfound: %s\n' "$1" "$output"
        return 1
    fi
}

has_not() {
    if [[ "$output" == *"$1"* ]]; then
        printf 'expected nowhere: %s\nfound: %s\n' "$1" "$output"
        return 1
    fi
}

# until_true SECONDS COMMAND…: tries every 50 ms. The seconds are those of a quiet machine; this one may be PATIENCE times slower.
until_true() {
    local end=$((SECONDS + $1 * PATIENCE))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || {
            echo "not true in time: $*"
            return 1
        }
        sleep 0.05
    done
}

# --- a real registry on loopback ----------------------------------------------------------------------------------------------------

# registry_start [--tls] [--auth]: Debian's docker-registry; $REGISTRY is its host:port, user `user`, password `secret`.
registry_start() {
    local tls= auth= port dir=$ROOTS/registry
    for a in "$@"; do
        case $a in --tls) tls=1 ;; --auth) auth=1 ;; esac
    done
    mkdir -p "$dir/data"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    {
        printf 'version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: %s}\n  delete: {enabled: true}\n' "$dir/data"
        printf 'http:\n  addr: 127.0.0.1:%s\n' "$port"
        if [ "$tls" ]; then
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$dir/key.pem" -out "$dir/ca.crt" 2>/dev/null
            printf '  tls: {certificate: %s, key: %s}\n' "$dir/ca.crt" "$dir/key.pem"
        fi
        if [ "$auth" ]; then
            htpasswd -Bbn user secret >"$dir/htpasswd"
            printf 'auth:\n  htpasswd: {realm: test, path: %s}\n' "$dir/htpasswd"
        fi
    } >"$dir/config.yml"
    docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 3>&- &
    REGISTRY_PID=$!
    REGISTRY=localhost:$port REGISTRY_CA=$dir/ca.crt
    export REGISTRY REGISTRY_PID REGISTRY_CA
    until_true 10 curl -ks -o /dev/null "http${tls:+s}://127.0.0.1:$port/v2/"
}

registry_stop() {
    kill "$REGISTRY_PID" 2>/dev/null || true
    wait "$REGISTRY_PID" 2>/dev/null || true
}

# registry_push FIXTURE NAME[:TAG] [skopeo options…]: as multi app/multi:1.0
registry_push() {
    local from=$1 to=$2
    shift 2
    skopeo copy -q --insecure-policy --dest-tls-verify=false "$@" "oci:$FIXTURES/$from.oci:$from:latest" "docker://$REGISTRY/$to"
}

# free_ports N: the first of N (40 at most) ports of the host in a row that nobody has, for tcp and udp; no other test of this run gets them.
free_ports() {
    local first i used
    used=$(ss -Hltun | awk '{print $5}' | grep -o '[0-9]*$')
    for ((i = 0; i < 1000; i++)); do
        first=$((20000 + RANDOM % 300 * 40))
        [ ! -d "${TEST_WORK:-/nowhere}/ports" ] || mkdir "$TEST_WORK/ports/$first" 2>/dev/null || continue
        awk -v first="$first" -v n="$1" '$1 >= first && $1 < first + n { exit 1 }' <<<"$used" || continue
        echo "$first"
        return
    done
    return 1
}
