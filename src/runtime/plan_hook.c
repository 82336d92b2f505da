/* Where other programs come in: hooks, and whoever answers the system calls of SCMP_ACT_NOTIFY. */
#include <linux/sched.h>
#include <string.h>

#include "base/fs.h"
#include "runtime/end_hooks.h"
#include "runtime/plan_build.h"

static const struct oci_hooks no_hooks;

static const struct oci_hooks *hooks_of(const struct builder *b) {
    return b->spec && b->spec->hooks ? b->spec->hooks : &no_hooks;
}

static int check_list(const struct list *hooks, const char *at, struct error *e) {
    for (size_t i = 0; i < hooks->n; i++)
        if (LIST_AT(struct oci_hook, hooks, i)->path[0] != '/')
            return error_set(e, -EINVAL, "hooks.%s[%zu].path: %s is not an absolute path", at, i,
                             LIST_AT(struct oci_hook, hooks, i)->path);
    return 0;
}

int plan_hooks_check(const struct builder *b, struct error *e) {
    const struct oci_hooks *h = hooks_of(b);
    const struct {
        const char *name;
        const struct list *hooks;
    } lists[] = {{"prestart", &h->prestart},
                 {"createRuntime", &h->create_runtime},
                 {"createContainer", &h->create_container},
                 {"startContainer", &h->start_container},
                 {"poststart", &h->poststart},
                 {"poststop", &h->poststop}};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++) {
        r = check_list(lists[i].hooks, lists[i].name, e);
        if (r == 0 && lists[i].hooks->n > 0 && !b->context->state_head)
            r = error_set(e, -ENOTSUP, "hooks.%s: is not supported here", lists[i].name);
    }
    return r;
}

bool plan_hooks_see_mounts(const struct builder *b) {
    const struct oci_hooks *h = hooks_of(b);

    return h->prestart.n + h->create_runtime.n + h->create_container.n > 0;
}

const char *hook_state_head(struct arena *a, const char *oci_version, const char *id, const char *bundle,
                            const struct map *annotations) {
    _cleanup_buf_ struct buf out = BUF_INIT;

    buf_add_str(&out, "{\"ociVersion\":");
    json_write_string(&out, oci_version);
    buf_add_str(&out, ",\"id\":");
    json_write_string(&out, id);
    buf_add_str(&out, ",\"bundle\":");
    json_write_string(&out, bundle);
    for (size_t i = 0; i < annotations->n; i++) {
        buf_add_str(&out, i == 0 ? ",\"annotations\":{" : ",");
        json_write_string(&out, annotations->v[i].key);
        buf_add_char(&out, ':');
        json_write_string(&out, annotations->v[i].value);
    }
    buf_add_str(&out, annotations->n ? "}" : "");
    return arena_strdup(a, buf_text(&out));
}

/* env: for hooks that name no variables; NULL = they get none. Those of createContainer begin in the container's root, as runc has
 * it. */
static void build_hooks(struct builder *b, enum plan_role role, const struct list *hooks, const char *at, const char *status,
                        const struct strs *env) {
    const char *head = b->context->state_head;

    if (hooks->n > 0 && b->state_head == 0)
        b->state_head = data_add(b, head, strlen(head));
    for (size_t i = 0; i < hooks->n; i++) {
        const struct oci_hook *h = LIST_AT(struct oci_hook, hooks, i);

        STEP(b, role, PLAN_HOOK, text_add(b, arena_printf(b->arena, "%s[%zu]", at, i)), text_add(b, h->path),
             texts_add(b, &h->args), texts_add(b, h->env.n > 0 || !env ? &h->env : env), h->timeout.set ? h->timeout.value : 0,
             b->state_head, text_add(b, status), h->env.n == 0 && env, hooks == &hooks_of(b)->create_container);
    }
}

void plan_poststart(struct builder *b) {
    if (b->context->poststart)
        build_hooks(b, PLAN_AFTER, &hooks_of(b)->poststart, "poststart", "running", NULL);
}

static int build_end(const struct oci_spec *spec, const char *state_head, struct plan *ret, struct error *e) {
    _cleanup_arena_ struct arena arena = ARENA_INIT;
    _cleanup_plan_ struct plan plan = {.text_buf = BUF_WITH_MAX(PLAN_TEXT_MAX)};
    const struct plan_context context = {.state_head = state_head};
    struct builder b = {.spec = spec, .context = &context, .plan = &plan, .arena = &arena};
    int r;

    build_hooks(&b, PLAN_AFTER, &hooks_of(&b)->poststop, "poststop", "stopped", NULL);
    r = plan_finish(&plan, e);
    if (r < 0)
        return r;
    *ret = plan;
    plan = (struct plan)PLAN_INIT;
    return 0;
}

int end_hooks_write(int run_dirfd, const struct oci_spec *spec, const char *state_head, struct error *e) {
    _cleanup_plan_ struct plan plan = PLAN_INIT;
    _cleanup_buf_ struct buf blob = BUF_INIT;
    int r = spec->hooks && spec->hooks->poststop.n > 0 ? build_end(spec, state_head, &plan, e) : 0;

    if (r < 0 || plan.n == 0)
        return r;
    plan_encode(&plan, &blob);
    return fs_replace_at(run_dirfd, END_HOOKS_FILE, blob.data, blob.size, 0600, FS_NO_SYNC, e);
}

/* What root of a new user namespace has in sight of the bundle. */
void plan_bundle(struct builder *b) {
    const struct plan_context *c = b->context;

    if (c->bundle_at && plan_hooks_see_mounts(b))
        STEP(b, PLAN_CHILD, PLAN_BUNDLE, text_add(b, c->bundle_at), text_add(b, c->bundle + strlen(c->bundle_at) + 1),
             data_add(b, c->config, strlen(c->config)));
}

/* The child's mounts are there, and the host's files still in sight: what the parent does at that point. */
static bool parent_waits_for_mounts(const struct builder *b) {
    const struct oci_hooks *h = hooks_of(b);

    return h->prestart.n + h->create_runtime.n > 0 || b->spec->linux_->net_devices.n > 0;
}

void plan_mounted_parent(struct builder *b) {
    const struct oci_hooks *h = hooks_of(b);
    const struct list *devices = &b->spec->linux_->net_devices;

    if (!parent_waits_for_mounts(b))
        return;
    STEP(b, PLAN_PARENT, PLAN_LISTEN);
    for (size_t i = 0; i < devices->n; i++) {
        const struct oci_net_device *d = LIST_AT(struct oci_net_device, devices, i);

        STEP(b, PLAN_PARENT, PLAN_LINK_MOVE, text_add(b, d->key), text_add(b, d->name && *d->name ? d->name : d->key));
    }
    build_hooks(b, PLAN_PARENT, &h->prestart, "prestart", "creating", NULL);
    build_hooks(b, PLAN_PARENT, &h->create_runtime, "createRuntime", "creating", NULL);
    STEP(b, PLAN_PARENT, PLAN_RELEASE);
}

void plan_mounted_child(struct builder *b) {
    if (parent_waits_for_mounts(b)) { /* releases look all the same, so they are awaited in the parent's order */
        STEP(b, PLAN_CHILD, PLAN_AWAIT, text_add(b, "the parent's part"));
        b->parent_awaited = true;
        STEP(b, PLAN_CHILD, PLAN_TELL);
        STEP(b, PLAN_CHILD, PLAN_AWAIT, text_add(b, "hooks"));
    }
    build_hooks(b, PLAN_CHILD, &hooks_of(b)->create_container, "createContainer", "creating", NULL);
}

void plan_start_hooks(struct builder *b) {
    /* They run where the program will, and as it will, under its filter, too (runc has it so). */
    const struct strs *env = b->spec && b->spec->process ? &b->spec->process->env : NULL;

    build_hooks(b, PLAN_CHILD, &hooks_of(b)->start_container, "startContainer", "created", env);
}

int64_t plan_agent(struct builder *b) {
    if (!b->context->agent_path)
        return -1;
    STEP(b, PLAN_HOST, PLAN_AGENT_OPEN, b->slots, text_add(b, b->context->agent_path));
    return b->slots++;
}
