/* Plans as data: the text area, showing, encoding, checking. */
#include "runtime/plan.h"

#include <linux/mount.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "kernel/cgroup.h"
#include "kernel/landlock.h"
#include "runtime/step.h"

#define PLAN_MAGIC   0x6e616c50U /* "Plan" */
#define PLAN_VERSION 9U          /* changes with struct plan_step and with the meaning of any operation */

#define LIST_SHOWN 24 /* entries of a list that are printed */

struct plan_head {
    uint32_t magic;
    uint32_t version;
    uint32_t steps;
    uint32_t text_size;
};

void plan_release(struct plan *p) {
    buf_release(&p->steps_buf);
    buf_release(&p->text_buf);
    *p = (struct plan)PLAN_INIT;
}

const char *plan_text(const struct plan *plan, int64_t offset) {
    return offset ? plan->text + offset : NULL;
}

uint32_t plan_count(const struct plan *plan, int64_t offset) {
    uint32_t n = 0;

    if (offset)
        memcpy(&n, plan->text + offset, sizeof(n));
    return n;
}

const char *plan_first(const struct plan *plan, int64_t offset) {
    return offset ? plan->text + offset + sizeof(uint32_t) : NULL;
}

const char *plan_next(const char *s) {
    return s + strlen(s) + 1;
}

const void *plan_data(const struct plan *plan, int64_t offset, size_t *ret_size) {
    *ret_size = plan_count(plan, offset);
    return offset ? plan->text + offset + sizeof(uint32_t) : NULL;
}

/* ---- Showing ---- */

struct flag_name {
    uint64_t value;
    const char *name;
};

static const struct flag_name namespace_names[] = {
    {CLONE_NEWNS, "mount"},      {CLONE_NEWPID, "pid"},   {CLONE_NEWNET, "network"},
    {CLONE_NEWUTS, "uts"},       {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUSER, "user"},
    {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"}, {0, NULL},
};
static const struct flag_name attr_names[] = {
    {MOUNT_ATTR_RDONLY, "ro"},
    {MOUNT_ATTR_NOSUID, "nosuid"},
    {MOUNT_ATTR_NODEV, "nodev"},
    {MOUNT_ATTR_NOEXEC, "noexec"},
    {MOUNT_ATTR_STRICTATIME, "strictatime"},
    {MOUNT_ATTR_NOATIME, "noatime"},
    {MOUNT_ATTR_NODIRATIME, "nodiratime"},
    {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
    {0, NULL},
};
static const struct flag_name propagation_names[] = {
    {MS_PRIVATE, "private"},       {MS_SLAVE, "slave"},   {MS_SHARED, "shared"},
    {MS_UNBINDABLE, "unbindable"}, {MS_REC, "recursive"}, {0, NULL},
};

static const struct flag_name cgroup_flag_names[] = {{CGROUP_OPTIONAL, "optional"}, {CGROUP_LATE, "late"}, {0, NULL}};
static const struct flag_name scope_names[] = {
    {LANDLOCK_SCOPE_ABSTRACT, "abstract-sockets"},
    {LANDLOCK_SCOPE_SIGNALS, "signals"},
    {0, NULL},
};
static const struct flag_name mount_flag_names[] = {
    {STEP_RECURSIVE, "recursive"},
    {STEP_ATTR_RECURSIVE, "attr-recursive"},
    {STEP_LIKE_TARGET, "mode-of-target"},
    {STEP_COPY_UP, "copy-up"},
    {STEP_NO_LINKS, "no-links"},
    {STEP_IN_ROOT, "in-root"},
    {STEP_PROC, "own-proc"},
    {STEP_PTS, "own-pts"},
    {STEP_DEV, "own-dev"},
    {0, NULL},
};

static const char *cgroup_op_name(int64_t kind) {
    static const char *const names[] = {
        [CGROUP_MKDIR] = "make",
        [CGROUP_WRITE] = "write",
        [CGROUP_ENABLE] = "enable-controllers",
        [CGROUP_INHERIT] = "inherit",
        [CGROUP_PROGRAM] = "attach-program",
        [CGROUP_ATTACH] = "enter",
        [CGROUP_GIVE] = "give",
    };

    return kind >= 0 && kind < (int64_t)ARRAY_SIZE(names) ? names[kind] : "?";
}

static void print_flags(const struct flag_name *names, uint64_t value, struct buf *out) {
    size_t start = out->size;

    for (; names->name; names++)
        if ((value & names->value) == names->value) {
            buf_printf(out, "%s%s", out->size > start ? "," : "", names->name);
            value &= ~names->value;
        }
    if (value || out->size == start)
        buf_printf(out, "%s%#llx", out->size > start ? "," : "", (unsigned long long)value);
}

static void print_caps(uint64_t set, struct buf *out) {
    size_t start = out->size;

    if (set == CAPABILITY_ALL) {
        buf_add_str(out, "all");
        return;
    }
    for (unsigned n = 0; n < CAPABILITY_COUNT; n++)
        if (set & CAPABILITY_BIT(n))
            buf_printf(out, "%s%s", out->size > start ? "," : "", capability_name(n) + strlen("CAP_"));
    if (out->size == start)
        buf_add_str(out, "none");
}

/* Bare where no shell would need quotes, else quoted with what breaks a line escaped. */
static void print_text(const char *s, struct buf *out) {
    bool plain = *s != '\0';

    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == '"' || *p == '\\' || *p == 0x7f)
            plain = false;
    if (plain) {
        buf_add_str(out, s);
        return;
    }
    buf_add_char(out, '"');
    for (const char *p = s; *p; p++) {
        if (*p == '\n')
            buf_add_str(out, "\\n");
        else if ((unsigned char)*p < ' ' || *p == 0x7f)
            buf_printf(out, "\\%03o", (unsigned)(unsigned char)*p);
        else
            buf_printf(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    }
    buf_add_char(out, '"');
}

static void print_texts(const struct plan *plan, int64_t offset, bool names_only, struct buf *out) {
    const char *s = plan_first(plan, offset);
    uint32_t n = plan_count(plan, offset);

    buf_add_char(out, '[');
    for (uint32_t i = 0; i < n; i++, s = plan_next(s)) {
        if (i == LIST_SHOWN) {
            buf_printf(out, " and %u more", n - i);
            break;
        }
        buf_add_str(out, i > 0 ? " " : "");
        if (names_only)
            buf_add(out, s, strcspn(s, "="));
        else
            print_text(s, out);
    }
    buf_add_char(out, ']');
}

static const char *cgroup_kind_name(int64_t kind) {
    static const char *const names[] = {
        [CGROUP_MKDIR] = "make",      [CGROUP_WRITE] = "write",   [CGROUP_ENABLE] = "enable", [CGROUP_INHERIT] = "inherit",
        [CGROUP_PROGRAM] = "program", [CGROUP_ATTACH] = "attach", [CGROUP_GIVE] = "give",
    };

    return kind >= 0 && (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "?";
}

static bool arg_is_absent(enum step_arg kind, int64_t v) {
    switch (kind) {
    case STEP_TEXT:
    case STEP_TEXTS:
    case STEP_ENV:
    case STEP_DATA:
    case STEP_NAMESPACES:
    case STEP_ATTR:
    case STEP_PROPAGATION:
    case STEP_BOOL:
    case STEP_CGROUP_FLAGS:
    case STEP_MOUNT_FLAGS:
    case STEP_SCOPES:
    case STEP_HEX: return v == 0;
    case STEP_SLOT: return v < 0;
    default: return false;
    }
}

static void print_arg(const struct plan *plan, enum step_arg kind, int64_t v, struct buf *out) {
    switch (kind) {
    case STEP_NONE: break;
    case STEP_TEXT: print_text(plan_text(plan, v), out); break;
    case STEP_TEXTS:
    case STEP_ENV: print_texts(plan, v, kind == STEP_ENV, out); break;
    case STEP_DATA: buf_printf(out, "%u bytes", plan_count(plan, v)); break;
    case STEP_SLOT:
    case STEP_INT: buf_printf(out, "%lld", (long long)v); break;
    case STEP_HEX: buf_printf(out, "%#llx", (unsigned long long)v); break;
    case STEP_MODE: buf_printf(out, "%04o", (unsigned)v & 07777); break;
    case STEP_DEVICE: buf_printf(out, "%u:%u", major((dev_t)v), minor((dev_t)v)); break;
    case STEP_NAMESPACES: print_flags(namespace_names, (uint64_t)v, out); break;
    case STEP_ATTR: print_flags(attr_names, (uint64_t)v, out); break;
    case STEP_PROPAGATION: print_flags(propagation_names, (uint64_t)v, out); break;
    case STEP_CGROUP: buf_add_str(out, cgroup_kind_name(v)); break;
    case STEP_CAPS: print_caps((uint64_t)v, out); break;
    case STEP_BOOL: buf_add_str(out, "yes"); break;
    case STEP_CGROUP_OP: buf_add_str(out, cgroup_op_name(v)); break;
    case STEP_CGROUP_FLAGS: print_flags(cgroup_flag_names, (uint64_t)v, out); break;
    case STEP_MOUNT_FLAGS: print_flags(mount_flag_names, (uint64_t)v, out); break;
    case STEP_SCOPES: print_flags(scope_names, (uint64_t)v, out); break;
    }
}

const char *plan_role_name(unsigned role) {
    static const char *const names[PLAN_ROLES] = {"host", "child", "parent", "after"};

    return role < ARRAY_SIZE(names) ? names[role] : "?";
}

void step_print(const struct plan *plan, const struct plan_step *step, struct buf *out) {
    const struct step_op *op = &step_ops[step->op];

    buf_printf(out, "%-6s %s", plan_role_name(step->role), op->name);
    for (size_t i = 0; i < PLAN_ARGS && op->arg[i].kind != STEP_NONE; i++) {
        if (arg_is_absent(op->arg[i].kind, step->arg[i]))
            continue;
        buf_printf(out, " %s=", op->arg[i].name);
        print_arg(plan, op->arg[i].kind, step->arg[i], out);
    }
}

void step_why_print(const struct plan_step *step, struct buf *out) {
    buf_printf(out, "\n       # %s: %s\n", step_ops[step->op].why, step_ops[step->op].man);
}

void plan_print(const struct plan *plan, struct buf *out) {
    for (size_t i = 0; i < plan->n; i++) {
        buf_printf(out, "%3zu  ", i + 1);
        step_print(plan, &plan->steps[i], out);
        step_why_print(&plan->steps[i], out);
    }
}

/* ---- Encoding ---- */

void plan_encode(const struct plan *plan, struct buf *out) {
    const struct plan_head head = {PLAN_MAGIC, PLAN_VERSION, (uint32_t)plan->n, (uint32_t)plan->text_size};

    (void)buf_reserve(out, sizeof(head) + plan->n * sizeof(*plan->steps) + plan->text_size); /* at once: growing copies */
    buf_add(out, &head, sizeof(head));
    buf_add(out, plan->steps, plan->n * sizeof(*plan->steps));
    buf_add(out, plan->text, plan->text_size);
}

/* Whether a list of `n` strings begins at `at` and ends inside the text. */
static bool texts_fit(const struct plan *p, size_t at, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const char *end = at < p->text_size ? memchr(p->text + at, '\0', p->text_size - at) : NULL;

        if (!end)
            return false;
        at = (size_t)(end - p->text) + 1;
    }
    return true;
}

static bool arg_is_valid(const struct plan *p, enum step_arg kind, int64_t v) {
    size_t at = (size_t)v;

    switch (kind) {
    case STEP_TEXT: return v >= 0 && at < p->text_size; /* the text ends with a NUL */
    case STEP_TEXTS:
    case STEP_ENV:
    case STEP_DATA:
        if (v == 0)
            return true;
        if (v < 0 || at > p->text_size || p->text_size - at < sizeof(uint32_t))
            return false;
        if (kind != STEP_DATA)
            return texts_fit(p, at + sizeof(uint32_t), plan_count(p, v));
        return p->text_size - at - sizeof(uint32_t) >= plan_count(p, v);
    case STEP_SLOT: return v >= -1 && v < STEP_SLOTS_MAX;
    default: return true;
    }
}

static bool step_is_valid(const struct plan *p, const struct plan_step *s) {
    if (s->op >= PLAN_OP_COUNT || s->role >= PLAN_ROLES || !step_ops[s->op].name)
        return false;
    for (size_t i = 0; i < PLAN_ARGS; i++)
        if (!arg_is_valid(p, step_ops[s->op].arg[i].kind, s->arg[i]))
            return false;
    return true;
}

int plan_decode(const void *blob, size_t size, struct plan *ret, struct error *e) {
    struct plan_head head;
    struct plan p = PLAN_INIT;

    if (size < sizeof(head) || (uintptr_t)blob % _Alignof(struct plan_step) != 0)
        return error_set(e, -EPROTO, "the plan is cut off");
    memcpy(&head, blob, sizeof(head));
    if (head.magic != PLAN_MAGIC || head.version != PLAN_VERSION)
        return error_set(e, -EPROTO, "the plan is of another version (%u, not %u)", head.version, PLAN_VERSION);
    if (head.steps > PLAN_STEPS_MAX || head.text_size > PLAN_TEXT_MAX ||
        size != sizeof(head) + head.steps * sizeof(struct plan_step) + head.text_size)
        return error_set(e, -EPROTO, "the plan has a wrong size");
    p.steps = (const struct plan_step *)((const char *)blob + sizeof(head));
    p.n = head.steps;
    p.text = (const char *)(p.steps + p.n);
    p.text_size = head.text_size;
    if (p.text_size == 0 || p.text[p.text_size - 1] != '\0')
        return error_set(e, -EPROTO, "the plan's text has no end");
    for (size_t i = 0; i < p.n; i++)
        if (!step_is_valid(&p, &p.steps[i]))
            return error_set(e, -EPROTO, "step %zu of the plan is damaged", i + 1);
    *ret = p;
    return 0;
}
