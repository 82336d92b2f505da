#!/usr/bin/env bats
# images, rmi, history, image inspect: what scripts rely on, in Docker's words.

load lib

setup_file() {
    roots_make
    tare tag busybox two/names:1
}
teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() {
    tare rm -f c >/dev/null 2>&1 || true
    leaks_after
}

id() { tare images -q busybox; }

@test "images: columns, and filters that are wrong are said" {
    ok tare images
    [[ ${lines[0]} =~ ^REPOSITORY\ +TAG\ +IMAGE\ ID\ +CREATED\ +SIZE$ ]]
    [ "${#lines[@]}" = 3 ]
    ok tare images --digests busybox
    [[ ${lines[0]} =~ ^REPOSITORY\ +TAG\ +DIGEST\ +IMAGE\ ID\ +CREATED\ +SIZE$ ]]
    ok tare images -q
    [ "${#lines[@]}" = 1 ] # one image, two names
    ok tare images --format '{{.Repository}}:{{.Tag}}' --filter reference='two/*'
    is two/names:1
    ok tare images -q --filter dangling=true
    is ""
    ok tare images -q --filter dangling=0
    is "$(id)"
    for command in images "image prune -f" "network ls"; do
        # shellcheck disable=SC2086
        fails 1 tare $command --filter dangling=perhaps
        is "Error: invalid filter 'dangling=[perhaps]' (true or false is wanted)"
    done
    fails 1 tare images --filter nosuch=1
    is "Error: invalid filter 'nosuch'"
}

@test "image inspect: a template may name what is empty" {
    ok tare image inspect --format '{{.Variant}}|{{.Config.Labels}}|{{len .RepoTags}}|{{.Config.WorkingDir}}' busybox
    is "|map[]|2|"
    fails 1 tare image inspect --format '{{.NoSuch}}' busybox
    fails 1 tare image inspect nosuch
    has "Error: No such image: nosuch:latest"
    fails 1 tare push nosuch
    has "An image does not exist locally with the tag: nosuch"
    fails 1 tare push busybox:nosuch
    has "tag does not exist: busybox:nosuch"
    fails 125 tare run --rm --pull missing localhost:1/nosuch
    has "Unable to find image 'localhost:1/nosuch:latest' locally"
}

@test "rmi: running, stopped and several names are different conflicts" {
    local id
    id=$(id)
    fails 1 tare rmi "$id"
    is "Error: conflict: unable to delete $id (must be forced) - image is referenced in multiple repositories"
    ok tare run -d --name c --network none busybox sleep 60
    fails 1 tare rmi -f "$id"
    has "(cannot be forced) - image is being used by running container"
    ok tare rmi two/names:1
    is "Untagged: two/names:1"
    ok tare rm -f c
    ok tare create --name c --network none busybox true
    fails 1 tare rmi "$id"
    has "(must be forced) - image is being used by stopped container"
    fails 1 tare rmi busybox
    has 'conflict: unable to remove repository reference "busybox:latest" (must force) - container'
    ok tare rmi -f "$id" # the container keeps what it stands on
    is "Untagged: busybox:latest"
    ok tare images -q --filter dangling=true
    is "$id"
    ok tare start -a c
    ok tare tag "$id" busybox
    ok tare tag "$id" two/names:1
    ok tare rmi -f nosuch # said, and no failure, as Docker has it
    is "Error: No such image: nosuch:latest"
}

@test "nothing is removed while a container's image has lost its record" {
    local full
    ok tare create --name c --network none busybox true
    tar -C "$FIXTURES/busybox" -cf "$BATS_TEST_TMPDIR/x.tar" bin --mtime=@2
    ok tare import "$BATS_TEST_TMPDIR/x.tar" x:1
    full=$(tare images -q --no-trunc busybox)
    mkdir "$BATS_TEST_TMPDIR/kept"
    mv "$ROOT/images/${full#sha256:}" "$ROOT"/refs/* "$BATS_TEST_TMPDIR/kept/"
    mv "$BATS_TEST_TMPDIR"/kept/*x:1 "$ROOT/refs/"
    ok tare rmi x:1
    has "nothing is removed from the disk"
    ok tare start -a c
    mv "$BATS_TEST_TMPDIR/kept/${full#sha256:}" "$ROOT/images/"
    mv "$BATS_TEST_TMPDIR"/kept/* "$ROOT/refs/"
    ok tare image prune -f
    ok tare system check
}
