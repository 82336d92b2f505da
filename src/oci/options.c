/* The command line, as callers of runc write it: flags in any order, `--name value` or `--name=value`, one dash as good as two. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "oci/oci.h"

enum kind { BOOL, TEXT, TEXTS, REFUSED };
struct flag {
    const char *verbs; /* " create run "; NULL = before the verb */
    const char *name;
    char letter;
    enum kind kind;
    size_t offset;
};

#define AT(member) offsetof(struct oci_options, member)
static const struct flag flags[] = {
    {NULL, "root", 0, TEXT, AT(root)},
    {NULL, "log", 0, TEXT, AT(log)},
    {NULL, "log-format", 0, TEXT, AT(log_format)},
    {NULL, "rootless", 0, TEXT, AT(rootless)},
    {NULL, "debug", 0, BOOL, AT(debug)},
    {NULL, "systemd-cgroup", 0, BOOL, AT(systemd_cgroup)},
    {NULL, "version", 'v', BOOL, AT(version)},
    {NULL, "help", 'h', BOOL, AT(help)},
    {" create run spec ", "bundle", 'b', TEXT, AT(bundle)},
    {" create run exec ", "pid-file", 0, TEXT, AT(pid_file)},
    {" create run exec ", "console-socket", 0, TEXT, AT(console_socket)},
    {" create run exec ", "preserve-fds", 0, TEXT, AT(preserve_fds)},
    {" create run ", "no-pivot", 0, BOOL, AT(no_pivot)},
    {" create run ", "no-new-keyring", 0, BOOL, AT(no_new_keyring)},
    {" run exec ", "detach", 'd', BOOL, AT(detach)},
    {" exec ", "process", 'p', TEXT, AT(process)},
    {" exec ", "tty", 't', BOOL, AT(tty)},
    {" exec ", "cwd", 0, TEXT, AT(cwd)},
    {" exec ", "user", 'u', TEXT, AT(user)},
    {" exec ", "env", 'e', TEXTS, AT(env)},
    {" exec ", "cap", 'c', TEXTS, AT(caps)},
    {" exec ", "no-new-privs", 0, BOOL, AT(no_new_privileges)},
    {" exec ", "additional-gids", 'g', TEXTS, AT(groups)},
    {" exec ", "ignore-paused", 0, BOOL, AT(ignore_paused)},
    {" exec ", "process-label", 0, TEXT, AT(process_label)},
    {" exec ", "apparmor", 0, TEXT, AT(apparmor)},
    {" exec ", "cgroup", 0, TEXT, AT(cgroup)},
    {" delete ", "force", 'f', BOOL, AT(force)},
    {" kill ", "all", 'a', BOOL, AT(all)},
    {" list ", "quiet", 'q', BOOL, AT(quiet)},
    {" list ps ", "format", 'f', TEXT, AT(format)},
    {" events ", "stats", 0, BOOL, AT(stats)},
    {" events ", "interval", 0, TEXT, AT(interval)},
    {" update ", "resources", 'r', TEXT, AT(resources)},
    {" update ", "memory", 0, TEXT, AT(limit[OCI_UPDATE_MEMORY])},
    {" update ", "memory-reservation", 0, TEXT, AT(limit[OCI_UPDATE_MEMORY_RESERVATION])},
    {" update ", "memory-swap", 0, TEXT, AT(limit[OCI_UPDATE_MEMORY_SWAP])},
    {" update ", "kernel-memory", 0, TEXT, AT(limit[OCI_UPDATE_KERNEL_MEMORY])},
    {" update ", "kernel-memory-tcp", 0, TEXT, AT(limit[OCI_UPDATE_KERNEL_MEMORY_TCP])},
    {" update ", "cpu-period", 0, TEXT, AT(limit[OCI_UPDATE_CPU_PERIOD])},
    {" update ", "cpu-quota", 0, TEXT, AT(limit[OCI_UPDATE_CPU_QUOTA])},
    {" update ", "cpu-burst", 0, TEXT, AT(limit[OCI_UPDATE_CPU_BURST])},
    {" update ", "cpu-share", 0, TEXT, AT(limit[OCI_UPDATE_CPU_SHARE])},
    {" update ", "cpu-rt-period", 0, TEXT, AT(limit[OCI_UPDATE_CPU_RT_PERIOD])},
    {" update ", "cpu-rt-runtime", 0, TEXT, AT(limit[OCI_UPDATE_CPU_RT_RUNTIME])},
    {" update ", "cpu-idle", 0, TEXT, AT(limit[OCI_UPDATE_CPU_IDLE])},
    {" update ", "cpuset-cpus", 0, TEXT, AT(limit[OCI_UPDATE_CPUSET_CPUS])},
    {" update ", "cpuset-mems", 0, TEXT, AT(limit[OCI_UPDATE_CPUSET_MEMS])},
    {" update ", "pids-limit", 0, TEXT, AT(limit[OCI_UPDATE_PIDS_LIMIT])},
    {" update ", "blkio-weight", 0, TEXT, AT(limit[OCI_UPDATE_BLKIO_WEIGHT])},
};
#undef AT

static bool fits(const struct flag *f, const char *verb, const char *name, size_t n) {
    char word[32];

    if (!verb != !f->verbs)
        return false;
    if (verb && ((size_t)snprintf(word, sizeof(word), " %s ", verb) >= sizeof(word) || !strstr(f->verbs, word)))
        return false;
    return (strlen(f->name) == n && strncmp(f->name, name, n) == 0) || (n == 1 && f->letter == *name);
}

static int set_bool(bool *to, const char *value, const char *word, struct error *e) {
    if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return error_set(e, -EINVAL, "%s: true or false is expected", word);
    *to = !value || strcmp(value, "true") == 0;
    return 0;
}

/* One flag; *i moves on past a value of its own. */
static int take_flag(int argc, const char *const *argv, int *i, struct arena *a, struct oci_options *o, struct error *e) {
    const char *word = argv[*i], *name = word + 1 + (word[1] == '-');
    size_t n = strcspn(name, "=");
    const char *value = name[n] ? name + n + 1 : NULL;

    for (size_t k = 0; k < ARRAY_SIZE(flags); k++) {
        const struct flag *f = &flags[k];
        char *to = (char *)o + f->offset;

        if (!fits(f, o->verb, name, n))
            continue;
        if (f->kind == BOOL)
            return set_bool((bool *)to, value, word, e);
        if (!value && *i + 1 < argc)
            value = argv[++*i];
        if (!value)
            return error_set(e, -EINVAL, "%s: a value is missing", word);
        if (f->kind == TEXTS)
            strs_add(a, (struct strs *)(void *)to, value);
        else
            *(const char **)(void *)to = value;
        return 0;
    }
    return error_set(e, -EINVAL, "%s%sflag %s is not known", o->verb ? o->verb : "", o->verb ? ": " : "", word);
}

static int check(const struct oci_options *o, struct error *e) {
    if (o->log_format && strcmp(o->log_format, "json") != 0 && strcmp(o->log_format, "text") != 0)
        return error_set(e, -EINVAL, "--log-format: text or json is expected");
    if (o->rootless && strcmp(o->rootless, "auto") != 0 && strcmp(o->rootless, "false") != 0)
        return error_set(e, -ENOTSUP, "--rootless=%s is not supported", o->rootless);
    return 0;
}

int oci_options_parse(int argc, const char *const *argv, struct arena *a, struct oci_options *ret, struct error *e) {
    struct oci_options o = {0};
    bool only_args = false;

    for (int i = 0; i < argc; i++) {
        int r = 0;

        if (!only_args && strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (!only_args && argv[i][0] == '-' && argv[i][1])
            r = take_flag(argc, argv, &i, a, &o, e);
        else if (!o.verb)
            o.verb = argv[i];
        else {
            strs_add(a, &o.args, argv[i]);
            only_args |= strcmp(o.verb, "exec") == 0; /* the rest is the command's */
        }
        if (r < 0) {
            *ret = o; /* where to log it */
            return r;
        }
    }
    *ret = o;
    return check(&o, e);
}

void oci_log_line(const struct oci_options *o, const char *level, const char *message, struct buf *out) {
    char now[TIME_TEXT_MAX];
    bool json = o->log_format && strcmp(o->log_format, "json") == 0;

    time_format(clock_wall(), now);
    if (json)
        buf_printf(out, "{\"level\":\"%s\",\"msg\":", level);
    else
        buf_printf(out, "time=\"%s\" level=%s msg=", now, level);
    json_write_string(out, message);
    if (json)
        buf_printf(out, ",\"time\":\"%s\"}", now);
    buf_add_char(out, '\n');
}
