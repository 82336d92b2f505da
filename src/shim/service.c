/* Which method of which service a request is for, and whose turn it is: what is done to one container is done one after the other.
 */
#include <string.h>

#include "shim/messages.pb-c.h"
#include "shim/shim.h"

/* All requests begin like this one (messages.proto): enough to find whom they are about. */
typedef Pb__IdRequest Id;

static const struct service {
    const char *name;
    const struct method_list *methods;
} services[] = {
    {"containerd.task.v2.Task", &task_methods},
    {"containerd.task.v3.Task", &task_methods},
    {"containerd.runtime.sandbox.v1.Sandbox", &sandbox_methods},
};

static void stand_in_line(struct container *c, struct caller from, const struct method *method, const void *payload, size_t n) {
    struct request *r = malloc(sizeof(*r) + n), **at = &c->line;

    if (!r)
        abort();
    *r = (struct request){.caller = from, .method = method, .size = n};
    memcpy(r->payload, payload, n);
    while (*at)
        at = &(*at)->next;
    *at = r;
}

static void call(struct shim *s, struct caller from, const struct method *how, const void *payload, size_t n) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const Id *m = message_unpack(how->request, payload, n, &a);
    struct container *c = m && how->in_line ? container_find(s, m->id) : NULL;

    if (!m)
        answer_error(s, from, RPC_INVALID, "%s: the request cannot be read", how->name);
    else if (c && c->job)
        stand_in_line(c, from, how, payload, n);
    else
        how->call(s, from, m);
}

void service_call(struct shim *s, struct caller from, const char *service, const char *method, const void *payload, size_t n) {
    const struct method_list *list = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        if (strcmp(services[i].name, service) == 0)
            list = services[i].methods;
    if (!list) {
        answer_error(s, from, RPC_UNIMPLEMENTED, "service %s is not known", service);
        return;
    }
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i].name, method) == 0) {
            call(s, from, &list->v[i], payload, n);
            return;
        }
    answer_error(s, from, RPC_UNIMPLEMENTED, "method %s is not known", method);
}

void service_continue(struct shim *s, const char *id) {
    struct container *c;

    while ((c = container_find(s, id)) && !c->job && c->line) {
        struct request *r = c->line;

        c->line = r->next;
        call(s, r->caller, r->method, r->payload, r->size);
        free(r);
    }
}
