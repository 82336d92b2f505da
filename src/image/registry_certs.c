#include "image/registry_certs.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"

#define PEM_MAX ((size_t)1 << 20)

struct reading {
    struct arena *a;
    struct registry_certs *certs;
    const char *dir;
};

static bool ends_in(const char *name, const char *tail) {
    size_t n = strlen(name), t = strlen(tail);

    return n > t && !strcmp(name + n - t, tail);
}

static int read_pem(int dirfd, const char *name, struct arena *a, const char **ret, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* may be a link, as /etc/docker's often are */
    int r;

    if (fd < 0)
        return error_errno(e, -errno, "open %s", name);
    r = fs_read_fd(fd, PEM_MAX, &text, e);
    if (r < 0)
        return error_wrap(e, r, "read %s", name);
    *ret = arena_strndup(a, buf_text(&text), text.size);
    if (text.data)
        explicit_bzero(text.data, text.size);
    return 0;
}

static int read_one(int dirfd, const char *name, void *arg, struct error *e) {
    struct reading *rd = arg;
    struct registry_certs *c = rd->certs;
    const char *key_name, *ca;
    int r;

    if (ends_in(name, ".crt")) {
        r = read_pem(dirfd, name, rd->a, &ca, e);
        if (r >= 0)
            c->ca = c->ca ? arena_printf(rd->a, "%s\n%s", c->ca, ca) : ca;
        return r < 0 ? r : 0;
    }
    if (ends_in(name, ".key") && faccessat(dirfd, arena_printf(rd->a, "%.*s.cert", (int)strlen(name) - 4, name), F_OK, 0) < 0)
        return error_set(e, -EINVAL, "missing client certificate %.*s.cert for key %s", (int)strlen(name) - 4, name, name);
    if (!ends_in(name, ".cert") || c->cert)
        return 0;
    key_name = arena_printf(rd->a, "%.*s.key", (int)strlen(name) - 5, name);
    if (faccessat(dirfd, key_name, F_OK, 0) < 0)
        return error_set(e, -EINVAL, "missing key %s for client certificate %s", key_name, name);
    r = read_pem(dirfd, name, rd->a, &c->cert, e);
    return r < 0 ? r : read_pem(dirfd, key_name, rd->a, &c->key, e);
}

int registry_certs_read(const char *host, struct arena *a, struct registry_certs *ret, struct error *e) {
    const char *home = getenv("HOME");
    const char *bases[] = {home && *home == '/' ? arena_printf(a, "%s/.config/containers/certs.d", home) : NULL,
                           "/etc/containers/certs.d", "/etc/docker/certs.d"};
    struct registry_certs certs = {0};

    if (strchr(host, '/') || !strcmp(host, "..") || !strcmp(host, "."))
        return error_set(e, -EINVAL, "not a registry: %s", host);
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        struct reading rd = {.a = a, .certs = &certs};
        int r;

        if (!bases[i])
            continue;
        rd.dir = arena_printf(a, "%s/%s", bases[i], host);
        if (access(rd.dir, F_OK) < 0)
            continue;
        r = fs_each(AT_FDCWD, rd.dir, read_one, &rd, e);
        if (r < 0)
            return error_wrap(e, r, "certificates of %s in %s", host, rd.dir);
    }
    *ret = certs;
    return 0;
}
