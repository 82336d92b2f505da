#include "kernel/seccomp_verdict.h"

#include <string.h>

#include "kernel/seccomp_calls.h"

uint32_t seccomp_verdict(const struct sock_filter *code, size_t n, const struct seccomp_data *call) {
    uint32_t a = 0;

    for (size_t pc = 0; pc < n; pc++) {
        const struct sock_filter *i = &code[pc];
        bool taken = false;

        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (i->k > sizeof(*call) - sizeof(a))
                return SECCOMP_RET_KILL_PROCESS;
            memcpy(&a, (const char *)call + i->k, sizeof(a));
            continue;
        case BPF_ALU | BPF_AND | BPF_K: a &= i->k; continue;
        case BPF_RET | BPF_K: return i->k;
        case BPF_JMP | BPF_JA: pc += i->k; continue;
        case BPF_JMP | BPF_JEQ | BPF_K: taken = a == i->k; break;
        case BPF_JMP | BPF_JGE | BPF_K: taken = a >= i->k; break;
        case BPF_JMP | BPF_JGT | BPF_K: taken = a > i->k; break;
        case BPF_JMP | BPF_JSET | BPF_K: taken = (a & i->k) != 0; break;
        default: return SECCOMP_RET_KILL_PROCESS; /* nothing that our compiler writes */
        }
        pc += taken ? i->jt : i->jf;
    }
    return SECCOMP_RET_KILL_PROCESS; /* it has no end */
}

bool seccomp_allows(const struct sock_filter *code, size_t n, long nr, uint64_t arg0, uint64_t arg1) {
    const struct seccomp_data call = {
        .nr = (int)nr,
        .arch = seccomp_machine_native()->audit,
        .args = {arg0, arg1},
    };
    uint32_t verdict = seccomp_verdict(code, n, &call) & SECCOMP_RET_ACTION_FULL;

    return verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_LOG;
}
