#!/usr/bin/env bats
# Who reaches what, from several hosts, over IPv4 and IPv6, TCP and UDP, and under which address he is seen: one table, asked again after
# every disturbance. All hosts are network namespaces that the test makes:
#
#   lan ──── re0 host re1 ──── router ──── client         the engine runs in `host`
load lib

setup_file() {
    WORLD=re$$
    export WORLD
    world_make
    roots_make
    tare network create one >/dev/null
    tare network create other >/dev/null
    tare network create --internal closed >/dev/null
    tare network create -o com.docker.network.bridge.enable_icc=false apart >/dev/null
    container web one -p 7001:7000 -p 7001:7000/udp -p 127.0.0.1:7002:7000 -p '[::1]:7002:7000' -p 127.0.0.1:7002:7000/udp \
        -p 198.51.100.1:7003:7000 -p '[2001:db8:7::1]:7003:7000' -p 198.51.100.1:7003:7000/udp
    container peer one
    container stranger other
    container inner closed
    container inner2 closed
    container left apart
    container right apart
    serve_in "$(netns lan)" 7000
    table >"$ROOTS/table"
}

teardown_file() {
    [ -z "$(cat "$ROOTS/servers" 2>/dev/null)" ] || kill $(cat "$ROOTS/servers") 2>/dev/null || true
    roots_remove
    local n
    for n in host lan router client; do ip netns del "$WORLD-$n"; done
}

tare() {
    nsenter --net="$(netns host)" "$TARE" --root "$ROOT" --run-root "$RUN" "$@"
}

netns() { # HOST or CONTAINER
    case $1 in
    host | lan | router | client) echo "/run/netns/$WORLD-$1" ;;
    *) echo "/proc/$(tare inspect --format '{{.State.Pid}}' "$1")/ns/net" ;;
    esac
}

wire() { # HOST LINK ADDRESS4 ADDRESS6 HOST LINK ADDRESS4 ADDRESS6
    ip -n "$WORLD-$1" link add "$2" type veth peer name "$6" netns "$WORLD-$5"
    while [ $# -gt 0 ]; do
        ip -n "$WORLD-$1" addr add "$3" dev "$2"
        ip -n "$WORLD-$1" addr add "$4" dev "$2" nodad
        ip -n "$WORLD-$1" link set "$2" up
        shift 4
    done
}

world_make() {
    local n
    for n in host lan router client; do
        ip netns add "$WORLD-$n"
        ip -n "$WORLD-$n" link set lo up
    done
    wire host re0 198.51.100.1/24 2001:db8:7::1/64 lan lan0 198.51.100.9/24 2001:db8:7::9/64
    wire host re1 192.0.2.1/24 2001:db8:8::1/64 router ro0 192.0.2.254/24 2001:db8:8::fe/64
    wire router ro1 203.0.113.254/24 2001:db8:9::fe/64 client cl0 203.0.113.9/24 2001:db8:9::9/64
    nsenter --net="$(netns router)" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    for n in "host 192.0.2.254 2001:db8:8::fe" "client 203.0.113.254 2001:db8:9::fe" "lan 198.51.100.1 2001:db8:7::1" \
        "router 192.0.2.1 2001:db8:8::1"; do
        # shellcheck disable=SC2086
        set -- $n
        ip -n "$WORLD-$1" route add default via "$2"
        ip -n "$WORLD-$1" route add default via "$3"
    done
}

serve_in() { # NETNS PORT
    nsenter --net="$1" python3 "$here/reach.py" serve "$2" >/dev/null 2>&1 3>&- &
    echo $! >>"$ROOTS/servers"
    until_true 60 nsenter --net="$1" sh -c "ss -tlnH | grep -q ':$2 '"
}

container() { # NAME NETWORK [flags of run…]: answers at 7000
    tare run -d --name "$1" --network "$2" "${@:3}" busybox sleep 10000 >/dev/null
    serve_in "$(netns "$1")" 7000
}

field() { # CONTAINER NETWORK FIELD
    tare inspect --format "{{(index .NetworkSettings.Networks \"$2\").$3}}" "$1"
}

# FROM PROTOCOL ADDRESS PORT UNDER, where UNDER is the address by which the server sees who asks, or - where he must not get through.
table() {
    local web4 web6 gw4 gw6 peer4 peer6 stranger4 inner4 right4 p host4=198.51.100.1 host6=2001:db8:7::1
    web4=$(field web one IPAddress) web6=$(field web one GlobalIPv6Address)
    gw4=$(field web one Gateway) gw6=$(field web one IPv6Gateway)
    peer4=$(field peer one IPAddress) peer6=$(field peer one GlobalIPv6Address)
    stranger4=$(field stranger other IPAddress) stranger6=$(field stranger other GlobalIPv6Address)
    inner4=$(field inner closed IPAddress) right4=$(field right apart IPAddress) right6=$(field right apart GlobalIPv6Address)
    for p in tcp udp; do
        cat <<T
        # published on every address
        lan      $p $host4          7001 198.51.100.9
        lan      $p $host6          7001 2001:db8:7::9
        client   $p 192.0.2.1       7001 203.0.113.9
        client   $p $host4          7001 203.0.113.9
        client   $p 2001:db8:8::1   7001 2001:db8:9::9
        host     $p $host4          7001 $host4
        host     $p $host6          7001 $host6
        host     $p 127.0.0.1       7001 $gw4
        host     $p ::1             7001 $gw4 # by a relay
        peer     $p $host4          7001 $gw4
        web      $p $host4          7001 $gw4
        stranger $p $host4          7001 $stranger4
        inner    $p $host4          7001 -
        # on loopback addresses
        host     $p 127.0.0.1       7002 $gw4
        lan      $p $host4          7002 -
        lan      $p 127.0.0.1       7002 -
        client   $p $host4          7002 -
        peer     $p $host4          7002 -
        # on one address
        lan      $p $host4          7003 198.51.100.9
        client   $p $host4          7003 203.0.113.9
        lan      $p 192.0.2.1       7003 -
        host     $p 127.0.0.1       7003 -
        # containers themselves
        host     $p $web4           7000 $gw4
        host     $p $web6           7000 $gw6
        peer     $p $web4           7000 $peer4
        peer     $p $web6           7000 $peer6
        stranger $p $web4           7000 -
        stranger $p $web6           7000 -
        lan      $p $web4           7000 -
        lan      $p $web6           7000 -
        client   $p $web4           7000 -
        inner2   $p $inner4         7000 $(field inner2 closed IPAddress)
        peer     $p $inner4         7000 -
        lan      $p $inner4         7000 -
        left     $p $right4         7000 -
        left     $p $right6         7000 -
        # outwards
        peer     $p 198.51.100.9    7000 $host4
        left     $p 198.51.100.9    7000 $host4
        inner    $p 198.51.100.9    7000 -
        inner    $p $host4          7001 -
T
    done
    cat <<T
        host     tcp ::1            7002 $gw4
        lan      tcp $host6         7002 -
        lan      tcp $host6         7003 2001:db8:7::9
        host     tcp ::1            7003 -
        peer     tcp 2001:db8:7::9  7000 $host6
T
}

# reach [SED]: asks the whole table, changed by SED, and prints what is otherwise than it says.
reach() {
    local from
    sed 's/#.*//; /^ *$/d' "$ROOTS/table" | sed "${1:-}" >"$BATS_TEST_TMPDIR/table"
    awk '{print $1}' "$BATS_TEST_TMPDIR/table" | sort -u | while read -r from; do
        awk -v f="$from" '$1 == f {print $2, $3, $4, $5}' "$BATS_TEST_TMPDIR/table" |
            nsenter --net="$(netns "$from")" python3 "$here/reach.py" ask >"$BATS_TEST_TMPDIR/answers"
        awk -v f="$from" '$1 == f' "$BATS_TEST_TMPDIR/table" | paste -d' ' - "$BATS_TEST_TMPDIR/answers" |
            awk '$5 != $6 {print $1, $2, $3, $4, "is seen as", $6, "and not", $5}'
    done
}

as_the_table_says() {
    ok reach "$@"
    is ""
}

@test "the table, undisturbed" {
    as_the_table_says
}

@test "nft flush ruleset: the next start puts it back" {
    nsenter --net="$(netns host)" nft flush ruleset
    tare run --rm --network one busybox true
    as_the_table_says
}

@test "nft flush ruleset in a loop: every start succeeds all the same, and what was published stays so" {
    local flush
    touch "$BATS_TEST_TMPDIR/alive"
    nsenter --net="$(netns host)" sh -c 'for i in $(seq 4000); do [ ! -e "$0" ] || nft flush ruleset; done' "$BATS_TEST_TMPDIR/alive" 3>&- &
    flush=$!
    for _ in $(seq 15); do
        ok tare run --rm --network one -p 127.0.0.1:7020:7000 busybox true
    done
    rm "$BATS_TEST_TMPDIR/alive"
    wait $flush
    ok tare run --rm --network one busybox true
    as_the_table_says
}

@test "the bridge is deleted: the next start puts it back, with those that were on it" {
    local bridge
    bridge=$(tare network explain one | sed -n 's/.* bridge \([^:]*\): up$/\1/p')
    ip -n "$WORLD-host" link del "$bridge"
    tare run --rm --network one busybox true
    as_the_table_says
}

@test "an interface is renamed" {
    ip -n "$WORLD-host" link set re0 name new0 || { ip -n "$WORLD-host" link set re0 down && ip -n "$WORLD-host" link set re0 name new0 up; }
    as_the_table_says
    ip -n "$WORLD-host" link set new0 name re0
    as_the_table_says
}

@test "the host's address changes: what is published on every address follows it" {
    ip -n "$WORLD-host" addr add 198.51.100.77/24 dev re0
    ip -n "$WORLD-host" addr del 198.51.100.1/24 dev re0
    ip -n "$WORLD-host" addr add 198.51.100.77/24 dev re0 2>/dev/null || true
    as_the_table_says '/ 7003 /d; s/198\.51\.100\.1 /198.51.100.77 /; s/198\.51\.100\.1$/198.51.100.77/'
    ip -n "$WORLD-host" addr add 198.51.100.1/24 dev re0
    ip -n "$WORLD-host" addr del 198.51.100.77/24 dev re0
    ip -n "$WORLD-host" addr add 198.51.100.1/24 dev re0 2>/dev/null || true
    as_the_table_says
}

@test "every tare-net is killed" {
    local pid
    for pid in $(pgrep -f "^tare-net ports .*$RUN"); do kill -KILL "$pid"; done
    until_true 5 sh -c "nsenter --net=$(netns host) ss -tlnH 'sport = :7001' | grep -q ."
    as_the_table_says
}

# --- behind the host's own input rules ----------------------------------------------------------------------------------------------

# input_rules: the host takes nothing from the wire `re0` but what answers, as a host's own firewall would have it
input_rules() {
    nsenter --net="$(netns host)" nft -f - <<'N'
table inet own {
    chain input {
        type filter hook input priority 0; policy accept
        ct state established,related accept
        iifname "re0" meta l4proto { tcp, udp } drop
    }
}
N
}

# seen_as UNDER FROM PROTOCOL ADDRESS PORT, as in the table
seen_as() {
    output=$(echo "$3 $4 $5 $1" | nsenter --net="$(netns "$2")" python3 "$here/reach.py" ask)
    is "$1"
}

@test "--publish-mode input: the host's input rules hold for published ports; else they are not asked" {
    local p gw4 gw6
    gw4=$(field web one Gateway) gw6=$(field web one IPv6Gateway)
    container nat one -p 8002:7000 -p 8002:7000/udp
    container input one --publish-mode input -p 8001:7000 -p 8001:7000/udp
    for p in tcp udp; do
        seen_as "$gw4" lan $p 198.51.100.1 8001
        seen_as "$gw6" lan $p 2001:db8:7::1 8001
        seen_as "$gw4" client $p 192.0.2.1 8001
        seen_as "$gw4" host $p 127.0.0.1 8001
        seen_as "$gw4" input $p 198.51.100.1 8001
    done
    run nsenter --net="$(netns host)" nft list table inet "tare$TAG"
    has 8002
    has_not 8001
    ok tare network explain one
    has "port 8001/tcp at every address of the host leads to input"
    has "the host's own input rules apply"
    input_rules
    for p in tcp udp; do
        seen_as - lan $p 198.51.100.1 8001
        seen_as - lan $p 2001:db8:7::1 8001
        seen_as 198.51.100.9 lan $p 198.51.100.1 8002
        seen_as "$gw4" client $p 192.0.2.1 8001
    done
    # still so with another tare-net, and when the table was made anew
    kill -KILL "$(pgrep -f "^tare-net ports .*$(tare inspect --format '{{.Id}}' input)")"
    tare network reload one
    until_true 5 sh -c "nsenter --net=$(netns host) ss -tlnH 'sport = :8001' | grep -q ."
    seen_as - lan tcp 198.51.100.1 8001
    seen_as "$gw4" client tcp 192.0.2.1 8001
    seen_as "$gw4" client udp 192.0.2.1 8001
    nsenter --net="$(netns host)" nft delete table inet own
    seen_as "$gw4" lan tcp 198.51.100.1 8001
    tare rm -f nat input >/dev/null
}

@test "publish mode by network and by tare.conf; what it cannot is refused" {
    tare network create -o tare.network.publish_mode=input behind >/dev/null
    container a behind -p 8003:7000
    container b behind -p 8004:7000 --publish-mode nat
    echo 'publish_mode = input' >"$ROOTS/tare.conf"
    tare --config "$ROOTS/tare.conf" run -d --name c --network one -p 8005:7000 busybox sleep 1000 >/dev/null
    run nsenter --net="$(netns host)" nft list table inet "tare$TAG"
    has 8004
    has_not 8003
    has_not 8005
    fails 125 tare run --rm --publish-mode input -p 8006:7000/sctp busybox true
    has "a relay has no such protocol"
    fails 125 tare run --rm --publish-mode proxy -p 8006:7000 busybox true
    has "invalid publish mode: proxy (nat or input)"
    fails 1 tare network create -o tare.network.publish_mode=proxy no
    fails 125 tare run --rm --publish-mode input -p 127.0.0.1:8003:7000 busybox true
    has "port 8003/tcp is in use by container a"
    tare rm -f a b c >/dev/null
    tare network rm behind >/dev/null
}

# --- gateway modes ------------------------------------------------------------------------------------------------------------------

@test "gateway modes: routed, nat-unprotected and isolated networks" {
    local mode=com.docker.network.bridge.gateway_mode_ipv p all=$BATS_TEST_TMPDIR/table
    tare network create -o ${mode}4=routed -o ${mode}6=routed routed >/dev/null
    tare network create -o ${mode}6=routed mixed >/dev/null
    tare network create -o ${mode}4=nat-unprotected -o ${mode}6=nat-unprotected open >/dev/null
    tare network create --internal -o ${mode}4=isolated -o ${mode}6=isolated alone >/dev/null
    fails 1 tare network create -o ${mode}4=isolated no
    has "gateway mode isolated is for internal networks"
    container r routed -p 7011:7000 -p 7011:7000/udp
    serve_in "$(netns r)" 7001
    container m mixed -p 7012:7000 -p 7012:7000/udp
    container o open
    container i alone
    ok tare port r
    is "7000/tcp -> $(field r routed IPAddress):7000
7000/tcp -> [$(field r routed GlobalIPv6Address)]:7000
7000/udp -> $(field r routed IPAddress):7000
7000/udp -> [$(field r routed GlobalIPv6Address)]:7000"
    ok tare network explain routed mixed open alone
    has "IPv4: nothing is translated: a container sends under its own address, and its published ports are reached there"
    has "IPv6: every port of a container is reached from outside, at its own address"
    has "IPv4: the bridge has no address: not even the host reaches a container, or is reached"
    for p in tcp udp; do
        cat <<T
        lan    $p $(field r routed IPAddress)         7000 198.51.100.9
        client $p $(field r routed GlobalIPv6Address) 7000 2001:db8:9::9
        lan    $p $(field r routed IPAddress)         7001 -
        lan    $p $(field r routed GlobalIPv6Address) 7001 -
        lan    $p 198.51.100.1                        7011 -
        r      $p 198.51.100.9                        7000 $(field r routed IPAddress)
        r      $p 2001:db8:7::9                       7000 $(field r routed GlobalIPv6Address)
        lan    $p 198.51.100.1                        7012 198.51.100.9
        lan    $p $(field m mixed IPAddress)          7000 -
        lan    $p $(field m mixed GlobalIPv6Address)  7000 2001:db8:7::9
        m      $p 198.51.100.9                        7000 198.51.100.1
        lan    $p $(field o open IPAddress)           7000 198.51.100.9
        lan    $p $(field o open GlobalIPv6Address)   7000 2001:db8:7::9
        peer   $p $(field o open IPAddress)           7000 -
        o      $p 198.51.100.9                        7000 198.51.100.1
        host   $p $(field i alone IPAddress)          7000 -
T
    done >"$ROOTS/modes"
    cp "$ROOTS/table" "$ROOTS/table.kept" && cp "$ROOTS/modes" "$ROOTS/table"
    as_the_table_says
    nsenter --net="$(netns host)" nft flush ruleset
    tare network reload --all
    as_the_table_says
    mv "$ROOTS/table.kept" "$ROOTS/table"
    tare rm -f r m o i >/dev/null
    run nsenter --net="$(netns host)" nft list set inet "tare$TAG" routed4
    has_not elements
    tare network rm routed mixed open alone >/dev/null
}

@test "host_binding_ipv4 and inhibit_ipv4" {
    tare network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 bound >/dev/null
    container b bound -p 7013:7000 -p 198.51.100.1:7014:7000
    seen_as "$(field b bound Gateway)" host tcp 127.0.0.1 7013
    seen_as - lan tcp 198.51.100.1 7013
    seen_as - host tcp ::1 7013
    seen_as 198.51.100.9 lan tcp 198.51.100.1 7014
    tare network create -o com.docker.network.bridge.inhibit_ipv4=true bare >/dev/null
    tare run --rm --network bare busybox true
    run ip -n "$WORLD-host" -4 -o addr show "tn-$(tare network inspect --format '{{.Id}}' bare | cut -c 1-12)"
    is ""
    tare rm -f b >/dev/null
    tare network rm bound bare >/dev/null
}

# --- the table ----------------------------------------------------------------------------------------------------------------------

@test "a table that is made anew has every port and check from its first moment; nft reads what it lists" {
    local log=$BATS_TEST_TMPDIR/events before=$BATS_TEST_TMPDIR/before monitor
    nsenter --net="$(netns host)" nft monitor >"$log" 2>&1 3>&- &
    monitor=$!
    until_true 10 sh -c "'$TARE' --root '$ROOT' --run-root '$RUN' version; nsenter --net=$(netns host) nft 'add table inet probe$$; delete table inet probe$$'; grep -q probe$$ '$log'"
    nsenter --net="$(netns host)" "$TARE" --root "$ROOT" --run-root "$RUN" network reload --all
    nsenter --net="$(netns host)" nft 'add table inet last; delete table inet last'
    until_true 10 grep -q 'table inet last' "$log"
    kill $monitor
    wait $monitor || true
    # the transaction that makes the table has its elements
    awk -v t="tare$TAG" '
        /^# new generation/ { if (made && ports && sources) whole = 1; made = ports = sources = 0 }
        $0 ~ "^add table inet " t { made = 1 }
        $0 ~ "^add element inet " t " any4 .*tcp . 7001 :" { ports = 1 }
        $0 ~ "^add element bridge " t " source4 " { sources = 1 }
        END { exit !whole }' "$log"
    nsenter --net="$(netns host)" nft list ruleset >"$before"
    nsenter --net="$(netns host)" nft flush ruleset
    nsenter --net="$(netns host)" nft -f "$before"
    nsenter --net="$(netns host)" nft list ruleset | diff "$before" -
    as_the_table_says
}

# --- SCTP ---------------------------------------------------------------------------------------------------------------------------

@test "SCTP: published and translated, with the client's own address, also where the kernel has no SCTP sockets" {
    tare run -d --name s --network one -p 7005:7006/sctp busybox sleep 1000 >/dev/null
    nsenter --net="$(netns s)" python3 "$here/sctp.py" serve 7006 >"$BATS_TEST_TMPDIR/served" 3>&- &
    ok nsenter --net="$(netns client)" python3 "$here/sctp.py" ask 192.0.2.1 7005
    is "192.0.2.1 7005"
    wait
    [ "$(cat "$BATS_TEST_TMPDIR/served")" = "203.0.113.9 40000" ]
    fails 125 tare run --rm --network one -p 7005:1/sctp busybox true
    has "port 7005/sctp is in use by container s"
    fails 125 tare run --rm --network one -p 127.0.0.1:7005:1/sctp busybox true
    has "port 7005/sctp is in use by container s"
    ok tare port s
    has "7006/sctp -> 0.0.0.0:7005"
    python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)' 2>/dev/null || {
        fails 125 tare run --rm --network one -p 7005/sctp busybox true
        has "this kernel has no SCTP sockets"
    }
    tare rm -f s >/dev/null
}

# --- names --------------------------------------------------------------------------------------------------------------------------

@test "names where the host has a stub resolver at 127.0.0.53: the containers' resolver asks it" {
    local server
    nsenter --net="$(netns host)" python3 "$here/nameserver.py" 127.0.0.53 127.0.0.54 127.0.0.55 127.0.0.56 3>&- &
    server=$!
    until_true 5 nsenter --net="$(netns host)" sh -c 'ss -lunH | grep -q 127.0.0.53:53'
    echo "nameserver 127.0.0.53" >"$ROOTS/resolv.conf"
    nsenter --net="$(netns host)" unshare -m sh -c 'mount --bind "$0" /etc/resolv.conf; exec "$@"' "$ROOTS/resolv.conf" \
        "$TARE" --root "$ROOT" --run-root "$RUN" run -d --name asks --network one busybox sleep 1000 >/dev/null
    ok nsenter --net="$(netns asks)" dig @127.0.0.11 +tries=1 +time=3 +short a one.test
    is 192.0.2.1
    ok nsenter --net="$(netns asks)" dig @127.0.0.11 +tries=1 +time=3 +short a peer
    is "$(field peer one IPAddress)"
    kill $server
    tare rm -f asks >/dev/null
}
