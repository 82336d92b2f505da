#include "model/config.h"

#include <string.h>

#include "model/units.h"

#define KEY(name_, kind_, member, initial_, help_)                                                                                 \
    { .name = (name_), .kind = (kind_), .offset = offsetof(struct config, member), .initial = (initial_), .help = (help_) }

const struct config_key config_keys[] = {
    KEY("root", CONFIG_STR, root, NULL, "directory of images, containers, volumes and networks"),
    KEY("run_root", CONFIG_STR, run_root, NULL, "directory of what does not outlive the boot"),
    KEY("log_level", CONFIG_STR, log_level, "warn", "debug, info, warn or error"),
    KEY("userns", CONFIG_STR, userns, "host",
        "user namespace of containers: host, auto (a range of its own for each), keep-id or nomap"),
    KEY("userns_user", CONFIG_STR, userns_user, "tare", "whose ranges in /etc/subuid and /etc/subgid `auto` takes"),
    KEY("cgroup_parent", CONFIG_STR, cgroup_parent, NULL, "cgroup below which containers get theirs"),
    KEY("log_driver", CONFIG_STR, log_driver, "json-file",
        "where a container's output is kept: json-file, local, journald, syslog, none"),
    KEY("log_opts", CONFIG_LIST, log_opts, NULL, "options of the log driver, as max-size=10m"),
    KEY("network", CONFIG_STR, network, NULL, "network of containers that ask for none; absent: bridge"),
    KEY("dns", CONFIG_LIST, dns, NULL, "name servers of containers; absent: the host's"),
    KEY("dns_search", CONFIG_LIST, dns_search, NULL, "search domains of containers"),
    KEY("dns_options", CONFIG_LIST, dns_options, NULL, "resolver options of containers"),
    KEY("publish_address", CONFIG_STR, publish_address, NULL, "host address of published ports that name none; absent: all"),
    KEY("publish_mode", CONFIG_STR, publish_mode, "nat",
        "how published ports get to containers: nat, or input (a relay behind the host's own input rules)"),
    KEY("cni_conf_dirs", CONFIG_LIST, cni_conf_dirs, "/etc/cni/net.d",
        "where CNI networks are described; the first that has it counts"),
    KEY("cni_plugin_dirs", CONFIG_LIST, cni_plugin_dirs, "/opt/cni/bin,/usr/lib/cni", "where CNI plugins are"),
    KEY("cdi_dirs", CONFIG_LIST, cdi_dirs, "/etc/cdi,/var/run/cdi",
        "where vendors describe their devices (CDI); a later one stands before"),
    KEY("ulimits", CONFIG_LIST, ulimits, NULL, "resource limits of containers, as nofile=1024:524288 (which is the default)"),
    KEY("pids_limit", CONFIG_INT, pids_limit, "4096", "processes and threads a container may have; -1: no limit"),
    KEY("shm_size", CONFIG_SIZE, shm_size, "64m", "size of /dev/shm"),
    KEY("stop_timeout", CONFIG_INT, stop_timeout, "10", "seconds between the stop signal and SIGKILL"),
    KEY("init", CONFIG_BOOL, init, "false", "run the built-in init as PID 1 of every container"),
    KEY("no_new_privileges", CONFIG_BOOL, no_new_privileges, "false", "set-uid programs gain nothing inside"),
    KEY("seccomp_profile", CONFIG_STR, seccomp_profile, "builtin", "builtin, unconfined, or a file with a profile"),
    KEY("detach_keys", CONFIG_STR, detach_keys, "ctrl-p,ctrl-q", "key sequence that detaches from a container"),
    KEY("layer_size_max", CONFIG_SIZE, layer_size_max, "64g", "unpacked size of a layer that may come in"),
    KEY("image_size_max", CONFIG_SIZE, image_size_max, "256g", "unpacked size of all layers of an image that may come in"),
    KEY("layer_entries_max", CONFIG_COUNT, layer_entries_max, "4194304", "entries of a layer that may come in"),
    KEY("layer_ratio_max", CONFIG_COUNT, layer_ratio_max, "400", "how much a layer beyond 64 MiB may grow when decompressed"),
    KEY("path_length_max", CONFIG_COUNT, path_length_max, "4095", "bytes of a file's name with its directories in a layer"),
    KEY("path_depth_max", CONFIG_COUNT, path_depth_max, "1000", "directories above a file in a layer"),
    {.name = NULL},
};

static void *value_of(struct config *c, const struct config_key *key) {
    return (unsigned char *)c + key->offset;
}

static void set_list(struct arena *a, const char *text, struct strs *ret) {
    *ret = (struct strs){0};
    for (const char *s = text; *s;) {
        size_t n = strcspn(s, ","), skip = strspn(s, " \t");

        if (n > skip) {
            size_t end = n;

            while (end > skip && (s[end - 1] == ' ' || s[end - 1] == '\t'))
                end--;
            if (end > skip)
                strs_add(a, ret, arena_strndup(a, s + skip, end - skip));
        }
        s += n + (s[n] == ',');
    }
}

static int set_value(struct config *c, const struct config_key *key, const char *text, struct arena *a, struct error *e) {
    void *at = value_of(c, key);

    switch ((enum config_kind)key->kind) {
    case CONFIG_STR: *(const char **)at = arena_strdup(a, text); return 0;
    case CONFIG_LIST: set_list(a, text, at); return 0;
    case CONFIG_BOOL:
        if (bool_parse(text, at) < 0)
            return error_set(e, -EINVAL, "\"%s\" is neither true nor false", text);
        return 0;
    case CONFIG_INT:
        if (int_parse(text, INT64_MIN, INT64_MAX, at) < 0)
            return error_set(e, -EINVAL, "\"%s\" is not a whole number", text);
        return 0;
    case CONFIG_COUNT:
        if (int_parse(text, 1, INT64_MAX, at) < 0)
            return error_set(e, -EINVAL, "\"%s\" is not a whole number above zero", text);
        return 0;
    case CONFIG_SIZE: return size_parse(text, at, e);
    }
    return -EINVAL;
}

void config_init(struct arena *a, struct config *ret) {
    *ret = (struct config){0};
    for (const struct config_key *key = config_keys; key->name; key++)
        if (key->initial && set_value(ret, key, key->initial, a, NULL) < 0)
            abort(); /* a default of our own that cannot be read */
}

/* Takes blanks off both ends, in place. */
static char *trimmed(char *s) {
    char *end = s + strlen(s);

    s += strspn(s, " \t\r");
    while (end > s && strchr(" \t\r", end[-1]))
        *--end = '\0';
    return s;
}

/* Ends the line at a # that stands outside quotes. */
static void cut_comment(char *s) {
    bool quoted = false;

    for (; *s; s++) {
        if (*s == '"')
            quoted = !quoted;
        if (*s == '#' && !quoted) {
            *s = '\0';
            return;
        }
    }
}

static int parse_line(char *line, struct arena *a, struct config *c, struct error *e) {
    char *equals, *name, *value;
    size_t n;

    cut_comment(line);
    line = trimmed(line);
    if (!*line)
        return 0;
    equals = strchr(line, '=');
    if (!equals)
        return error_set(e, -EINVAL, "expected `key = value`, found \"%s\"", line);
    *equals = '\0';
    name = trimmed(line);
    value = trimmed(equals + 1);
    n = strlen(value);
    if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
        value[n - 1] = '\0';
        value++;
    }
    for (const struct config_key *key = config_keys; key->name; key++) {
        int r;

        if (strcmp(key->name, name) != 0)
            continue;
        r = set_value(c, key, value, a, e);
        return r < 0 ? error_wrap(e, r, "%s", name) : 0;
    }
    error_set(e, -EINVAL, "unknown key \"%s\"", name);
    return error_hint(e, "`tare info` lists the keys");
}

int config_parse(const char *file, const char *text, size_t n, struct arena *a, struct config *c, struct error *e) {
    char *copy = arena_strndup(a, text, n);

    if (strlen(copy) != n)
        return error_set(e, -EINVAL, "%s holds a NUL character", file);
    for (unsigned number = 1; copy; number++) {
        char *line = strsep(&copy, "\n");
        int r = parse_line(line, a, c, e);

        if (r < 0)
            return error_wrap(e, r, "%s:%u", file, number);
    }
    return 0;
}

void config_value(const struct config *c, const struct config_key *key, struct buf *out) {
    const void *at = (const unsigned char *)c + key->offset;

    switch ((enum config_kind)key->kind) {
    case CONFIG_STR: buf_add_str(out, *(const char *const *)at ? *(const char *const *)at : ""); break;
    case CONFIG_LIST:
        for (size_t i = 0; i < ((const struct strs *)at)->n; i++)
            buf_printf(out, "%s%s", i ? ", " : "", ((const struct strs *)at)->v[i]);
        break;
    case CONFIG_BOOL: buf_add_str(out, *(const bool *)at ? "true" : "false"); break;
    case CONFIG_INT:
    case CONFIG_COUNT:
    case CONFIG_SIZE: buf_printf(out, "%lld", (long long)*(const int64_t *)at); break;
    }
}
