#include "image/credential_helper.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"

#define ANSWER_MAX ((size_t)256 << 10)
#define TIMEOUT_MS 120000 /* some ask the user to touch a key */
#define ENV_MAX    16

struct answer {
    const char *server, *user, *secret;
};

static const struct json_field answer_fields[] = {
    JSON_FIELD(struct answer, server, "ServerURL", JSON_STR, 0),
    JSON_FIELD(struct answer, user, "Username", JSON_STR, 0),
    JSON_FIELD(struct answer, secret, "Secret", JSON_STR, 0),
    JSON_END,
};
static const struct json_table answer_table = JSON_TABLE("credentials", struct answer, answer_fields);

/* What keyrings need to find their user; nothing else of tare's environment. */
static const char *const passed_on[] = {"HOME",
                                        "PATH",
                                        "USER",
                                        "LANG",
                                        "XDG_RUNTIME_DIR",
                                        "DBUS_SESSION_BUS_ADDRESS",
                                        "DISPLAY",
                                        "WAYLAND_DISPLAY",
                                        "GPG_TTY",
                                        "GNUPGHOME",
                                        "PASSWORD_STORE_DIR"};

static int name_is_fine(const char *helper, struct error *e) {
    for (const char *p = helper; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            return error_set(e, -EINVAL, "not the name of a credential helper: %.60s", helper);
    return *helper ? 0 : error_set(e, -EINVAL, "a credential helper without a name");
}

/* In the user's PATH; relative entries are skipped. */
static int find_program(const char *helper, char path[PATH_MAX], struct error *e) {
    const char *dirs = getenv("PATH");

    for (const char *p = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");

        if (*p == '/' && snprintf(path, PATH_MAX, "%.*s/docker-credential-%s", (int)n, p, helper) < PATH_MAX && !access(path, X_OK))
            return 0;
        p += n + (p[n] == ':');
    }
    return error_set(e, -ENOENT, "the credential helper docker-credential-%s is not in PATH", helper);
}

_Noreturn static void run_child(const char *path, const char *verb, int in, int out) {
    char *env[ENV_MAX + 1] = {NULL};
    size_t n = 0;
    char *const argv[] = {strdup(path), strdup(verb), NULL};

    for (size_t i = 0; i < ARRAY_SIZE(passed_on) && n < ENV_MAX; i++) {
        const char *value = getenv(passed_on[i]);

        if (value && asprintf(&env[n], "%s=%s", passed_on[i], value) >= 0)
            n++;
    }
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
        _exit(127);
    execve(path, argv, env);
    _exit(127);
}

/* Reads to the end, with a limit of time and size. */
static int read_answer(int fd, struct buf *answer, struct error *e) {
    int64_t deadline = clock_monotonic_ns() + (int64_t)TIMEOUT_MS * 1000000;

    for (;;) {
        struct pollfd p = {fd, POLLIN, 0};
        int64_t left = (deadline - clock_monotonic_ns()) / 1000000;
        char chunk[4096];
        ssize_t n;

        if (left <= 0 || answer->size > ANSWER_MAX)
            return error_set(e, left <= 0 ? -ETIMEDOUT : -EFBIG,
                             left <= 0 ? "no answer for two minutes" : "the answer is too long");
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return error_errno(e, -errno, "read the answer");
        if (n > 0)
            buf_add(answer, chunk, (size_t)n);
    }
}

/* Returns the exit status, or a negative errno. */
static int run(const char *helper, const char *verb, const char *input, struct buf *answer, struct error *e) {
    char path[PATH_MAX];
    int in[2], out[2], status = 0, r = name_is_fine(helper, e);
    pid_t pid;

    if (r >= 0)
        r = find_program(helper, path, e);
    if (r < 0)
        return r;
    if (pipe2(in, O_CLOEXEC) < 0)
        return error_errno(e, -errno, "make a pipe");
    if (pipe2(out, O_CLOEXEC) < 0) {
        r = error_errno(e, -errno, "make a pipe");
        (void)fd_close(in[0]);
        (void)fd_close(in[1]);
        return r;
    }
    pid = fork();
    if (!pid)
        run_child(path, verb, in[0], out[1]);
    (void)fd_close(in[0]);
    (void)fd_close(out[1]);
    r = pid < 0 ? error_errno(e, -errno, "start %s", path) : 0;
    if (r >= 0) {
        struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

        (void)sigaction(SIGPIPE, &ignore, &before); /* a helper may answer before it has read everything */
        (void)fs_write_all(in[1], input, strlen(input));
        (void)sigaction(SIGPIPE, &before, NULL);
    }
    (void)fd_close(in[1]);
    if (r >= 0)
        r = read_answer(out[0], answer, e);
    (void)fd_close(out[0]);
    if (pid > 0) {
        if (r < 0)
            (void)kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    if (r < 0)
        return error_wrap(e, r, "docker-credential-%s %s", helper, verb);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int failed(const char *helper, const char *verb, const struct buf *answer, struct error *e) {
    return error_set(e, -EIO, "docker-credential-%s %s failed: %.*s", helper, verb, (int)strcspn(buf_text(answer), "\n"),
                     buf_text(answer));
}

int credential_helper_get(const char *helper, const char *server, struct arena *a, struct credentials *ret, struct error *e) {
    _cleanup_buf_ struct buf answer = BUF_INIT;
    struct answer got = {0};
    int r = run(helper, "get", server, &answer, e);

    if (r < 0)
        return r;
    if (r > 0) /* the protocol's only way to say "none" */
        return strstr(buf_text(&answer), "credentials not found") ? 0 : failed(helper, "get", &answer, e);
    r = json_decode(&answer_table, buf_text(&answer), answer.size, a, &got, e);
    explicit_bzero(answer.data, answer.size);
    if (r < 0)
        return error_wrap(e, r, "docker-credential-%s get", helper);
    if (!got.secret || !*got.secret)
        return 0;
    *ret = (struct credentials){0};
    if (got.user && !strcmp(got.user, "<token>"))
        ret->identity_token = got.secret;
    else
        *ret = (struct credentials){.user = got.user ? got.user : "", .password = got.secret};
    return 1;
}

int credential_helper_store(const char *helper, const char *server, const struct credentials *c, struct error *e) {
    _cleanup_buf_ struct buf answer = BUF_INIT, input = BUF_INIT;
    struct answer put = {server, c->identity_token ? "<token>" : c->user, c->identity_token ? c->identity_token : c->password};
    int r;

    json_encode(&answer_table, &put, 0, &input);
    r = run(helper, "store", buf_text(&input), &answer, e);
    explicit_bzero(input.data, input.size);
    return r > 0 ? failed(helper, "store", &answer, e) : r;
}

int credential_helper_erase(const char *helper, const char *server, struct error *e) {
    _cleanup_buf_ struct buf answer = BUF_INIT;
    int r = run(helper, "erase", server, &answer, e);

    return r > 0 ? failed(helper, "erase", &answer, e) : r;
}
