/* tare-cni add|check|undo FILE: runs the plugins of one attachment (network/cni.h). Errors go to standard error, one line. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "kernel/netns.h"
#include "network/cni_file.h"

#define ANSWER_MAX  ((size_t)1 << 20)
#define TIMEOUT_NS  (60 * NS_PER_SEC) /* for one plugin */
#define PLUGINS_MAX 64
#define ENV_PATH    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" /* some run iptables */

struct attachment {
    int dirfd; /* of its file */
    const char *name;
    json_object *file, *config, *plugins;
    struct arena arena;
};

/* --- one plugin ------------------------------------------------------------------------------------------------------------ */

static int find_plugin(struct attachment *t, const char *type, const char **ret, struct error *e) {
    json_object *dirs = json_object_object_get(t->file, "pluginDirs");
    _cleanup_buf_ struct buf tried = BUF_INIT;

    for (size_t i = 0; i < json_object_array_length(dirs); i++) {
        const char *dir = json_object_get_string(json_object_array_get_idx(dirs, i));

        *ret = arena_printf(&t->arena, "%s/%s", dir, type);
        if (access(*ret, X_OK) == 0)
            return 0;
        buf_printf(&tried, "%s%s", i ? ", " : "", dir);
    }
    error_set(e, -ENOENT, "CNI plugin %s is not in %s", type, buf_text(&tried));
    return error_hint(e, "apt install containernetworking-plugins; cni_plugin_dirs in tare.conf says where they are");
}

/* Its configuration as the specification has it: what the list says of it, the list's name and version, what was asked for of what
 * it can do, and the result so far. */
static json_object *input_of(const struct attachment *t, json_object *plugin, json_object *previous) {
    json_object *asked = json_object_object_get(t->file, "capabilities"), *conf = NULL, *runtime = json_object_new_object();

    (void)json_object_deep_copy(plugin, &conf, NULL);
    json_object_object_add(conf, "name", json_object_new_string(cni_text(t->config, "name")));
    json_object_object_add(conf, "cniVersion", json_object_new_string(cni_text(t->config, "cniVersion")));
    json_object_object_foreach(asked, key, value) {
        if (cni_capable(plugin, key))
            json_object_object_add(runtime, key, json_object_get(value));
    }
    json_object_object_del(conf, "capabilities");
    if (json_object_object_length(runtime) > 0)
        json_object_object_add(conf, "runtimeConfig", json_object_get(runtime));
    if (previous)
        json_object_object_add(conf, "prevResult", json_object_get(previous));
    json_object_put(runtime);
    return conf;
}

static bool netns_is_there(const char *path) {
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    return fd >= 0 && netns_is(fd);
}

/* Without a namespace (after a reboot) its name is empty: the plugins give back what they keep on disk. */
static char **environment(struct attachment *t, const char *command) {
    const char *netns = cni_text(t->file, "netns");
    json_object *dirs = json_object_object_get(t->file, "pluginDirs");
    struct strs env = {0};
    const char *path = "CNI_PATH=";

    for (size_t i = 0; i < json_object_array_length(dirs); i++)
        path = arena_printf(&t->arena, "%s%s%s", path, i ? ":" : "", json_object_get_string(json_object_array_get_idx(dirs, i)));
    strs_add(&t->arena, &env, ENV_PATH);
    strs_add(&t->arena, &env, path);
    strs_add(&t->arena, &env, arena_printf(&t->arena, "CNI_COMMAND=%s", command));
    strs_add(&t->arena, &env, arena_printf(&t->arena, "CNI_CONTAINERID=%s", cni_text(t->file, "containerId")));
    strs_add(&t->arena, &env, arena_printf(&t->arena, "CNI_NETNS=%s", netns_is_there(netns) ? netns : ""));
    strs_add(&t->arena, &env, arena_printf(&t->arena, "CNI_IFNAME=%s", cni_text(t->file, "ifname")));
    strs_add(&t->arena, &env, "CNI_ARGS=IgnoreUnknown=1");
    char **ret = arena_array(&t->arena, char *, env.n + 1);
    for (size_t i = 0; i < env.n; i++)
        ret[i] = (char *)(uintptr_t)env.v[i];
    return ret;
}

static _Noreturn void become_plugin(const char *path, char **env, int in, int out) {
    char *const argv[] = {(char *)(uintptr_t)path, NULL};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && syscall(SYS_close_range, 3U, ~0U, 0) == 0)
        (void)execve(path, argv, env);
    dprintf(STDOUT_FILENO, "{\"code\":5,\"msg\":\"cannot be started: %s\"}", strerror(errno));
    _exit(1);
}

/* Reads to the end of what it says, within the time. */
static int read_answer(int fd, struct buf *answer) {
    int64_t end = clock_monotonic_ns() + TIMEOUT_NS;
    char chunk[4096];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left_ms = (end - clock_monotonic_ns()) / 1000000;
        ssize_t n;

        if (left_ms <= 0)
            return -ETIMEDOUT;
        if (answer->size > ANSWER_MAX)
            return -EFBIG;
        if (poll(&p, 1, (int)left_ms) <= 0)
            continue;
        n = read(fd, chunk, sizeof(chunk));
        if (n <= 0)
            return 0;
        buf_add(answer, chunk, (size_t)n);
    }
}

static int execute(const char *path, char **env, const char *input, struct buf *answer, int *ret_status, struct error *e) {
    _cleanup_fd_ int in = memfd_create("cni", MFD_CLOEXEC), ours = -1, theirs = -1;
    int pair[2], r = in < 0 ? -errno : fs_write_all(in, input, strlen(input));
    pid_t pid;

    if (r < 0 || lseek(in, 0, SEEK_SET) < 0 || pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(e, r < 0 ? r : -errno, "hand its configuration to %s", path);
    ours = pair[0];
    theirs = pair[1];
    pid = fork();
    if (pid == 0)
        become_plugin(path, env, in, theirs);
    if (pid < 0)
        return error_errno(e, -errno, "start %s", path);
    theirs = fd_close(theirs);
    r = read_answer(ours, answer);
    if (r < 0)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    return r < 0 ? error_errno(e, r, "CNI plugin %s", path) : 0;
}

/* *ret: the answer, an object or NULL. */
static int run_plugin(struct attachment *t, json_object *plugin, const char *command, json_object *previous, json_object **ret,
                      struct error *e) {
    _cleanup_buf_ struct buf answer = BUF_INIT;
    const char *type = cni_text(plugin, "type"), *path = NULL;
    json_object *input, *said;
    int status = 0, r = find_plugin(t, type, &path, e);

    if (r < 0)
        return r;
    input = input_of(t, plugin, previous);
    r = execute(path, environment(t, command), json_object_to_json_string(input), &answer, &status, e);
    json_object_put(input);
    if (r < 0)
        return r;
    said = cni_json_parse(buf_text(&answer), answer.size);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        const char *details = cni_text(said, "details");

        r = said ? error_set(e, -EIO, "CNI plugin %s (%s): %s%s%s", type, command, cni_text(said, "msg"), *details ? ": " : "",
                             details)
                 : error_set(e, -EIO, "CNI plugin %s (%s) failed without a word (status %d)", type, command, status);
        json_object_put(said);
        return r;
    }
    *ret = said;
    return 0;
}

/* --- the verbs ------------------------------------------------------------------------------------------------------------- */

static int add(struct attachment *t, struct error *e) {
    json_object *result = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < json_object_array_length(t->plugins); i++) {
        json_object *plugin = json_object_array_get_idx(t->plugins, i), *said = NULL;

        r = run_plugin(t, plugin, "ADD", result, &said, e);
        if (r == 0 && !said)
            r = error_set(e, -EPROTO, "CNI plugin %s (ADD) gave no result", cni_text(plugin, "type"));
        if (r == 0) {
            json_object_put(result);
            result = said;
        }
    }
    if (r == 0) {
        json_object_object_add(t->file, "result", result);
        return cni_file_write(t->dirfd, t->name, t->file, e);
    }
    json_object_put(result);
    return r;
}

/* Before 0.4.0 neither DEL nor CHECK knew of earlier results. */
static bool is_early(const struct attachment *t) {
    return strncmp(cni_text(t->config, "cniVersion"), "0.3.", 4) == 0;
}

/* Every plugin is asked, also behind one that fails; the first failure is told, and the file then stays. */
static int undo(struct attachment *t, struct error *e) {
    json_object *result = is_early(t) ? NULL : json_object_object_get(t->file, "result");
    int first = 0;

    for (size_t i = json_object_array_length(t->plugins); i-- > 0;) {
        json_object *said = NULL;
        int r = run_plugin(t, json_object_array_get_idx(t->plugins, i), "DEL", result, &said, first < 0 ? NULL : e);

        json_object_put(said);
        first = first < 0 ? first : r;
    }
    return first < 0 ? first : fs_unlink_at(t->dirfd, t->name, e);
}

static int check(struct attachment *t, struct error *e) {
    json_object *result = json_object_object_get(t->file, "result");
    int r = result ? 0 : error_set(e, -ENODATA, "the plugins have not answered yet");

    if (r == 0 && is_early(t))
        return error_set(e, -EOPNOTSUPP, "cniVersion %s has no CHECK", cni_text(t->config, "cniVersion"));
    if (json_object_get_boolean(json_object_object_get(t->config, "disableCheck")))
        return r;
    for (size_t i = 0; r == 0 && i < json_object_array_length(t->plugins); i++) {
        json_object *said = NULL;

        r = run_plugin(t, json_object_array_get_idx(t->plugins, i), "CHECK", result, &said, e);
        json_object_put(said);
    }
    return r;
}

static int attachment_open(const char *path, struct attachment *ret, struct error *e) {
    struct attachment t = {.arena = ARENA_INIT};
    const char *slash = strrchr(path, '/');
    int r;

    if (path[0] != '/' || !slash[1])
        return error_set(e, -EINVAL, "an absolute path is needed: %s", path);
    t.name = slash + 1;
    t.dirfd = open(arena_strndup(&t.arena, path, (size_t)(t.name - path)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = t.dirfd < 0 ? error_errno(e, -errno, "open the directory of %s", path) : cni_file_read(t.dirfd, t.name, &t.file, e);

    if (r < 0)
        return r;
    t.config = json_object_object_get(t.file, "config");
    t.plugins = json_object_object_get(t.config, "plugins");
    if (!json_object_is_type(t.plugins, json_type_array) || json_object_array_length(t.plugins) > PLUGINS_MAX ||
        !json_object_is_type(json_object_object_get(t.file, "pluginDirs"), json_type_array) ||
        !json_object_is_type(json_object_object_get(t.file, "capabilities"), json_type_object))
        return error_set(e, -EPROTO, "%s is damaged", path);
    *ret = t;
    return 0;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(struct attachment *, struct error *);
    } verbs[] = {{"add", add}, {"check", check}, {"undo", undo}};
    struct error e = ERROR_INIT;
    struct attachment t;
    int r = -EINVAL;

    if (argc != 3)
        return 2; /* started by hand */
    r = attachment_open(argv[2], &t, &e);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0) {
            r = verbs[i].run(&t, &e);
            break;
        }
    if (r < 0)
        dprintf(STDERR_FILENO, "%s%s%s%s\n", e.text ? e.text : errno_text(r), e.hint ? " (" : "", e.hint ? e.hint : "",
                e.hint ? ")" : "");
    return r < 0;
}
