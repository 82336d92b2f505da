#!/usr/bin/env bats
# run: what flags do inside, what a failure leaves outside.

load lib

setup_file() {
    roots_make
    tare run --rm busybox true # bridge and nftables table are made once, and stay
}

teardown_file() {
    roots_remove
}

setup() {
    leaks_before
}

teardown() {
    leaks_after
}

@test "a start that fails after its journal leaves nothing on the host; the container stays" {
    fails 125 tare run --name stays --log-driver syslog --log-opt syslog-address=unixgram:///nowhere busybox true
    has "connect the log to unixgram:///nowhere"
    [ -z "$(ls "$RUN/containers")" ] && [ -z "$(ls "$RUN"/leases/* 2>/dev/null | grep -v :)" ]
    ok tare ps -aq
    [ -n "$output" ]
    ok tare rm stays
}

@test "a port in use: said, and nothing stays" {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    ok tare run -d --name has -p 127.0.0.1:$port:80 busybox sleep 1000
    fails 125 tare run --name wants -p 127.0.0.1:$port:80 busybox true
    has "$port"
    ok tare rm wants
    ok tare rm -f has
}

@test "what is not done is refused by name, never ignored" {
    local refused=(
        "--network|name=bridge,driver-opt=a=b"
        "-v|/etc:/x:idmap" "--mount|type=image,source=busybox,target=/x,image-subpath=bin" "--restart|on-unhealthy"
        "--mount|type=nosuch,target=/x" "--health-on-failure|restart" "--blkio-weight-device|/dev/null:100" "--device-read-bps|/dev/null:1mb"
        "--volume-driver|nosuch|-v|v:/x")
    local words
    for each in "${refused[@]}"; do
        IFS='|' read -ra words <<<"$each"
        echo "${words[*]}"
        fails 125 tare run --rm "${words[@]}" busybox true
    done
    [ -z "$(tare volume ls -q)" ]
}

@test "limits of block devices reach the cgroup" {
    local dev
    dev=$(lsblk -dnpo NAME 2>/dev/null | head -1)
    [ -b "$dev" ] || skip "no block device"
    ok tare run --rm --network none --dry-run --device-read-bps "$dev:1mb" --device-write-iops "$dev:77" busybox true
    has 1048576
    has 77
}

@test "a volume with options of its own is what they say" {
    ok tare volume create -o type=tmpfs -o device=tmpfs -o o=size=123k scratch
    ok tare run --rm --network none -v scratch:/s busybox sh -c 'grep " /s " /proc/mounts; echo x >/s/x'
    has "tmpfs"
    has "size=12" # 123k in pages
    ok tare volume create -o type=none -o o=bind -o device=/etc/apt hosts
    ok tare run --rm --network none -v hosts:/s:ro busybox ls /s
    has "sources.list"
    fails 1 tare run --rm --network none -v hosts:/s:ro busybox touch /s/x
    ok tare volume rm scratch hosts
}

@test "flags of -v count" {
    mkdir -p "$BATS_TEST_TMPDIR/d"
    ok tare run --rm --network none -v "$BATS_TEST_TMPDIR/d:/d:noexec,nosuid" busybox grep " /d " /proc/mounts
    has noexec
    has nosuid
}

@test "on-unhealthy: a container that is found ill starts again" {
    ok tare run -d --name ill --network none --restart on-unhealthy --health-cmd false --health-interval 200ms --health-retries 1 \
        --stop-timeout 0 busybox sleep 1000
    local first
    first=$(tare inspect -f '{{.State.Pid}}' ill)
    other() {
        local now
        now=$(tare inspect -f '{{.State.Pid}}' ill)
        [ "$now" != 0 ] && [ "$now" != "$first" ]
    }
    until_true 10 other
    ok tare rm -f ill
}

@test "tare.conf counts for who says nothing, flags win over it" {
    cat >"$BATS_TEST_TMPDIR/tare.conf" <<'END'
ulimits = nofile=321:654, core=0
shm_size = 12m
pids_limit = 77
stop_timeout = 3
log_driver = local
log_opts = max-size=1m
network = none
init = true
no_new_privileges = true
dns = 192.0.2.9
publish_address = 127.0.0.1
END
    conf() { tare --config "$BATS_TEST_TMPDIR/tare.conf" "$@"; }
    ok conf run --rm --user 0 busybox sh -c 'ulimit -n; ulimit -Hn; ulimit -c; df -k /dev/shm | tail -1; grep NoNewPrivs /proc/self/status
        cat /etc/resolv.conf; ls /sys/class/net; cat /proc/1/cmdline'
    has "321"
    has "654"
    has "12288"
    has "NoNewPrivs:	1"
    has_not "eth0"
    has_not "cmdline: ulimit"
    ok conf create --name conf -p 80 busybox true
    ok tare inspect -f '{{.HostConfig.PidsLimit}} {{.HostConfig.LogConfig.Type}} {{.Config.StopTimeout}} {{.HostConfig.Init}} {{.HostConfig.Dns}}' conf
    is "77 local 3 true [192.0.2.9]"
    ok tare inspect -f '{{(index (index .HostConfig.PortBindings "80/tcp") 0).HostIp}}' conf
    is "127.0.0.1"
    ok tare rm conf
    ok conf run --rm --ulimit nofile=99 --shm-size 5m busybox sh -c 'ulimit -n; df -k /dev/shm | tail -1'
    has "99"
    has "5120"
    echo "address_pools = x" >"$BATS_TEST_TMPDIR/tare.conf"
    fails 125 conf run --rm busybox true
    has "unknown key"
}

@test "a memory limit that killed says so" {
    fails 137 tare run --rm --name eater --network none --memory 16m --memory-swap 16m busybox \
        sh -c 'tail /dev/zero; exit $?'
    has "tare: eater: out of memory: a process was killed by the limit of 16MiB (--memory)"
}

@test "restart of a running container, again and again" {
    ok tare run -d --name again --network none busybox sleep 1000
    for ((i = 0; i < 5; i++)); do
        ok tare restart -t 0 again
    done
    ok tare inspect -f '{{.State.Status}}' again
    is running
    ok tare rm -f again
}

@test "--env-file, --add-host, --volumes-from, -P" {
    printf '# comment\nA=1\n\nB=two words\nPATH_ONLY_HERE\n' >"$BATS_TEST_TMPDIR/env"
    ok tare run --rm --network none --env-file "$BATS_TEST_TMPDIR/env" -e A=2 --add-host db:192.0.2.7 busybox sh -c 'echo "$A $B"; cat /etc/hosts'
    has "2 two words"
    has "192.0.2.7"
    ok tare create --name giver --network none -v shared:/s busybox true
    ok tare run --rm --network none --volumes-from giver busybox sh -c 'echo x >/s/x'
    ok tare run --rm --network none --volumes-from giver:ro busybox cat /s/x
    is x
    fails 1 tare run --rm --network none --volumes-from giver:ro busybox touch /s/y
    ok tare rm giver
    ok tare volume rm shared
    ok tare run -d --name ports -P --expose 7777 busybox sleep 1000
    ok tare port ports
    has "7777/tcp -> 0.0.0.0:"
    ok tare rm -f ports
}
