#include <linux/seccomp.h>
#include <string.h>

#include "kernel/seccomp_calls.h"
#include "kernel/seccomp_filter.h"

#define CALLS_MAX    600
#define CODE_MAX     4096 /* the kernel's limit, BPF_MAXINSNS */
#define CODE_ROOM    (CODE_MAX * 4)
#define CONDITIONS   6
#define ERRNO_MAX    4095
#define FOREIGN_X32  0x40000000U
#define NO_SUCH_CALL (SECCOMP_RET_ERRNO | ENOSYS)
#define TO_FAILURE   0xff /* jump distance that is filled in at the end of a rule */

enum comparison { CMP_NE, CMP_LT, CMP_LE, CMP_EQ, CMP_GE, CMP_GT, CMP_MASKED_EQ };

struct condition {
    unsigned arg;
    enum comparison op;
    unsigned width;
    uint64_t value, mask;
};

struct rule {
    struct rule *next;
    uint32_t action;
    unsigned n;
    struct condition conditions[CONDITIONS];
};

/* What happens to one call number. */
struct call {
    struct rule *rules, *last; /* tried in order; the last may be without conditions, then nothing follows it */
    bool known;
};

struct compiler {
    struct arena *arena;
    struct error *e;
    const struct seccomp_machine *machine;
    struct call calls[CALLS_MAX];
    int end; /* calls at and above this number are unknown */
    uint32_t default_action;
    struct sock_filter *code;
    size_t n;
};

/* ---- reading the document ---- */

static const struct {
    const char *name;
    uint32_t value;
    bool has_data; /* an errno, or a tracer's message, in the low 16 bits */
} actions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
    {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, false},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
};

static int parse_action(const char *name, const struct opt_u64 *data, uint32_t *ret, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (strcmp(actions[i].name, name) != 0)
            continue;
        if (data->set && data->value > ERRNO_MAX)
            return error_set(e, -EINVAL, "seccomp: errno %llu is above %d", (unsigned long long)data->value, ERRNO_MAX);
        *ret = actions[i].value | (actions[i].has_data ? (data->set ? (uint32_t)data->value : EPERM) : 0);
        return 0;
    }
    return error_set(e, -EINVAL, "seccomp: unknown action \"%.64s\"", name);
}

static const struct {
    const char *name;
    uint32_t value;
} flags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 1U << 5},
};

static int parse_flags(const struct strs *names, uint32_t *ret, struct error *e) {
    for (size_t i = 0; i < names->n; i++) {
        size_t k = 0;

        while (k < ARRAY_SIZE(flags) && strcmp(flags[k].name, names->v[i]) != 0)
            k++;
        if (k == ARRAY_SIZE(flags))
            return error_set(e, -EINVAL, "seccomp: unknown flag \"%.64s\"", names->v[i]);
        *ret |= flags[k].value;
    }
    return 0;
}

static const char *const comparisons[] = {
    [CMP_NE] = "SCMP_CMP_NE",
    [CMP_LT] = "SCMP_CMP_LT",
    [CMP_LE] = "SCMP_CMP_LE",
    [CMP_EQ] = "SCMP_CMP_EQ",
    [CMP_GE] = "SCMP_CMP_GE",
    [CMP_GT] = "SCMP_CMP_GT",
    [CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

/* A constant for an argument of fewer bits: what does not fit is only right as the sign extension of a negative number. */
static int narrow(uint64_t *value, unsigned width, const char *call, struct error *e) {
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    bool negative = (*value & ~mask) == ~mask && (*value >> (width - 1) & 1);

    if ((*value & ~mask) != 0 && !negative)
        return error_set(e, -EINVAL, "seccomp: %s: the kernel reads %u bits of this argument, 0x%llx can never be its value", call,
                         width, (unsigned long long)*value);
    *value &= mask;
    return 0;
}

static int parse_condition(const struct oci_seccomp_arg *arg, const char *call, struct condition *ret, struct error *e) {
    struct condition c = {.arg = arg->index, .value = arg->value};
    size_t op = 0;
    int r = 0;

    if (arg->index >= CONDITIONS)
        return error_set(e, -EINVAL, "seccomp: %s: there is no argument %u", call, arg->index);
    while (op < ARRAY_SIZE(comparisons) && strcmp(comparisons[op], arg->op) != 0)
        op++;
    if (op == ARRAY_SIZE(comparisons))
        return error_set(e, -EINVAL, "seccomp: %s: unknown comparison \"%.64s\"", call, arg->op);
    c.op = (enum comparison)op;
    c.width = seccomp_call_width(call, arg->index);
    if (c.op == CMP_MASKED_EQ) { /* value is the mask, valueTwo what must remain */
        c.mask = arg->value;
        c.value = arg->value_two;
        if (c.width < 64)
            c.mask &= (UINT64_C(1) << c.width) - 1; /* a wide mask is common and harmless: the rest is not read */
    }
    if (c.width < 64)
        r = narrow(&c.value, c.width, call, e);
    *ret = c;
    return r;
}

static void add_rule(struct compiler *c, struct call *call, const struct rule *rule) {
    struct rule *copy;

    if (call->last && call->last->n == 0)
        return; /* always decided already */
    copy = (struct rule *)arena_memdup(c->arena, rule, sizeof(*rule));
    copy->next = NULL;
    if (call->last)
        call->last->next = copy;
    else
        call->rules = copy;
    call->last = copy;
}

static bool has_index_twice(const struct list *args) {
    unsigned seen = 0;

    for (size_t i = 0; i < args->n; i++) {
        unsigned bit = 1U << (LIST_AT(struct oci_seccomp_arg, args, i)->index & 31);

        if (seen & bit)
            return true;
        seen |= bit;
    }
    return false;
}

/* All conditions of a rule must hold; but several about one argument are alternatives, as they have always been in these documents.
 */
static int add_rules(struct compiler *c, struct call *call, const char *name, const struct list *args, uint32_t action) {
    bool alternatives = has_index_twice(args);
    struct rule rule = {.action = action};

    if (args->n > CONDITIONS && !alternatives)
        return error_set(c->e, -EINVAL, "seccomp: %s: more than %d arguments", name, CONDITIONS);
    for (size_t i = 0; i < args->n; i++) {
        int r = parse_condition(LIST_AT(struct oci_seccomp_arg, args, i), name, &rule.conditions[rule.n], c->e);

        if (r < 0)
            return r;
        if (alternatives)
            add_rule(c, call, &(struct rule){.action = action, .n = 1, .conditions = {rule.conditions[0]}});
        else
            rule.n++;
    }
    if (!alternatives)
        add_rule(c, call, &rule);
    return 0;
}

static int read_rules(struct compiler *c, const struct oci_seccomp *spec) {
    for (size_t i = 0; i < spec->syscalls.n; i++) {
        const struct oci_seccomp_syscall *s = LIST_AT(struct oci_seccomp_syscall, &spec->syscalls, i);
        uint32_t action;
        int r = parse_action(s->action, &s->errno_ret, &action, c->e);

        for (size_t k = 0; r == 0 && k < s->names.n; k++) {
            int number = seccomp_call_number(c->machine, s->names.v[k]);

            if (number < 0 || number >= CALLS_MAX)
                continue;
            c->calls[number].known = true;
            c->end = MAX_OF(c->end, number + 1);
            r = add_rules(c, &c->calls[number], s->names.v[k], &s->args, action);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* socketcall(2) takes socket's arguments from memory, where no filter sees them: with rules about them it would be the way around.
 */
static void close_multiplexer(struct compiler *c) {
    int number = c->machine->multiplexed ? seccomp_call_number(c->machine, "socketcall") : -1;
    int direct = seccomp_call_number(c->machine, "socket");
    struct call *call;

    if (number < 0 || number >= CALLS_MAX || direct < 0 || !c->calls[direct].rules || c->calls[direct].rules->n == 0)
        return;
    call = &c->calls[number];
    call->rules = call->last = NULL;
    add_rule(c, call, &(struct rule){.action = NO_SUCH_CALL});
}

/* ---- writing the program ---- */

static void emit(struct compiler *c, unsigned op, uint32_t k, unsigned jump_true, unsigned jump_false) {
    if (c->n < CODE_ROOM)
        c->code[c->n] = (struct sock_filter){.code = (uint16_t)op, .jt = (uint8_t)jump_true, .jf = (uint8_t)jump_false, .k = k};
    c->n++;
}

#define JUMP(op)  (BPF_JMP | (op) | BPF_K)
#define LOAD_WORD (BPF_LD | BPF_W | BPF_ABS)

static void load_half(struct compiler *c, unsigned arg, bool high) {
    bool second = high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

    emit(c, LOAD_WORD, (uint32_t)offsetof(struct seccomp_data, args) + 8 * arg + (second ? 4 : 0), 0, 0);
}

/* Compares what is loaded; falls through when it holds. */
static void compare_word(struct compiler *c, enum comparison op, uint32_t value) {
    static const struct {
        unsigned op;
        bool inverted;
    } jumps[] = {
        [CMP_NE] = {BPF_JEQ, true},  [CMP_LT] = {BPF_JGE, true},  [CMP_LE] = {BPF_JGT, true},         [CMP_EQ] = {BPF_JEQ, false},
        [CMP_GE] = {BPF_JGE, false}, [CMP_GT] = {BPF_JGT, false}, [CMP_MASKED_EQ] = {BPF_JEQ, false},
    };

    emit(c, JUMP(jumps[op].op), value, jumps[op].inverted ? TO_FAILURE : 0, jumps[op].inverted ? 0 : TO_FAILURE);
}

static void compare_narrow(struct compiler *c, const struct condition *k) {
    load_half(c, k->arg, false);
    if (k->op == CMP_MASKED_EQ)
        emit(c, BPF_ALU | BPF_AND | BPF_K, (uint32_t)k->mask, 0, 0);
    else if (k->width == 16)
        emit(c, BPF_ALU | BPF_AND | BPF_K, 0xffff, 0, 0);
    compare_word(c, k->op, (uint32_t)k->value);
}

/* The upper half decides unless it is equal. */
static void compare_wide(struct compiler *c, const struct condition *k) {
    uint32_t high = (uint32_t)(k->value >> 32), low = (uint32_t)k->value;

    load_half(c, k->arg, true);
    switch (k->op) {
    case CMP_MASKED_EQ:
        emit(c, BPF_ALU | BPF_AND | BPF_K, (uint32_t)(k->mask >> 32), 0, 0);
        emit(c, JUMP(BPF_JEQ), high, 0, TO_FAILURE);
        load_half(c, k->arg, false);
        emit(c, BPF_ALU | BPF_AND | BPF_K, (uint32_t)k->mask, 0, 0);
        break;
    case CMP_EQ:
        emit(c, JUMP(BPF_JEQ), high, 0, TO_FAILURE);
        load_half(c, k->arg, false);
        break;
    case CMP_NE: /* a different upper half is enough: over the lower one's load and comparison */
        emit(c, JUMP(BPF_JEQ), high, 0, 2);
        load_half(c, k->arg, false);
        break;
    case CMP_GT:
    case CMP_GE:
        emit(c, JUMP(BPF_JGT), high, 3, 0);
        emit(c, JUMP(BPF_JEQ), high, 0, TO_FAILURE);
        load_half(c, k->arg, false);
        break;
    case CMP_LT:
    case CMP_LE:
        emit(c, JUMP(BPF_JGT), high, TO_FAILURE, 0);
        emit(c, JUMP(BPF_JEQ), high, 0, 2);
        load_half(c, k->arg, false);
        break;
    }
    compare_word(c, k->op, low);
}

static void emit_rule(struct compiler *c, const struct rule *rule) {
    size_t start = c->n;

    for (unsigned i = 0; i < rule->n; i++) {
        if (rule->conditions[i].width < 64)
            compare_narrow(c, &rule->conditions[i]);
        else
            compare_wide(c, &rule->conditions[i]);
    }
    emit(c, BPF_RET | BPF_K, rule->action, 0, 0);
    for (size_t i = start; i < c->n && i < CODE_ROOM; i++) { /* a rule has at most 6 * 6 + 1 instructions: every distance fits */
        if (BPF_CLASS(c->code[i].code) != BPF_JMP)
            continue;
        if (c->code[i].jt == TO_FAILURE)
            c->code[i].jt = (uint8_t)(c->n - i - 1);
        if (c->code[i].jf == TO_FAILURE)
            c->code[i].jf = (uint8_t)(c->n - i - 1);
    }
}

/* Numbers from `first` to the next segment's share one fate. */
struct segment {
    uint32_t first;
    uint32_t action;
    const struct rule *rules; /* with conditions; then a segment is one call */
};

static void emit_segment(struct compiler *c, const struct segment *s) {
    for (const struct rule *rule = s->rules; rule; rule = rule->next) {
        emit_rule(c, rule);
        if (rule->n == 0)
            return;
    }
    emit(c, BPF_RET | BPF_K, s->action, 0, 0);
}

/* A balanced tree of comparisons. The left half follows its node; a jump over more than 255 instructions needs one of its own. */
static void emit_tree(struct compiler *c, const struct segment *s, size_t n) {
    size_t at = c->n, half = n / 2, left;

    if (n == 1) {
        emit_segment(c, s);
        return;
    }
    emit(c, JUMP(BPF_JGE), s[half].first, 0, 0);
    emit_tree(c, s, half);
    left = c->n - at - 1;
    if (left <= 255 && at < CODE_ROOM) {
        c->code[at].jt = (uint8_t)left;
    } else if (c->n < CODE_ROOM) {
        memmove(&c->code[at + 2], &c->code[at + 1], left * sizeof(*c->code));
        c->code[at + 1] = (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = (uint32_t)left};
        c->code[at].jf = 1;
        c->n++;
    }
    emit_tree(c, s + half, n - half);
}

static bool is_errno(uint32_t action) {
    return (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
}

static void emit_machine(struct compiler *c) {
    struct segment segments[CALLS_MAX + 1];
    uint32_t unknown = is_errno(c->default_action) ? NO_SUCH_CALL : c->default_action;
    size_t n = 0;

    for (int i = 0; i <= c->end; i++) {
        const struct call *call = i < c->end ? &c->calls[i] : NULL;
        struct segment s = {.first = (uint32_t)i | c->machine->number_or,
                            .action = call && call->known ? c->default_action : unknown};

        if (call && call->rules && call->rules->n == 0)
            s.action = call->rules->action;
        else if (call)
            s.rules = call->rules;
        if (n == 0 || s.rules || segments[n - 1].rules || segments[n - 1].action != s.action)
            segments[n++] = s;
    }
    emit(c, LOAD_WORD, offsetof(struct seccomp_data, nr), 0, 0);
    emit_tree(c, segments, n);
}

static int compile_machine(struct compiler *c, const struct seccomp_machine *machine, const struct oci_seccomp *spec) {
    int r;

    memset(c->calls, 0, sizeof(c->calls));
    c->machine = machine;
    c->end = MIN_OF(seccomp_call_end(machine), CALLS_MAX);
    for (int i = 0; i < c->end; i++)
        c->calls[i].known = seccomp_call_is_known(machine, i);
    r = read_rules(c, spec);
    if (r < 0)
        return r;
    close_multiplexer(c);
    emit_machine(c);
    return 0;
}

/* The machines that share an architecture number (x86_64 and x32 differ by a bit of the call's number) stand in one section. */
static int compile_section(struct compiler *c, const struct seccomp_machine *machine, const struct seccomp_machine *x32,
                           const struct oci_seccomp *spec) {
    size_t at = c->n;
    int r;

    if (machine->audit == seccomp_machine_find("SCMP_ARCH_X86_64")->audit) {
        emit(c, LOAD_WORD, offsetof(struct seccomp_data, nr), 0, 0);
        emit(c, JUMP(BPF_JGE), FOREIGN_X32, 0, 1);
        at = c->n;
        emit(c, x32 ? BPF_JMP | BPF_JA : BPF_RET | BPF_K, x32 ? 0 : NO_SUCH_CALL, 0, 0);
    }
    r = compile_machine(c, machine, spec);
    if (r < 0 || !x32)
        return r;
    if (at < CODE_ROOM)
        c->code[at].k = (uint32_t)(c->n - at - 1);
    return compile_machine(c, x32, spec);
}

static int compile_all(struct compiler *c, const struct seccomp_machine **machines, size_t n, const struct oci_seccomp *spec) {
    const struct seccomp_machine *x32 = NULL;

    for (size_t i = 0; i < n; i++)
        if (machines[i]->number_or)
            x32 = machines[i];
    for (size_t i = 0; i < n; i++) {
        size_t at;
        int r;

        if (machines[i]->number_or)
            continue;
        emit(c, LOAD_WORD, offsetof(struct seccomp_data, arch), 0, 0);
        emit(c, JUMP(BPF_JEQ), machines[i]->audit, 1, 0);
        at = c->n;
        emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
        r = compile_section(c, machines[i], strcmp(machines[i]->go, "amd64") == 0 ? x32 : NULL, spec);
        if (r < 0)
            return r;
        if (at < CODE_ROOM)
            c->code[at].k = (uint32_t)(c->n - at - 1);
    }
    emit(c, BPF_RET | BPF_K, NO_SUCH_CALL, 0, 0);
    return 0;
}

#define MACHINES_MAX 8

static size_t choose_machines(const struct oci_seccomp *spec, const struct seccomp_machine **machines) {
    size_t n = 0;

    for (size_t i = 0; i < spec->architectures.n && n < MACHINES_MAX; i++) {
        const struct seccomp_machine *m = seccomp_machine_find(spec->architectures.v[i]);
        size_t k = 0;

        while (k < n && machines[k] != m)
            k++;
        if (m && k == n)
            machines[n++] = m;
    }
    if (n == 0 && seccomp_machine_native())
        machines[n++] = seccomp_machine_native();
    return n;
}

int seccomp_compile(const struct oci_seccomp *spec, struct arena *a, struct seccomp_program *ret, struct error *e) {
    const struct seccomp_machine *machines[MACHINES_MAX];
    struct seccomp_program program = {0};
    struct compiler *c = arena_new(a, struct compiler);
    int r;

    c->arena = a;
    c->e = e;
    c->code = arena_array(a, struct sock_filter, CODE_ROOM);
    r = parse_action(spec->default_action, &spec->default_errno_ret, &c->default_action, e);
    if (r == 0)
        r = parse_flags(&spec->flags, &program.flags, e);
    if (r == 0)
        r = compile_all(c, machines, choose_machines(spec, machines), spec);
    if (r < 0)
        return r;
    if (c->n > CODE_MAX)
        return error_set(e, -E2BIG, "seccomp: the filter has %zu instructions, the kernel takes %d", c->n, CODE_MAX);
    for (size_t i = 0; i < c->n; i++)
        if (c->code[i].code == (BPF_RET | BPF_K) && c->code[i].k == SECCOMP_RET_USER_NOTIF)
            program.notify = true;
    if (program.notify)
        program.flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    program.code = c->code;
    program.n = c->n;
    *ret = program;
    return 0;
}
