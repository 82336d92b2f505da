/* Limits and annotations as properties of a unit of systemd's. */
#include <ctype.h>
#include <string.h>

#include "kernel/cgroup_plan.h"
#include "kernel/systemd.h"
#include "model/cpu_list.h"
#include "oci/oci.h"

#define ANNOTATION_PREFIX "org.systemd.property."
#define DEFAULT_PERIOD_US 100000
#define SET_BYTES         1024 /* of a set of processors: 8192, what the kernel can have */
#define ANNOTATION_TEXTS  64   /* items of a list */
#define US_PER_SEC        1000000

static struct systemd_property *add(struct arena *a, struct list *to, const char *name, const char *type) {
    struct systemd_property *p = LIST_ADD(a, struct systemd_property, to);

    p->name = name;
    p->type = type;
    return p;
}

static void add_number(struct arena *a, struct list *to, const char *name, uint64_t n) {
    add(a, to, name, "t")->number = n;
}

/* -1 is "no limit" here and there. */
static void add_limit(struct arena *a, struct list *to, const char *name, const struct opt_i64 *limit) {
    if (limit->set && limit->value != 0)
        add_number(a, to, name, limit->value < 0 ? UINT64_MAX : (uint64_t)limit->value);
}

static void add_memory(struct arena *a, struct list *to, const struct oci_memory *m) {
    add_limit(a, to, "MemoryMax", &m->limit);
    add_limit(a, to, "MemoryLow", &m->reservation);
    if (m->swap.set && m->swap.value < 0)
        add_number(a, to, "MemorySwapMax", UINT64_MAX);
    else if (m->swap.set && m->limit.set && m->limit.value > 0 && m->swap.value >= m->limit.value)
        add_number(a, to, "MemorySwapMax", (uint64_t)(m->swap.value - m->limit.value));
}

static int add_set(struct arena *a, struct list *to, const char *name, const char *list, struct error *e) {
    unsigned char bits[SET_BYTES];
    struct systemd_property *p;
    size_t n;
    int r;

    if (!list || !*list)
        return 0;
    r = cpu_list_bits(list, bits, sizeof(bits), &n, e);
    if (r < 0)
        return r;
    p = add(a, to, name, "ay");
    p->data = arena_memdup(a, bits, n);
    p->n = n;
    return 0;
}

/* systemd counts the quota for a second. */
static void add_bandwidth(struct arena *a, struct list *to, const struct oci_cpu *c) {
    uint64_t period = c->period.set && c->period.value != 0 ? c->period.value : DEFAULT_PERIOD_US;

    if (c->period.set && c->period.value != 0)
        add_number(a, to, "CPUQuotaPeriodUSec", period);
    if (c->quota.set && c->quota.value < 0)
        add_number(a, to, "CPUQuotaPerSecUSec", UINT64_MAX);
    else if (c->quota.set && c->quota.value > 0 && c->quota.value < INT64_MAX / US_PER_SEC)
        add_number(a, to, "CPUQuotaPerSecUSec", (uint64_t)c->quota.value * US_PER_SEC / period);
}

static int add_cpu(struct arena *a, struct list *to, const struct oci_cpu *c, struct error *e) {
    int r;

    if (c->shares.set && c->shares.value != 0)
        add_number(a, to, "CPUWeight", cgroup_weight_of_shares(c->shares.value));
    add_bandwidth(a, to, c);
    r = add_set(a, to, "AllowedCPUs", c->cpus, e);
    return r < 0 ? r : add_set(a, to, "AllowedMemoryNodes", c->mems, e);
}

/* Files of `unified` that are one number, or max. */
static void add_unified(struct arena *a, struct list *to, const struct map *files) {
    static const struct {
        const char *file, *name;
    } known[] = {
        {"memory.min", "MemoryMin"}, {"memory.low", "MemoryLow"},          {"memory.high", "MemoryHigh"},
        {"memory.max", "MemoryMax"}, {"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
        {"cpu.weight", "CPUWeight"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        const char *value = map_get(files, known[i].file);
        char *end;
        uint64_t n;

        if (!value || !*value)
            continue;
        n = strcmp(value, "max") == 0 ? UINT64_MAX : strtoull(value, &end, 10);
        if (n == UINT64_MAX || !*end)
            add_number(a, to, known[i].name, n);
    }
}

int oci_scope_limits(const struct oci_resources *resources, struct arena *a, struct list *ret, struct error *e) {
    int r = 0;

    if (!resources)
        return 0;
    if (resources->memory)
        add_memory(a, ret, resources->memory);
    if (resources->cpu)
        r = add_cpu(a, ret, resources->cpu, e);
    if (resources->pids && resources->pids->limit.set)
        add_number(a, ret, "TasksMax", resources->pids->limit.value <= 0 ? UINT64_MAX : (uint64_t)resources->pids->limit.value);
    if (resources->block_io && resources->block_io->weight.set && resources->block_io->weight.value != 0)
        add_number(a, ret, "IOWeight", cgroup_io_weight(resources->block_io->weight.value));
    add_unified(a, ret, &resources->unified);
    return r;
}

/* ---- Annotations ---- */

static const char *skip_space(const char *p) {
    return p + strspn(p, " \t");
}

/* 'text' or "text", \ before a character takes it as it is. NULL: there is none. */
static const char *take_text(struct arena *a, const char **at) {
    const char *p = *at;
    char quote = *p++, *text, *to;

    if (quote != '\'' && quote != '"')
        return NULL;
    text = to = arena_alloc(a, strlen(p) + 1);
    for (; *p && *p != quote; p++) {
        if (*p == '\\' && p[1])
            p++;
        *to++ = *p;
    }
    if (!*p)
        return NULL;
    *at = skip_space(p + 1);
    return text;
}

static bool parse_texts(struct arena *a, const char *p, struct systemd_property *to) {
    to->type = "as";
    p = skip_space(p + 1);
    while (*p != ']') {
        const char *text = take_text(a, &p);

        if (!text || to->texts.n == ANNOTATION_TEXTS || (*p != ',' && *p != ']'))
            return false;
        strs_add(a, &to->texts, text);
        p = *p == ',' ? skip_space(p + 1) : p;
    }
    return !*skip_space(p + 1);
}

/* "uint64 5"; a number alone is an int32. */
static bool parse_number(const char *p, struct systemd_property *to) {
    static const struct {
        const char *word, *type;
        long long min;
        unsigned long long max;
    } types[] = {{"int32 ", "i", INT32_MIN, INT32_MAX},
                 {"uint32 ", "u", 0, UINT32_MAX},
                 {"int64 ", "x", INT64_MIN, INT64_MAX},
                 {"uint64 ", "t", 0, UINT64_MAX}};
    size_t kind = 0;
    char *end;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strncmp(p, types[i].word, strlen(types[i].word)) == 0) {
            kind = i;
            p = skip_space(p + strlen(types[i].word));
            break;
        }
    to->type = types[kind].type;
    errno = 0;
    if (*p == '-') {
        long long n = strtoll(p, &end, 10);

        to->number = (uint64_t)n;
        return errno == 0 && end > p + 1 && !*skip_space(end) && n >= types[kind].min;
    }
    to->number = strtoull(p, &end, 10);
    return isdigit((unsigned char)*p) && errno == 0 && !*skip_space(end) && to->number <= types[kind].max;
}

static bool parse_value(struct arena *a, const char *value, struct systemd_property *to) {
    const char *p = skip_space(value);

    if (strcmp(p, "true") == 0 || strcmp(p, "false") == 0) {
        to->type = "b";
        to->number = *p == 't';
        return true;
    }
    if (*p == '[')
        return parse_texts(a, p, to);
    if (*p == '\'' || *p == '"') {
        to->type = "s";
        to->text = take_text(a, &p);
        return to->text && !*p;
    }
    return parse_number(p, to);
}

/* What makes the scope the container's. */
static bool is_ours(const char *name) {
    static const char *const names[] = {"Slice", "Delegate", "PIDs"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

int oci_scope_annotations(const struct map *annotations, struct arena *a, struct list *ret, struct error *e) {
    for (size_t i = 0; i < annotations->n; i++) {
        const char *key = annotations->v[i].key, *name = key + strlen(ANNOTATION_PREFIX);
        struct systemd_property *p;

        if (strncmp(key, ANNOTATION_PREFIX, strlen(ANNOTATION_PREFIX)) != 0)
            continue;
        if (!isalpha((unsigned char)*name) || is_ours(name))
            return error_set(e, -EINVAL, "annotations.%s: this property cannot be set", key);
        p = add(a, ret, name, "");
        if (!parse_value(a, annotations->v[i].value, p))
            return error_set(e, -EINVAL, "annotations.%s: %s is not a value like true, 'text', uint64 5, or ['a', 'b']", key,
                             annotations->v[i].value);
    }
    return 0;
}
