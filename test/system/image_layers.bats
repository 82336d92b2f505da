#!/usr/bin/env bats
# Layers as strangers write them: see layer_cases.py.

load lib

setup_file() { roots_make --empty; }
teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() { leaks_after; }

cases() {
    TT_DIR=$ROOTS ok timeout 600 python3 "$here/layer_cases.py" "$1"
}

@test "owners, modes, times, links, names, sparse files and compression arrive as they were" { cases Faithful; }
@test "whiteouts become what overlay understands, whatever the order" { cases Whiteouts; }
@test "hard links and parents of lower layers" { cases Lowers; }
@test "names, links and kinds cannot lead out of the layer; bombs are refused" { cases Hostile; }
@test "limits of tare.conf: sizes, entries, ratio, paths" { cases Limits; }
