#!/usr/bin/env bats
# The programs that call OCI runtimes, with tare-oci as theirs: Docker, containerd, Podman, buildah. One that is not installed is skipped by
# its name. Everything has roots of its own; no packet filter is touched.
# lane: alone

load lib
bats_require_minimum_version 1.5.0

setup_file() {
    D=$(mktemp -d /tmp/toc.XXXXXX)
    N=toc-${D##*.} # a namespace of containerd for this run alone: it names cgroups and state directories of the machine
    export D N
    [ -e "$FIXTURES/done" ] || "$here/fixtures" "$FIXTURES"
    ln -s "$TARE-oci" "$D/tare-oci"
}
teardown_file() {
    stop_docker
    stop_containerd
    umount -R "$D/podman/overlay" 2>/dev/null || true
    find /sys/fs/cgroup -maxdepth 3 -depth -type d \( -path '*/libpod_parent/conmon' -o -name docker -o -name libpod_parent -o -name "$N" \) -exec rmdir {} + 2>/dev/null || true
    grep -q " $D/" /proc/self/mounts && grep " $D/" /proc/self/mounts >&2
    rm -rf "$D"
    [ ! -e "$D" ]
}
setup() { groups_before=$(groups_now); }
teardown() {
    [ ! -e "$D/d.pid" ] || { tail -5 "$D/d.log"; dock ps -aq | xargs -r docker -H "unix://$D/d.sock" rm -f; stop_docker; } # the test failed
    [ ! -e "$D/podman" ] || pod rm -af >/dev/null
    until_true 10 eval 'same_groups >/dev/null' || { same_groups; false; }
}

groups_now() { find /sys/fs/cgroup -maxdepth 3 -type d \( -path '*docker*' -o -path '*libpod*' -o -path '*buildah*' -o -path "*$N*" \) 2>/dev/null | sort; }
# The callers' own parents stay, as with other runtimes, and the group that Podman has for its conmons.
same_groups() { ! comm -13 <(echo "$groups_before") <(groups_now) | grep -v '/libpod_parent/conmon$' | grep -E '/((docker|libpod_parent|toc-[A-Za-z0-9]*)/[^/]+|buildah-[^/]*)$'; }

start_containerd() {
    mkdir -p "$D/ctd"
    printf 'version = 2\nroot = "%s"\nstate = "%s"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "%s"\n' \
        "$D/ctd/root" "$D/ctd/state" "$D/c.sock" >"$D/ctd.toml"
    containerd -c "$D/ctd.toml" >"$D/ctd.log" 2>&1 3>&- &
    echo $! >"$D/ctd.pid"
    until_true 10 [ -S "$D/c.sock" ]
}
stop_containerd() { [ ! -e "$D/ctd.pid" ] || { kill "$(cat "$D/ctd.pid")" && until_true 10 gone "$(cat "$D/ctd.pid")"; rm -f "$D/ctd.pid"; } || true; }
stop_docker() { [ ! -e "$D/d.pid" ] || { local p; p=$(cat "$D/d.pid"); kill "$p" && until_true 15 gone "$p"; } || true; }
gone() { [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
dock() { docker -H "unix://$D/d.sock" "$@"; }

@test "Docker: run, exec, stats, pause, update, top, stop, rm" {
    command -v dockerd >/dev/null && command -v docker >/dev/null && command -v containerd >/dev/null || skip "dockerd, docker or containerd is not installed"
    start_containerd
    dockerd --containerd "$D/c.sock" --data-root "$D/data" --exec-root "$D/exec" -H "unix://$D/d.sock" --pidfile "$D/d.pid" --iptables=false \
        --ip6tables=false --bridge=none --storage-driver overlay2 --add-runtime "tare=$D/tare-oci" --default-runtime tare \
        --exec-opt native.cgroupdriver=cgroupfs >"$D/d.log" 2>&1 3>&- &
    until_true 20 eval 'dock version >/dev/null 2>&1' || { tail -20 "$D/d.log"; false; }
    dock load -q -i "$FIXTURES/busybox.docker.tar"
    [ "$(dock run --rm busybox echo of docker)" = "of docker" ]
    run -7 dock run --rm --network none busybox sh -c 'exit 7'
    run -127 dock run --rm busybox /nothing
    run dock run --rm -t busybox tty
    [[ $output == *"/dev/pts/0"* ]]
    dock run -d --name one --memory 64m --pids-limit 50 --cpus 0.5 --init=false busybox sleep 1000
    [ "$(dock inspect -f '{{.HostConfig.Runtime}} {{.State.Status}}' one)" = "tare running" ]
    [ "$(dock exec one sh -c 'echo in; exit 0')" = in ]
    run -5 dock exec -u 7 one sh -c 'exit 5'
    [ "$(dock exec -u 7:8 -w /tmp -e A=b one sh -c 'echo $(id -u) $(id -g) $PWD $A')" = "7 8 /tmp b" ]
    run dock exec one /nothing
    [[ $status -eq 126 || $status -eq 127 ]] # as the version of Docker has it
    [[ $output == *"no such file or directory"* ]]
    dock stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' one | grep -q '/ 64MiB 1$'
    dock top one | grep -q "sleep 1000"
    dock update --memory 32m --memory-swap 32m one
    dock stats --no-stream --format '{{.MemUsage}}' one | grep -q '/ 32MiB'
    dock pause one
    [ "$(dock inspect -f '{{.State.Status}}' one)" = paused ]
    dock unpause one
    dock kill one
    until_true 5 eval '[ "$(dock inspect -f "{{.State.Status}} {{.State.ExitCode}}" one)" = "exited 137" ]'
    dock start one
    dock stop -t 1 one
    [ "$(dock inspect -f '{{.State.ExitCode}}' one)" = 137 ]
    dock rm one
    dock run -d --name two --health-cmd 'true' --health-interval 1s busybox sleep 1000
    until_true 6 eval '[ "$(dock inspect -f "{{.State.Health.Status}}" two)" = healthy ]'
    dock run --rm --memory 20m --memory-swap 20m busybox sh -c 'a=$(head -c 100000000 /dev/zero | tr "\0" x)' || [ $? -eq 137 ]
    dock rm -f two
    stop_docker
    stop_containerd
}

@test "containerd: ctr run, exec, pause, metrics, kill, rm" {
    command -v containerd >/dev/null && command -v ctr >/dev/null || skip "containerd or ctr is not installed"
    start_containerd
    c() { ctr -a "$D/c.sock" -n "$N" "$@"; }
    c image import "$FIXTURES/busybox.oci.tar"
    image=$(c image ls -q | head -1)
    [ "$(c run --rm --runc-binary "$D/tare-oci" "$image" r1 echo of containerd)" = "of containerd" ]
    run -9 c run --rm --runc-binary "$D/tare-oci" "$image" r2 sh -c 'exit 9'
    c run -d --runc-binary "$D/tare-oci" "$image" r3 sleep 1000
    [ "$(c task exec --exec-id e1 r3 echo inside)" = inside ]
    c task ls | grep -q 'r3 .*RUNNING'
    c task metrics r3 | grep -q 'pids.current'
    c task pause r3
    c task ls | grep -q 'r3 .*PAUSED'
    c task resume r3
    c task ps r3 | grep -q '[0-9]'
    c task kill -s KILL r3
    until_true 5 eval 'c task ls | grep -q "r3 .*STOPPED"'
    c task rm r3 || true
    c container rm r3
    stop_containerd
}

pod() { podman --root "$D/podman" --runroot "$D/podman-run" --tmpdir "$D/podman-tmp" --runtime "$D/tare-oci" --cgroup-manager cgroupfs --events-backend file "$@"; }

@test "Podman: run, exec, stop, kill, pause, stats, top, health check, rm" {
    command -v podman >/dev/null || skip "podman is not installed"
    pod load -q -i "$FIXTURES/busybox.docker.tar"
    [ "$(pod run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 busybox echo of podman)" = "of podman" ]
    [ "$(pod run --rm --network none --privileged --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 busybox sh -c '[ -c /dev/null ] && echo all')" = all ]
    run -7 pod run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 busybox sh -c 'exit 7'
    run -127 pod run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 busybox /nothing
    pod run -d --name one --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --memory 64m --health-cmd true --health-interval disable busybox sleep 1000
    [ "$(pod inspect -f '{{.OCIRuntime}}' one)" = "$D/tare-oci" ]
    [ "$(pod exec one echo inside)" = inside ]
    run -5 pod exec --user 7 one sh -c 'exit 5'
    pod healthcheck run one
    pod stats --no-stream --no-reset one | grep -q one
    pod top one | grep -q sleep
    pod pause one
    [ "$(pod inspect -f '{{.State.Status}}' one)" = paused ]
    pod unpause one
    pod stop -t 1 one
    pod start one
    pod kill one
    pod rm -f one
}

@test "podman build, and buildah with its own runs" {
    command -v podman >/dev/null || skip "podman is not installed"
    mkdir -p "$D/context"
    printf 'FROM busybox\nRUN echo built >/built && [ "$(id -u)" = 0 ]\nUSER 7\nRUN id -u >/tmp/who\nCMD cat /built /tmp/who\n' >"$D/context/Dockerfile"
    pod load -q -i "$FIXTURES/busybox.docker.tar"
    pod build --runtime "$D/tare-oci" --isolation oci --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none --pull=never -t built "$D/context"
    [ "$(pod run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 built)" = $'built\n7' ]
    command -v buildah >/dev/null || skip "buildah is not installed"
    b() { buildah --root "$D/podman" --runroot "$D/podman-run" "$@"; }
    b bud --runtime "$D/tare-oci" --isolation oci --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none --pull-never -t bud "$D/context"
    name=$(b from --pull-never bud)
    [ "$(b run --runtime "$D/tare-oci" --isolation oci --network none "$name" cat /built)" = built ]
    b rm "$name"
}
