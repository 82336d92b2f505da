#!/usr/bin/env bats
# --network cni:NAME, with the plugins of Debian's containernetworking-plugins and some of the test's own. The whole engine runs in a
# network namespace that the test makes: the plugins change the network of their caller.

load lib

PLUGINS=/usr/lib/cni

setup_file() {
    roots_make
    WORLD=cni$$ CONF=$ROOTS/net.d LEASES=$ROOTS/leases OWN=$ROOTS/plugins
    export WORLD CONF LEASES OWN
    mkdir "$CONF" "$OWN"
    ip netns add "$WORLD"
    ip -n "$WORLD" link set lo up
    printf 'cni_conf_dirs = %s\ncni_plugin_dirs = %s,%s\n' "$CONF" "$OWN" "$PLUGINS" >"$ROOTS/tare.conf"
    own_plugin
    cat >"$CONF/10-net.conflist" <<J
{"cniVersion": "1.0.0", "name": "net", "plugins": [
  {"type": "bridge", "bridge": "cni-t0", "isGateway": true,
   "ipam": {"type": "host-local", "dataDir": "$LEASES", "ranges": [[{"subnet": "10.213.5.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "own", "capabilities": {"portMappings": true, "aliases": true}}]}
J
    cat >"$CONF/20-single.conf" <<J
{"cniVersion": "0.4.0", "name": "single", "type": "ptp", "dns": {"nameservers": ["192.0.2.53"], "search": ["cni.test"]},
 "ipam": {"type": "host-local", "dataDir": "$LEASES", "subnet": "10.213.6.0/24"}}
J
    echo '{"cniVersion": "0.1.0", "name": "old", "type": "bridge"}' >"$CONF/30-old.conf"
    echo '{"cniVersion": "1.0.0", "name": "lost", "type": "nowhere"}' >"$CONF/31-lost.conf"
    echo '{"cniVersion": "1.0.0", "name": "bad", "plugins": [{"type": "../own"}]}' >"$CONF/32-bad.conflist"
    echo 'not JSON' >"$CONF/00-damaged.conf"
    cat >"$CONF/40-mac.conflist" <<J
{"cniVersion": "0.4.0", "name": "fails", "plugins": [
  {"type": "bridge", "bridge": "cni-t0", "ipam": {"type": "host-local", "dataDir": "$LEASES", "subnet": "10.213.7.0/24"}},
  {"type": "own", "fail": true}]}
J
    cat >"$CONF/50-macvlan.conflist" <<J
{"cniVersion": "1.0.0", "name": "macvlan", "plugins": [
  {"type": "macvlan", "master": "up0", "ipam": {"type": "host-local", "dataDir": "$LEASES", "subnet": "10.213.8.0/24"}},
  {"type": "tuning", "capabilities": {"mac": true}}]}
J
    cat >"$CONF/55-ipvlan.conf" <<J
{"cniVersion": "1.0.0", "name": "ipvlan", "type": "ipvlan", "master": "up0",
 "ipam": {"type": "host-local", "dataDir": "$LEASES", "subnet": "10.213.8.0/24"}}
J
    cat >"$CONF/70-mapped.conflist" <<J
{"cniVersion": "1.0.0", "name": "mapped", "plugins": [
  {"type": "bridge", "bridge": "cni-t1", "isGateway": true, "ipMasq": true,
   "ipam": {"type": "host-local", "dataDir": "$LEASES", "ranges": [[{"subnet": "10.213.10.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
J
    cat >"$CONF/60-static.conflist" <<J
{"cniVersion": "1.0.0", "name": "static", "plugins": [
  {"type": "bridge", "bridge": "cni-t0", "capabilities": {"ips": true},
   "ipam": {"type": "host-local", "dataDir": "$LEASES", "subnet": "10.213.9.0/24"}}]}
J
}

# A plugin that keeps a record of its calls: command, container, interface, and what it got.
own_plugin() {
    cat >"$OWN/own" <<P
#!/usr/bin/python3
import json, os, sys, time
conf = json.load(sys.stdin)
with open("$ROOTS/calls", "a") as f:
    print(os.environ["CNI_COMMAND"], os.environ["CNI_IFNAME"], "netns" if os.environ["CNI_NETNS"] else "none",
          json.dumps({k: conf.get(k) for k in ("name", "cniVersion", "runtimeConfig", "fail")}),
          "prev" if "prevResult" in conf else "", file=f)
if os.environ["CNI_COMMAND"] == "ADD" and os.path.exists("$ROOTS/slow"):
    open("$ROOTS/slow-begun", "w").close()
    time.sleep(20)
if conf.get("fail") and os.environ["CNI_COMMAND"] == "ADD":
    print(json.dumps({"cniVersion": "1.0.0", "code": 100, "msg": "no luck today", "details": "none at all"}))
    sys.exit(1)
if os.environ["CNI_COMMAND"] == "ADD":
    print(json.dumps(conf["prevResult"]))
P
    chmod +x "$OWN/own"
}

teardown_file() {
    ip netns del "$WORLD"
    roots_remove
}

setup() {
    leaks_before
    rm -f "$ROOTS/calls" "$ROOTS/slow" "$ROOTS/slow-begun"
}
teardown() {
    local left
    rm -f "$ROOTS/slow"
    ip -n "$WORLD" link del up2 2>/dev/null || true
    ip netns del "$WORLD-lan" 2>/dev/null || true
    cni ps -aq | xargs -r nsenter --net="/run/netns/$WORLD" "$TARE" --config "$ROOTS/tare.conf" --root "$ROOT" --run-root "$RUN" rm -f >/dev/null
    leaks_after
    left=$(leases)
    [ -z "$left" ] || { echo "leases left: $left"; return 1; }
    ip -n "$WORLD" -o link show type veth | grep -v up0 && return 1
    ! grep "$RUN" /proc/self/mounts
}

cni() { # tare in the world of the plugins
    nsenter --net="/run/netns/$WORLD" "$TARE" --config "$ROOTS/tare.conf" --root "$ROOT" --run-root "$RUN" "$@"
}
world() {
    nsenter --net="/run/netns/$WORLD" "$@"
}
leases() { # addresses that host-local holds
    find "$LEASES" -name '10.*' 2>/dev/null | xargs -rn1 basename
}
calls() {
    cut -d' ' -f1 "$ROOTS/calls" | xargs
}

@test "a bridge by a chain of plugins: addresses, routes, hosts, inspect; and all of it given back" {
    cni run -d --name c --network cni:net --hostname inside busybox sh -c 'mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    ok cni exec c ip -4 -o addr show eth0
    has "10.213.5.2/24"
    ok cni exec c ip route
    has "default via 10.213.5.1 dev eth0"
    ok cni exec c cat /etc/hosts
    has $'10.213.5.2\tinside'
    ok cni inspect --format '{{with index .NetworkSettings.Networks "cni:net"}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}}{{end}}' c
    has "10.213.5.2/24 10.213.5.1 "
    has ":"
    until_true 5 world curl -s http://10.213.5.2/
    ok cni run --rm --network cni:net busybox wget -q -O - http://10.213.5.2/
    is hello
    ok cni exec c sh -c 'ip link show lo | grep UP; cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
    has $'\n0'
    # a container may join it
    ok cni run --rm --network container:c busybox ip -4 -o addr show eth0
    has 10.213.5.2
    # the plugins' CHECK: is it still as they made it?
    local file
    file=$ROOT/containers/$(cni inspect --format '{{.Id}}' c)/cni
    ok world "$(dirname "$TARE")/tare-cni" check "$file"
    world nsenter --net="$(cni inspect --format '{{.NetworkSettings.SandboxKey}}' c)" ip addr add 10.213.5.250/24 dev eth0
    world nsenter --net="$(cni inspect --format '{{.NetworkSettings.SandboxKey}}' c)" ip addr del 10.213.5.2/24 dev eth0
    fails 1 world "$(dirname "$TARE")/tare-cni" check "$file"
    has "CNI plugin bridge (CHECK): "
    ok cni network explain c
    has "CNI network net: plugins of somebody else's made it"
    has "BLOCKED, perhaps: CNI plugin bridge (CHECK): "
    world nsenter --net="$(cni inspect --format '{{.NetworkSettings.SandboxKey}}' c)" ip addr add 10.213.5.2/24 dev eth0
    world nsenter --net="$(cni inspect --format '{{.NetworkSettings.SandboxKey}}' c)" ip route add default via 10.213.5.1
    ok cni network explain c
    has "(CHECK)"
    has_not BLOCKED
    # it keeps its namespace and address over restarts, by the command and by the policy
    ok cni restart -t 0 c
    ok cni exec c ip -4 -o addr show eth0
    has 10.213.5.2
    cni stop -t 0 c >/dev/null
    [ -z "$(leases)" ]
    cni start c >/dev/null
    [ -n "$(leases)" ]
    cni rm -f c >/dev/null
    [ "$(calls)" = "ADD ADD DEL CHECK CHECK DEL ADD DEL" ]
    ok cat "$ROOTS/calls"
    has '"name": "net", "cniVersion": "1.0.0"'
    [ "$(grep -c '^DEL eth0 netns .* prev$' "$ROOTS/calls")" = 3 ]
}

@test "a single plugin, and the name servers that it tells" {
    ok cni run --rm --network cni:single busybox sh -c 'ip -4 -o addr show eth0; cat /etc/resolv.conf'
    has 10.213.6.2
    has "nameserver 192.0.2.53"
    has "search cni.test"
    ok cni run --rm --network cni:single --dns 192.0.2.99 busybox cat /etc/resolv.conf
    has "nameserver 192.0.2.99"
    has_not 192.0.2.53
}

@test "published ports, aliases, addresses and MACs go to plugins that can, and are refused where none can" {
    ok cni run --rm --network name=cni:net,alias=also -p 127.0.0.1:8080:80/tcp -p 53:53/udp busybox true
    ok grep ADD "$ROOTS/calls"
    has '"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "127.0.0.1"'
    has '"hostPort": 53, "containerPort": 53, "protocol": "udp"'
    has '"aliases": {"net": ["also"]}'
    cni run -d --name c --network cni:net -p 8080:80 busybox sleep 100 >/dev/null
    ok cni inspect --format '{{json .NetworkSettings.Ports}}' c
    has '"HostPort":"8080"'
    ok cni port c
    is "80/tcp -> 0.0.0.0:8080"
    ok cni ps --format '{{.Ports}}'
    is "0.0.0.0:8080->80/tcp"
    # what one container has no other gets, whoever leads the packets
    fails 125 cni run --rm --network cni:net -p 127.0.0.1:8080:80 busybox true
    has "port 8080/tcp is in use by container c"
    fails 125 cni run --rm -p 8080:80 busybox true
    has "port 8080/tcp is in use by container c"
    monitor=$(pgrep -of "^tare-monitor.* $(cni inspect --format '{{.Id}}' c)")
    until_true 5 pgrep -P "$monitor" -x 'tare-net wait'
    kill -KILL "$monitor"
    until_true 5 pgrep -f "^tare-net ports .*$(cni inspect --format '{{.Id}}' c)"
    until_true 5 world python3 -c 'import socket, sys
try: socket.socket().bind(("", 8080))
except OSError: sys.exit(0)
sys.exit(1)'
    cni rm -f c >/dev/null
    ok cni run --rm --network cni:net -p 8080:80 -p 81 busybox true
    ok grep ADD "$ROOTS/calls"
    [[ "$output" =~ '"hostPort": '[1-9][0-9]*', "containerPort": 81' ]]
    fails 125 cni run --rm --network cni:single -p 8080:80 busybox true
    has "published ports: none of its plugins has the capability portMappings"
    fails 125 cni run --rm --network cni:net --ip 10.213.5.77 busybox true
    has "--ip: none of its plugins has the capability ips"
    fails 125 cni run --rm --network cni:net --mac-address 02:00:00:00:00:07 busybox true
    has "capability mac"
    ok cni run --rm --network cni:static --ip 10.213.9.77 busybox ip -4 -o addr show eth0
    has 10.213.9.77
}

@test "portmap: a published port answers from elsewhere, and is given back" {
    command -v iptables >/dev/null || skip "the plugin portmap needs iptables"
    ip netns add "$WORLD-lan"
    world ip link add up2 type veth peer name lan2 netns "$WORLD-lan"
    world ip addr add 198.51.100.1/24 dev up2
    world ip link set up2 up
    ip -n "$WORLD-lan" addr add 198.51.100.9/24 dev lan2
    ip -n "$WORLD-lan" link set lan2 up
    world sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    cni run -d --name c --network cni:mapped -p 8080:80 busybox \
        sh -c 'mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
    until_true 5 nsenter --net="/run/netns/$WORLD-lan" curl -s -m 2 http://198.51.100.1:8080/
    ok world curl -s -m 2 http://127.0.0.1:8080/
    is hello
    ok cni network explain c
    has "port 8080/tcp at every address of the host"
    cni rm -f c >/dev/null
    fails 7 world curl -s -m 2 http://127.0.0.1:8080/
}

@test "ipvlan, as the plugin has it, or what the kernel lacks" {
    world ip link add up0 type veth peer name up1
    world ip link set up0 up
    if world ip link add probe link up0 type ipvlan 2>/dev/null; then
        world ip link del probe
        ok cni run --rm --network cni:ipvlan busybox ip -o -4 addr show eth0
        has 10.213.8.
    else
        fails 125 cni run --rm --network cni:ipvlan busybox true
        has "CNI plugin ipvlan (ADD): "
        has "not supported"
    fi
    world ip link del up0
}

@test "macvlan and tuning, as the plugins have them" {
    world ip link add up0 type veth peer name up1
    world ip link set up0 up
    ok cni run --rm --network cni:macvlan --mac-address 02:00:00:00:00:07 busybox ip -o addr
    has 10.213.8.2
    ok cni run --rm --network cni:macvlan --mac-address 02:00:00:00:00:07 busybox cat /sys/class/net/eth0/address
    is 02:00:00:00:00:07
    world ip link del up0
}

@test "what is wrong is said in a line, and nothing is left" {
    fails 125 cni run --rm --network cni:nosuch busybox true
    has "CNI network nosuch: no configuration of that name in $CONF (there are: net, single, old,"
    fails 125 cni run --rm --network cni:old busybox true
    has "cniVersion 0.1.0 is not known"
    fails 125 cni run --rm --network cni:bad busybox true
    has "plugin 1 has no proper type"
    fails 125 cni run --rm --network cni:lost busybox true
    has "CNI plugin nowhere is not in $OWN, $PLUGINS (apt install containernetworking-plugins"
    fails 125 cni run --rm --network cni: busybox true
    fails 125 cni run --rm --network cni:net --network cni:single busybox true
    has "cannot attach both"
    fails 125 cni run --rm --network cni:net --userns auto busybox true
    # the second of the chain fails: the first gives its address back
    fails 125 cni run --name f --network cni:fails busybox true
    has "CNI plugin own (ADD): no luck today: none at all"
    [ -z "$(leases)" ]
    [ "$(calls)" = "ADD DEL" ]
    ok cni rm f
    cni run -d --name c --network cni:net busybox sleep 100 >/dev/null
    fails 1 cni network connect bridge c
    has "CNI network"
    ok cni run --dry-run --network cni:net busybox true
    [ "$(leases | wc -l)" = 1 ]
}

@test "killed: the command while a plugin works, the monitor, everything; the plugins are asked to take it back" {
    touch "$ROOTS/slow"
    cni run --rm --network cni:net busybox true 3>&- &
    until_true 10 test -e "$ROOTS/slow-begun"
    rm "$ROOTS/slow"
    kill -KILL "$(pgrep -f "^$TARE .*$RUN run --rm --network cni:net")"
    wait || true
    ok cni ps -a
    [ -z "$(leases)" ]
    [ "$(calls)" = "ADD DEL" ]
    cni run -d --name c --network cni:net busybox sleep 100 >/dev/null
    kill -KILL "$(pgrep -f "^tare-monitor.* $(cni inspect --format '{{.Id}}' c)")" "$(cni inspect --format '{{.State.Pid}}' c)"
    ok cni ps -a
    until_true 5 sh -c "[ -z \"\$(find $LEASES -name '10.*')\" ]"
    ok cni start c
    [ -n "$(leases)" ]
}

@test "a power cut: the start after it gives back what the plugins kept on disk, and so does the removal" {
    local id
    cni run -d --name c --network cni:net busybox sleep 100 >/dev/null
    id=$(cni inspect --format '{{.Id}}' c)
    cp "$ROOT/containers/$id/cni" "$BATS_TEST_TMPDIR/cni"
    cni stop -t 0 c >/dev/null
    # as after one: the file and the lease are there, the namespace is not
    cp "$BATS_TEST_TMPDIR/cni" "$ROOT/containers/$id/cni"
    printf '%s\r\neth0' "$id" >"$LEASES/net/10.213.5.99"
    cni start c >/dev/null
    [ "$(leases)" = "$(cni inspect --format '{{(index .NetworkSettings.Networks "cni:net").IPAddress}}' c)" ]
    grep -q '^DEL eth0 none' "$ROOTS/calls"
    cni stop -t 0 c >/dev/null
    cp "$BATS_TEST_TMPDIR/cni" "$ROOT/containers/$id/cni"
    printf '%s\r\neth0' "$id" >"$LEASES/net/10.213.5.99"
    ok cni rm c
    [ -z "$(leases)" ]
}
