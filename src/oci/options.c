/* The command line, as callers of runc write it: flags in any order, `--name value` or `--name=value`, one dash as good as two. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "oci/oci.h"

enum kind { BOOL, TEXT, TEXTS };
struct flag {
    const char *verbs; /* " create run "; NULL = before the verb */
    const char *name;
    char letter;
    enum kind kind;
    size_t offset;
    const char *value, *why; /* for --help; value: NULL with BOOL */
};

#define AT(member) offsetof(struct oci_options, member)
static const struct flag flags[] = {
    {NULL, "root", 0, TEXT, AT(root), "DIR", "where the containers' states are kept (/run/tare/oci)"},
    {NULL, "log", 0, TEXT, AT(log), "FILE", "append warnings and errors to it"},
    {NULL, "log-format", 0, TEXT, AT(log_format), "text|json", "of the lines of the log (text)"},
    {NULL, "rootless", 0, TEXT, AT(rootless), "true|false|auto", "is this a user namespace's root? (auto: it is looked up)"},
    {NULL, "cgroup-manager", 0, TEXT, AT(cgroup_manager), "cgroupfs|systemd|disabled", "as crun has it"},
    {NULL, "debug", 0, BOOL, AT(debug), NULL, "lines of level debug in the log, too"},
    {NULL, "systemd-cgroup", 0, BOOL, AT(systemd_cgroup), NULL,
     "control groups are scopes of systemd's: cgroupsPath is slice:prefix:name"},
    {NULL, "version", 'v', BOOL, AT(version), NULL, "of this program and of the specification"},
    {NULL, "help", 'h', BOOL, AT(help), NULL, "this text"},
    {" create run spec ", "bundle", 'b', TEXT, AT(bundle), "DIR", "the bundle (the current directory)"},
    {" create run ", "config", 'f', TEXT, AT(config), "FILE", "another file than the bundle's config.json"},
    {" create run exec ", "pid-file", 0, TEXT, AT(pid_file), "FILE", "write the process's number to it"},
    {" create run exec ", "console-socket", 0, TEXT, AT(console_socket), "SOCKET", "send the terminal's master to it"},
    {" create run exec ", "pidfd-socket", 0, TEXT, AT(pidfd_socket), "SOCKET", "send a pidfd of the process to it"},
    {" create run exec ", "preserve-fds", 0, TEXT, AT(preserve_fds), "N", "the process gets N descriptors more, from 3 on"},
    {" create run ", "no-pivot", 0, BOOL, AT(no_pivot), NULL, "no pivot_root: for a root file system that cannot be left"},
    {" create run ", "no-new-keyring", 0, BOOL, AT(no_new_keyring), NULL, "keep the caller's session keyring"},
    {" run ", "keep", 0, BOOL, AT(keep), NULL, "do not delete the container when it ends"},
    {" create run ", "no-subreaper", 0, BOOL, AT(no_subreaper), NULL,
     "orphans of the container go to somebody else than this process"},
    {" run exec ", "detach", 'd', BOOL, AT(detach), NULL, "do not wait for the end"},
    {" exec ", "process", 'p', TEXT, AT(process), "FILE", "the process, as in config.json"},
    {" exec ", "tty", 't', BOOL, AT(tty), NULL, "with a terminal"},
    {" exec ", "cwd", 0, TEXT, AT(cwd), "DIR", "working directory in the container"},
    {" exec ", "user", 'u', TEXT, AT(user), "UID[:GID]", "who it runs as"},
    {" exec ", "env", 'e', TEXTS, AT(env), "NAME=VALUE", "a variable more; may be repeated"},
    {" exec ", "cap", 'c', TEXTS, AT(caps), "CAP_NAME", "a capability more; may be repeated"},
    {" exec ", "no-new-privs", 0, BOOL, AT(no_new_privileges), NULL, "set-uid programs gain nothing"},
    {" exec ", "additional-gids", 'g', TEXTS, AT(groups), "GID", "a group more; may be repeated"},
    {" exec ", "ignore-paused", 0, BOOL, AT(ignore_paused), NULL, "in a paused container, too: the process is frozen at once"},
    {" exec ", "process-label", 0, TEXT, AT(process_label), "LABEL", "SELinux label"},
    {" exec ", "apparmor", 0, TEXT, AT(apparmor), "PROFILE", "AppArmor profile"},
    {" exec ", "cgroup", 0, TEXTS, AT(cgroups), "[CONTROLLER:]PATH", "a group below the container's, which is there already"},
    {" delete ", "force", 'f', BOOL, AT(force), NULL, "kill what runs; no error when there is none"},
    {" kill ", "all", 'a', BOOL, AT(all), NULL, "all processes of the container"},
    {" kill delete ", "regex", 'r', BOOL, AT(regex), NULL, "ID is a regular expression: each container that it matches"},
    {" list ", "quiet", 'q', BOOL, AT(quiet), NULL, "ids only"},
    {" list ps ", "format", 'f', TEXT, AT(format), "table|json", NULL},
    {" spec ", "rootless", 0, BOOL, AT(spec_rootless), NULL, "for an ordinary user"},
    {" spec ", "file", 'f', TEXT, AT(config), "FILE", "another file than config.json in the bundle"},
    {" events ", "stats", 0, BOOL, AT(stats), NULL, "what is used now, once"},
    {" events ", "interval", 0, TEXT, AT(interval), "DURATION", "between what is used (5s)"},
    {" update ", "resources", 'r', TEXT, AT(resources), "FILE", "limits as in linux.resources; - is standard input"},
    {" update ", "memory", 0, TEXT, AT(limit[OCI_UPDATE_MEMORY]), "SIZE", NULL},
    {" update ", "memory-reservation", 0, TEXT, AT(limit[OCI_UPDATE_MEMORY_RESERVATION]), "SIZE", NULL},
    {" update ", "memory-swap", 0, TEXT, AT(limit[OCI_UPDATE_MEMORY_SWAP]), "SIZE", "memory and swap together; -1: no limit"},
    {" update ", "kernel-memory", 0, TEXT, AT(limit[OCI_UPDATE_KERNEL_MEMORY]), "SIZE", NULL},
    {" update ", "kernel-memory-tcp", 0, TEXT, AT(limit[OCI_UPDATE_KERNEL_MEMORY_TCP]), "SIZE", NULL},
    {" update ", "cpu-period", 0, TEXT, AT(limit[OCI_UPDATE_CPU_PERIOD]), "MICROSECONDS", NULL},
    {" update ", "cpu-quota", 0, TEXT, AT(limit[OCI_UPDATE_CPU_QUOTA]), "MICROSECONDS", "of each period; -1: no limit"},
    {" update ", "cpu-burst", 0, TEXT, AT(limit[OCI_UPDATE_CPU_BURST]), "MICROSECONDS", NULL},
    {" update ", "cpu-share", 0, TEXT, AT(limit[OCI_UPDATE_CPU_SHARE]), "N", NULL},
    {" update ", "cpu-rt-period", 0, TEXT, AT(limit[OCI_UPDATE_CPU_RT_PERIOD]), "MICROSECONDS", NULL},
    {" update ", "cpu-rt-runtime", 0, TEXT, AT(limit[OCI_UPDATE_CPU_RT_RUNTIME]), "MICROSECONDS", NULL},
    {" update ", "cpu-idle", 0, TEXT, AT(limit[OCI_UPDATE_CPU_IDLE]), "0|1", NULL},
    {" update ", "cpuset-cpus", 0, TEXT, AT(limit[OCI_UPDATE_CPUSET_CPUS]), "LIST", NULL},
    {" update ", "cpuset-mems", 0, TEXT, AT(limit[OCI_UPDATE_CPUSET_MEMS]), "LIST", NULL},
    {" update ", "pids-limit", 0, TEXT, AT(limit[OCI_UPDATE_PIDS_LIMIT]), "N", NULL},
    {" update ", "blkio-weight", 0, TEXT, AT(limit[OCI_UPDATE_BLKIO_WEIGHT]), "N", NULL},
    {" update ", "l3-cache-schema", 0, TEXT, AT(l3_cache_schema), "SCHEMA", "of linux.intelRdt"},
    {" update ", "mem-bw-schema", 0, TEXT, AT(mem_bw_schema), "SCHEMA", "of linux.intelRdt"},
};
#undef AT

static bool is_of(const struct flag *f, const char *verb) {
    char word[32];

    if (!verb != !f->verbs)
        return false;
    return !verb || ((size_t)snprintf(word, sizeof(word), " %s ", verb) < sizeof(word) && strstr(f->verbs, word));
}

void oci_options_help(const char *verb, struct buf *out) {
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        const struct flag *f = &flags[i];
        char letter[5] = "    ", word[48];

        if (!is_of(f, verb))
            continue;
        if (f->letter)
            (void)snprintf(letter, sizeof(letter), "-%c, ", f->letter);
        (void)snprintf(word, sizeof(word), "--%s %s", f->name, f->value ? f->value : "");
        buf_printf(out, "  %s%-36s", letter, word);
        if (f->why)
            buf_printf(out, " %s", f->why);
        buf_add_char(out, '\n');
    }
}

static bool fits(const struct flag *f, const char *verb, const char *name, size_t n) {
    /* --help stands behind a verb, too. */
    if (!is_of(f, verb) && !(verb && is_of(f, NULL) && f->letter == 'h'))
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
    if (o->rootless && strcmp(o->rootless, "auto") != 0 && strcmp(o->rootless, "false") != 0 && strcmp(o->rootless, "true") != 0)
        return error_set(e, -EINVAL, "--rootless: true, false or auto is expected");
    if (o->cgroup_manager && strcmp(o->cgroup_manager, "cgroupfs") != 0 && !o->no_cgroup &&
        strcmp(o->cgroup_manager, "systemd") != 0)
        return error_set(e, -EINVAL, "--cgroup-manager: cgroupfs, systemd or disabled is expected");
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
            only_args |= strcmp(o.verb, "exec") == 0 || strcmp(o.verb, "ps") == 0; /* the rest is the command's, or options of ps */
        }
        if (r < 0) {
            *ret = o; /* where to log it */
            return r;
        }
    }
    o.systemd_cgroup |= o.cgroup_manager && strcmp(o.cgroup_manager, "systemd") == 0;
    o.no_cgroup = o.cgroup_manager && strcmp(o.cgroup_manager, "disabled") == 0;
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
