/* Steps at which the container's life is shown to others: hooks, the program that answers system calls, and the word between child
 * and parent that the mounts are there. */
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/un.h>

#include "base/fd_message.h"
#include "base/fs.h"
#include "runtime/executor_state.h"
#include "runtime/hook.h"

int step_tell(struct executor *x, const struct plan_step *s, struct error *e) {
    int r = sync_send(x, SYNC_MOUNTED, -1);

    (void)s;
    return r < 0 ? error_errno(e, r, "tell the monitor") : 0;
}

int step_listen(struct executor *x, const struct plan_step *s, struct error *e) {
    (void)s;
    return child_await(x, SYNC_MOUNTED, e);
}

/* The state as a hook sees it: the number of the process is that of the namespace in which the hook runs. */
int step_hook(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *at = plan_text(x->plan, s->arg[0]);
    _cleanup_free_ char **argv = plan_vector(x->plan, s->arg[2]);
    _cleanup_free_ char **envp = s->arg[7] ? executor_env(x, plan_vector(x->plan, s->arg[3])) : plan_vector(x->plan, s->arg[3]);
    char *only_name[] = {(char *)(uintptr_t)plan_text(x->plan, s->arg[1]), NULL};
    struct hook h = {.path = only_name[0], .envp = envp, .timeout_s = s->arg[4], .dir = s->arg[8] ? &x->root_fd : NULL};
    _cleanup_buf_ struct buf state = BUF_INIT;
    size_t size = 0;
    const char *head = plan_data(x->plan, s->arg[5], &size);
    int r;

    if (!argv || !envp)
        return error_errno(e, -ENOMEM, "run a hook");
    h.argv = argv[0] ? argv : only_name;
    buf_add(&state, head, size);
    buf_printf(&state, ",\"status\":\"%s\",\"pid\":%d}", plan_text(x->plan, s->arg[6]), (int)(x->is_child ? getpid() : x->pid));
    if (state.failed)
        return error_errno(e, -ENOMEM, "run a hook");
    r = hook_run(&h, state.data, state.size, e);
    return r < 0 ? error_wrap(e, r, "hooks.%s", at) : 0;
}

static int make_directories(int dir, const char *path, struct error *e) {
    _cleanup_free_ char *copy = strdup(path);

    for (char *p = copy; p && *p; p++) {
        int r = 0;

        if (*p == '/' && p > copy) {
            *p = '\0';
            r = sys_mkdirat(dir, copy, 0755);
            *p = '/';
        }
        if (r < 0 && r != -EEXIST)
            return error_errno(e, r, "make %s", path);
    }
    return copy ? 0 : error_errno(e, -ENOMEM, "make %s", path);
}

/* BELOW/rootfs/ and BELOW/config.json in a file system of its own, which covers `at` in the child's mounts until pivot_root(2). */
int step_bundle(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *at = plan_text(x->plan, s->arg[0]), *below = plan_text(x->plan, s->arg[1]);
    size_t size = 0;
    const char *config = plan_data(x->plan, s->arg[2], &size);
    _cleanup_free_ char *root = NULL, *file = NULL;
    _cleanup_fd_ int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC), mount = -1, fd = -1;
    int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);

    if (r >= 0)
        r = mount = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (r < 0)
        return error_errno(e, r, "make a place for the bundle");
    if (asprintf(&root, "%s/rootfs/", below) < 0 || asprintf(&file, "%s/config.json", below) < 0)
        return error_errno(e, -ENOMEM, "make a place for the bundle");
    r = make_directories(mount, root, e);
    if (r < 0)
        return r;
    r = fd = open_how(mount, file, O_WRONLY | O_CREAT | O_EXCL, 0644, 0);
    if (r >= 0)
        r = fs_write_all(fd, config, size);
    if (r < 0)
        return error_errno(e, r, "write %s", file);
    r = sys_move_mount(mount, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? error_errno(e, r, "show the bundle at %s", at) : 0;
}

int step_agent_open(struct executor *x, const struct plan_step *s, struct error *e) {
    const char *path = plan_text(x->plan, s->arg[1]);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = -1;
    int r;

    if (strlen(path) >= sizeof(to.sun_path))
        return error_set(e, -ENAMETOOLONG, "linux.seccomp.listenerPath: %s is too long", path);
    memcpy(to.sun_path, path, strlen(path) + 1);
    fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r = fd < 0 ? fd : sys_connect(fd, (const struct sockaddr *)&to, sizeof(to));
    if (r < 0)
        return error_errno(e, r, "linux.seccomp.listenerPath: connect to %s", path);
    slot_set(x, s->arg[0], TAKE_FD(fd));
    x->agent_slot = s->arg[0];
    return 0;
}

/* One message: the container process state with the filter's descriptor beside it (OCI config-linux.md, "containerProcessState").
 * Sent by the process itself, since nobody else may be there when the filter is loaded, and from then on it may be stopped at any
 * call until somebody answers. */
int agent_send(struct executor *x, int agent, int listener, const char *head, size_t size, struct error *e) {
    FD_ROOM(1) room = {0};
    const int pid = x->born && *x->born > 0 ? *x->born : x->own_pid; /* joining: the process is not the monitor's first child */
    char tail[80];
    struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)head, .iov_len = size}, {.iov_base = tail}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};
    ssize_t n;

    parts[1].iov_len = (size_t)snprintf(tail, sizeof(tail), ",\"status\":\"%s\",\"pid\":%d},\"pid\":%d}",
                                        x->joined_pid >= 0 ? "running" : "created", pid, pid);
    fd_message_put(&m, &room, &listener, 1);
    n = sys_sendmsg(agent, &m, MSG_NOSIGNAL);
    if (n >= 0 && (size_t)n != size + parts[1].iov_len)
        n = -EMSGSIZE;
    return n < 0 ? error_errno(e, (int)n, "hand the filter to the program at linux.seccomp.listenerPath") : 0;
}
