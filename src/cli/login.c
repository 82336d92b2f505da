#include <string.h>
#include <termios.h>

#include "base/fs.h"
#include "cli/command.h"
#include "image/credentials.h"
#include "image/registry.h"

#define REGISTRY_DEFAULT "docker.io"
#define SECRET_MAX       ((size_t)64 << 10)

struct login_options {
    const char *user, *password;
    bool password_stdin;
};

static const struct option login_table[] = {
    OPTION_STR(struct login_options, password, 'p', "password", "string", "Password or Personal Access Token (PAT)"),
    OPTION_BOOL(struct login_options, password_stdin, 0, "password-stdin",
                "Take the Password or Personal Access Token (PAT) from stdin"),
    OPTION_STR(struct login_options, user, 'u', "username", "string", "Username"),
    OPTION_END,
};

/* A registry, however people write it: "https://quay.io/v2/", "quay.io" → "quay.io"; NULL → Docker Hub. */
static int registry_name_parse(const char *text, struct arena *a, const char **ret, struct error *e) {
    const char *scheme = text ? strstr(text, "://") : NULL, *host;
    uint16_t port;
    int r;

    if (!text) {
        *ret = REGISTRY_DEFAULT;
        return 0;
    }
    text = scheme ? scheme + 3 : text;
    text = arena_strndup(a, text, strcspn(text, "/"));
    r = host_split(text, a, &host, &port, e);
    if (r < 0)
        return r;
    *ret = strcmp(credentials_key(text), text) ? REGISTRY_DEFAULT : text;
    return 0;
}

/* One line without its end; with `hide`, the terminal does not echo it. */
static int ask(const char *prompt, bool hide, struct arena *a, const char **ret, struct error *e) {
    struct termios before, now;
    char line[4096];
    bool hidden;

    if (!isatty(STDIN_FILENO))
        return error_set(e, -ENOTTY, "cannot perform an interactive login from a non TTY device");
    hidden = hide && tcgetattr(STDIN_FILENO, &before) == 0;
    printf("%s", prompt);
    fflush(stdout);
    if (hidden) {
        now = before;
        now.c_lflag &= ~(tcflag_t)ECHO;
        hidden = tcsetattr(STDIN_FILENO, TCSAFLUSH, &now) == 0;
    }
    if (!fgets(line, sizeof line, stdin))
        line[0] = 0;
    if (hidden) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        putchar('\n');
    }
    line[strcspn(line, "\r\n")] = 0;
    *ret = arena_strdup(a, line);
    explicit_bzero(line, sizeof line);
    return **ret ? 0 : error_set(e, -EINVAL, "%s", hide ? "password is empty" : "username is empty");
}

static int read_secret(struct arena *a, const char **ret, struct error *e) {
    _cleanup_buf_ struct buf in = BUF_INIT;
    int r = fs_read_fd(STDIN_FILENO, SECRET_MAX, &in, e);

    if (r < 0)
        return error_wrap(e, r, "read the password from standard input");
    while (in.size && strchr("\r\n", in.data[in.size - 1]))
        in.size--;
    *ret = arena_strndup(a, buf_text(&in), in.size);
    if (in.data)
        explicit_bzero(in.data, in.room);
    return 0;
}

static int get_credentials(const struct login_options *o, struct arena *a, struct credentials *ret, struct error *e) {
    int r = 0;

    if (o->password && o->password_stdin)
        return error_set(e, -EINVAL, "--password and --password-stdin are mutually exclusive");
    if (o->password_stdin && !o->user)
        return error_set(e, -EINVAL, "the --password-stdin option requires --username to be set");
    if (o->password)
        fputs("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n", stderr);
    ret->user = o->user;
    ret->password = o->password;
    if (!ret->user)
        r = ask("Username: ", false, a, &ret->user, e);
    if (r >= 0 && o->password_stdin)
        r = read_secret(a, &ret->password, e);
    else if (r >= 0 && !ret->password)
        r = ask("Password: ", true, a, &ret->password, e);
    if (r >= 0 && (!*ret->user || !*ret->password))
        r = error_set(e, -EINVAL, "%s", *ret->user ? "password is empty" : "username is empty");
    return r;
}

static int login_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    _cleanup_registry_ struct registry *registry = NULL;
    struct arena *a = &cli->arena;
    struct credentials c = {0};
    const char *host, *path;
    int r = registry_name_parse(args->n ? args->v[0] : NULL, a, &host, e);

    if (r >= 0)
        r = get_credentials(options, a, &c, e);
    if (r >= 0)
        r = registry_open_primary(host, "", a, &registry, e);
    if (r >= 0)
        r = registry_login(registry, &c, e);
    if (r >= 0)
        r = credentials_store(host, &c, a, &path, e);
    if (r < 0)
        return r;
    if (path)
        fprintf(stderr,
                "\nWARNING! Your credentials are stored unencrypted in '%s'.\nConfigure a credential helper to remove this "
                "warning.\n\n",
                path);
    puts("Login Succeeded");
    return 0;
}

const struct command command_login = {
    .names = {"login"},
    .usage = "[SERVER]",
    .summary = "Authenticate to a registry",
    .description = "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.",
    COMMAND_OPTIONS(struct login_options, login_table),
    .args_min = 0,
    .args_max = 1,
    .run = login_run,
};

static int logout_run(struct cli *cli, const void *options, const struct strs *args, struct error *e) {
    const char *host;
    int r = registry_name_parse(args->n ? args->v[0] : NULL, &cli->arena, &host, e);

    if (r < 0)
        return r;
    r = credentials_erase(host, &cli->arena, e);
    if (r < 0)
        return r;
    printf(r ? "Removing login credentials for %s\n" : "Not logged in to %s\n", credentials_key(host));
    return 0;
}

const struct command command_logout = {
    .names = {"logout"},
    .usage = "[SERVER]",
    .summary = "Log out from a registry",
    .description = "Log out from a registry.\nIf no server is specified, the default is Docker Hub.",
    .args_min = 0,
    .args_max = 1,
    .run = logout_run,
};
