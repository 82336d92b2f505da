/* HOME of a process whose variables do not say it, as callers of OCI runtimes expect it: what the container's own passwd(5) has for
 * the user, else "/". */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "model/user.h"
#include "runtime/executor_state.h"

#define PASSWD "/etc/passwd"

/* The file is a stranger's: nothing but a regular one, inside the root, of a size that is sane. */
static int read_passwd(struct buf *ret) {
    _cleanup_fd_ int root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    _cleanup_fd_ int fd =
        root < 0 ? root : open_how(root, PASSWD, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > USER_FILE_MAX)
        return -EINVAL;
    return fs_read_fd(fd, USER_FILE_MAX, ret, NULL);
}

int step_home(struct executor *x, const struct plan_step *s, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf passwd = BUF_INIT;
    struct identity who;
    char user[16];

    (void)snprintf(user, sizeof(user), "%u", (unsigned)s->arg[0]);
    if (read_passwd(&passwd) < 0 || identity_resolve(user, NULL, buf_text(&passwd), NULL, &a, &who, NULL) < 0)
        who.home = "/";
    free(x->home);
    if (asprintf(&x->home, "HOME=%s", *who.home ? who.home : "/") < 0) {
        x->home = NULL;
        return error_errno(e, -ENOMEM, "set HOME");
    }
    return 0;
}

char **executor_env(const struct executor *x, char **envp) {
    size_t n = 0, kept = 0;
    char **all;

    while (envp && envp[n])
        n++;
    all = envp && x->home ? realloc(envp, (n + 2) * sizeof(*envp)) : NULL;
    if (!all)
        return envp;
    for (size_t i = 0; i < n; i++) /* one that is there is empty, or comes before one that is */
        if (strncmp(all[i], "HOME=", 5) != 0)
            all[kept++] = all[i];
    all[kept++] = x->home;
    all[kept] = NULL;
    return all;
}
