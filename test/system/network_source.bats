#!/usr/bin/env bats
# A container's port takes only what is the container's own: MAC, addresses, and what ARP and neighbour discovery say of them.

load lib

setup_file() {
    roots_make
    # A subnet that no other engine chooses while the bridge is deleted.
    tare network create --subnet 10.$((50 + RANDOM % 50)).$((RANDOM % 250)).0/24 mine >/dev/null
}

teardown_file() {
    roots_remove
}

setup() { leaks_before; }
teardown() {
    tare rm -f evil victim >/dev/null 2>&1 || true
    leaks_after
}

inside() { # CONTAINER COMMAND…
    nsenter --net="/proc/$(tare inspect --format '{{.State.Pid}}' "$1")/ns/net" "${@:2}"
}

address() { # CONTAINER [v6]
    if [ -n "${2:-}" ]; then
        tare inspect --format '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}' "$1"
    else
        tare inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"
    fi
}
mac_of() {
    tare inspect --format '{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}' "$1"
}

pair() { # NETWORK: containers evil and victim, and what the frames are made of
    tare run -d --name victim --network "$1" busybox sleep 1000 >/dev/null
    tare run -d --name evil --network "$1" busybox sleep 1000 >/dev/null
    V4=$(address victim) V6=$(address victim v6) VM=$(mac_of victim)
    E4=$(address evil) E6=$(address evil v6) EM=$(mac_of evil)
}

# Sends one frame of every kind, honest and forged, from evil to victim; `heard` is then what arrived.
send_all() {
    local out=$BATS_TEST_TMPDIR/heard listener
    inside victim python3 "$here/spoof.py" hear eth0 >"$out" 3>&- &
    listener=$!
    until_true 5 grep -q listening "$out"
    sed "s/\$/ to_mac=$VM/" <<L | inside evil python3 "$here/spoof.py" send eth0
v4 udp mac=$EM ip=$E4 to=$V4
v6 udp mac=$EM ip=$E6 to=$V6
arp arp mac=$EM sender=$EM ip=$E4 to=$V4
nd advert mac=$EM sender=$EM ip=$E6 to=$V6 target=$E6
X1 udp mac=02:42:01:02:03:04 ip=$E4 to=$V4
X2 udp mac=$EM ip=${E4%.*}.77 to=$V4
X3 udp mac=$EM ip=${E6%:*}:77 to=$V6
X4 arp mac=$EM sender=$EM ip=${E4%.*}.1 to=$V4
X5 arp mac=$EM sender=02:42:01:02:03:04 ip=$E4 to=$V4
X6 arp mac=02:42:01:02:03:04 sender=$EM ip=$E4 to=$V4
X7 advert mac=$EM sender=$EM ip=$E6 to=$V6 target=${E6%:*}:1
X8 router mac=$EM ip=$E6 to=$V6
X9 redirect mac=$EM ip=$E6 to=$V6 target=$E6
XA other mac=$EM
end udp mac=$EM ip=$E4 to=$V4
L
    wait $listener
    heard=$(sed -n 's/^mark-//p' "$out" | grep -v end | LC_ALL=C sort -u | tr '\n' ' ')
}

@test "spoofed MAC and addresses, forged ARP, neighbour and router advertisements do not leave a container" {
    pair mine
    send_all
    echo "arrived: $heard"
    [ "$heard" = "arp nd v4 v6 " ]
}

@test "the checks are put back after a flush and after the bridge is deleted, and end with the container" {
    pair mine
    nft flush table bridge "tare$TAG"
    nft delete table inet "tare$TAG"
    tare network reload mine >/dev/null
    send_all
    [ "$heard" = "arp nd v4 v6 " ]
    ip link del "tn-$(tare network inspect --format '{{.Id}}' mine | cut -c 1-12)"
    tare network reload --all >/dev/null
    send_all
    [ "$heard" = "arp nd v4 v6 " ]
    tare rm -f evil victim >/dev/null
    ! nft list table bridge "tare$TAG" | grep elements
}

@test "a table that an earlier version of tare has made: what ends is taken out, and the next start makes it anew" {
    local list=$BATS_TEST_TMPDIR/list
    pair mine
    # It had no comment, and elements that cannot expire.
    nft list table bridge "tare$TAG" |
        sed '/comment/d; /flags timeout/d' >"$list"
    nft delete table bridge "tare$TAG"
    nft -f "$list"
    nft list set bridge "tare$TAG" source4 | grep -q "$E4"
    tare rm -f evil >/dev/null
    run nft list table bridge "tare$TAG"
    [[ $output == *"$V4"* && $output != *"$E4"* && $output != *comment* ]]
    tare run -d --name evil --network mine busybox sleep 1000 >/dev/null
    run nft list table bridge "tare$TAG"
    [[ $output == *"$V4"* && $output == *"$(address evil)"* && $output == *comment* ]]
    V4=$(address victim) E4=$(address evil) E6=$(address evil v6) EM=$(mac_of evil)
    send_all
    [ "$heard" = "arp nd v4 v6 " ]
}

@test "addresses of a network connected while the container runs, and link-local ones, are its own as well" {
    local net=10.$((50 + RANDOM % 50)).$((RANDOM % 250))
    tare network create --subnet $net.0/28 late >/dev/null
    tare run -d --name victim --network late busybox sleep 1000 >/dev/null
    tare run -d --name evil --network none busybox sleep 1000 >/dev/null
    tare rm -f evil >/dev/null
    tare run -d --name evil busybox sleep 1000 >/dev/null
    tare network connect --link-local-ip 169.254.9.9 late evil
    inside evil busybox ping -c 1 -W 20 -q -I eth1 $net.2
    nft list set bridge "tare$TAG" source4 | grep -q 169.254.9.9
    tare network disconnect late evil
    ! nft list table bridge "tare$TAG" | grep -q 169.254.9.9
    tare rm -f evil victim >/dev/null
    tare network rm late >/dev/null
}

@test "a network whose containers answer for others: -o tare.network.source_check=false" {
    tare network create -o tare.network.source_check=false open >/dev/null
    pair open
    ! nft list table bridge "tare$TAG" | grep elements
    send_all
    echo "arrived: $heard"
    [ "$heard" = "X1 X2 X3 X4 X5 X6 X7 X8 X9 XA arp nd v4 v6 " ]
    tare rm -f evil victim >/dev/null
    tare network rm open >/dev/null
}

# reload without what the kernel says to tables of family bridge: EOPNOTSUPP to the one large request that makes the tables.
reload_unchecked() {
    local calls=$BATS_TEST_TMPDIR/calls n
    strace -o "$calls" -e trace=sendto "$TARE" --root "$ROOT" --run-root "$RUN" network reload mine >/dev/null
    n=$(awk -F'= ' '$NF > 8000 { print NR; exit }' "$calls")
    nft delete table bridge "tare$TAG"
    run strace -o "$calls" -e trace=sendto -e inject=sendto:error=EOPNOTSUPP:when="$n" "$TARE" --root "$ROOT" --run-root "$RUN" \
        network reload mine
}

@test "a kernel without tables of family bridge: containers run, it is said, and who asked for the check is refused" {
    command -v strace >/dev/null || skip "strace is not installed"
    tare network create -o tare.network.source_check=true must >/dev/null
    tare run --rm --network must busybox true # a network that is brought up makes the tables as this kernel can
    tare run --rm busybox true
    pair mine
    reload_unchecked
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"CONFIG_NF_TABLES_BRIDGE"*"pose as another"* ]]
    tare rm -f evil >/dev/null
    run tare run -d --name evil --network mine busybox sleep 1000
    [ "$status" = 0 ]
    [[ $output != *CONFIG* ]]
    tare network connect bridge evil
    run nft list table bridge "tare$TAG"
    [ "$status" != 0 ]
    run tare network explain mine
    [[ $output == *"is whole"*"any address"*"CONFIG_NF_TABLES_BRIDGE"* ]]
    run tare run --rm --network must busybox true
    [ "$status" = 125 ]
    [[ $output == *"source_check=true cannot be kept"* ]]
    # The same tables on a kernel that has them: the check is back, for those that run as well.
    tare network disconnect bridge evil
    tare network reload mine >/dev/null
    V4=$(address victim) E4=$(address evil) E6=$(address evil v6) EM=$(mac_of evil)
    send_all
    [ "$heard" = "arp nd v4 v6 " ]
    tare network rm must >/dev/null
}

@test "the kernel's limit of 1,023 ports a bridge is said in words" {
    tare network create full >/dev/null
    tare run --rm --network full busybox true
    local bridge group=$((20000 + RANDOM)) i
    bridge=tn-$(tare network inspect --format '{{.Id}}' full | cut -c 1-12)
    # Far ends in one namespace, near ends in one group: all of them go in one request.
    ip netns add full$group
    for ((i = 0; i < 1023; i++)); do
        echo "link add p$group-$i group $group master $bridge type veth peer name q$i netns full$group"
    done | ip -batch -
    run tare run --rm --network full busybox true
    ip link del group $group
    ip netns del full$group
    [ "$status" = 125 ]
    [[ $output == *"has its 1023 ports in use"* ]]
    tare run --rm --network full busybox true
    tare network rm full >/dev/null
}
