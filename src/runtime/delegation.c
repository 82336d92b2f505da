#include "runtime/delegation.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "kernel/cgroup.h"
#include "kernel/cgroup_own.h"
#include "kernel/sys.h"
#include "kernel/systemd.h"

#define ROOT      "/sys/fs/cgroup"
#define SCOPE_MAX 64
#define TRIES     5 /* the scope may end between the looks */

/* "0::/user.slice/…/tare.scope/tare/monitors": up to the scope; false: this process is not in it. */
static bool find_scope(const char *scope, char path[PATH_MAX]) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    size_t n = strlen(scope);

    if (fs_read_at(AT_FDCWD, "/proc/self/cgroup", PATH_MAX, &text, NULL) < 0 || strncmp(buf_text(&text), "0::/", 4) != 0)
        return false;
    for (const char *part = buf_text(&text) + 3; part; part = strchr(part + 1, '/'))
        if (strncmp(part + 1, scope, n) == 0 && strchr("/\n", part[1 + n])) {
            (void)snprintf(path, PATH_MAX, ROOT "%.*s", (int)(part + 1 + n - (buf_text(&text) + 3)), buf_text(&text) + 3);
            return true;
        }
    return false;
}

/* Of the scope, and as it is shown: the group of monitors, beside the containers'. Those who have members may have none with limits
 * below them, so nobody can enter the scope's own group any more when there is one. */
struct places {
    char scope[SCOPE_MAX], group[SCOPE_MAX];
};

static int enter_scope(const struct places *p, struct error *e) {
    const struct systemd_property own[] = {
        {.name = "Description", .type = "s", .text = "tare: containers and their monitors"},
        {.name = "Delegate", .type = "b", .number = true},
        {.name = "CollectMode", .type = "s", .text = "inactive-or-failed"},
    };
    struct arena a = ARENA_INIT;
    struct list properties = {0};
    int r = -ENOENT;

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        *LIST_ADD(&a, struct systemd_property, &properties) = own[i];
    for (int i = 0; i < TRIES && (r == -ENOENT || r == -EEXIST); i++) {
        error_release(e);
        r = systemd_scope_attach(p->scope, p->group, getpid(), e);
        if (r == -ENOENT) {
            error_release(e);
            r = systemd_scope_start(p->scope, &properties, getpid(), e);
        }
    }
    if (r < 0) { /* it is there, but without that group: its maker is about to make it, or the last monitor was killed */
        error_release(e);
        r = systemd_scope_attach(p->scope, "/", getpid(), e);
    }
    arena_release(&a);
    return r;
}

static void make_group(const char *tag, const char *group) {
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), ROOT "/tare%s", tag);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof(path), ROOT "%s", group);
    (void)mkdir(path, 0755);
}

void delegation_enter(const char *tag, bool joined) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct places p;
    char path[PATH_MAX];
    struct cgroup_layout layout;

    bool is_shown = faccessat(AT_FDCWD, ROOT, W_OK, AT_EACCESS) == 0;

    if (joined && !is_shown) /* its containers have no groups, and will not be told that there are some now */
        return;
    if (cgroup_layout_read(&layout, NULL) < 0 || layout.count != 1 || layout.unified < 0 || !systemd_is_there())
        return;
    (void)snprintf(p.scope, sizeof(p.scope), "tare%s.scope", tag);
    (void)snprintf(p.group, sizeof(p.group), "/tare%s/monitors", tag);
    if (is_shown)
        make_group(tag, p.group);
    if (!find_scope(p.scope, path) && (enter_scope(&p, &e) < 0 || !find_scope(p.scope, path))) {
        log_debug("no control group is delegated: %s", e.text ? e.text : p.scope);
        return;
    }
    int r = is_shown ? 0 : sys_mount(path, ROOT, NULL, MS_BIND, NULL);
    if (r < 0) {
        log_debug("no control group is delegated: mount %s: %s", path, strerror(-r));
        return;
    }
    make_group(tag, p.group);
    (void)own_cgroup_enter(p.group);
}
