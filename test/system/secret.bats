#!/usr/bin/env bats
# Secrets: what is in them is seen by the container that was given them, and nowhere else.

load lib

setup_file() {
    roots_make
    tare run --rm busybox true # bridge and nftables table are made once, and stay
}

teardown_file() { roots_remove; }
setup() {
    leaks_before
}

teardown() {
    local ids
    ids=$(tare ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || tare rm -f $ids >/dev/null
    # shellcheck disable=SC2046
    [ -z "$(tare secret ls -q)" ] || tare secret rm $(tare secret ls -q) >/dev/null
    leaks_after
}

CANARY=c4n4ry-0f-the-s3cret

secret() { # NAME [option…]
    printf %s "$CANARY" | tare secret create "${@:2}" "$1" -
}

@test "create, ls, inspect, rm; from a file or standard input, 1 byte to 500 kB, a name once" {
    ok secret one -l a=b -l c
    [[ "$output" =~ ^[0-9a-f]{25}$ ]]
    printf two >"$ROOTS/two"
    ok tare secret create two "$ROOTS/two"
    rm "$ROOTS/two"
    ok tare secret ls --format '{{.Name}} {{.Driver}} {{.CreatedAt}}'
    [[ "${lines[0]}" =~ ^one\ file\ .*\ second.*\ ago$ && "${lines[1]}" =~ ^two\ file\ .*\ second.*\ ago$ && "${#lines[@]}" = 2 ]]
    ok tare secret ls -q -f name=tw
    is "$(tare secret inspect -f '{{.ID}}' two)"
    ok tare secret ls --filter label=a=b --format '{{.Name}} {{.Label "a"}}'
    is "one b"
    ok tare secret inspect -f '{{.Spec.Name}} {{json .Spec.Labels}}' "$(tare secret inspect -f '{{.ID}}' one)"
    is 'one {"a":"b","c":""}'
    ok tare secret inspect --pretty one
    has " - a=b"
    fails 1 secret one
    has "the name is in use"
    fails 1 secret ../x
    fails 1 tare secret create empty /dev/null
    head -c 512000 /dev/zero >"$ROOTS/big"
    ok tare secret create big "$ROOTS/big"
    echo >>"$ROOTS/big"
    fails 1 tare secret create bigger "$ROOTS/big"
    has "1 to 512000"
    rm "$ROOTS/big"
    fails 1 secret other -d vault
    has "secret driver vault is not there"
    fails 1 secret other --template-driver golang
    ok stat -c '%a %U' "$ROOT/secrets" "$ROOT/secrets/one"
    is "700 root
600 root"
    ok tare secret rm one two big
    fails 1 tare secret rm one
    has "no such secret: one"
    [ -z "$(ls -A "$ROOT/secrets")" ]
}

@test "a secret is a read-only file on a tmpfs, with owner and mode as asked, or a variable" {
    ok secret key
    ok secret db.pass
    ok tare run --rm --secret key --secret db.pass,target=pass,uid=7,gid=8,mode=0400 --secret key,target=/etc/app/key \
        --secret key,type=env,target=KEY busybox sh -c '
        cat /run/secrets/key /run/secrets/pass /etc/app/key; echo " $KEY"
        stat -c "%n %u:%g %a" /run/secrets/key /run/secrets/pass /etc/app/key
        grep -c " /run/secrets tmpfs" /proc/mounts
        echo x 2>/dev/null >/run/secrets/key || echo read-only'
    has "$CANARY$CANARY$CANARY $CANARY"
    has "/run/secrets/key 0:0 444"
    has "/run/secrets/pass 7:8 400"
    has "/etc/app/key 0:0 444"
    has "read-only"
    ok tare run --rm --userns auto --secret key,uid=5,gid=6 busybox stat -c '%u:%g' /run/secrets/key
    has "5:6"
    ok tare run --rm --user 1234 --read-only --secret key busybox cat /run/secrets/key
    has "$CANARY"
    fails 125 tare run --rm --secret nokey busybox true
    has "no such secret: nokey"
    fails 125 tare run --rm --secret key,target=../x busybox true
    fails 125 tare run --rm --secret key,typ=env busybox true
    has "unknown secret option typ"
    fails 125 tare run --rm --secret key,type=volume busybox true
}

@test "--replace: containers have the new one from their next start" {
    printf old | tare secret create turn - >/dev/null
    printf new | tare secret create --replace fresh - >/dev/null # one that was not there
    tare create --name r --network none --secret turn busybox cat /run/secrets/turn >/dev/null
    [ "$(tare start -a r 2>/dev/null)" = old ]
    printf new | tare secret create --replace turn - >/dev/null
    [ "$(tare start -a r 2>/dev/null)" = new ]
    [ "$(tare secret ls -q | wc -l)" = 2 ]
    tare rm r >/dev/null
    tare secret rm turn fresh
}

@test "nothing shows it: inspect, logs, events, diff, commit, export, the plan, what lies on the disk; exec has it, and a restart" {
    local id
    ok secret key
    ok tare run -d --name holder --secret key --secret key,type=env,target=KEY busybox sleep 1000
    id=$(tare inspect -f '{{.Id}}' holder)
    ok tare exec holder sh -c 'echo "$KEY"; cat /run/secrets/key'
    is "$CANARY
$CANARY"
    ok tare restart -t 0 holder
    ok tare exec holder cat /run/secrets/key
    is "$CANARY"
    ok tare run --dry-run --secret key --secret key,type=env,target=KEY busybox true
    has "KEY"
    has_not "$CANARY"
    ok tare run --rm --explain --secret key --secret key,type=env,target=KEY busybox true
    has_not "$CANARY"
    for command in 'inspect holder' 'logs holder' 'events --since 0 --until 0s' 'diff holder' 'secret inspect key' 'export holder'; do
        # shellcheck disable=SC2086
        tare $command >"$ROOTS/shown" 2>&1
        if grep -q "$CANARY" "$ROOTS/shown"; then
            echo "seen in: $command"
            false
        fi
    done
    ok tare commit holder with-secret
    ok tare save -o "$ROOTS/saved" with-secret
    ok bash -c "mkdir $ROOTS/un && tar -C $ROOTS/un -xf $ROOTS/saved && find $ROOTS/un -type f -exec sh -c 'zcat -f \"\$1\" | grep -a $CANARY' - {} \;"
    is ""
    rm -r "$ROOTS/un" "$ROOTS/saved" "$ROOTS/shown"
    ok bash -c "grep -rl $CANARY $ROOT --exclude-dir=secrets || true"
    is ""
    ok tare rmi with-secret
    # With its end the copies go.
    [ -d "$RUN/containers/$id/secrets" ]
    ok tare stop -t 0 holder
    ok bash -c "grep -rl $CANARY $ROOT $RUN --exclude-dir=secrets || true"
    is ""
    [ ! -e "$RUN/containers/$id/secrets" ]
}

@test "one that a container has is not removed, unless forced; then it cannot start again, and what runs goes on" {
    ok secret key
    ok tare run -d --name user --secret key,type=env busybox sleep 1000
    fails 1 tare secret rm key
    has "secret key is in use by container user"
    ok tare secret rm -f key
    ok tare exec user true
    ok tare stop -t 0 user
    fails 1 tare start user
    has "no such secret: key"
    ok secret key
    ok tare start user
    ok tare rm -f user
    ok tare secret rm key
}
