/* From the command line to the verb. */
#include <string.h>
#include <sys/prctl.h>

#include "oci/oci.h"

struct verb {
    const char *name;
    int (*run)(struct oci_call *call, struct error *e);
    const char *arguments, *why;
};
static const struct verb verbs[] = {
    {"create", oci_create, "ID", "make a container of a bundle; its program waits for start"},
    {"delete", oci_delete, "ID", "take away what a container that has ended holds"},
    {"events", oci_events, "ID", "tell what a container uses, and when its memory runs out"},
    {"exec", oci_exec, "ID COMMAND [ARG…], or --process FILE ID", "run one more process in a container"},
    {"features", oci_features, "", "tell what this runtime can do, as JSON"},
    {"kill", oci_kill, "ID [SIGNAL]", "send a signal to a container's process (TERM)"},
    {"list", oci_list, "", "list containers"},
    {"pause", oci_pause, "ID", "freeze the processes of a container"},
    {"ps", oci_ps, "ID [OPTIONS OF ps]", "list the processes of a container"},
    {"resume", oci_resume, "ID", "let the processes of a paused container go on"},
    {"run", oci_run, "ID", "create, start, wait, delete"},
    {"spec", oci_spec_make, "", "write a config.json to begin with"},
    {"start", oci_start, "ID", "let the program of a created container run"},
    {"state", oci_state_show, "ID", "tell a container's state, as JSON"},
    {"update", oci_update, "ID", "change the limits of a container"},
};

static const struct verb *find_verb(const char *name) {
    for (size_t i = 0; name && i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void write_usage(struct buf *out) {
    buf_add_str(
        out, "Usage: tare oci [FLAGS] VERB …\n\nAn OCI runtime with runc's command line; tare oci VERB --help tells the flags of a "
             "verb.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        buf_printf(out, "  %-9s %s\n", verbs[i].name, verbs[i].why);
    buf_add_str(out, "\nFlags:\n");
    oci_options_help(NULL, out);
}

static void write_verb_usage(const struct verb *v, struct buf *out) {
    buf_printf(out, "Usage: tare oci %s [FLAGS] %s\n\n%s\n\n", v->name, v->arguments, v->why);
    oci_options_help(v->name, out);
}

int oci_call(int argc, const char *const *argv, struct oci_call *call, struct error *e) {
    int r = oci_options_parse(argc, argv, &call->arena, &call->o, e);
    const struct verb *v = find_verb(call->o.verb);

    if (r < 0)
        return r;
    if (call->o.version) {
        buf_add_str(&call->out, "tare-oci version " TARE_VERSION "\nspec: " OCI_VERSION "\n");
        return 0;
    }
    if (!call->o.verb || strcmp(call->o.verb, "help") == 0) {
        write_usage(&call->out);
        return 0;
    }
    if (!v)
        return error_set(e, -EINVAL, "%s: there is no such command", call->o.verb);
    if (call->o.help) {
        write_verb_usage(v, &call->out);
        return 0;
    }
    if (geteuid() != 0 && strcmp(call->o.verb, "spec") != 0 && strcmp(call->o.verb, "features") != 0)
        return error_set(e, -EPERM, "tare oci needs root, or root of a user namespace that its caller made");
    (void)prctl(PR_SET_DUMPABLE, 0);
    return v->run(call, e);
}
