#!/usr/bin/env bats
# Networks of an ordinary user, in a small world: namespace `host`, where his commands run, and `lan` beside it, both made here.

load lib

ME=tare-test

setup_file() {
    [ "$(id -u)" = 0 ] || skip "makes the network namespaces around the user"
    id $ME >/dev/null 2>&1 && grep -q "^$ME:" /etc/subuid || skip "no user $ME with subordinate ids (test/run makes him)"
    command -v pasta >/dev/null || skip "pasta is not installed"
    setpriv --reuid $ME --clear-groups test -r /dev/net/tun -a -w /dev/net/tun || skip "$ME may not open /dev/net/tun"
    setpriv --reuid $ME --clear-groups test -x "$TARE" || skip "$ME cannot reach $TARE"
    export WORLD=rl$$
    ip netns add $WORLD-host
    ip netns add $WORLD-lan
    ip -n $WORLD-host link add up0 type veth peer name lan0 netns $WORLD-lan
    ip -n $WORLD-host addr add 198.51.100.1/24 dev up0
    ip -n $WORLD-lan addr add 198.51.100.9/24 dev lan0
    ip -n $WORLD-host addr add 2001:db8:7::1/64 dev up0 nodad
    ip -n $WORLD-lan addr add 2001:db8:7::9/64 dev lan0 nodad
    for of in "$WORLD-host up0" "$WORLD-lan lan0"; do
        ip -n ${of% *} link set lo up
        ip -n ${of% *} link set ${of#* } up
    done
    ip -n $WORLD-host route add default via 198.51.100.9
    ip -n $WORLD-host route add default via 2001:db8:7::9
    [ -e "$FIXTURES/done" ] || "$here/fixtures" "$FIXTURES"
    ROOTS=$(mktemp -d /tmp/tt.XXXXXX)
    ROOT=$ROOTS/root RUN=$ROOTS/run
    mkdir "$ROOT" "$RUN" "$ROOTS/xdg"
    chown -R $ME: "$ROOTS"
    chmod 700 "$ROOTS/xdg"
    TAG=$("$LEAKS" tag "$RUN")
    export ROOTS ROOT RUN TAG
    [ -z "${TEST_WORK:-}" ] || echo "$ROOT $RUN" >>"$TEST_WORK/roots"
    user load -q <"$FIXTURES/busybox.docker.tar" >/dev/null
}

teardown_file() {
    [ -n "${ROOTS:-}" ] || return 0
    user system reset -f
    [ -z "$(ip netns pids $WORLD-host)" ] || ps -fp $(ip netns pids $WORLD-host)
    [ -z "$(ip netns pids $WORLD-host)" ]
    ip netns del $WORLD-host
    ip netns del $WORLD-lan
    rm -rf "$ROOTS"
    [ ! -e "$ROOTS" ]
}

teardown() {
    ip netns pids $WORLD-lan | xargs -r kill
    [ -z "$(user ps -aq)" ] || user rm -f $(user ps -aq)
    until_true 5 nobody_left
}

# The keeper, pasta and the monitors: all of them run in the host's namespace.
nobody_left() {
    [ -z "$(ip netns pids $WORLD-host)" ] && [ ! -e "$RUN/netns" ]
}

user() {
    ip netns exec $WORLD-host timeout -k 1 300 setpriv --reuid $ME --regid "$(id -g $ME)" --init-groups \
        env HOME="$ROOTS" XDG_RUNTIME_DIR="$ROOTS/xdg" "$TARE" --root "$ROOT" --run-root "$RUN" "$@"
}

# without PROGRAMS COMMAND…: where these programs are not installed
without() {
    hide=$(printf 'mount --bind /dev/null /usr/bin/%s\n' $1)
    export -f user
    export hide ME
    unshare -m bash -c 'eval "$hide"; "$@"' - "${@:2}"
}

on_lan() {
    ip netns exec $WORLD-lan "$@"
}

on_host() {
    ip netns exec $WORLD-host "$@"
}

# serve NAME FLAGS…: a web server whose /cgi-bin/who says who asks.
serve() {
    user run -d --name "$1" "${@:2}" busybox sh -c 'mkdir -p /w/cgi-bin
        printf "#!/bin/sh\necho\necho \"\$REMOTE_ADDR\"\n" >/w/cgi-bin/who
        chmod +x /w/cgi-bin/who; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 user exec "$1" wget -q -O /dev/null http://127.0.0.1/cgi-bin/who
}

# answer_on_lan PORT TEXT: answers for a while. (Not by nc: where both sides end at once, Debian 12's pasta loses the end.)
answer_on_lan() {
    mkdir -p "$BATS_TEST_TMPDIR/lan"
    echo "$2" >"$BATS_TEST_TMPDIR/lan/index.html"
    on_lan timeout 600 python3 -m http.server -d "$BATS_TEST_TMPDIR/lan" "$1" >/dev/null 2>&1 3>&- &
    until_true 5 on_lan sh -c "ss -tlnH | grep -q ':$1 '"
}

who() { # URL's host and port; on which side
    ok "$1" curl -g -s -m 60 "http://$2/cgi-bin/who"
}

keeper() {
    pgrep -f "tare-net keep /tare$TAG/"
}

@test "the default network has addresses and a way out, and is gone after the last container" {
    ok user run --rm busybox ip -o addr show eth0
    has "172."
    has "inet6 fd"
    until_true 5 nobody_left
    answer_on_lan 7070 from-the-lan
    ok user run --rm busybox wget -q -O - http://198.51.100.9:7070/
    is from-the-lan
}

@test "a published port sees the client's own address: from elsewhere, over IPv4 and IPv6" {
    serve web -p 8080:80
    who on_lan 198.51.100.1:8080
    has 198.51.100.9
    who on_lan '[2001:db8:7::1]:8080'
    has 2001:db8:7::9
    ok user port web
    has "80/tcp -> 0.0.0.0:8080"
}

@test "a published port answers on the host's loopback, from the container itself and from its neighbour" {
    serve web -p 127.0.0.1:8081:80 -p '[::1]:8081:80' -p 8082:80
    who on_host 127.0.0.1:8081
    who on_host '[::1]:8081'
    fails 7 on_lan curl -s -m 3 http://198.51.100.1:8081/
    ok user exec web wget -q -O - http://198.51.100.1:8082/cgi-bin/who
    ok user run --rm busybox wget -q -O - http://198.51.100.1:8082/cgi-bin/who
}

@test "datagrams too come under the client's address, and answers from the address that was asked" {
    user run -d --name d -p 5353:53/udp busybox sleep 60 >/dev/null
    pid=$(user inspect -f '{{.State.Pid}}' d)
    nsenter -t "$pid" -n python3 -c '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 53))
while True:
    d, a = s.recvfrom(65535)
    s.sendto(a[0].encode() + b" %d" % len(d), a)' 3>&- &
    server=$!
    until_true 5 nsenter -t "$pid" -n sh -c "ss -lunH | grep -q ':53 '"
    cat >"$BATS_TEST_TMPDIR/ask.py" <<'PY'
import socket, sys
for family, host in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8:7::1")):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(60)
    s.connect((host, 5353))
    for size in (1, 30000):
        s.send(b"x" * size)
        print(s.recv(100).decode())
PY
    run on_lan python3 "$BATS_TEST_TMPDIR/ask.py"
    kill $server
    is $'::ffff:198.51.100.9 1\n::ffff:198.51.100.9 30000\n2001:db8:7::9 1\n2001:db8:7::9 30000'
}

@test "two networks are apart, and the containers of one reach each other" {
    ok user network create one
    ok user network create two
    serve a --network one
    serve b --network two
    ip=$(user inspect -f '{{(index .NetworkSettings.Networks "one").IPAddress}}' a)
    ok user run --rm --network one busybox wget -q -O - "http://$ip/cgi-bin/who"
    ok user run --rm --network one busybox wget -q -O - http://a/cgi-bin/who
    fails 1 user run --rm --network two busybox nc -w 1 "$ip" 80
    ok user network connect one b
    ok user exec b wget -q -O - "http://$ip/cgi-bin/who"
    ok user rm -f a b
    ok user network rm one two
}

@test "a port in use: the sentence names who has it, and nothing is left" {
    serve web -p 8080:80
    fails 125 user run --rm -p 8080:80 busybox true
    has "port 8080/tcp is in use by container web"
    fails 125 user run --rm -p 80:80 busybox true
    has "ip_unprivileged_port_start"
    fails 125 user run --rm -p 81:81/sctp busybox true
    has "sctp"
}

@test "pasta is killed: the keeper starts another" {
    serve web -p 8080:80
    kill -9 "$(pgrep -P "$(keeper)")"
    until_true 5 on_pasta
    answer_on_lan 7071 again
    ok user exec web wget -q -O - http://198.51.100.9:7071/
    is again
}

on_pasta() {
    pgrep -P "$(keeper)" >/dev/null
}

@test "the keeper is killed: everything goes on, the next start has another, and that one cleans up" {
    serve web -p 8080:80
    kill -9 "$(keeper)"
    who on_lan 198.51.100.1:8080
    ok user run --rm busybox ip -o addr show eth0
    has eth0
    [ -n "$(keeper)" ]
    who on_lan 198.51.100.1:8080
    has 198.51.100.9
}

# The tare-net of a container: NAME
holder_of() {
    pgrep -f "^tare-net ports .* $(user inspect -f '{{.Id}}' "$1")"
}

@test "a container's tare-net is killed: ports, the client's address and names come back" {
    ok user network create named
    serve peer --network named
    serve web --network named -p 8080:80 -p 5353:53/udp
    who on_lan 198.51.100.1:8080
    kill -9 "$(holder_of web)"
    ok user ps
    until_true 5 on_lan curl -g -s -m 2 "http://198.51.100.1:8080/cgi-bin/who"
    who on_lan 198.51.100.1:8080
    has 198.51.100.9
    who on_lan "[2001:db8:7::1]:8080"
    has 2001:db8:7::9
    who on_host 127.0.0.1:8080
    who on_host "[::1]:8080"
    ok user exec web wget -q -O - http://peer/cgi-bin/who
    [ -n "$(on_host ss -lunH 'sport = :5353')" ]
    # With the monitor, too: the next command brings both.
    kill -9 "$(holder_of web)" "$(pgrep -f "^tare-monitor.* $(user inspect -f '{{.Id}}' web)" | head -1)"
    fails 7 on_host curl -s -m 2 http://127.0.0.1:8080/cgi-bin/who
    ok user ps
    until_true 5 on_lan curl -g -s -m 2 "http://198.51.100.1:8080/cgi-bin/who"
    who on_lan 198.51.100.1:8080
    has 198.51.100.9
    ok user exec web wget -q -O - http://peer/cgi-bin/who
    ok user rm -f web peer
    ok user network rm named
}

@test "every process is killed: the next command makes it all anew" {
    serve web -p 8080:80
    kill -9 $(ip netns pids $WORLD-host)
    until_true 5 sh -c "[ -z \"\$(ip netns pids $WORLD-host)\" ]"
    ok user rm -f web
    serve web -p 8080:80
    who on_lan 198.51.100.1:8080
    has 198.51.100.9
}

@test "without pasta or slirp4netns: one sentence that says what to install" {
    fails 125 without "pasta slirp4netns" user run --rm --network bridge busybox true
    has "apt install passt"
    ok without "pasta slirp4netns" user run --rm busybox ip -o link
    has "no network"
    has "lo:"
}

@test "slirp4netns, where pasta is not there" {
    command -v slirp4netns >/dev/null || skip "slirp4netns is not installed"
    answer_on_lan 7072 through
    ok without pasta user run -d --name s -p 8080:80 busybox sleep 60
    ok user exec s wget -q -O - http://198.51.100.9:7072/
    is through
}

@test "--network pasta: the host's addresses, ports by pasta itself, and it goes with the container" {
    serve p --network pasta -p 8080:80 -p 198.51.100.1:8090:80 -p 5354:53/udp
    ok user exec p ip -o addr show uplink0
    has 198.51.100.1
    who on_lan 198.51.100.1:8080
    has 198.51.100.9
    who on_lan '[2001:db8:7::1]:8080'
    has 2001:db8:7::9
    who on_lan 198.51.100.1:8090
    ok user port p
    has "80/tcp -> 0.0.0.0:8080"
    fails 125 user run --rm --network pasta -p 8080:80 busybox true
    has "port 8080/tcp is in use by container p"
    ok user restart -t 0 p
    until_true 5 user exec p wget -q -O /dev/null http://127.0.0.1/cgi-bin/who
    who on_lan 198.51.100.1:8080
    has 198.51.100.9
    # Its monitor is killed: everything goes on.
    for pid in $(ip netns pids $WORLD-host); do
        [ "$(cat /proc/$pid/comm)" != tare-monitor ] || kill -9 $pid
    done
    who on_lan 198.51.100.1:8080
    ok user inspect p
    ok user rm -f p
    until_true 5 nobody_left
    fails 125 without pasta user run --rm --network pasta busybox true
    has "apt install passt"
}
