/* What the bundle's author wants to be told: hooks that run outside the container, and whoever answers system calls. */
#include <linux/seccomp.h>
#include <string.h>

#include "oci/oci.h"
#include "runtime/end_hooks.h"
#include "runtime/hook.h"

const char *oci_state_head(struct oci_call *call, const struct oci_state *s) {
    return hook_state_head(&call->arena, s->oci_version, s->id, s->bundle, &s->annotations);
}

/* ---- The filter, and who answers it ---- */

static int check_notify(const struct oci_seccomp *s, struct error *e) {
    if (strcmp(s->default_action, "SCMP_ACT_NOTIFY") == 0)
        return error_set(e, -EINVAL,
                         "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY would stop the process before anybody could answer");
    for (size_t i = 0; i < s->syscalls.n; i++) {
        const struct oci_seccomp_syscall *rule = LIST_AT(struct oci_seccomp_syscall, &s->syscalls, i);

        if (strcmp(rule->action, "SCMP_ACT_NOTIFY") == 0 && strs_has(&rule->names, "sendmsg"))
            return error_set(
                e, -EINVAL,
                "linux.seccomp.syscalls[%zu].names: sendmsg cannot have SCMP_ACT_NOTIFY: by it the filter is handed over", i);
    }
    return s->listener_path ? 0 : error_set(e, -EINVAL, "linux.seccomp.listenerPath: is needed for SCMP_ACT_NOTIFY");
}

static const char *agent_head(struct oci_call *call, const struct oci_seccomp *s, const struct oci_state *state) {
    _cleanup_buf_ struct buf head = BUF_INIT;

    buf_add_str(&head, "{\"ociVersion\":\"" OCI_VERSION "\",\"fds\":[\"seccompFd\"],");
    if (s->listener_metadata) {
        buf_add_str(&head, "\"metadata\":");
        json_write_string(&head, s->listener_metadata);
        buf_add_char(&head, ',');
    }
    buf_add_str(&head, "\"state\":");
    buf_add_str(&head, oci_state_head(call, state));
    return arena_strdup(&call->arena, buf_text(&head));
}

int oci_filter(struct oci_call *call, const struct oci_spec *spec, const struct oci_state *state, struct oci_filter *ret,
               struct error *e) {
    const struct oci_seccomp *s = spec->linux_->seccomp;
    int r;

    *ret = (struct oci_filter){0};
    if (!s)
        return 0;
    if (s->listener_metadata && !s->listener_path)
        return error_set(e, -EINVAL, "linux.seccomp.listenerMetadata: must not be there without listenerPath");
    r = seccomp_compile(s, &call->arena, &ret->program, e);
    if (r < 0)
        return error_wrap(e, r, "linux.seccomp");
    if (!ret->program.notify)
        return 0;
    /* Both flags give seccomp(2)'s result a meaning; with one thread there is nobody to synchronise. */
    ret->program.flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC;
    ret->agent_path = s->listener_path;
    ret->agent_head = agent_head(call, s, state);
    return check_notify(s, e);
}

/* ---- Hooks of the runtime's side after the creation ---- */

static char **vector(struct arena *a, const struct strs *s, const char *first) {
    char **v = arena_array(a, char *, s->n + 2);

    for (size_t i = 0; i < s->n; i++)
        v[i] = (char *)(uintptr_t)s->v[i];
    if (s->n == 0)
        v[0] = (char *)(uintptr_t)first;
    return v;
}

static int run_hook(struct oci_call *call, const struct oci_hook *o, const struct buf *state, struct error *e) {
    const struct hook h = {.path = o->path,
                           .argv = vector(&call->arena, &o->args, o->path),
                           .envp = vector(&call->arena, &o->env, NULL),
                           .timeout_s = o->timeout.set ? o->timeout.value : 0};

    return hook_run(&h, state->data, state->size, e);
}

int oci_hooks_run(struct oci_call *call, const struct oci_state *s, const struct list *hooks, const char *at, const char *status,
                  bool all, struct error *e) {
    _cleanup_buf_ struct buf state = BUF_INIT;
    int r = 0;

    buf_add_str(&state, oci_state_head(call, s));
    buf_printf(&state, ",\"status\":\"%s\",\"pid\":%d}", status, s->pid);
    for (size_t i = 0; (r == 0 || all) && i < hooks->n; i++) {
        r = run_hook(call, LIST_AT(struct oci_hook, hooks, i), &state, e);
        if (r < 0)
            r = error_wrap(e, r, "hooks.%s[%zu]", at, i);
        if (r < 0 && all)
            oci_warn(call, e);
    }
    return all ? 0 : r;
}

void oci_warn(struct oci_call *call, struct error *e) {
    _cleanup_free_ char *text = error_sentence(e);

    strs_add(&call->arena, &call->warnings, arena_strdup(&call->arena, text));
    error_release(e);
}
