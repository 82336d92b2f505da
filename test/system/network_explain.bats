#!/usr/bin/env bats
# `network explain CONTAINER`: why a port is reached or not, in words.

load lib

setup_file() {
    roots_make
    tare network create one >/dev/null
    tare network create --internal closed >/dev/null
    PORT=$(free_ports 3)
    export PORT
}
teardown_file() { roots_remove; }

setup() { leaks_before; }
teardown() {
    tare ps -aq | xargs -r "$TARE" --root "$ROOT" --run-root "$RUN" rm -f >/dev/null
    leaks_after
}

@test "a port: nobody listens, only at loopback, and as it should be" {
    tare run -d --name c --network one -p "$PORT:80" busybox sleep 1000 >/dev/null
    ok tare network explain c
    has "container c ("
    has "): running"
    has "network one: address "
    has "its default route goes over this network"
    has "port $PORT/tcp at every address of the host leads to c "
    has "BLOCKED: nothing in the container listens at port 80/tcp"
    tare exec -d c httpd -f -p 127.0.0.1:80
    until_true 5 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' network explain c | grep 'at its loopback address alone'"
    tare exec -d c httpd -f -p "$(tare inspect --format '{{.NetworkSettings.Networks.one.IPAddress}}' c):80"
    until_true 5 sh -c "! '$TARE' --root '$ROOT' --run-root '$RUN' network explain c | grep BLOCKED"
}

@test "several networks, an internal one, none, and one that does not run" {
    tare run -d --name c --network closed --network one busybox sleep 1000 >/dev/null
    ok tare network explain c
    has "network closed: address "
    has "no way out: the network is internal"
    has "it publishes no port: from outside and from other networks it is not reached"
    ok tare run -d --name d --network closed -p "$PORT:80" busybox sleep 1000
    has "published ports are discarded: the container's networks are internal"
    ok tare network explain d
    has "BLOCKED: its published ports are not there"
    tare stop -t 0 d >/dev/null
    ok tare network explain d
    has "BLOCKED: it does not run"
    tare run -d --name e --network none busybox sleep 1000 >/dev/null
    ok tare network explain e
    has "nobody reaches it"
    tare run -d --name f --network container:e busybox sleep 1000 >/dev/null
    ok tare network explain f
    has "container e: see there"
}

# --- somebody else's chains: in a network namespace of the test's own -----------------------------------------------------------------

world() { nsenter --net="/run/netns/ex$$" "$@"; }
there() { world "$TARE" --root "$ROOT/w" --run-root "$RUN/w" "$@"; }
lan() { nsenter --net="/run/netns/ex$$-lan" curl -s -m 2 "$1"; }

world_make() {
    ip netns add "ex$$"
    ip netns add "ex$$-lan"
    ip -n "ex$$" link set lo up
    ip -n "ex$$" link add up0 type veth peer name lan0 netns "ex$$-lan"
    ip -n "ex$$" addr add 198.51.100.1/24 dev up0
    ip -n "ex$$-lan" addr add 198.51.100.9/24 dev lan0
    ip -n "ex$$" link set up0 up
    ip -n "ex$$-lan" link set lan0 up
    mkdir -p "$ROOT/w" "$RUN/w"
    there load -q -i "$FIXTURES/busybox.docker.tar" >/dev/null
    there network create --ipv6=false one >/dev/null
    there run -d --name web --network one -p 8080:80 busybox \
        sh -c 'mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 lan http://198.51.100.1:8080/
}
world_end() {
    there rm -f web >/dev/null
    there system reset -f >/dev/null
    ip netns del "ex$$"
    ip netns del "ex$$-lan"
    rm -rf "${ROOT:?}/w" "${RUN:?}/w"
}

# opened CHAIN: it is closed; explain names the chain; the command that it prints opens it; then nothing is said any more
opened() {
    fails 28 lan http://198.51.100.1:8080/
    ok there network explain one
    has "BLOCKED: chain $1 drops what is forwarded, and a drop is final."
    world bash -e <(sed -n "/BLOCKED: chain/{n;s/^ *//p}" <<<"$output")
    ok lan http://198.51.100.1:8080/
    is hello
    there exec web sh -c 'echo | nc -w 2 198.51.100.9 1; true'
    ok there network explain one
    has_not BLOCKED
    ok there network explain web
    has_not BLOCKED
}

@test "a chain of somebody else's that drops: which, and the one command that opens it" {
    world_make
    ok there network explain one
    has_not BLOCKED
    # as Docker, and ufw, leave it
    if command -v iptables-nft; then
        world iptables-nft -P FORWARD DROP
        world iptables-nft -N USER
        world iptables-nft -A FORWARD -j USER
        opened "FORWARD of table ip filter"
        there network create two >/dev/null
        ok there run --rm --network two busybox true
        has "chain FORWARD of table ip filter drops what is forwarded to and from containers; this opens it: nft '"
        there network rm two >/dev/null
        world nft flush table ip filter
        world nft delete table ip filter
    fi
    # as a file for nftables does
    world nft -f - <<'N'
table inet own {
    chain way {
        type filter hook forward priority 10; policy drop
        ct state established,related accept
    }
}
N
    opened "way of table inet own"
    world nft -f - <<'N'
flush ruleset
table inet own {
    chain way {
        type filter hook forward priority -10; policy accept
        iifname "up0" tcp dport 22 accept
        tcp dport 23 drop
        counter reject with icmpx admin-prohibited
    }
}
N
    there network reload --all
    fails 7 lan http://198.51.100.1:8080/
    ok there network explain one
    has "BLOCKED: chain way of table inet own drops what is forwarded"
    world bash -e <(sed -n "/BLOCKED: chain/{n;s/^ *//p}" <<<"$output")
    ok lan http://198.51.100.1:8080/
    is hello
    ok there network explain one
    has_not BLOCKED
    world_end
}

@test "a network and a container in one command; neither of them" {
    tare run -d --name c --network one busybox sleep 1000 >/dev/null
    ok tare network explain one c
    has "network one ("
    has "container c ("
    fails 1 tare network explain nosuch
    has "nosuch"
}
