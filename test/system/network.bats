#!/usr/bin/env bats
# Networks, published ports, names. A network namespace stands for the LAN: it is on a wire of its own to the host.

load lib

setup_file() {
    roots_make
    # Several runs at once on one machine: no address and no port that another one has.
    local net=10.$((200 + RANDOM % 50)).$((RANDOM % 250))
    LAN=lan$$ WIRE=lan$$h HOST=$net.1 CLIENT=$net.2 SIDE=10.$((100 + RANDOM % 50)).$((RANDOM % 250))
    PORT=$(free_ports 40)
    export LAN WIRE HOST CLIENT SIDE PORT
    ip netns add "$LAN"
    ip link add "$WIRE" type veth peer name lan0 netns "$LAN"
    ip addr add $HOST/24 dev "$WIRE"
    ip link set "$WIRE" up
    lan ip addr add $CLIENT/24 dev lan0
    lan ip link set lan0 up
    lan ip route add default via $HOST
    serve web -p $PORT:80 -p 127.0.0.1:$((PORT + 1)):80 -p $((PORT + 2)):9000/udp
    until_true 5 fetch ::1 $PORT # from now on it has a tare-net
}

teardown_file() {
    ip link del "$WIRE"
    ip netns del "$LAN"
    roots_remove
}

setup() { leaks_before; }
teardown() { leaks_after; }

lan() {
    nsenter --net="/run/netns/$LAN" "$@"
}

# serve NAME [flags of run…]: answers with its name at tcp 80.
serve() {
    local name=$1
    shift
    tare run -d --name "$name" "$@" busybox sh -c \
        "mkdir /w; echo i am $name >/w/index.html; exec httpd -f -p 80 -h /w" >/dev/null
    until_true 5 tare exec "$name" sh -c 'true | nc -w 1 127.0.0.1 80'
}

# WAIT: how many seconds, where nobody is to answer. fetch HOST PORT, on the host; fetch_in CONTAINER HOST PORT; fetch_lan HOST PORT
fetch() {
    printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w ${WAIT:-20} "$1" "$2" | tail -1
}
fetch_in() {
    tare exec "$1" sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w ${WAIT:-20} $2 $3 | tail -1"
}
fetch_lan() {
    printf 'GET / HTTP/1.0\r\n\r\n' | lan busybox nc -w ${WAIT:-20} "$1" "$2" | tail -1
}

pid_of() {
    tare inspect --format '{{.State.Pid}}' "$1"
}

# serve_udp CONTAINER PORT: sends back what it gets, until it is told to quit
serve_udp() {
    nsenter --net="/proc/$(pid_of "$1")/ns/net" timeout 60 python3 - "$2" 3>&- <<'P' &
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", int(sys.argv[1])))
for _ in range(2):
    data, peer = s.recvfrom(100)
    s.sendto(data, peer)
P
    until_true 5 nsenter --net="/proc/$(pid_of "$1")/ns/net" sh -c "ss -lunH | grep -q :$2"
}

# echo_udp HOST PORT: says hello and prints the answer
echo_udp() {
    python3 - "$1" "$2" <<'P'
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(b"hello", (host, port))
print(s.recvfrom(100)[0].decode())
P
}

address() { # CONTAINER [NETWORK]
    tare inspect --format "{{(index .NetworkSettings.Networks \"${2:-bridge}\").IPAddress}}" "$1"
}

# --- the default network ------------------------------------------------------------------------------------------------------------

@test "a container has an address, a default route and the files that tell names" {
    ok tare run --rm --hostname box busybox sh -c \
        'ip -4 -o addr show eth0; ip route; cat /etc/resolv.conf; cat /etc/hosts; cat /etc/hostname; hostname'
    local gateway
    gateway=$(tare network inspect --format '{{(index .IPAM.Config 0).Gateway}}' bridge)
    has "default via $gateway dev eth0"
    has "scope global eth0"
    has "localhost"
    [[ "$output" =~ [0-9.]+$'\t'box ]]
    [ "${lines[-1]}" = box ] && [ "${lines[-2]}" = box ]
    has_not "127.0.0.11"
}

@test "the subnet overlaps no route of the host" {
    local subnet
    subnet=$(tare network inspect --format '{{(index .IPAM.Config 0).Subnet}}' bridge)
    run python3 - "$subnet" "tare$TAG" <<'P'
import ipaddress, json, subprocess, sys
own = ipaddress.ip_network(sys.argv[1])
for route in json.loads(subprocess.check_output(["ip", "-j", "-4", "route"])):
    if route["dst"] != "default" and route.get("dev") != sys.argv[2] and own.overlaps(ipaddress.ip_network(route["dst"])):
        sys.exit(f"overlaps {route}")
P
    [ "$status" = 0 ]
    local taken=10.$((150 + RANDOM % 49)).$((RANDOM % 8 * 32))
    ip route add $taken.0/19 via $CLIENT
    fails 1 tare network create --subnet $taken.0/24 taken
    has "overlaps $taken.0/19"
    ip route del $taken.0/19 via $CLIENT
}

@test "containers of one network reach each other, and the world's address is not theirs" {
    ok fetch_in web "$(address web)" 80
    is "i am web"
    ok tare run --rm busybox sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 20 $(address web) 80 | tail -1"
    is "i am web"
    # the LAN sees the host's address
    lan python3 -c 'import socket, sys; s = socket.create_server((sys.argv[1], 7000)); c = s.accept(); print(c[1][0])' "$CLIENT" >"$BATS_TEST_TMPDIR/peer" 3>&- &
    local listener=$!
    until_true 5 sh -c "nsenter --net=/run/netns/$LAN ss -ltn | grep -q :7000"
    ok tare exec web nc -w 60 $CLIENT 7000
    wait $listener
    [ "$(cat "$BATS_TEST_TMPDIR/peer")" = $HOST ]
}

# --- published ports ----------------------------------------------------------------------------------------------------------------

@test "a published port answers on the host, over both families, from the LAN, from itself and from others" {
    for host in 127.0.0.1 ::1 $HOST; do
        ok fetch $host $PORT
        is "i am web"
    done
    ok fetch_lan $HOST $PORT
    is "i am web"
    ok fetch_in web $HOST $PORT
    is "i am web"
    ok tare run --rm busybox sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 20 $HOST $PORT | tail -1"
    is "i am web"
}

@test "a published UDP port answers" {
    serve_udp web 9000
    ok echo_udp 127.0.0.1 $((PORT + 2))
    is hello
    ok echo_udp $HOST $((PORT + 2))
    is hello
}

@test "what is published on 127.0.0.1 is not to be had from elsewhere" {
    ok fetch 127.0.0.1 $((PORT + 1))
    is "i am web"
    WAIT=2 run fetch $HOST $((PORT + 1))
    has_not "i am web"
    WAIT=2 run fetch_lan $HOST $((PORT + 1))
    has_not "i am web"
    lan ip route add 127.0.0.2/32 via $HOST 2>/dev/null || true
    lan sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.lan0.route_localnet=1
    lan ip addr del 127.0.0.1/8 dev lo 2>/dev/null || true
    WAIT=2 run fetch_lan 127.0.0.1 $((PORT + 1))
    has_not "i am web"
    # nor is a container's own address, past its published ports
    WAIT=2 run fetch_lan "$(address web)" 80
    has_not "i am web"
}

@test "the container sees the real address of the client" {
    tare run -d --name peer -p $((PORT + 3)):8090 busybox sh -c 'nc -l -p 8090 -e sh -c "netstat -tn | grep 8090" ' >/dev/null
    until_true 5 tare exec peer sh -c 'netstat -ltn | grep -q :8090'
    lan busybox nc -w 20 $HOST $((PORT + 3)) </dev/null >"$BATS_TEST_TMPDIR/peer" || true
    tare rm -f peer >/dev/null
    grep -q $CLIENT "$BATS_TEST_TMPDIR/peer"
}

@test "a port in use says who has it" {
    fails 125 tare run --rm -p $PORT:80 busybox true
    has "port $PORT/tcp is in use by container web"
    python3 -c 'import socket, sys, time; s = socket.create_server(("0.0.0.0", int(sys.argv[1]))); time.sleep(600)' $((PORT + 4)) 3>&- &
    local holder=$!
    until_true 5 sh -c "ss -ltn | grep -q :$((PORT + 4))"
    fails 125 tare run --rm -p $((PORT + 4)):80 busybox true
    kill $holder
    has "port $((PORT + 4))/tcp is in use by python3 (pid $holder)"
}

@test "ranges, random ports, -P; port, ps and inspect show them" {
    serve many -p $((PORT + 10))-$((PORT + 12)):80-82 -p 80 --expose 443 -P
    ok tare port many 81
    is "0.0.0.0:$((PORT + 11))"$'\n'"[::]:$((PORT + 11))"
    ok tare port many 443/tcp
    [[ "${lines[0]}" =~ ^0.0.0.0:[0-9]+$ ]]
    ok tare ps --format '{{.Ports}}' --filter name=many
    [[ "$output" =~ 0.0.0.0:[1-9][0-9]*'->80/tcp, [::]:'[1-9][0-9]*'->80/tcp' ]]
    has "0.0.0.0:$((PORT + 12))->82/tcp, [::]:$((PORT + 12))->82/tcp"
    [[ "$output" =~ 0.0.0.0:[1-9][0-9]*'->443/tcp' ]]
    has_not ":->"
    ok tare inspect --format '{{(index (index .NetworkSettings.Ports "81/tcp") 0).HostPort}}' many
    is $((PORT + 11))
    ok tare inspect --format '{{range index .NetworkSettings.Ports "81/tcp"}}{{.HostIp}} {{end}}' many
    is "0.0.0.0 :: "
    ok tare rm -f many
    serve many -p $((PORT + 10))-$((PORT + 12)):$((PORT + 10))-$((PORT + 12)) --expose 7-9
    ok tare ps --format '{{.Ports}}' --filter name=many
    is "7-9/tcp, 0.0.0.0:$((PORT + 10))-$((PORT + 12))->$((PORT + 10))-$((PORT + 12))/tcp, [::]:$((PORT + 10))-$((PORT + 12))->$((PORT + 10))-$((PORT + 12))/tcp"
    ok tare port many
    is "$(for i in 10 11 12; do for ip in 0.0.0.0 '[::]'; do echo "$((PORT + i))/tcp -> $ip:$((PORT + i))"; done; done)"
    ok tare rm -f many
    ok tare run --rm -p $((PORT + 10)):80 busybox true # it is free when rm has answered
}

@test "nothing of a published port is left when the container has ended" {
    ok tare run --rm -p $((PORT + 5)):80 busybox true
    WAIT=2 run fetch 127.0.0.1 $((PORT + 5))
    has_not "i am"
    run ss -ltnH "sport = :$((PORT + 5))"
    is ""
    run nft list table inet "tare$TAG"
    has_not $((PORT + 5))
}

# --- other modes --------------------------------------------------------------------------------------------------------------------

@test "network host, none and container:X" {
    ok tare run --rm --network host busybox ip -o link
    has "$WIRE"
    ok tare run --rm --network none busybox ip -o link
    [ "${#lines[@]}" = 1 ]
    ok tare run --rm --network container:web busybox ip -4 -o addr
    has "$(address web)"
    fails 125 tare run --rm --network nosuch busybox true
    has nosuch
}

# --- networks of users --------------------------------------------------------------------------------------------------------------

@test "static addresses; two networks are closed to each other; an internal one has no way out" {
    tare network create --subnet $SIDE.0/24 one >/dev/null
    tare network create --internal two >/dev/null
    serve a --network one --ip $SIDE.77 --mac-address 02:42:00:00:00:77
    serve b --network two
    ok tare exec a ip -o addr show eth0
    has "$SIDE.77/24"
    ok tare exec a cat /sys/class/net/eth0/address
    is 02:42:00:00:00:77
    ok fetch_in web "$(address web)" 80
    WAIT=2 run fetch_in a "$(address b two)" 80
    has_not "i am"
    WAIT=2 run fetch_in a "$(address web)" 80
    has_not "i am"
    WAIT=2 run fetch_in web $SIDE.77 80
    has_not "i am"
    WAIT=2 run fetch_in b $HOST $PORT
    has_not "i am"
    fails 125 tare run --rm --network one --ip $SIDE.77 busybox true
    has "address $SIDE.77 is in use by container a"
    fails 1 tare network rm one
    has "active endpoints"
    tare rm -f a b >/dev/null
    ok tare network rm one two
}

@test "a container joins and leaves networks while it runs, and a later start remembers" {
    tare network create --subnet $SIDE.0/24 side >/dev/null
    serve c
    serve d --network side
    WAIT=2 run fetch_in c "$(address d side)" 80
    has_not "i am d"
    ok tare network connect --alias see side c
    ok fetch_in c "$(address d side)" 80
    is "i am d"
    ok tare exec c cat /etc/hosts
    has "$(address c side)"
    fails 1 tare network connect side c
    has "already exists in network side"
    ok tare network disconnect bridge c
    run tare exec c ip route
    has_not "172."
    ok tare restart -t 0 c
    ok tare exec c ip -4 -o addr
    has "$SIDE."
    has_not "172."
    ok tare network disconnect side c
    ok tare exec c ip -o link
    [ "${#lines[@]}" = 1 ]
    fails 1 tare network disconnect side c
    has "is not connected to network side"
    fails 1 tare network connect nosuch c
    tare rm -f c d >/dev/null
    ok tare network rm side
}

@test "gateway priority, names of interfaces, link-local addresses" {
    tare network create --internal in >/dev/null
    tare network create -o com.docker.network.container_iface_prefix=side out >/dev/null
    tare network create more >/dev/null
    gateway() { tare network inspect --format '{{(index .IPAM.Config 0).Gateway}}' "$1"; }
    # of several the first one that leads out
    ok tare run --rm --network in --network out --network more busybox sh -c 'ip route; ls /sys/class/net'
    has "default via $(gateway out) dev side1"
    [ "$(grep -c '^default' <<<"$output")" = 1 ]
    ok tare run --rm --network out --network name=more,gw-priority=5 busybox ip route
    has "default via $(gateway more) dev eth1"
    ok tare run --rm --network name=more,driver-opt=com.docker.network.endpoint.ifname=wan0,link-local-ip=169.254.9.9,link-local-ip=fe80::99 \
        busybox ip addr show wan0
    has "inet 169.254.9.9/16"
    has "inet6 fe80::99/64"
    fails 125 tare run --rm --network name=more,driver-opt=some.thing=1 busybox true
    has "driver-opt some.thing is not known"
    fails 125 tare run --rm --network name=more,link-local-ip=10.0.0.1 busybox true
    has "10.0.0.1 is not a link-local address"
    # the same for one that runs
    tare run -d --name c --network out busybox sleep 1000 >/dev/null
    ok tare network connect --gw-priority 1 --link-local-ip 169.254.7.7 --driver-opt com.docker.network.endpoint.ifname=wan1 more c
    ok tare exec c sh -c 'ip route; ip addr show wan1'
    has "default via $(gateway more) dev wan1"
    has "inet 169.254.7.7/16"
    tare rm -f c >/dev/null
    ok tare network rm in out more
}

# direct DRIVER: a container directly on an interface of the host, whose neighbour is the LAN
direct() {
    local subnet=10.$((200 + RANDOM % 50)).$((RANDOM % 250))
    lan ip addr add $subnet.1/24 dev lan0
    ok tare network create -d "$1" -o parent="$WIRE" --subnet $subnet.0/24 --ip-range $subnet.128/25 direct
    ok tare run -d --name wired --network direct busybox sleep 100
    ok tare network explain wired
    has "it stands on the wire of the host's interface $WIRE"
    has_not "is not reached"
    ok tare rm -f wired
    lan timeout 60 python3 -c 'import socket, sys
s = socket.create_server((sys.argv[1], 7001)); c = s.accept(); c[0].send(c[1][0].encode())' $subnet.1 3>&- &
    until_true 5 lan sh -c 'ss -ltn | grep -q :7001'
    ok tare run --rm --network direct busybox nc -w 20 $subnet.1 7001
    [[ "$output" =~ ^$subnet.1[2-9][0-9]$ ]] # from the range, and nobody translated it
    wait
    ok tare network rm direct
    lan ip addr del $subnet.1/24 dev lan0
}

@test "macvlan" {
    direct macvlan
    fails 1 tare network create -d macvlan direct
    has "-o parent="
}

@test "ipvlan" {
    ip link add ipv$$ link "$WIRE" type ipvlan 2>/dev/null || {
        ok tare network create -d ipvlan -o parent="$WIRE" --subnet 10.213.77.0/24 direct
        fails 125 tare run --rm --network direct busybox true
        has "this kernel has no interfaces of the kind ipvlan (modprobe ipvlan, where its module is installed)"
        ok tare network rm direct
        return
    }
    ip link del ipv$$
    direct ipvlan
}

# --- bad days -----------------------------------------------------------------------------------------------------------------------

@test "a table that somebody deleted comes back with the next container" { # a deleted bridge: reach.bats
    nft delete table inet "tare$TAG"
    WAIT=2 run fetch 127.0.0.1 $PORT
    has_not "i am web"
    ok tare run --rm busybox true
    ok fetch 127.0.0.1 $PORT
    is "i am web"
    ok fetch_lan $HOST $PORT
    is "i am web"
    nft flush table inet "tare$TAG"
    ok tare network reload bridge
    ok fetch_lan $HOST $PORT
    is "i am web"
}

@test "network rm, killed before its last step, leaves a network that can be removed again, and no bridge of nobody's" {
    command -v strace >/dev/null || skip "needs strace"
    tare network create --subnet $SIDE.0/24 killed >/dev/null
    tare run --rm --network killed busybox true
    strace -f -qq -o /dev/null -P "killed" -P "networks/killed" -e trace=unlinkat -e inject=unlinkat:error=EIO:signal=KILL \
        "$TARE" --root "$ROOT" --run-root "$RUN" network rm killed || true
    ok tare network rm killed
    ok tare network create --subnet $SIDE.0/24 killed # nothing of the host's has it
    # and after that step nothing is left to do
    tare run --rm --network killed busybox true
    strace -f -qq -o "$BATS_TEST_TMPDIR/calls" -e trace=unlinkat,sendto,sendmsg "$TARE" --root "$ROOT" --run-root "$RUN" network rm killed
    [ -z "$(sed '0,/networks\/killed/d' "$BATS_TEST_TMPDIR/calls" | grep send)" ]
}

@test "forwarding is switched back by the last of two engines on one host, and nothing of them stays" {
    local ns=fwd$$ up=up$$ a b
    ip netns add "$ns"
    fwd() { nsenter --net=/run/netns/$ns "$@"; }
    fwd sysctl -qw net.ipv4.conf.all.forwarding=0 # a new namespace has the host's
    fwd ip link set lo up
    fwd ip link add $up type veth peer name ${up}b
    fwd ip addr add 10.214.78.1/24 dev $up
    fwd ip link set $up up
    a=$ROOTS/a b=$ROOTS/b
    engine() { fwd "$TARE" --root "$1/root" --run-root "$1/run" "${@:2}"; }
    state() { fwd cat /proc/sys/net/ipv4/conf/$up/forwarding; }
    for e in "$a" "$b"; do
        mkdir -p "$e/root" "$e/run"
        engine "$e" load -q -i "$FIXTURES/busybox.docker.tar" >/dev/null
        engine "$e" run --rm busybox true
    done
    engine "$b" network create more >/dev/null
    engine "$b" run --rm --network more busybox true
    [ "$(state)" = 1 ]
    engine "$a" system reset -f
    [ "$(state)" = 1 ]
    engine "$b" system reset -f
    [ "$(state)" = 0 ]
    [ -z "$(fwd nft list ruleset)" ]
    [ -z "$(fwd ip -o link show type bridge)" ]
    ip netns del "$ns"
    rm -rf "$a" "$b"
}

@test "more ports than a process usually may have files, and the container's own limit stays" {
    local first=$((30000 + RANDOM % 10 * 200))
    ok bash -c "ulimit -Sn 300; exec '$TARE' --root '$ROOT' --run-root '$RUN' run -d --name many --ulimit nofile=111 -p '$first-$((first + 199)):$first-$((first + 199))' \
        busybox nc -l -p $((first + 199)) -e echo here"
    until_true 5 tare exec many sh -c "netstat -tln | grep -q :$((first + 199))"
    ok tare exec many sh -c 'ulimit -n'
    is 111
    ok busybox nc -w 5 ::1 $((first + 199)) </dev/null
    is here
    tare rm -f many >/dev/null
}

@test "what holds the ports is in tare's own control group, without privileges" {
    local pid
    pid=$(ss -ltnpH "sport = :$PORT" | grep -o 'tare-net",pid=[0-9]*' | head -1 | grep -o '[0-9]*$')
    until_true 5 grep -q "/tare$TAG/monitors" "/proc/$pid/cgroup"
    grep -q 'CapEff:.0000000000000000' "/proc/$pid/status"
}
