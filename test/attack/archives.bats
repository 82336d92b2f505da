#!/usr/bin/env bats
# Archives that were crafted: names, kinds and orders of entries, as layers and as copies. (`load` and `pull` unpack by the same worker as
# `import`; system/image_layers.bats looks at what it makes.)

load lib

setup_file() {
    attack_file
    tare run --rm busybox true
}
teardown_file() { roots_remove; }
setup() { host_before; }
teardown() { host_after; }

@test "a thousand crafted archives change nothing outside and bring nothing in" {
    ok tare run -d --name c --network none busybox sh -c 'mkdir /in; exec sleep 1000'
    until_true 5 tare exec c test -d /in
    ok env ARCHIVES_EVERY="${ARCHIVES_EVERY:-11}" python3 "$BATS_TEST_DIRNAME/archives.py" "$CANARY" "$ROOTS" "$TARE" --root "$ROOT" --run-root "$RUN"
    is "$(grep -o '^[0-9]* archives$' <<<"$output")"
    [ "${output% archives}" -gt 1000 ]
    [ "$(cat "$CANARY/file")" = secret ]
    [ -z "$(find "$ROOTS" -name escaped)" ]
    run tare exec c sh -c 'find /in -type f -exec grep -l secret {} +'
    is ""
    ok tare rm -f c
    tare rmi -f crafted >/dev/null || true
    tare image prune -f >/dev/null
}
