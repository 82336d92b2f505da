#include "kernel/cgroup_devices.h"

#include <linux/bpf.h>
#include <string.h>

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

static const char *number_text(const struct opt_i64 *number, struct arena *a) {
    return is_wild(number) ? "*" : arena_printf(a, "%lld", (long long)number->value);
}

static const char *rule_line(const struct oci_device_rule *rule, char type, struct arena *a) {
    return arena_printf(a, "%c %s:%s %s", type, number_text(&rule->major, a), number_text(&rule->minor, a),
                        rule->access && *rule->access ? rule->access : "rwm");
}

/* The kernel takes "a" for everything only, so a rule about both types with numbers becomes two lines. */
static const char *rule_lines(const struct oci_device_rule *rule, struct arena *a) {
    char type = type_of(rule);

    if (is_everything(rule))
        return "a";
    if (type != 'a')
        return rule_line(rule, type, a);
    return arena_printf(a, "%s\n%s", rule_line(rule, 'b', a), rule_line(rule, 'c', a));
}

void cgroup_devices_files(const struct list *rules, const char *dir, struct arena *a, struct list *ops) {
    struct cgroup_op *op = NULL;

    for (size_t i = first_effective(rules); i < rules->n; i++) {
        const struct oci_device_rule *rule = LIST_AT(struct oci_device_rule, rules, i);
        const char *file = rule->allow ? "devices.allow" : "devices.deny";
        const char *lines = rule_lines(rule, a);

        if (op && strcmp(op->file, file) == 0) { /* the same file again: one open for all of them */
            op->value = arena_printf(a, "%s\n%s", op->value, lines);
            continue;
        }
        op = LIST_ADD(a, struct cgroup_op, ops);
        *op = (struct cgroup_op){.kind = CGROUP_WRITE, .dir = dir, .file = file, .value = lines, .what = "device rules"};
    }
}

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
