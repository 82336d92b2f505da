#!/usr/bin/env bats
# Beside firewalld: a real one, in a network namespace and behind a message bus of the test's own. The engine runs there, too.

load lib

setup_file() {
    command -v firewalld >/dev/null && command -v dbus-daemon >/dev/null || return 0
    WORLD=fw$$ AT=$(mktemp -d /tmp/tt.fw.XXXXXX)
    export WORLD AT
    ip netns add "$WORLD-host"
    ip netns add "$WORLD-lan"
    ip -n "$WORLD-host" link add fw0 type veth peer name lan0 netns "$WORLD-lan"
    for n in "host fw0 1" "lan lan0 9"; do
        # shellcheck disable=SC2086
        set -- $n
        ip -n "$WORLD-$1" link set lo up
        ip -n "$WORLD-$1" addr add 198.51.100.$3/24 dev "$2"
        ip -n "$WORLD-$1" link set "$2" up
    done
    mkdir -p /run/dbus
    # shellcheck disable=SC2016
    nsenter --net="/run/netns/$WORLD-host" unshare -m sh -c '
        mount -t tmpfs tmpfs /run/dbus
        mount -t tmpfs tmpfs /etc/firewalld
        printf "DefaultZone=public\nFirewallBackend=nftables\n" >/etc/firewalld/firewalld.conf
        dbus-daemon --system --nofork --nopidfile &
        echo $! >$0/pids
        until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
        firewalld --nofork --nopid &
        echo $! >>$0/pids
        wait' "$AT" >"$AT/log" 2>&1 3>&- &
    echo $! >"$AT/holder"
    until_true 30 in_world firewall-cmd --state
    roots_make
    tare network create one >/dev/null
    nsenter --net="/run/netns/$WORLD-lan" python3 "$here/reach.py" serve 7000 >/dev/null 2>&1 3>&- &
    echo $! >>"$AT/pids"
    until_true 5 nsenter --net="/run/netns/$WORLD-lan" sh -c "ss -tlnH | grep -q :7000"
}

teardown_file() {
    [ -n "${AT:-}" ] || return 0
    roots_remove
    # shellcheck disable=SC2046
    kill $(tac "$AT/pids") || true
    ip netns del "$WORLD-host"
    ip netns del "$WORLD-lan"
    rm -rf "$AT"
}

setup() {
    [ -n "${AT:-}" ] || skip "firewalld or dbus-daemon is not installed"
}

in_world() {
    nsenter --net="/run/netns/$WORLD-host" --mount="/proc/$(cat "$AT/holder")/ns/mnt" "$@"
}
tare() {
    in_world "$TARE" --root "$ROOT" --run-root "$RUN" "$@"
}

bridge() {
    tare network explain one | sed -n 's/.* bridge \([^:]*\): up$/\1/p'
}
zone() {
    in_world firewall-cmd --get-zone-of-interface="$1" 2>&1
}
# The way out of a new container: under which address it is seen by somebody in the LAN; - for none.
out() {
    tare run -d --name o --network one busybox sleep 100 >/dev/null
    way_of o
    tare rm -f o >/dev/null
}
way_of() { # CONTAINER [-: none is expected]
    echo "tcp 198.51.100.9 7000 ${2:-}" |
        nsenter --net="/proc/$(tare inspect --format '{{.State.Pid}}' "$1")/ns/net" python3 "$here/reach.py" ask
}

@test "a bridge goes into the zone trusted, so that containers have a way out; published ports answer" {
    [ "$(out)" = 198.51.100.1 ]
    [ "$(zone "$(bridge)")" = trusted ]
    ok tare network explain one
    has "is in its zone trusted"
    tare run -d --name p --network one -p 8080:80 busybox sh -c 'mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 nsenter --net="/run/netns/$WORLD-lan" curl -s -m 2 http://198.51.100.1:8080/
    tare rm -f p >/dev/null
}

reloads() { # in a loop: what runs keeps its way out, with no command of ours between
    local i
    tare run -d --name stays --network one -p 8081:80 busybox \
        sh -c 'mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    [ "$(way_of stays)" = 198.51.100.1 ]
    for i in 1 2 3; do
        in_world firewall-cmd --reload
        [ "$(way_of stays)" = 198.51.100.1 ]
        [ "$(zone "$(bridge)")" = trusted ]
        nsenter --net="/run/netns/$WORLD-lan" curl -s -m 2 http://198.51.100.1:8081/
        [ "$(out)" = 198.51.100.1 ]
    done
    in_world firewall-cmd --zone=trusted --remove-interface="$(bridge)"
    [ "$(way_of stays -)" = - ]
    ok tare network explain one
    has "BLOCKED: firewalld runs and has bridge $(bridge) in no zone"
    tare network reload one
    [ "$(way_of stays)" = 198.51.100.1 ]
    # the permanent configuration cannot be written: the next start joins again
    in_world firewall-cmd --permanent --zone=trusted --remove-interface="$(bridge)"
    in_world firewall-cmd --reload
    [ "$(way_of stays)" = - ]
    [ "$(out)" = 198.51.100.1 ]
    [ "$(way_of stays)" = 198.51.100.1 ]
    tare rm -f stays >/dev/null
}

@test "firewalld reloads, again and again: what runs keeps its way out" {
    reloads
}

@test "the zone that somebody chose stays; a network that goes leaves none behind" {
    local name
    tare network create two >/dev/null
    tare run -d --name t --network two busybox sleep 1000 >/dev/null
    name=$(tare network explain two | sed -n 's/.* bridge \([^:]*\): up$/\1/p')
    [ "$(zone "$name")" = trusted ]
    in_world firewall-cmd --zone=work --change-interface="$name"
    tare network reload two
    [ "$(zone "$name")" = work ]
    in_world firewall-cmd --zone=trusted --change-interface="$name"
    tare rm -f t >/dev/null
    tare network rm two >/dev/null
    [ "$(zone "$name")" = "no zone" ]
    ok in_world firewall-cmd --permanent --zone=trusted --list-interfaces
    has_not "$name"
}

@test "the same with firewalld's backend iptables" {
    in_world sed -i s/nftables/iptables/ /etc/firewalld/firewalld.conf
    in_world firewall-cmd --reload
    in_world nft list chain ip filter FORWARD_direct
    reloads
    in_world sed -i s/iptables/nftables/ /etc/firewalld/firewalld.conf
    in_world firewall-cmd --reload
}
