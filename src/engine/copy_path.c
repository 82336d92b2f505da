#include "engine/copy_path.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"

#define LINKS_MAX 40

void copy_place_release(struct copy_place *p) {
    p->dirfd = fd_close(p->dirfd);
}

/* Takes "/." and "/" off the end, and says so. */
static void cut_end(char *path, struct copy_place *p) {
    for (size_t n = strlen(path); n > 0; n = strlen(path)) {
        if (n >= 2 && path[n - 1] == '.' && path[n - 2] == '/')
            p->contents = true;
        else if (path[n - 1] == '/')
            p->slash = true;
        else if (n == 1 && path[0] == '.')
            p->contents = true;
        else
            return;
        path[n - 1] = '\0';
    }
}

static bool is_dots(const char *name) {
    return name[0] == '\0' || strcmp(name, "..") == 0;
}

/* One look without following: the parent is resolved in the root, the last part is not. */
static int look(int root, const char *path, struct copy_place *p) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char parent[PATH_MAX];

    p->dirfd = fd_close(p->dirfd);
    if (is_dots(name)) {
        p->dirfd = fs_open_in_root(root, path[0] ? path : "/", O_PATH | O_DIRECTORY, 0);
        memcpy(p->name, ".", 2);
    } else {
        if (strlen(name) > NAME_MAX)
            return -ENAMETOOLONG;
        (void)snprintf(parent, sizeof(parent), "%.*s/", slash ? (int)(slash - path) : 0, path);
        p->dirfd = fs_open_in_root(root, parent, O_PATH | O_DIRECTORY, 0);
        memcpy(p->name, name, strlen(name) + 1);
    }
    if (p->dirfd < 0)
        return p->dirfd;
    p->exists = fstatat(p->dirfd, p->name, &p->st, AT_SYMLINK_NOFOLLOW) == 0;
    return p->exists || errno == ENOENT ? 0 : -errno;
}

/* The path that the link at `path` leads to: read from its descriptor's directory, then looked up anew from the root. */
static int follow_link(const struct copy_place *p, char path[PATH_MAX]) {
    char target[PATH_MAX], whole[2 * PATH_MAX];
    ssize_t n = readlinkat(p->dirfd, p->name, target, sizeof(target) - 1);
    const char *slash = strrchr(path, '/');

    if (n <= 0)
        return n < 0 ? -errno : -ENOENT;
    target[n] = '\0';
    if (target[0] == '/')
        (void)snprintf(whole, sizeof(whole), "%s", target);
    else
        (void)snprintf(whole, sizeof(whole), "%.*s/%s", slash ? (int)(slash - path) : 0, path, target);
    if (strlen(whole) >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(path, whole, strlen(whole) + 1);
    return 0;
}

int copy_place_find(int root, const char *path, bool follow, struct copy_place *ret) {
    struct copy_place p = COPY_PLACE_INIT, ignored = COPY_PLACE_INIT;
    char text[PATH_MAX];
    const char *slash;
    int r;

    if (strlen(path) >= sizeof(text))
        return -ENAMETOOLONG;
    memcpy(text, path, strlen(path) + 1);
    cut_end(text, &p);
    slash = strrchr(text, '/');
    r = look(root, text, &p);
    if (!is_dots(slash ? slash + 1 : text))
        (void)snprintf(p.base, sizeof(p.base), "%s", slash ? slash + 1 : text);
    follow = follow || p.contents || p.slash;
    for (int links = 0; r == 0 && follow && p.exists && S_ISLNK(p.st.st_mode); links++) {
        r = links == LINKS_MAX ? -ELOOP : follow_link(&p, text);
        if (r == 0) {
            cut_end(text, &ignored);
            r = look(root, text, &p);
        }
    }
    if (r == 0 && p.exists && (p.contents || p.slash) && !S_ISDIR(p.st.st_mode))
        r = -ENOTDIR;
    if (r < 0) {
        copy_place_release(&p);
        return r;
    }
    *ret = p;
    return 0;
}
