#!/usr/bin/env bats
# Networks joined and left while a container runs: what its monitor starts again by the policy has the networks of that moment.

load lib

setup_file() {
    roots_make
    local n
    for n in one two three; do tare network create $n >/dev/null; done
}
teardown_file() { roots_remove; }

setup() { leaks_before; }
teardown() {
    tare ps -aq | xargs -r "$TARE" --root "$ROOT" --run-root "$RUN" rm -f >/dev/null
    leaks_after
}

pid_of() {
    tare inspect --format '{{.State.Pid}}' "$1"
}
address() { # CONTAINER NETWORK
    tare inspect --format "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1" | grep . || echo "no address of $1 on $2"
}
gateway() {
    tare network inspect --format '{{(index .IPAM.Config 0).Gateway}}' "$1"
}
monitor_of() {
    pgrep -f "^tare-monitor.* $(tare inspect --format '{{.Id}}' "$1")" | head -1
}
runs_anew() { # NAME OLD-PID
    local now
    now=$(pid_of "$1")
    [ "$now" != 0 ] && [ "$now" != "$2" ]
}
# die NAME: its program is killed, and the policy brings it back
die() {
    local old
    old=$(pid_of "$1")
    kill -KILL "$old"
    until_true 5 runs_anew "$1" "$old"
}
addresses() {
    tare exec "$1" ip -4 -o addr show scope global | awk '{print $2, $4}' | cut -d/ -f1 | sort | xargs
}

@test "a restart by the policy has the networks that were joined since, and not those that were left" {
    local one two three
    tare run -d --name c --restart always --network one busybox sleep 1000 >/dev/null
    tare run -d --name peer --network two busybox sleep 1000 >/dev/null
    one=$(address c one)
    tare network connect two c
    two=$(address c two)
    die c
    [ "$(addresses c)" = "eth0 $one eth1 $two" ]
    ok tare exec c nslookup -type=a peer
    has "$(address peer two)"
    ok tare exec c ip route
    has "default via $(gateway one)"
    tare network disconnect one c
    die c
    [ "$(addresses c)" = "eth1 $two" ]
    ok tare exec c ip route
    has "default via $(gateway two)"
    # the address that was given back can be another's
    ok tare run --rm --network one --ip "$one" busybox true
    tare network connect three c
    three=$(address c three)
    die c
    [ "$(addresses c)" = "eth0 $three eth1 $two" ]
}

@test "the first network of all, joined while it runs, and its names, are there after a restart by the policy" {
    tare run -d --name c --restart always --network none busybox sleep 1000 >/dev/null
    tare network disconnect none c
    tare run -d --name peer --network two busybox sleep 1000 >/dev/null
    tare network connect two c
    die c
    [ "$(addresses c)" = "eth0 $(address c two)" ]
    ok tare exec c nslookup -type=a peer
    has "$(address peer two)"
}

@test "joined and left while it waits for its next start" {
    mkdir "$BATS_TEST_TMPDIR/say"
    tare run -d --name c --restart always --network one -v "$BATS_TEST_TMPDIR/say:/say" busybox \
        sh -c '[ ! -e /say/stay ] || exec sleep 1000; exit 1' >/dev/null
    until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' inspect --format '{{.State.Status}} {{.RestartCount}}' c | grep -q 'restarting [3-9]'"
    tare network connect two c
    tare network disconnect one c
    touch "$BATS_TEST_TMPDIR/say/stay"
    until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' inspect --format '{{.State.Status}}' c | grep -q running"
    until_true 5 tare exec c true
    [ "$(addresses c)" = "eth1 $(address c two)" ]
}

@test "a monitor that was killed: the next one starts it on the networks of now" {
    tare run -d --name c --restart always --network one busybox sleep 1000 >/dev/null
    kill -KILL "$(monitor_of c)"
    tare network connect two c
    die c
    [ "$(addresses c)" = "eth0 $(address c one) eth1 $(address c two)" ]
}

@test "in the foreground, joined in the first moment" {
    tare run --name c --restart always --network one busybox sleep 1000 >/dev/null 2>&1 3>&- &
    until_true 5 tare network connect two c
    die c
    [ "$(addresses c)" = "eth0 $(address c one) eth1 $(address c two)" ]
    tare rm -f c >/dev/null
    wait
}

@test "the default route goes to the network of the next priority when its own is left, as it came" {
    tare run -d --name c --network name=one,gw-priority=3 --network two --network name=three,gw-priority=2 busybox sleep 1000 >/dev/null
    route() { tare exec c ip route | grep ^default; }
    ok route
    has "default via $(gateway one) dev eth0"
    tare network disconnect one c
    ok route
    has "default via $(gateway three) dev eth2"
    tare network disconnect three c
    ok route
    has "default via $(gateway two) dev eth1"
    tare network connect --gw-priority 7 one c
    ok route
    has "default via $(gateway one) dev eth0"
    [ "${#lines[@]}" = 1 ]
    # what leads nowhere does not take it, and gives it up
    tare network disconnect one c
    tare network disconnect two c
    fails 1 route
    tare network create --internal closed >/dev/null
    tare network connect closed c
    fails 1 route
    tare network connect two c
    ok route
    has "default via $(gateway two)"
    tare rm -f c >/dev/null
    tare network rm closed >/dev/null
}

@test "IPv6: the default route goes over, too" {
    tare network create --ipv6 six >/dev/null
    tare network create --ipv6 seven >/dev/null
    tare run -d --name c --network six --network seven busybox sleep 1000 >/dev/null
    tare network disconnect six c
    ok tare exec c ip -6 route
    has "default via $(tare network inspect --format '{{(index .IPAM.Config 1).Gateway}}' seven) dev eth1"
    tare rm -f c >/dev/null
    tare network rm six seven >/dev/null
}

@test "the port of a container that left the network does not lead to who has its address next" {
    local port one
    port=$(free_ports 1)
    tare run -d --name c --network one --network two -p "$port:80" busybox sleep 1000 >/dev/null
    one=$(address c one)
    tare network disconnect one c
    tare run -d --name d --network one --ip "$one" busybox sh -c 'mkdir /w; echo i am d >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 2 $one 80 | grep 'i am d'"
    run sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 1 127.0.0.1 $port"
    has_not "i am d"
    run sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 1 ::1 $port"
    has_not "i am d"
    tare network reload --all
    run sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 1 127.0.0.1 $port"
    has_not "i am d"
    # its own restart takes the port anew, over the network that it has
    ok tare restart -t 0 c
    run nft list table inet "tare$TAG"
    has "$(address c two) . 80"
}

@test "none and host are no networks beside others; who has left his may join any" {
    tare run -d --name c --network none busybox sleep 1000 >/dev/null
    fails 1 tare network connect one c
    has "container cannot be connected to multiple networks with one of the networks in private (none) mode"
    fails 1 tare network connect host c
    has "container cannot be disconnected from host network or connected to host network"
    tare network disconnect none c
    ok tare inspect --format '{{json .NetworkSettings.Networks}}' c
    is '{}'
    fails 1 tare network disconnect none c
    tare network connect one c
    fails 1 tare network connect none c
    has "private (none) mode"
    tare network disconnect one c
    ok tare exec c ip -o -4 addr
    has_not eth0
    tare network connect none c # as if it had been made there
    fails 1 tare network connect one c
    tare rm -f c
    tare run -d --name c --network host busybox sleep 1000 >/dev/null
    fails 1 tare network connect one c
    has "container sharing network namespace with another container or host"
    fails 1 tare network disconnect host c
    has "container cannot be disconnected from host network"
    tare rm -f c
    tare create --name c --network none busybox true >/dev/null
    fails 1 tare network connect one c
    has "private (none) mode"
    fails 125 tare run --rm --network one --network host busybox true
    has "cannot attach both user-defined and non-user-defined network-modes"
}

@test "published ports move to the next network that can carry them, with their relays, and come back when one is joined" {
    local port p
    port=$(free_ports 3)
    page() { printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 2 "$1" "$2" | tail -1; }
    asked() { for p in "127.0.0.1 $port" "::1 $port" "127.0.0.1 $((port + 1))" "::1 $((port + 2))"; do page $p; done; } # shellcheck disable=SC2086
    tare network create --internal closed >/dev/null
    tare network create --ipv6 six >/dev/null
    tare run -d --name c --restart always --network six --network closed --network two -p "$port:80" -p "127.0.0.1:$((port + 1)):80" \
        -p "$((port + 2)):80" busybox sh -c 'mkdir -p /w; echo i am c >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 sh -c "busybox nc -w 1 $(address c six) 80 </dev/null"
    ok asked
    is $'i am c\ni am c\ni am c\ni am c'
    ok tare network disconnect six c # [::1] was relayed alone, now all of IPv6 is
    has_not nowhere
    ok asked
    is $'i am c\ni am c\ni am c\ni am c'
    run nft list map inet "tare$TAG" any4
    has "$port : $(address c two) . 80"
    ok tare network reload --all
    ok page 127.0.0.1 "$port"
    is "i am c"
    die c
    until_true 5 sh -c "busybox nc -w 1 $(address c two) 80 </dev/null"
    ok asked
    is $'i am c\ni am c\ni am c\ni am c'
    ok tare network disconnect two c
    has "lead nowhere"
    run asked
    has_not "i am c"
    ok tare network connect one c
    ok asked
    is $'i am c\ni am c\ni am c\ni am c'
    tare rm -f c >/dev/null
    [ -z "$(ls "$RUN/ports")" ]
    tare network rm six closed >/dev/null
}

@test "a port at the container's own address does not move: who has that address next has its traffic" {
    local port own
    tare network create -o com.docker.network.bridge.gateway_mode_ipv4=routed routed >/dev/null
    tare run -d --name c --network routed --network two -p 80 busybox sleep 1000 >/dev/null
    own=$(address c routed)
    tare network disconnect routed c
    tare network connect one c
    run nft list ruleset
    has_not "$own . tcp . 80"
    tare rm -f c >/dev/null
    [ -z "$(ls "$RUN/ports")" ]
    tare network rm routed >/dev/null
}
