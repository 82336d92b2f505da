/* The engine's side of CNI: finding the configuration, writing an attachment, reading the result. */
#include "network/cni.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>

#include "base/fs.h"
#include "network/cni_file.h"

#define CONF_MAX ((size_t)1 << 20)

static const char *const versions[] = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

struct search {
    const char *wanted;
    struct strs files; /* names in one directory, to be read in order */
    struct strs seen;  /* names of networks */
    struct arena *arena;
    json_object *found;
    const char *path;
};

/* --- finding --------------------------------------------------------------------------------------------------------------- */

static int take_name(int dirfd _unused_, const char *name, void *arg, struct error *e _unused_) {
    struct search *s = arg;
    const char *dot = strrchr(name, '.');

    if (dot && (!strcmp(dot, ".conflist") || !strcmp(dot, ".conf") || !strcmp(dot, ".json")))
        strs_add(s->arena, &s->files, arena_strdup(s->arena, name));
    return 0;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One plugin by itself is a list of one. */
static json_object *as_list(json_object *conf) {
    json_object *list, *plugins;

    if (json_object_object_get(conf, "plugins"))
        return conf;
    list = json_object_new_object();
    plugins = json_object_new_array();
    for (size_t i = 0; i < 2; i++) {
        const char *key = i ? "cniVersion" : "name";
        json_object *value = json_object_object_get(conf, key);

        if (value)
            json_object_object_add(list, key, json_object_get(value));
    }
    json_object_array_add(plugins, conf);
    json_object_object_add(list, "plugins", plugins);
    return list;
}

/* Files that are damaged are passed over here: they may be another network's. */
static void look_into(struct search *s, int dirfd, const char *dir, const char *file) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    json_object *conf;
    const char *name;

    if (fs_read_at(dirfd, file, CONF_MAX, &text, NULL) < 0)
        return;
    conf = cni_json_parse(buf_text(&text), text.size);
    name = cni_text(conf, "name");
    if (*name)
        strs_add(s->arena, &s->seen, arena_strdup(s->arena, name));
    if (strcmp(name, s->wanted) != 0) {
        json_object_put(conf);
        return;
    }
    s->found = as_list(conf);
    s->path = arena_printf(s->arena, "%s/%s", dir, file);
}

static int find(const struct cni_request *q, struct search *s, struct error *e) {
    _cleanup_buf_ struct buf names = BUF_INIT;

    for (size_t i = 0; i < q->conf_dirs.n && !s->found; i++) {
        _cleanup_fd_ int dir = open(q->conf_dirs.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        s->files = (struct strs){0};
        if (dir < 0 || fs_each(dir, ".", take_name, s, NULL) < 0)
            continue;
        qsort(s->files.v, s->files.n, sizeof(*s->files.v), compare);
        for (size_t k = 0; k < s->files.n && !s->found; k++)
            look_into(s, dir, q->conf_dirs.v[i], s->files.v[k]);
    }
    if (s->found)
        return 0;
    for (size_t i = 0; i < s->seen.n; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", s->seen.v[i]);
    return error_set(e, -ENOENT, "no configuration of that name in %s (there %s: %s)",
                     q->conf_dirs.n ? q->conf_dirs.v[0] : "cni_conf_dirs, which is empty", s->seen.n == 1 ? "is" : "are",
                     s->seen.n ? buf_text(&names) : "none");
}

/* --- checks ---------------------------------------------------------------------------------------------------------------- */

static int check_plugins(json_object *list, const char *path, struct error *e) {
    json_object *plugins = json_object_object_get(list, "plugins");

    if (!json_object_is_type(plugins, json_type_array) || json_object_array_length(plugins) == 0)
        return error_set(e, -EINVAL, "%s lists no plugins", path);
    for (size_t i = 0; i < json_object_array_length(plugins); i++) {
        json_object *one = json_object_array_get_idx(plugins, i);
        const char *type = cni_text(one, "type");

        if (!json_object_is_type(one, json_type_object) || !*type || strchr(type, '/') || *type == '.')
            return error_set(e, -EINVAL, "%s: plugin %zu has no proper type", path, i + 1);
    }
    return 0;
}

static int check_version(json_object *list, const char *path, struct error *e) {
    const char *version = cni_text(list, "cniVersion");

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        if (strcmp(version, versions[i]) == 0)
            return 0;
    return error_set(e, -EOPNOTSUPP, "%s: cniVersion %s is not known (%s to %s are)", path,
                     *version ? version : "is missing, which", versions[0], versions[ARRAY_SIZE(versions) - 1]);
}

static int check_capability(json_object *list, const char *capability, const char *flag, struct error *e) {
    json_object *plugins = json_object_object_get(list, "plugins");

    for (size_t i = 0; i < json_object_array_length(plugins); i++)
        if (cni_capable(json_object_array_get_idx(plugins, i), capability))
            return 0;
    return error_set(e, -EOPNOTSUPP, "%s: none of its plugins has the capability %s", flag, capability);
}

/* --- what is asked for ----------------------------------------------------------------------------------------------------- */

static json_object *strings(const struct strs *s) {
    json_object *array = json_object_new_array();

    for (size_t i = 0; i < s->n; i++)
        json_object_array_add(array, json_object_new_string(s->v[i]));
    return array;
}

static json_object *mappings(const struct list *ports) {
    json_object *array = json_object_new_array();

    for (size_t i = 0; i < ports->n; i++) {
        const struct cni_port *p = LIST_AT(struct cni_port, ports, i);
        json_object *one = json_object_new_object();

        json_object_object_add(one, "hostPort", json_object_new_int(p->host_port));
        json_object_object_add(one, "containerPort", json_object_new_int(p->container_port));
        json_object_object_add(one, "protocol", json_object_new_string(p->protocol));
        if (*p->host_ip)
            json_object_object_add(one, "hostIP", json_object_new_string(p->host_ip));
        json_object_array_add(array, one);
    }
    return array;
}

static int add_capabilities(const struct cni_request *q, json_object *list, json_object *to, struct error *e) {
    const struct {
        bool asked;
        const char *name, *flag;
    } all[] = {
        {q->ports.n > 0, "portMappings", "published ports"},
        {q->ips.n > 0, "ips", "--ip"},
        {q->mac != NULL, "mac", "--mac-address"},
        {q->aliases.n > 0, "aliases", "--network-alias"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        int r = all[i].asked ? check_capability(list, all[i].name, all[i].flag, e) : 0;

        if (r < 0)
            return r;
    }
    if (q->ports.n)
        json_object_object_add(to, "portMappings", mappings(&q->ports));
    if (q->ips.n)
        json_object_object_add(to, "ips", strings(&q->ips));
    if (q->mac)
        json_object_object_add(to, "mac", json_object_new_string(q->mac));
    if (q->aliases.n) {
        json_object *of = json_object_new_object();

        json_object_object_add(of, q->network, strings(&q->aliases));
        json_object_object_add(to, "aliases", of);
    }
    return 0;
}

static void write_attachment(const struct cni_request *q, json_object *list, json_object *capabilities, struct buf *ret) {
    json_object *file = json_object_new_object();

    json_object_object_add(file, "format", json_object_new_int(CNI_FILE_FORMAT));
    json_object_object_add(file, "containerId", json_object_new_string(q->container_id));
    json_object_object_add(file, "netns", json_object_new_string(q->netns));
    json_object_object_add(file, "ifname", json_object_new_string(q->ifname));
    json_object_object_add(file, "pluginDirs", strings(&q->plugin_dirs));
    json_object_object_add(file, "config", json_object_get(list));
    json_object_object_add(file, "capabilities", json_object_get(capabilities));
    buf_add_str(ret, json_object_to_json_string_ext(file, JSON_C_TO_STRING_PRETTY));
    json_object_put(file);
}

int cni_attachment(const struct cni_request *q, struct buf *ret, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct search s = {.wanted = q->network, .arena = &a};
    json_object *capabilities = json_object_new_object();
    int r = find(q, &s, e);

    if (r == 0)
        r = check_plugins(s.found, s.path, e);
    if (r == 0)
        r = check_version(s.found, s.path, e);
    if (r == 0)
        r = add_capabilities(q, s.found, capabilities, e);
    if (r == 0)
        write_attachment(q, s.found, capabilities, ret);
    json_object_put(capabilities);
    json_object_put(s.found);
    return r < 0 ? error_wrap(e, r, "CNI network %s", q->network) : 0;
}

/* --- what came of it ------------------------------------------------------------------------------------------------------- */

static void take_strings(json_object *from, const char *key, struct arena *a, struct strs *ret) {
    json_object *array = json_object_object_get(from, key);

    for (size_t i = 0; json_object_is_type(array, json_type_array) && i < json_object_array_length(array); i++)
        strs_add(a, ret, arena_strdup(a, json_object_get_string(json_object_array_get_idx(array, i))));
}

static void take_addresses(json_object *result, struct arena *a, struct cni_result *ret) {
    json_object *ips = json_object_object_get(result, "ips"), *links = json_object_object_get(result, "interfaces");

    for (size_t i = 0; json_object_is_type(ips, json_type_array) && i < json_object_array_length(ips); i++) {
        json_object *one = json_object_array_get_idx(ips, i);

        *LIST_ADD(a, struct cni_address, &ret->addresses) =
            (struct cni_address){arena_strdup(a, cni_text(one, "address")), arena_strdup(a, cni_text(one, "gateway"))};
    }
    for (size_t i = 0; json_object_is_type(links, json_type_array) && i < json_object_array_length(links); i++) {
        json_object *one = json_object_array_get_idx(links, i);

        if (*cni_text(one, "sandbox"))
            ret->mac = arena_strdup(a, cni_text(one, "mac"));
    }
}

int cni_result_read(int dirfd, struct arena *a, struct cni_result *ret, struct error *e) {
    struct cni_result answer = {.mac = "", .domain = ""};
    json_object *file, *result, *dns;
    int r = cni_file_read(dirfd, CNI_FILE, &file, e);

    if (r < 0)
        return r;
    result = json_object_object_get(file, "result");
    dns = json_object_object_get(result, "dns");
    if (result) {
        take_addresses(result, a, &answer);
        take_strings(dns, "nameservers", a, &answer.nameservers);
        take_strings(dns, "search", a, &answer.search);
        take_strings(dns, "options", a, &answer.options);
        answer.domain = arena_strdup(a, cni_text(dns, "domain"));
        *ret = answer;
    }
    json_object_put(file);
    return result ? 0 : -ENODATA;
}
