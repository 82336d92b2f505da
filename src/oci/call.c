/* From the command line to the verb. */
#include <string.h>
#include <sys/prctl.h>

#include "oci/oci.h"

static const struct {
    const char *name;
    int (*run)(struct oci_call *call, struct error *e);
    const char *usage;
} verbs[] = {
    {"create", oci_create, "[-b BUNDLE] [--pid-file FILE] [--console-socket SOCKET] [--preserve-fds N] [--no-pivot] ID"},
    {"delete", oci_delete, "[--force] ID"},
    {"events", oci_events, "[--stats] [--interval DURATION] ID"},
    {"exec", oci_exec, "[--process FILE] [--tty] [--detach] [--pid-file FILE] [--console-socket SOCKET] ID [COMMAND…]"},
    {"features", oci_features, ""},
    {"kill", oci_kill, "[--all] ID [SIGNAL]"},
    {"list", oci_list, "[--format table|json] [--quiet]"},
    {"pause", oci_pause, "ID"},
    {"ps", oci_ps, "[--format table|json] ID"},
    {"resume", oci_resume, "ID"},
    {"run", oci_run, "[--detach] [as of create] ID"},
    {"spec", oci_spec_make, "[-b BUNDLE]"},
    {"start", oci_start, "ID"},
    {"state", oci_state_show, "ID"},
    {"update", oci_update, "[--resources FILE] [--memory SIZE] [--cpu-quota N] [--pids-limit N] [… as runc] ID"},
};

static void write_usage(struct buf *out) {
    buf_add_str(out, "Usage: tare oci [--root DIR] [--log FILE] [--log-format text|json] [--debug] VERB …\n\n"
                     "An OCI runtime with runc's command line.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        buf_printf(out, "  %-9s %s\n", verbs[i].name, verbs[i].usage);
}

int oci_call(int argc, const char *const *argv, struct oci_call *call, struct error *e) {
    int r = oci_options_parse(argc, argv, &call->arena, &call->o, e);

    if (r < 0)
        return r;
    if (call->o.version) {
        buf_add_str(&call->out, "tare-oci version " TARE_VERSION "\nspec: " OCI_VERSION "\n");
        return 0;
    }
    if (call->o.help || !call->o.verb) {
        write_usage(&call->out);
        return 0;
    }
    if (geteuid() != 0 && strcmp(call->o.verb, "spec") != 0 && strcmp(call->o.verb, "features") != 0)
        return error_set(e, -EPERM, "tare oci needs root, or root of a user namespace that its caller made");
    (void)prctl(PR_SET_DUMPABLE, 0);
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, call->o.verb) == 0)
            return verbs[i].run(call, e);
    return error_set(e, -EINVAL, "%s: there is no such command", call->o.verb);
}
