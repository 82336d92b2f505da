#include "runtime/journal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>

#include "base/event_change.h"
#include "base/fs.h"
#include "kernel/cgroup.h"
#include "kernel/link.h"
#include "kernel/nft.h"
#include "kernel/systemd.h"
#include "runtime/hook.h"

#define JOURNAL_HEAD      "tare-journal 1\n"
#define JOURNAL_WORD      "tare-journal "
#define JOURNAL_END       "end\n"
#define JOURNAL_MAX       ((size_t)4 << 20) /* bytes */
#define JOURNAL_ARGS      4
#define CGROUP_TIMEOUT_MS 2000 /* for killed processes to be gone */
#define PROGRAM_TIMEOUT_S 120

/* ---- Operations: what each undoes. All of them take what is gone already for done. ---- */

typedef int undo_fn(char *const arg[JOURNAL_ARGS], struct error *e);

static int undo_cgroup(char *const arg[JOURNAL_ARGS], struct error *e) {
    return cgroup_remove_dir(arg[0], CGROUP_TIMEOUT_MS, e);
}

static int undo_unlink(char *const arg[JOURNAL_ARGS], struct error *e) {
    return fs_unlink_at(AT_FDCWD, arg[0], e);
}

/* Whoever takes a name writes it down first, when another may still have it: only one's own is given back. Between look and unlink
 * the name cannot change its owner, as only this owner gives it back. */
static int undo_name(char *const arg[JOURNAL_ARGS], struct error *e) {
    char text[PATH_MAX];
    ssize_t n = readlink(arg[0], text, sizeof(text));

    if (n < 0 && errno != ENOENT && errno != EINVAL)
        return error_errno(e, -errno, "read %s", arg[0]);
    if (n < 0 || (size_t)n != strlen(arg[1]) || memcmp(text, arg[1], (size_t)n) != 0)
        return 0;
    return fs_unlink_at(AT_FDCWD, arg[0], e);
}

/* The text of a lease or of a port's record begins with its owner's id, behind which a separator stands. */
static bool is_owned(const char *path, const char *owner) {
    char text[PATH_MAX];
    size_t n = strlen(owner);
    ssize_t got = readlink(path, text, sizeof(text));

    return got > (ssize_t)n && memcmp(text, owner, n) == 0 && (text[n] == '|' || text[n] == '/');
}

static int undo_lease(char *const arg[JOURNAL_ARGS], struct error *e) {
    return is_owned(arg[0], arg[1]) ? fs_unlink_at(AT_FDCWD, arg[0], e) : 0;
}

static int undo_rmdir(char *const arg[JOURNAL_ARGS], struct error *e) {
    if (rmdir(arg[0]) == 0 || errno == ENOENT)
        return 0;
    return error_errno(e, -errno, "remove directory %s", arg[0]);
}

static int undo_tree(char *const arg[JOURNAL_ARGS], struct error *e) {
    return fs_remove_tree_at(AT_FDCWD, arg[0], e);
}

/* Its creation was told, so its end is, too: by the one of several healers who removed it. */
static int undo_volume(char *const arg[JOURNAL_ARGS], struct error *e) {
    _cleanup_event_change_ struct event_change change = EVENT_CHANGE_INIT;
    _cleanup_fd_ int root = open(arg[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_fd_ int run_root = open(arg[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *name = strrchr(arg[0], '/') + 1;
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "volumes/%s", name);
    if (root >= 0)
        event_change_of(&change, run_root, root, path, "volume", "destroy", name, "driver", "local", (char *)NULL);
    if (faccessat(AT_FDCWD, arg[0], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(e, -errno, "look at %s", arg[0]);
    int r = fs_remove_tree_at(AT_FDCWD, arg[0], e);
    if (r == 0)
        event_change_tell(&change);
    return r;
}

static int undo_trash(char *const arg[JOURNAL_ARGS], struct error *e) {
    _cleanup_fd_ int trash = open(arg[1], O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (trash < 0)
        return error_errno(e, -errno, "open trash %s", arg[1]);
    if (renameat(AT_FDCWD, arg[0], trash, arg[2]) == 0 || errno == ENOENT)
        return 0;
    return error_errno(e, -errno, "move %s into the trash", arg[0]);
}

static int undo_link(char *const arg[JOURNAL_ARGS], struct error *e) {
    return link_delete(arg[0], e);
}

/* Several elements, in one transaction. */
static int element_delete(const char *table, char *text, struct error *e) {
    struct nft_element elements[JOURNAL_ELEMENTS_MAX];
    size_t n = 0;

    for (char *one, *at = text; (one = strsep(&at, ";"));) {
        int r = n == ARRAY_SIZE(elements) ? error_set(e, -E2BIG, "more than %zu elements in a line", n)
                                          : nft_element_parse(one, &elements[n++], e);

        if (r < 0)
            return r;
    }
    return nft_elements_delete(table, elements, n, e);
}

static int undo_nft(char *const arg[JOURNAL_ARGS], struct error *e) {
    return element_delete(arg[0], arg[1], e);
}

static int undo_port(char *const arg[JOURNAL_ARGS], struct error *e) {
    return is_owned(arg[0], arg[1]) ? element_delete(arg[2], arg[3], e) : 0;
}

static int undo_umount(char *const arg[JOURNAL_ARGS], struct error *e) {
    if (umount2(arg[0], MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT || errno == EINVAL) /* EINVAL: not a mount */
        return 0;
    return error_errno(e, -errno, "unmount %s", arg[0]);
}

static int undo_scope(char *const arg[JOURNAL_ARGS], struct error *e) {
    return systemd_scope_stop(arg[0], e);
}

static int undo_program(char *const arg[JOURNAL_ARGS], struct error *e) {
    char *const envp[] = {NULL}, *const argv[] = {arg[1], (char[]){"undo"}, arg[0], NULL};
    const struct hook h = {.path = arg[1], .argv = argv, .envp = envp, .timeout_s = PROGRAM_TIMEOUT_S, .ours = true};

    return faccessat(AT_FDCWD, arg[0], F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT ? 0 : hook_run(&h, "", 0, e);
}

static const struct operation {
    const char *name;
    int args;
    bool path; /* the first argument is an absolute path */
    undo_fn *undo;
} operations[JOURNAL_OP_COUNT] = {
    [JOURNAL_CGROUP] = {"cgroup", 1, true, undo_cgroup},    [JOURNAL_UNLINK] = {"unlink", 1, true, undo_unlink},
    [JOURNAL_NAME] = {"name", 2, true, undo_name},          [JOURNAL_RMDIR] = {"rmdir", 1, true, undo_rmdir},
    [JOURNAL_TREE] = {"tree", 1, true, undo_tree},          [JOURNAL_TRASH] = {"trash", 3, true, undo_trash},
    [JOURNAL_LINK] = {"link", 1, false, undo_link},         [JOURNAL_NFT] = {"nft", 2, false, undo_nft},
    [JOURNAL_UMOUNT] = {"umount", 1, true, undo_umount},    [JOURNAL_LEASE] = {"lease", 2, true, undo_lease},
    [JOURNAL_PORT] = {"port", 4, true, undo_port},          [JOURNAL_SCOPE] = {"scope", 1, false, undo_scope},
    [JOURNAL_PROGRAM] = {"program", 2, true, undo_program}, [JOURNAL_VOLUME] = {"volume", 3, true, undo_volume},
};

/* ---- Writing ---- */

void journal_release(struct journal *j) {
    buf_release(&j->text);
}

static void add_escaped(struct buf *out, const char *s) {
    for (; *s; s++) {
        if (*s == '\t' || *s == '\n' || *s == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, *s == '\t' ? 't' : *s == '\n' ? 'n' : '\\');
        } else {
            buf_add_char(out, *s);
        }
    }
}

void journal_add(struct journal *j, enum journal_op op, ...) {
    va_list args;

    buf_add_str(&j->text, operations[op].name);
    va_start(args, op);
    for (int i = 0; i < operations[op].args; i++) {
        buf_add_char(&j->text, '\t');
        add_escaped(&j->text, va_arg(args, const char *));
    }
    va_end(args);
    buf_add_char(&j->text, '\n');
}

void journal_append(struct journal *j, const struct journal *other) {
    buf_add(&j->text, other->text.data, other->text.size);
}

int journal_write(int dirfd, const char *name, const struct journal *j, bool lasting, struct error *e) {
    _cleanup_buf_ struct buf whole = BUF_WITH_MAX(JOURNAL_MAX);
    int r;

    buf_add_str(&whole, JOURNAL_HEAD);
    buf_add(&whole, j->text.data, j->text.size);
    buf_add_str(&whole, JOURNAL_END);
    if (whole.failed || j->text.failed)
        return error_set(e, -E2BIG, "the undo journal is too large");
    r = fs_replace_at(dirfd, name, whole.data, whole.size, 0600, lasting ? FS_SYNC : FS_NO_SYNC, e);
    return r < 0 ? error_wrap(e, r, "write the undo journal") : 0;
}

static bool has_argument(const char *line, size_t size, const char *text) {
    const size_t n = strlen(text);

    for (const char *at = line; (at = memchr(at, '\t', (size_t)(line + size - at))) != NULL;) {
        at++;
        if ((size_t)(line + size - at) > n && memcmp(at, text, n) == 0 && (at[n] == '\t' || at[n] == '\n'))
            return true;
    }
    return false;
}

/* Lines that have the argument `without` stay behind. */
static void copy_lines(struct buf *to, const char *from, const char *end, const char *without) {
    for (const char *line = from; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const size_t size = newline ? (size_t)(newline + 1 - line) : (size_t)(end - line);
        const bool drop = without && has_argument(line, size, without);

        if (!drop)
            buf_add(to, line, size);
        line += size;
    }
}

int journal_change(int dirfd, const char *name, const struct journal *more, const char *without, struct error *e) {
    _cleanup_buf_ struct buf whole = BUF_INIT;
    _cleanup_journal_ struct journal j = JOURNAL_INIT;
    const size_t head = strlen(JOURNAL_HEAD), end = strlen(JOURNAL_END);
    int r = fs_read_at(dirfd, name, JOURNAL_MAX, &whole, e);

    if (r < 0)
        return error_wrap(e, r, "read the undo journal");
    if (whole.size < head + end || strncmp(whole.data, JOURNAL_HEAD, head) != 0)
        return error_set(e, -EPROTO, "the undo journal is damaged");
    copy_lines(&j.text, whole.data + head, whole.data + whole.size - end, without);
    if (more)
        journal_append(&j, more);
    return journal_write(dirfd, name, &j, false, e);
}

/* ---- Undoing ---- */

static void unescape(char *s) {
    char *to = s;

    for (; *s; s++) {
        if (*s != '\\' || !s[1]) {
            *to++ = *s;
            continue;
        }
        s++;
        *to++ = *s == 't' ? '\t' : *s == 'n' ? '\n' : *s;
    }
    *to = '\0';
}

static int bad_line(const char *line, struct error *e) {
    return error_set(e, -EPROTO, "the undo journal has a line that this version does not know: %s", line);
}

static int undo_line(char *line, struct error *e) {
    char *arg[JOURNAL_ARGS] = {0};
    int n = 0;

    for (char *tab = strchr(line, '\t'); tab; tab = strchr(tab + 1, '\t')) {
        *tab = '\0';
        if (n == JOURNAL_ARGS)
            return bad_line(line, e);
        arg[n++] = tab + 1;
    }
    for (int i = 0; i < n; i++)
        unescape(arg[i]);
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        if (strcmp(operations[i].name, line) == 0 && operations[i].args == n &&
            (!operations[i].path || (n > 0 && arg[0][0] == '/')))
            return operations[i].undo(arg, e);
    return bad_line(line, e);
}

/* Whether the text is a whole journal. -EPROTO: of a later version. 0: torn while it was written, when nothing had been done yet.
 */
static int check(const struct buf *text, struct error *e) {
    const size_t head = strlen(JOURNAL_HEAD), end = strlen(JOURNAL_END);

    if (text->size >= head && memcmp(text->data, JOURNAL_HEAD, head) != 0)
        return strncmp(text->data, JOURNAL_WORD, strlen(JOURNAL_WORD)) == 0
                   ? error_set(e, -EPROTO, "the undo journal is of a later version of tare")
                   : error_set(e, -EPROTO, "the undo journal is damaged");
    return text->size >= head + end && memcmp(text->data + text->size - end, JOURNAL_END, end) == 0 &&
           text->data[text->size - end - 1] == '\n';
}

/* From the last line to the first; the first failure is told, the rest is undone all the same. */
static int undo_lines(char *text, struct error *e) {
    char *last = text + strlen(text) - strlen(JOURNAL_END);
    char *first = text + strlen(JOURNAL_HEAD);
    int result = 0;

    while (last > first) {
        char *line = last - 1; /* its newline */
        int r;

        *line = '\0';
        while (line > first && line[-1] != '\n')
            line--;
        r = undo_line(line, result < 0 ? NULL : e);
        if (r < 0 && result == 0)
            result = r;
        last = line;
    }
    return result;
}

int journal_undo(int dirfd, const char *name, struct error *e) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_error_ struct error absent = ERROR_INIT;
    int r = fs_read_at(dirfd, name, JOURNAL_MAX, &text, &absent);

    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        error_move(e, &absent);
        return r;
    }
    r = check(&text, e);
    if (r > 0)
        r = undo_lines(text.data, e);
    return r < 0 ? error_wrap(e, r, "undo") : fs_unlink_at(dirfd, name, e);
}
