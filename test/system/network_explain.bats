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
    tare run -d --name d --network closed -p "$PORT:80" busybox sleep 1000 >/dev/null
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

@test "a network and a container in one command; neither of them" {
    tare run -d --name c --network one busybox sleep 1000 >/dev/null
    ok tare network explain one c
    has "network one ("
    has "container c ("
    fails 1 tare network explain nosuch
    has "nosuch"
}
