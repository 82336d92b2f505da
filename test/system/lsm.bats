# AppArmor's profile and SELinux's labels, where the host has them; refused by name where it has not. The machine of test/vm has AppArmor.
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
