/* A plan once more, with other network interfaces. */
#include <sched.h>
#include <string.h>

#include "runtime/plan_build.h"

static int64_t texts_copy(struct builder *b, const struct plan *from, int64_t at) {
    struct strs s = {0};
    const char *text = plan_first(from, at);

    for (uint32_t i = 0; i < plan_count(from, at); i++, text = plan_next(text))
        strs_add(b->arena, &s, text);
    return texts_add(b, &s);
}

/* The arguments again, in the new plan's text: what nothing points to any more stays behind. */
static void step_copy(struct builder *b, const struct plan *from, const struct plan_step *s) {
    int64_t arg[PLAN_ARGS];
    size_t size;

    for (size_t i = 0; i < PLAN_ARGS; i++) {
        switch (step_ops[s->op].arg[i].kind) {
        case STEP_TEXT: arg[i] = text_add(b, plan_text(from, s->arg[i])); break;
        case STEP_TEXTS:
        case STEP_ENV: arg[i] = texts_copy(b, from, s->arg[i]); break;
        case STEP_DATA: {
            const void *data = plan_data(from, s->arg[i], &size);
            arg[i] = data_add(b, data, size);
            break;
        }
        default: arg[i] = s->arg[i];
        }
    }
    step_add(b, s->role, s->op, s->flags, arg);
}

int plan_links(const struct plan *plan, struct arena *a, struct list *ret) {
    for (size_t i = 0; i < plan->n; i++) {
        size_t size;
        const char *data;

        if (plan->steps[i].op != PLAN_LINK_CONFIGURE)
            continue;
        data = plan_data(plan, plan->steps[i].arg[0], &size);
        if (size % sizeof(struct link) != 0)
            return -EPROTO;
        for (size_t at = 0; at < size; at += sizeof(struct link))
            memcpy(LIST_ADD(a, struct link, ret), data + at, sizeof(struct link));
        return 0;
    }
    return -ENOENT;
}

/* Where the interfaces are made: at the end of what the parent does before it lets the child go on. */
static size_t place_of_links(const struct plan *plan) {
    size_t place = 0;

    for (size_t i = 0; i < plan->n; i++)
        if (plan->steps[i].role == PLAN_PARENT && plan->steps[i].op == PLAN_RELEASE)
            place = i;
    return place;
}

int plan_relink(const struct plan *from, const struct list *links, bool names, struct plan *ret, struct error *e) {
    _cleanup_arena_ struct arena arena = ARENA_INIT;
    _cleanup_plan_ struct plan plan = {.text_buf = BUF_WITH_MAX(PLAN_TEXT_MAX)};
    const struct plan_context context = {.links = *links, .names = names};
    struct builder b = {.context = &context, .plan = &plan, .arena = &arena, .new_namespaces = CLONE_NEWNET};
    const size_t place = place_of_links(from);
    int r;

    if (links->n > PLAN_LINKS_MAX)
        return error_set(e, -E2BIG, "%zu network interfaces are more than %d", links->n, PLAN_LINKS_MAX);
    for (size_t i = 0; i < from->n; i++) {
        if (i == place)
            plan_links_make(&b);
        switch (from->steps[i].op) {
        case PLAN_LINK_MAKE:
        case PLAN_NAMES: break;
        case PLAN_LINK_CONFIGURE: plan_links_configure(&b); break;
        default: step_copy(&b, from, &from->steps[i]);
        }
    }
    r = plan_finish(&plan, e);
    if (r < 0)
        return r;
    *ret = plan;
    plan = (struct plan)PLAN_INIT;
    return 0;
}
