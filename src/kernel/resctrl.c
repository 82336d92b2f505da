#include "kernel/resctrl.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "kernel/mountinfo.h"

#define SCHEMATA_MAX 65536
#define POINT_MAX    256

int resctrl_mount_find(const char *mountinfo, struct arena *a, const char **ret, struct error *e) {
    struct mountinfo_line line;
    char point[POINT_MAX];

    while (mountinfo_next(&mountinfo, &line))
        if (mountinfo_is(line.type, "resctrl") && mountinfo_unescape(line.point, point, sizeof(point))) {
            *ret = arena_strdup(a, point);
            return 0;
        }
    error_set(e, -ENOTSUP, "no resctrl is mounted");
    return error_hint(e, "on a machine that has it: mount -t resctrl resctrl /sys/fs/resctrl");
}

/* ---- Lines: "L3:0=7ff;1=01f", "MB:0= 20;1=100" ---- */

static const char *skip_blanks(const char *p) {
    return p + strspn(p, " \t");
}

/* Bandwidth is decimal, masks of caches are hexadecimal. */
static int base_of(const char *resource, size_t n) {
    return n >= 2 && strncmp(resource, "MB", 2) == 0 ? 10 : 16;
}

/* The value that the rest of a line ("0=7ff;1=01f\n…") has for a domain. */
static bool find_domain(const char *p, unsigned long domain, int base, unsigned long *ret) {
    for (;; p++) {
        char *end;
        unsigned long at = strtoul(p, &end, 10);

        if (end == p || *end != '=')
            return false;
        p = end + 1;
        *ret = strtoul(p, &end, base);
        if (end == p)
            return false;
        if (at == domain)
            return true;
        p = skip_blanks(end);
        if (*p != ';')
            return false;
    }
}

/* Behind the colon of the resource's line; NULL = there is none. */
static const char *find_resource(const char *schemata, const char *resource, size_t n) {
    for (const char *p = schemata; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const char *name = skip_blanks(p);

        if (strncmp(name, resource, n) == 0 && name[n] == ':')
            return name + n + 1;
    }
    return NULL;
}

bool resctrl_schema_holds(const char *schemata, const char *line) {
    const char *resource = skip_blanks(line);
    size_t n = strcspn(resource, ":");
    const char *theirs = find_resource(schemata, resource, n), *p = resource + n;

    if (!theirs || *p != ':')
        return false;
    do {
        char *end;
        unsigned long domain = strtoul(++p, &end, 10), wanted, there;

        if (end == p || *end != '=')
            return false;
        p = end + 1;
        wanted = strtoul(p, &end, base_of(resource, n));
        if (end == p || !find_domain(theirs, domain, base_of(resource, n), &there) || wanted != there)
            return false;
        p = skip_blanks(end);
    } while (*p == ';');
    return *p == '\0' || *p == '\n';
}

/* ---- Groups ---- */

static int check(const struct oci_intel_rdt *r, struct error *e) {
    const char *id = r->clos_id;

    if (id && strcmp(id, "/") != 0 &&
        (!*id || strchr(id, '/') || strchr(id, '\n') || strcmp(id, ".") == 0 || strcmp(id, "..") == 0))
        return error_set(e, -EINVAL, "linux.intelRdt.closID: \"%s\" is not the name of a directory", id);
    if (r->l3_cache_schema && strchr(r->l3_cache_schema, '\n'))
        return error_set(e, -EINVAL, "linux.intelRdt.l3CacheSchema: must be one line");
    for (size_t i = 0; i < r->schemata.n; i++)
        if (strchr(r->schemata.v[i], '\n'))
            return error_set(e, -EINVAL, "linux.intelRdt.schemata[%zu]: must be one line", i);
    return 0;
}

/* The group is others' too: what they rely on is not changed under them. */
static int compare(const char *dir, const struct oci_intel_rdt *r, struct error *e) {
    const struct { const char *field, *line; } lines[] = {{"l3CacheSchema", r->l3_cache_schema}, {"memBwSchema", r->mem_bw_schema}};
    _cleanup_fd_ int fd = fs_open_dir(AT_FDCWD, dir, e);
    _cleanup_buf_ struct buf text = BUF_INIT;
    int error = fd < 0 ? fd : fs_read_at(fd, "schemata", SCHEMATA_MAX, &text, e);

    for (size_t i = 0; error == 0 && i < ARRAY_SIZE(lines); i++)
        if (lines[i].line && !resctrl_schema_holds(buf_text(&text), lines[i].line))
            error = error_set(e, -EBUSY, "linux.intelRdt.%s: the group %s is there and does not have %s", lines[i].field, dir,
                              lines[i].line);
    return error;
}

static const char *join_lines(const struct oci_intel_rdt *r, struct arena *a) {
    _cleanup_buf_ struct buf text = BUF_INIT;

    if (r->l3_cache_schema)
        buf_printf(&text, "%s\n", r->l3_cache_schema);
    if (r->mem_bw_schema)
        buf_printf(&text, "%s\n", r->mem_bw_schema);
    for (size_t i = 0; i < r->schemata.n; i++)
        buf_printf(&text, "%s\n", r->schemata.v[i]);
    return text.size > 0 ? arena_strdup(a, buf_text(&text)) : NULL;
}

int resctrl_group_choose(const char *mount, const char *id, const struct oci_intel_rdt *rdt, struct arena *a,
                         struct resctrl_group *ret, struct error *e) {
    const char *name = rdt->clos_id ? rdt->clos_id : id;
    struct resctrl_group g = {.dir = strcmp(name, "/") == 0 ? mount : arena_printf(a, "%s/%s", mount, name),
                              .own = !rdt->clos_id,
                              .schemata = join_lines(rdt, a)};
    struct stat st;
    int r = check(rdt, e);

    if (r < 0)
        return r;
    g.make = stat(g.dir, &st) < 0;
    if (!g.make && g.own)
        return error_set(e, -EEXIST, "linux.intelRdt: the group %s is there already", g.dir);
    if (g.make && !g.own && !g.schemata)
        return error_set(e, -ENOENT, "linux.intelRdt.closID: there is no group %s", g.dir);
    if (!g.make && (rdt->l3_cache_schema || rdt->mem_bw_schema))
        r = compare(g.dir, rdt, e);
    if (rdt->enable_monitoring)
        g.monitor = arena_printf(a, "%s/mon_groups/%s", g.dir, id);
    if (r == 0 && g.monitor && stat(g.monitor, &st) == 0)
        r = error_set(e, -EEXIST, "linux.intelRdt.enableMonitoring: the group %s is there already", g.monitor);
    if (r == 0)
        *ret = g;
    return r;
}
