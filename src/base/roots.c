#include "base/roots.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/fs.h"

static char *text_format(const char *a, const char *b) {
    char *text = NULL;

    return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

static char *default_root(uid_t user) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (user == 0)
        return strdup("/var/lib/tare");
    if (data && data[0] == '/')
        return text_format(data, "/tare");
    return home && home[0] == '/' ? text_format(home, "/.local/share/tare") : NULL;
}

static char *default_run_root(uid_t user) {
    const char *run = getenv("XDG_RUNTIME_DIR");
    char uid[16];

    if (user == 0)
        return strdup("/run/tare");
    if (run && run[0] == '/')
        return text_format(run, "/tare");
    (void)snprintf(uid, sizeof(uid), "%u", (unsigned)user);
    return text_format("/tmp/tare-run-", uid);
}

static char *absolute(const char *path) {
    _cleanup_free_ char *cwd = NULL;
    char *text = NULL;

    if (path[0] == '/')
        return strdup(path);
    cwd = getcwd(NULL, 0);
    return cwd && asprintf(&text, "%s/%s", cwd, path) >= 0 ? text : NULL;
}

/* FNV-1a: short, stable, and no secret depends on it. */
static uint32_t path_hash(const char *s) {
    uint32_t h = 2166136261u;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

/* A run root below /tmp must be ours: anybody can create a directory there first. */
static int check_owner(int fd, const char *path, struct error *e) {
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_errno(e, -errno, "stat %s", path);
    if (st.st_uid != geteuid())
        return error_set(e, -EPERM, "%s belongs to uid %u, not to you", path, st.st_uid);
    return 0;
}

int roots_name(const char *root, const char *run_root, uid_t uid, struct roots *ret, struct error *e) {
    _cleanup_roots_ struct roots r = ROOTS_INIT;

    _cleanup_free_ char *usual = default_root(uid);

    r.root = root ? absolute(root) : usual ? strdup(usual) : NULL;
    r.run_root = run_root ? absolute(run_root) : default_run_root(uid);
    if (!r.root || !r.run_root) {
        error_set(e, -ENOENT, "no directory for tare's data: neither XDG_DATA_HOME nor HOME is set");
        return error_hint(e, "give --root and --run-root");
    }
    r.userns = usual ? text_format(usual, "-userns") : NULL;
    if (run_root)
        (void)snprintf(r.tag, sizeof(r.tag), "-%08" PRIx32, path_hash(r.run_root));
    *ret = r;
    r = (struct roots)ROOTS_INIT;
    return 0;
}

/* The data root is the one that nobody named. */
static bool is_usual(const struct roots *r) {
    size_t n = strlen(r->root);

    return r->userns && strncmp(r->userns, r->root, n) == 0 && strcmp(r->userns + n, "-userns") == 0;
}

int roots_open(struct roots *r, struct error *e) {
    r->root_fd = fs_open_dir_make(r->root, 0711, e);
    if (r->root_fd < 0) {
        int code = error_wrap(e, r->root_fd, "open the data root");

        return r->rootless && is_usual(r) ? error_hint(e, "%s has to be a directory that you can write to; or give --root",
                                                       getenv("XDG_DATA_HOME") ? "XDG_DATA_HOME" : "HOME")
                                          : code;
    }
    r->run_fd = fs_open_dir_make(r->run_root, 0700, e);
    if (r->run_fd < 0) {
        int code = error_wrap(e, r->run_fd, "open the run root");

        return r->rootless && !r->tag[0] && getenv("XDG_RUNTIME_DIR")
                   ? error_hint(e, "XDG_RUNTIME_DIR has to be a directory of yours, and su takes another user's along: unset it")
                   : code;
    }
    return check_owner(r->run_fd, r->run_root, e);
}

void roots_release(struct roots *r) {
    free(r->root);
    free(r->run_root);
    free(r->userns);
    (void)fd_close(r->root_fd);
    (void)fd_close(r->run_fd);
    *r = (struct roots)ROOTS_INIT;
}
