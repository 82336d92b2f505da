#!/usr/bin/env bats
# import: the same archive twice is the same layer once.

load lib

setup_file() { roots_make --empty; }
teardown_file() { roots_remove; }

@test "an archive imported again leaves a container on its layer alone" {
    tar -C "$FIXTURES/busybox" -cf "$BATS_FILE_TMPDIR/fs.tar" .
    ok tare import "$BATS_FILE_TMPDIR/fs.tar" first:1
    ok tare run -d --network none --name user first:1 sleep 60
    ok tare import "$BATS_FILE_TMPDIR/fs.tar" second:1
    ok tare exec user ls /bin/busybox
    ok tare run --rm --network none second:1 true
    ok tare rm -f user
    ok tare rmi first:1 second:1
}
