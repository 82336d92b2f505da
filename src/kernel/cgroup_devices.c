#include "kernel/cgroup_devices.h"

#include <linux/bpf.h>
#include <string.h>

#include "base/buf.h"

static bool is_wild(const struct opt_i64 *number) {
    return !number->set || number->value < 0;
}

static char type_of(const struct oci_device_rule *rule) {
    return rule->type && *rule->type ? *rule->type : 'a';
}

static bool is_everything(const struct oci_device_rule *rule) {
    return type_of(rule) == 'a' && is_wild(&rule->major) && is_wild(&rule->minor) &&
           (!rule->access || !*rule->access || strlen(rule->access) == 3);
}

/* What stands before the last rule about everything has no effect. */
static size_t first_effective(const struct list *rules) {
    for (size_t i = rules->n; i > 0; i--)
        if (is_everything(LIST_AT(struct oci_device_rule, rules, i - 1)))
            return i - 1;
    return 0;
}

/* ---- Version 1 ---- */

/* Version 1 keeps a default and exceptions to it, each of which can be taken back as a whole only: what the rules come to is worked
 * out here. */
struct exception {
    char type;            /* b, c */
    int64_t major, minor; /* WILD: all */
    unsigned access;      /* bits of ACCESS */
};
#define WILD      (-1)
#define ACCESS    "rwm"
#define RULES_MAX 8192

static unsigned access_of(const struct oci_device_rule *rule) {
    const char *access = rule->access && *rule->access ? rule->access : ACCESS;
    unsigned bits = 0;

    for (size_t i = 0; i < sizeof(ACCESS) - 1; i++)
        bits |= strchr(access, ACCESS[i]) ? 1U << i : 0;
    return bits;
}

static int64_t number_of(const struct opt_i64 *number) {
    return is_wild(number) ? WILD : number->value;
}

static bool covers(int64_t number, int64_t other) {
    return number == WILD || number == other;
}

static const char *line_of(const struct exception *x, struct arena *a) {
    char access[sizeof(ACCESS)], *end = access;

    for (size_t i = 0; i < sizeof(ACCESS) - 1; i++)
        if (x->access & 1U << i)
            *end++ = ACCESS[i];
    *end = '\0';
    return arena_printf(a, "%c %s:%s %s", x->type, x->major == WILD ? "*" : arena_printf(a, "%lld", (long long)x->major),
                        x->minor == WILD ? "*" : arena_printf(a, "%lld", (long long)x->minor), access);
}

/* Takes what a rule of the default's kind is about out of the exceptions. */
static int take_back(struct list *exceptions, const struct exception *rule, struct arena *a, struct error *e) {
    for (size_t i = 0; i < exceptions->n; i++) {
        struct exception *x = LIST_AT(struct exception, exceptions, i);

        if (x->type != rule->type || !(x->access & rule->access))
            continue;
        if (covers(rule->major, x->major) && covers(rule->minor, x->minor))
            x->access &= ~rule->access;
        else if ((covers(rule->major, x->major) || covers(x->major, rule->major)) &&
                 (covers(rule->minor, x->minor) || covers(x->minor, rule->minor)))
            return error_set(e, -ENOTSUP, "device rules: version 1 of control groups cannot take \"%s\" out of \"%s\"",
                             line_of(rule, a), line_of(x, a));
    }
    return 0;
}

static int work_out(const struct list *rules, size_t first, bool allow, struct arena *a, struct list *exceptions, struct error *e) {
    static const char types[] = "bc";
    int r = 0;

    for (size_t i = first; r == 0 && i < rules->n; i++) {
        const struct oci_device_rule *rule = LIST_AT(struct oci_device_rule, rules, i);

        for (const char *type = types; r == 0 && *type; type++) {
            const struct exception x = {*type, number_of(&rule->major), number_of(&rule->minor), access_of(rule)};

            if (type_of(rule) != 'a' && type_of(rule) != *type)
                continue;
            if (rule->allow == allow)
                r = take_back(exceptions, &x, a, e);
            else
                *LIST_ADD(a, struct exception, exceptions) = x;
        }
    }
    return r;
}

static void write_to(const char *dir, bool allow, const char *value, struct arena *a, struct list *ops) {
    *LIST_ADD(a, struct cgroup_op, ops) = (struct cgroup_op){
        .kind = CGROUP_WRITE, .dir = dir, .file = allow ? "devices.allow" : "devices.deny", .value = value, .what = "device rules"};
}

int cgroup_devices_files(const struct list *rules, const char *dir, struct arena *a, struct list *ops, struct error *e) {
    size_t first = first_effective(rules);
    bool everything = rules->n > 0 && is_everything(LIST_AT(struct oci_device_rule, rules, first));
    bool allow = everything && LIST_AT(struct oci_device_rule, rules, first)->allow;
    _cleanup_buf_ struct buf lines = BUF_INIT;
    struct list exceptions = {0};
    int r;

    if (rules->n - first > RULES_MAX)
        return error_set(e, -E2BIG, "device rules: %zu are more than %d", rules->n - first, RULES_MAX);
    r = work_out(rules, first + everything, allow, a, &exceptions, e);
    if (r < 0)
        return r;
    write_to(dir, allow, "a", a, ops);
    for (size_t i = 0; i < exceptions.n; i++) {
        const struct exception *x = LIST_AT(struct exception, &exceptions, i);

        if (x->access)
            buf_printf(&lines, "%s%s", lines.size ? "\n" : "", line_of(x, a));
    }
    if (lines.size) /* one open for all of them */
        write_to(dir, !allow, arena_strdup(a, buf_text(&lines)), a, ops);
    return 0;
}

/* ---- Version 2 ---- */

/* Registers: r1 the context at entry; then r2 = device type, r3 = access asked, r4 = major, r5 = minor, r1 = scratch. */
struct program {
    struct bpf_insn *code;
    size_t n;
};

/* At most 10 instructions a rule, 6 before and 2 after. */
#define PER_RULE 10
#define FRAME    8

static void emit(struct program *p, unsigned code, unsigned dst, unsigned src, int offset, int32_t imm) {
    p->code[p->n++] =
        (struct bpf_insn){.code = (uint8_t)code, .dst_reg = dst & 15, .src_reg = src & 15, .off = (int16_t)offset, .imm = imm};
}

static int32_t access_bits(const char *access) {
    int32_t bits = 0;

    if (!access || !*access)
        access = "rwm";
    for (const char *c = access; *c; c++)
        bits |= *c == 'r' ? BPF_DEVCG_ACC_READ : *c == 'w' ? BPF_DEVCG_ACC_WRITE : BPF_DEVCG_ACC_MKNOD;
    return bits;
}

/* An allowing rule holds when nothing more is asked than it grants; a denying one when anything is asked that it takes. Every test
 * that fails jumps behind the rule; the distances are filled in at its end. */
static void emit_rule(struct program *p, const struct oci_device_rule *rule) {
    int32_t bits = access_bits(rule->access), all = access_bits("rwm");
    char type = type_of(rule);
    size_t start = p->n;

    if (type != 'a')
        emit(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0, type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
    if (bits != all) {
        emit(p, BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0, 0);
        emit(p, BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, rule->allow ? all & ~bits : bits);
        emit(p, BPF_JMP | (rule->allow ? BPF_JNE : BPF_JEQ) | BPF_K, 1, 0, 0, 0);
    }
    if (!is_wild(&rule->major))
        emit(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)rule->major.value);
    if (!is_wild(&rule->minor))
        emit(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)rule->minor.value);
    emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, rule->allow);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    for (size_t i = start; i < p->n - 2; i++)
        if (BPF_CLASS(p->code[i].code) == BPF_JMP)
            p->code[i].off = (int16_t)(p->n - i - 1);
}

const void *cgroup_devices_program(const struct list *rules, struct arena *a, size_t *ret_size) {
    struct program p = {.code = arena_array(a, struct bpf_insn, FRAME + PER_RULE * rules->n)};
    size_t first = first_effective(rules);
    bool rest = false; /* what happens when no rule matches */

    if (rules->n > 0 && is_everything(LIST_AT(struct oci_device_rule, rules, first))) {
        rest = LIST_AT(struct oci_device_rule, rules, first)->allow;
        first++;
    }
    if (rest && first == rules->n)
        return NULL;

    emit(&p, BPF_LDX | BPF_W | BPF_MEM, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
    emit(&p, BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
    emit(&p, BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
    emit(&p, BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16);
    emit(&p, BPF_LDX | BPF_W | BPF_MEM, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
    emit(&p, BPF_LDX | BPF_W | BPF_MEM, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
    for (size_t i = rules->n; i > first; i--) /* the last match decides, so it is asked first */
        emit_rule(&p, LIST_AT(struct oci_device_rule, rules, i - 1));
    emit(&p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, rest);
    emit(&p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    *ret_size = p.n * sizeof(*p.code);
    return p.code;
}
