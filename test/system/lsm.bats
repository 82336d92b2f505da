# AppArmor's profile and SELinux's labels, where the host has them; refused by name where it has not. The machines of test/vm have
# AppArmor, that of the lane selinux has the other.
load lib

setup_file() { roots_make; }
teardown_file() { roots_remove; }
setup() { leaks_before; }
teardown() {
    tare rm -f c >/dev/null 2>&1 || true
    leaks_after
}

has_apparmor() { [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; }
needs_apparmor() { has_apparmor || skip "this kernel has no AppArmor"; }

securityfs() { # COMMAND…: with the kernel's security files at $SECURITY
    SECURITY=$(mktemp -d) && mount -t securityfs security "$SECURITY"
    "$@"
    umount "$SECURITY" && rmdir "$SECURITY"
}

@test "what the host has not is refused by name, and leaves no container" {
    if has_apparmor; then
        fails 125 tare run --name c --security-opt apparmor=no-such-profile busybox true
        has "no such profile is loaded"
    else
        fails 125 tare run --name c --security-opt apparmor=foo busybox true
        has "AppArmor is not enabled on this host"
    fi
    if [ ! -e /sys/fs/selinux/enforce ]; then
        fails 125 tare run --name c --security-opt label=type:x_t busybox true
        has "SELinux is not enabled on this host"
    fi
    ok tare ps -aq
    is ""
    ok tare run --rm --security-opt apparmor=unconfined --security-opt label=disable busybox echo fine
    is fine
}

@test "containers run under tare-default, what is executed in them too" {
    needs_apparmor
    ok tare run --rm busybox cat /proc/self/attr/current
    is "tare-default (enforce)"
    ok tare run -d --name c busybox sleep 100
    ok tare exec c cat /proc/self/attr/current
    is "tare-default (enforce)"
    ok tare inspect -f '{{.AppArmorProfile}}' c
    is tare-default
    ok tare run --rm --privileged busybox cat /proc/self/attr/current
    is unconfined
    ok tare run --rm --security-opt apparmor=unconfined busybox cat /proc/self/attr/current
    is unconfined
    ok tare stop -t 5 c
}

@test "also in a user namespace, for its first process and for what is executed in it" {
    needs_apparmor
    ok tare run -d --name c --userns auto busybox sleep 100
    ok tare exec c cat /proc/1/attr/current /proc/self/attr/current
    is $'tare-default (enforce)\ntare-default (enforce)'
}

@test "the profile holds where rights and filter would let a program through" {
    needs_apparmor
    local options=(--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt systempaths=unconfined)
    run tare run --rm "${options[@]}" busybox mount -t tmpfs x /tmp
    [ "$status" != 0 ]
    has "denied"
    ok tare run --rm "${options[@]}" --security-opt apparmor=unconfined busybox mount -t tmpfs x /tmp
    fails 1 tare run --rm "${options[@]}" busybox sh -c 'echo x >/proc/sys/kernel/core_pattern'
    has "ermission denied"
    fails 1 tare run --rm "${options[@]}" busybox sh -c 'echo x >/proc/sys/vm/swappiness'
    has "ermission denied"
    ok tare run --rm "${options[@]}" busybox sh -c 'echo x >/tmp/file; kill -0 1; cat /proc/1/stat >/dev/null; echo fine'
    is fine
}

@test "a profile that was taken away comes back with the next start" {
    needs_apparmor
    ok tare run --rm busybox true
    securityfs eval 'printf tare-default >"$SECURITY/apparmor/.remove"'
    ok tare run --rm busybox cat /proc/self/attr/current
    is "tare-default (enforce)"
}

# ---- SELinux ----

needs_selinux() {
    [ -e /sys/fs/selinux/enforce ] || skip "this host has no SELinux"
    eval "$(sed -n 's/^SELINUXTYPE=/policy=/p' /etc/selinux/config)"
    process=$(sed -n 's/^process = "\(.*\):s0"/\1/p' "/etc/selinux/$policy/contexts/lxc_contexts")
    files=$(sed -n 's/^file = "\(.*\):s0"/\1/p' "/etc/selinux/$policy/contexts/lxc_contexts")
    type=$(cut -d: -f3 <<<"$process")
}

label_of() { getfattr --absolute-names --only-values -h -n security.selinux "$1" | tr -d '\0'; }

@test "SELinux: a label that is asked for is that of all processes, of the root and of what is mounted for it" {
    needs_selinux
    ok tare run -d --name c --security-opt "label=type:$type" -v "$ROOTS:/roots" busybox sleep 1000
    ok tare inspect -f '{{.ProcessLabel}}' c
    local label=$output level=${output#"$process:"}
    [[ "$level" =~ ^s0:c[0-9]+,c[0-9]+$ ]]
    ok tare exec c cat /proc/1/attr/current /proc/self/attr/current
    [ "$(tr -d '\0\n' <<<"$output")" = "$label$label" ]
    ok tare inspect -f '{{.MountLabel}}' c
    is "$files:$level"
    for dir in / /dev /dev/shm /dev/mqueue; do
        [ "$(label_of "/proc/$(tare inspect -f '{{.State.Pid}}' c)/root$dir")" = "$files:$level" ]
    done
    ok tare rm -f c
    ok tare run --rm --security-opt "label=type:$type" --security-opt label=level:s0:c7,c9 busybox cat /proc/self/attr/current
    has "$process:s0:c7,c9"
    ok tare run --rm busybox cat /proc/self/attr/current # nobody asked
    has_not "$process"
}

@test "SELinux: what the policy does not know is refused, and leaves nothing" {
    needs_selinux
    fails 125 tare run --name c --security-opt label=type:no_such_type_t busybox true
    has "does not know the context"
    fails 125 tare run --name c --security-opt label=colour:red busybox true
    has "not supported"
    ok tare ps -aq
    is ""
}

@test "SELinux: z labels a volume for all containers, Z for this one; not what is behind a link, nor a directory of the system" {
    needs_selinux
    local dir=$ROOTS/labelled before
    mkdir -p "$dir/sub"
    echo x >"$dir/sub/file"
    echo y >"$ROOTS/other"
    ln -s "$ROOTS/other" "$dir/link"
    before=$(label_of "$ROOTS/other")
    ok tare run --rm -v "$dir:/v:z" busybox true
    for name in "$dir" "$dir/sub" "$dir/sub/file" "$dir/link"; do [ "$(label_of "$name")" = "$files:s0" ]; done
    ok tare run --rm --security-opt "label=type:$type" --security-opt label=level:s0:c1,c2 -v "$dir:/v:Z" busybox cat /v/sub/file
    has x
    [ "$(label_of "$dir/sub/file")" = "$files:s0:c1,c2" ]
    [ "$(label_of "$ROOTS/other")" = "$before" ]
    ok tare run --rm --security-opt label=disable -v "$dir:/v:z" busybox true
    [ "$(label_of "$dir/sub/file")" = "$files:s0:c1,c2" ]
    fails 125 tare run --rm -v /etc:/v:z busybox true
    has "directory of the system"
}
