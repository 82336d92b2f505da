#!/usr/bin/env bats
# Names on networks of the user's own: the resolver at 127.0.0.11. Name servers for the tests stand at addresses of the host's loopback,
# and are given with --dns.

load lib

setup_file() {
    roots_make
    LAST=$((RANDOM % 200 + 20))
    S1=127.77.$LAST.1 S2=127.77.$LAST.2 SILENT=127.77.$LAST.3 STRANGE=127.77.$LAST.4
    export S1 S2 SILENT STRANGE
    python3 "$here/nameserver.py" "$S1" "$S2" "$SILENT" "$STRANGE" >"$ROOTS/asked" 3>&- &
    echo $! >"$ROOTS/nameserver.pid"
    tare network create names >/dev/null
    SERVER=$(tare run -d --name server --network names --network-alias www busybox sleep 1000)
    export SERVER
    until_true 5 sh -c "ss -lun | grep -q $S1:53"
    until_true 5 ask server a server # from now on it has a tare-net
}

teardown_file() {
    kill "$(cat "$ROOTS/nameserver.pid")"
    tare rm -f server >/dev/null
    roots_remove
}

setup() { leaks_before; }
teardown() { leaks_after; }

address() { # CONTAINER NETWORK [6]
    tare inspect --format "{{(index .NetworkSettings.Networks \"$2\").${3:+GlobalIPv6}${3:-IP}Address}}" "$1" | sed 's/^6//'
}
inside() { # CONTAINER COMMAND…: a program of the host in the container's network
    nsenter --net="/proc/$(tare inspect --format '{{.State.Pid}}' "$1")/ns/net" "${@:2}"
}
ask() { # CONTAINER what dig is to ask
    inside "$1" dig @127.0.0.11 +tries=1 +time=60 "${@:2}"
}
holder_of() { # CONTAINER: pid of its tare-net
    pgrep -f "^tare-net .* $(tare inspect --format '{{.Id}}' "$1")"
}

@test "names, aliases, short ids and addresses, over both families, by UDP and TCP, before the program starts" {
    local four six name
    four=$(address server names) six=$(tare inspect --format '{{.NetworkSettings.Networks.names.GlobalIPv6Address}}' server)
    for name in server www SERVER "${SERVER:0:12}" server.names www.names; do
        ok tare run --rm --network names busybox nslookup -type=a "$name"
        has "Address: $four"
        ok ask server +short a "$name"
        is "$four"
        ok ask server +short +tcp aaaa "$name"
        is "$six"
    done
    ok ask server +short -x "$four"
    is server.names.
    ok ask server +short +tcp -x "$six"
    is server.names.
    ok ask server mx server
    has "status: NOERROR"
    has "ANSWER: 0"
    ok tare exec server cat /etc/resolv.conf
    has "nameserver 127.0.0.11"
}

@test "not on the default network, nor of another one; nothing is at the host's port 53" {
    tare network create other >/dev/null
    tare run -d --name far --network other --dns "$S1" busybox sleep 1000 >/dev/null
    ok ask far a server
    has "status: NXDOMAIN"
    tare rm -f far >/dev/null
    ok tare network rm other
    ok tare run --rm busybox cat /etc/resolv.conf
    has_not 127.0.0.11
    run ss -Hlnutp 'sport = :53'
    has_not tare
}

@test "several containers of one alias; a name is gone with its container, and back with it" {
    local id
    for i in 1 2 3; do tare run -d --name "m$i" --network names --network-alias many busybox sleep 1000 >/dev/null; done
    ok ask server +short a many
    [ "${#lines[@]}" = 3 ]
    tare stop -t 0 m2 >/dev/null
    ok ask server +short a many
    [ "${#lines[@]}" = 2 ]
    tare start m2 >/dev/null
    ok ask server +short a m2
    is "$(address m2 names)"
    ok ask m2 +short a server
    is "$(address server names)"
    tare rm -f m1 m2 m3 >/dev/null
}

@test "everything else is handed on, by UDP and TCP, cut to what the client takes" {
    tare run -d --name c --network names --dns "$S1" busybox sleep 1000 >/dev/null
    ok ask c +short a one.test
    is 192.0.2.1
    ok ask c +short +tcp a one.test
    is 192.0.2.1
    ok ask c +ignore +bufsize=512 txt large.test
    has "flags: qr tc rd"
    ok ask c +short txt large.test # asks again by TCP
    [ "$(grep -c xxxx <<<"$output")" = 40 ]
    ok ask c a nosuch.test
    has "status: NXDOMAIN"
    tare rm -f c >/dev/null
}

@test "a silent server, one that is not there, one that cannot: the next one answers; forged answers are not believed" {
    tare run -d --name c --network names --dns "$SILENT" --dns 127.77.0.9 --dns "$S2" busybox sleep 1000 >/dev/null
    ok ask c +short a one.test
    is 192.0.2.2
    asked=$(wc -l <"$ROOTS/asked")
    ok ask c +short a one.test # and now that one is asked first
    is 192.0.2.2
    [ "$asked" -gt 0 ] && [ "$(wc -l <"$ROOTS/asked")" = "$asked" ]
    ok ask c +short +tcp a one.test
    is 192.0.2.2
    tare rm -f c >/dev/null
    # answers with another id and another question first, the true one last
    tare run -d --name c --network names --dns "$STRANGE" busybox sleep 1000 >/dev/null
    ok ask c +short a one.test
    is 192.0.2.4
    tare rm -f c >/dev/null
    tare run -d --name c --network names --dns 127.77.0.9 busybox sleep 1000 >/dev/null
    ok ask c a one.test
    has "status: SERVFAIL"
    tare rm -f c >/dev/null
}

@test "an internal network hands nothing on; --dns-search, --dns-option, --add-host host-gateway" {
    tare network create --internal closed >/dev/null
    tare run -d --name c --network closed --dns "$S1" busybox sleep 1000 >/dev/null
    ok ask c a one.test
    has "status: NXDOMAIN"
    ok ask c +tcp a one.test
    has "status: NXDOMAIN"
    ok ask c +short a c
    is "$(address c closed)"
    tare rm -f c >/dev/null
    ok tare network rm closed
    ok tare run --rm --network names --dns-search a.test --dns-search b.test --dns-option timeout:3 --add-host gw:host-gateway \
        --add-host fixed:192.0.2.9 busybox cat /etc/resolv.conf /etc/hosts
    has "search a.test b.test"
    has "timeout:3"
    has "$(tare network inspect --format '{{(index .IPAM.Config 0).Gateway}}' names)"$'\tgw'
    has $'192.0.2.9\tfixed'
}

@test "a container may serve DNS itself" {
    tare run -d --name c --network names busybox sleep 1000 >/dev/null
    nsenter --net="/proc/$(tare inspect --format '{{.State.Pid}}' c)/ns/net" timeout 600 python3 "$here/nameserver.py" 127.0.0.1 3>&- &
    local server=$!
    until_true 5 inside c sh -c 'ss -lun | grep -q 127.0.0.1:53'
    ok inside c dig @127.0.0.1 +short a one.test
    is 192.0.2.1
    ok ask c +short a server
    is "$(address server names)"
    kill $server
    tare rm -f c >/dev/null
}

@test "names survive a restart, and come and go with networks while the container runs" {
    tare run -d --name c --dns "$S1" busybox sleep 1000 >/dev/null
    ok tare network connect --alias extra names c
    ok tare exec c cat /etc/resolv.conf
    is $'nameserver 127.0.0.11\noptions ndots:0'
    ok tare exec c nslookup -type=a server
    has "Address: $(address server names)"
    ok ask server +short a extra
    is "$(address c names)"
    tare network create second >/dev/null
    ok tare network connect second c
    tare run -d --name d --network second busybox sleep 1000 >/dev/null
    ok ask c +short a d
    is "$(address d second)"
    ok tare network disconnect second c
    ok ask c a d
    has "status: NXDOMAIN"
    for i in 1 2 3; do
        ok tare restart -t 0 c
        ok ask c +short a server
        is "$(address server names)"
        ok ask server +short a c
        is "$(address c names)"
    done
    tare rm -f c d >/dev/null
    ok tare network rm second
}

page() { # ADDRESS PORT
    printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 2 "$1" "$2" | tail -1
}

@test "tare-net is there when somebody wants something of it, and not before: names, [::1], the container's next life" {
    local port pid
    port=$(free_ports 2)
    tare run -d --name c --network names -p "$port":80 -p "127.0.0.1:$((port + 1)):80" busybox \
        sh -c 'mkdir -p /w; echo i am c >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 sh -c "busybox nc -w 1 $(address c names) 80 </dev/null"
    ok page 127.0.0.1 "$port"
    is "i am c"
    ok page 127.0.0.1 $((port + 1))
    is "i am c"
    fails 1 holder_of c
    ok page ::1 "$port"
    is "i am c"
    pid=$(holder_of c)
    ok tare exec c nslookup -type=a server
    has "Address: $(address server names)"
    [ "$(holder_of c)" = "$pid" ]
    ok tare restart -t 0 c
    ok tare exec c nslookup -type=a server
    has "Address: $(address server names)"
    [ "$(holder_of c)" = "$pid" ]
    ok page ::1 "$port"
    is "i am c"
    # a life of a moment, in the foreground
    ok tare run --rm --network names busybox nslookup -type=a server
    has "Address: $(address server names)"
    ok tare rm -f c
}

@test "what waits to become tare-net is killed: the ports stay held, and names are answered" {
    local port waits
    port=$(free_ports 1)
    tare run -d --name c --network names -p "$port":80 busybox httpd -f -p 80 -h /etc >/dev/null
    waiting() { # beside c's monitor, which may have a session of other forks
        pgrep -P "$(pgrep -of "^tare-monitor.* $(tare inspect --format '{{.Id}}' c)")" -x 'tare-net wait'
    }
    until_true 5 waiting
    waits=$(waiting)
    kill -9 "$waits"
    fails 125 tare run --rm -p "$port":80 busybox true
    run python3 -c "import socket; socket.socket().bind(('', $port))"
    has "Address already in use"
    until_true 5 waiting
    ok ask c +short a server
    is "$(address server names)"
    fails 1 waiting
    ok tare rm -f c
    python3 -c "import socket; socket.socket().bind(('', $port))"
}

@test "names and ports go on when the monitor is killed, used or not, and when tare-net is" {
    local port monitor pid
    port=$(free_ports 2)
    tare run -d --name c --network names -p "$port":80 busybox sh -c 'mkdir /w; echo i am c >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 tare exec c sh -c 'true | nc -w 1 127.0.0.1 80'
    monitor=$(pgrep -of "^tare-monitor.* $(tare inspect --format '{{.Id}}' c)")
    until_true 5 pgrep -P "$monitor" -x 'tare-net wait'
    kill -9 "$monitor"
    until_true 5 holder_of c # which nobody has wanted anything of yet
    pid=$(holder_of c)
    ok ask c +short a server # nobody has looked at the container yet
    is "$(address server names)"
    ok page ::1 "$port"
    is "i am c"
    ok tare inspect --format '{{.State.Status}}' c # another monitor, which takes over the tare-net that is there
    is running
    [ "$(holder_of c)" = "$pid" ]
    kill -9 "$pid"
    until_true 5 ask c +short a server
    [ "$(holder_of c)" != "$pid" ]
    ok ask c +short a server
    is "$(address server names)"
    until_true 5 sh -c "ss -Hltn 'sport = :$port' | grep -q ."
    ok page ::1 "$port"
    is "i am c"
    ok page 127.0.0.1 "$port"
    is "i am c"
    ok tare rm -f c
    run ss -Hltn "sport = :$port"
    is ""
}

@test "a flood of questions costs no more than its share, and others are answered meanwhile" {
    tare run -d --name c --network names --dns "$SILENT" busybox sleep 1000 >/dev/null
    inside c timeout 4 python3 - 3>&- <<'P' &
import os, socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.time() + 3
while time.time() < end:
    s.sendto(os.urandom(2) + b"\1\0\0\1\0\0\0\0\0\0\4" + os.urandom(2).hex().encode() + b"\4test\0\0\1\0\1", ("127.0.0.11", 53))
P
    sleep 1
    ok ask server +short a c
    is "$(address c names)"
    [ "$(awk '/^VmRSS/ { print $2 }' "/proc/$(holder_of c)/status")" -lt 4000 ]
    wait
    tare rm -f c >/dev/null
}
