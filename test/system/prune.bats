#!/usr/bin/env bats
# container prune and system prune: what is not in use goes, and nothing else.

load lib

setup_file() { roots_make; }
teardown_file() { roots_remove; }

@test "container prune takes the stopped, by label too, and leaves the running" {
    ok tare run -d --network none --name runs busybox sleep 60
    ok tare run --network none --name ended busybox true
    ok tare run --network none --name kept --label keep=yes busybox true
    ok tare container prune -f --filter 'label!=keep=yes'
    has "Deleted Containers:"
    has "Total reclaimed space:"
    ok tare ps -a --format '{{.Names}}'
    has runs
    has kept
    has_not ended
    ok tare container prune -f
    ok tare ps -a --format '{{.Names}}'
    is runs
    ok tare rm -f runs
}

@test "system prune asks; -a takes images without containers, volumes only when asked" {
    ok tare volume create data
    ok tare volume create
    ok sh -c "echo n | '$TARE' --root '$ROOT' --run-root '$RUN' system prune -a"
    ok tare images -q
    [ -n "$output" ]
    ok tare system prune -f
    ok tare images -q
    [ -n "$output" ]
    ok tare system prune -a -f --volumes
    ok tare images -q
    is ""
    ok tare volume ls -q
    is data
}

@test "volume prune and network prune: labels that must and must not be there, named volumes only when asked" {
    ok tare volume create --label keep=yes
    ok tare volume create --label keep=no
    ok tare volume create --label keep=no named
    ok tare network create --label keep=yes kept
    ok tare network create --label keep=no unkept
    ok tare volume prune -f --filter 'label!=keep=yes'
    has "Deleted Volumes:"
    fails 1 tare volume ls --filter dangling=perhaps
    ok tare volume ls -q --filter label=keep=no
    is named
    ok tare volume prune -f --filter all=true --filter label=keep=no
    has named
    ok tare volume ls -q --filter label=keep
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    fails 1 tare volume prune -f --filter all=perhaps
    ok tare network prune -f --filter 'label!=keep=yes'
    has unkept
    has_not "$(printf '\nkept')"
    ok tare network prune -f
    has kept
    ok tare volume prune -f
    ok tare volume ls -q --filter label=keep
    is ""
}
