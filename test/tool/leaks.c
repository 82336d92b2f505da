/* The leak oracle: prints, one line each and sorted, everything that an engine with these roots holds on the host.
 *
 *   leaks [--all] ROOT RUN_ROOT | leaks --list FILE | leaks tag RUN_ROOT
 *
 *     mount    mounts of any living mount namespace of the host's own processes that lie in or come from the roots
 *     link     network interfaces that carry the tag of the roots, or sit on such a bridge
 *     nft      elements and chains of our table
 *     cgroup   cgroups below tare<tag>, in every hierarchy
 *     process  processes that run from these roots, with their number of descriptors (monitors) and dead ones nobody reaped
 *     file     files of the roots that stand for something that lives or is unfinished (containers, names, leases, pending, trash,
 *              temporaries); blobs, layers and the cache are no leak
 *     shm      /dev/shm objects of the host that are ours
 *
 * What a test must leave as it found it: the output before and after are compared (test/system/lib.bash). Not seen, as an engine
 * keeps it while its roots exist: the image store, the cache, locks, the cursor of a network's leases; bridges; the empty parent
 * cgroup; the table with the elements that name a bridge. With --all these too: after `tare system reset` they must be gone.
 * --list takes "ROOT RUN_ROOT" from each line of the file; tag prints the tag of the roots.
 *
 * It knows the engine's names, and none of its code. In C, because it runs twice around every test. */
#include <ctype.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/buf.h"

extern char **environ;

struct oracle {
    const char *root, *run;             /* without a slash at the end */
    const char *root_below, *run_below; /* with one */
    const char *name;                   /* "tare" with the tag: of the table, the bridges, the cgroups */
    bool all;
    struct arena *arena;
    struct strs found;
};

static const char *const permanent[] = {"blobs",      "layers",     "refs",     "images",  "cache",
                                        "oci-layout", "index.json", "networks", "volumes", "ingest"};

static _printf_(2, 3) void found(struct oracle *o, const char *fmt, ...) {
    char line[8192];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    strs_add(o->arena, &o->found, arena_strdup(o->arena, line));
}

static bool starts(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);

    return n >= m && strcmp(text + n - m, with) == 0;
}

static bool of_roots(const struct oracle *o, const char *text) {
    return strstr(text, o->root_below) || strstr(text, o->run_below);
}

/* As roots.c does it: FNV-1a of the path; the default roots have none. */
static const char *tag_of(struct arena *a, const char *run) {
    const char *user = starts(run, "/run/user/") ? run + strlen("/run/user/") : "";
    uint32_t value = 2166136261U;

    if (strcmp(run, "/run/tare") == 0 || (isdigit((unsigned char)*user) && strcmp(user + strspn(user, "0123456789"), "/tare") == 0))
        return "";
    for (const char *p = run; *p; p++)
        value = (value ^ (unsigned char)*p) * 16777619U;
    return arena_printf(a, "-%08x", value);
}

/* --- reading ---------------------------------------------------------------------------------------------------------------------
 */

static void drain(int fd, struct buf *b) {
    char part[16384];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) > 0)
        buf_add(b, part, (size_t)n);
}

/* The whole file, with its NULs made spaces; "" when it cannot be read. */
static const char *text_of(struct oracle *o, const char *path) {
    _cleanup_buf_ struct buf b = BUF_INIT;
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    drain(fd, &b);
    for (size_t i = 0; i < b.size; i++)
        if (!b.data[i])
            b.data[i] = ' ';
    return arena_strdup(o->arena, buf_text(&b));
}

static const char *link_of(struct oracle *o, const char *path) {
    char target[4096];
    ssize_t n = readlink(path, target, sizeof(target) - 1);

    return arena_strndup(o->arena, target, n < 0 ? 0 : (size_t)n);
}

/* What the command (words, each with one space between) printed, as JSON; NULL when it failed. The caller puts it. */
static struct json_object *json_of(struct oracle *o, const char *command) {
    char *words = arena_strdup(o->arena, command), *argv[8] = {NULL};
    _cleanup_buf_ struct buf b = BUF_INIT;
    posix_spawn_file_actions_t files;
    int pipes[2], status = -1;
    size_t n = 0;
    pid_t pid;

    for (char *save = NULL, *word = strtok_r(words, " ", &save); word && n < ARRAY_SIZE(argv) - 1;
         word = strtok_r(NULL, " ", &save))
        argv[n++] = word;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return NULL;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&files);
    close(pipes[1]);
    drain(pipes[0], &b);
    close(pipes[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return NULL;
    return json_tokener_parse(buf_text(&b));
}

static struct json_object *member(struct json_object *object, const char *key) {
    struct json_object *value = NULL;

    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static const char *member_text(struct json_object *object, const char *key) {
    struct json_object *value = member(object, key);

    return value ? json_object_get_string(value) : "";
}

static size_t length(struct json_object *list) {
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

/* --- kinds of leaks --------------------------------------------------------------------------------------------------------------
 */

static void mounts(struct oracle *o) {
    static const char *const tables[] = {"/proc/self/mountinfo", "/proc/1/mountinfo"};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        char *text = arena_strdup(o->arena, text_of(o, tables[i]));

        for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
            char *source = strstr(line, " - "), *point = line;

            for (int field = 0; field < 4 && point; field++) /* id, parent, device, root */
                point = strchr(point, ' ') ? strchr(point, ' ') + 1 : NULL;
            if (!source || !point)
                continue;
            point[strcspn(point, " ")] = '\0';
            point = arena_printf(o->arena, "%s %s", point, source + 3);
            if (of_roots(o, point))
                found(o, "mount %s", point);
        }
    }
}

/* The name itself, or with more behind it that is not of a longer tag. */
static bool is_ours(const struct oracle *o, const char *link) {
    const char *name = strcmp(o->name, "tare") == 0 ? "tare0" : o->name;

    return starts(link, name) && !(link[strlen(name)] && strchr("0123456789abcdef-", link[strlen(name)]));
}

static void links(struct oracle *o) {
    struct json_object *table = json_of(o, "ip -j -d link");

    for (size_t i = 0; i < length(table); i++) {
        struct json_object *link = json_object_array_get_idx(table, i);
        const char *master = member_text(link, "master");

        if (!is_ours(o, member_text(link, "ifname")) && !is_ours(o, master) && !is_ours(o, member_text(link, "ifalias")))
            continue;
        if (o->all ||
            strcmp(member_text(member(link, "linkinfo"), "info_kind"), "bridge") != 0) /* bridges stay with their network */
            found(o, "link %s on %s", member_text(link, "ifname"), *master ? master : "nothing");
    }
    json_object_put(table);
}

static void elements(struct oracle *o, const char *family, const char *kind) {
    struct json_object *document = json_of(o, arena_printf(o->arena, "nft -j list table %s %s", family, o->name));
    struct json_object *items = member(document, "nftables");

    if (document && o->all)
        found(o, "nft table %s %s", family, o->name);
    for (size_t i = 0; i < length(items); i++) {
        struct json_object *item = member(json_object_array_get_idx(items, i), kind), *list = member(item, "elem");

        for (size_t e = 0; e < length(list); e++)
            found(o, "nft %s %s: %s", kind, member_text(item, "name"),
                  json_object_to_json_string_ext(json_object_array_get_idx(list, e), JSON_C_TO_STRING_PLAIN));
    }
    json_object_put(document);
}

/* Of the one table, published ports: its sets name bridges and uplinks, which stay with their network. Of the other, what a
 * container's port may send. Most often there are none. */
static void nft(struct oracle *o) {
    struct json_object *document = json_of(o, "nft -j list tables"), *items = member(document, "nftables");

    for (size_t i = 0; i < length(items); i++) {
        struct json_object *table = member(json_object_array_get_idx(items, i), "table");
        const char *family = member_text(table, "family");

        if (strcmp(member_text(table, "name"), o->name) == 0)
            elements(o, family, strcmp(family, "inet") == 0 ? "map" : "set");
    }
    json_object_put(document);
}

static void cgroups_below(struct oracle *o, const char *path, bool top) {
    _cleanup_dir_ DIR *dir = opendir(path);

    if (!dir)
        return;
    if (o->all || !top) /* the parent stays */
        found(o, "cgroup %s", path);
    for (struct dirent *each; (each = readdir(dir));)
        if (each->d_type == DT_DIR && each->d_name[0] != '.')
            cgroups_below(o, arena_printf(o->arena, "%s/%s", path, each->d_name), false);
}

static void cgroups(struct oracle *o) {
    _cleanup_dir_ DIR *dir = opendir("/sys/fs/cgroup");

    cgroups_below(o, arena_printf(o->arena, "/sys/fs/cgroup/%s", o->name), true);
    for (struct dirent *each; dir && (each = readdir(dir));)
        if (each->d_name[0] != '.')
            cgroups_below(o, arena_printf(o->arena, "/sys/fs/cgroup/%s/%s", each->d_name, o->name), true);
}

struct process {
    int pid, parent;
    char state;
    bool ours;
    const char *name;
};

/* A program of the engine: how many descriptors it holds, and whether one of them or its arguments lie in the roots. */
static int descriptors(struct oracle *o, const char *proc, bool *near) {
    const char *path = arena_printf(o->arena, "%s/fd", proc);
    _cleanup_dir_ DIR *dir = opendir(path);
    int count = 0;

    *near = *near || of_roots(o, text_of(o, arena_printf(o->arena, "%s/cmdline", proc)));
    for (struct dirent *each; dir && (each = readdir(dir));)
        if (each->d_name[0] != '.') {
            count++;
            *near = *near || of_roots(o, link_of(o, arena_printf(o->arena, "%s/%s", path, each->d_name)));
        }
    return count;
}

static void process(struct oracle *o, int pid, struct list *seen) {
    const char *proc = arena_printf(o->arena, "/proc/%d", pid), *exe = link_of(o, arena_printf(o->arena, "%s/exe", proc));
    const char *stat = text_of(o, arena_printf(o->arena, "%s/stat", proc)), *open = strchr(stat, '('), *shut = strrchr(stat, ')');
    const char *program = strrchr(exe, '/') ? strrchr(exe, '/') + 1 : "";
    struct process p = {.pid = pid};
    int count = 0;

    if (!open || !shut || sscanf(shut + 1, " %c %d", &p.state, &p.parent) != 2)
        return; /* gone meanwhile */
    p.name =
        arena_strndup(o->arena, program, ends(program, " (deleted)") ? strlen(program) - strlen(" (deleted)") : strlen(program));
    p.ours = strstr(text_of(o, arena_printf(o->arena, "%s/cgroup", proc)), arena_printf(o->arena, "/%s/", o->name));
    if (!*p.name) /* the root of a mount of its own, as of monitors: the first argument tells */
        p.name = text_of(o, arena_printf(o->arena, "%s/cmdline", proc));
    if (starts(p.name, "tare"))
        count = descriptors(o, proc, &p.ours);
    if (!*p.name)
        p.name = arena_strndup(o->arena, open + 1, (size_t)(shut - open - 1));
    *LIST_ADD(o->arena, struct process, seen) = p;
    if (p.ours)
        found(o, "process %d %s%s", pid, p.name, count ? arena_printf(o->arena, " with %d descriptors", count) : "");
}

static bool is_among(const struct list *seen, int pid) {
    for (size_t i = 0; i < seen->n; i++)
        if (LIST_AT(struct process, seen, i)->ours && LIST_AT(struct process, seen, i)->pid == pid)
            return true;
    return false;
}

static void processes(struct oracle *o) {
    _cleanup_dir_ DIR *dir = opendir("/proc");
    struct list seen = {0};

    for (struct dirent *each; dir && (each = readdir(dir));) {
        int pid = (int)strtol(each->d_name, NULL, 10);

        if (pid > 0 && pid != getpid())
            process(o, pid, &seen);
    }
    for (size_t i = 0; i < seen.n; i++) {
        const struct process *p = LIST_AT(struct process, &seen, i);

        if (p->state == 'Z' && (p->ours || is_among(&seen, p->parent)))
            found(o, "process %d %s: dead, child of %d, not reaped", p->pid, p->name, p->parent);
    }
}

static bool is_permanent(const char *path) {
    for (size_t i = 0; i < ARRAY_SIZE(permanent); i++)
        if (starts(path, permanent[i]) && strchr("/", path[strlen(permanent[i])]))
            return true;
    return false;
}

/* Whether a path below a root stands for something that lives or is unfinished. */
static bool is_file_leak(const struct oracle *o, const char *path) {
    const char *name = strchr(path, '/'), *last = name ? strrchr(path, '/') + 1 : path;

    if (o->all || (strstr(last, "tmp") && strcmp(last, "tmp") != 0))
        return true;
    if (is_permanent(path) || ends(last, "lock") || strcmp(last, ".cursor") == 0)
        return false;
    if (!name)
        return false;                                            /* the folders and files of the engine itself */
    return !(starts(path, "leases/") && !strchr(name + 1, '/')); /* the folder of a network's leases */
}

/* What is inside a container or a layer is its own business: two levels, and the files of a third where no container is. */
static void files(struct oracle *o, const char *label, const char *top, const char *below, int depth) {
    _cleanup_dir_ DIR *dir = opendir(*below ? arena_printf(o->arena, "%s/%s", top, below) : top);

    for (struct dirent *each; dir && (each = readdir(dir));) {
        const char *path = arena_printf(o->arena, "%s%s%s", below, *below ? "/" : "", each->d_name);

        if (strcmp(each->d_name, ".") == 0 || strcmp(each->d_name, "..") == 0)
            continue;
        if (is_file_leak(o, path) && (depth < 2 || (each->d_type != DT_DIR && (is_permanent(path) || starts(path, "leases/")))))
            found(o, "file %s/%s", label, path);
        if (each->d_type == DT_DIR && depth < 2)
            files(o, label, top, path, depth + 1);
    }
}

static void shared_memory(struct oracle *o) {
    _cleanup_dir_ DIR *dir = opendir("/dev/shm");

    for (struct dirent *each; dir && (each = readdir(dir));)
        if (starts(each->d_name, o->name))
            found(o, "shm %s", each->d_name);
}

/* --- together --------------------------------------------------------------------------------------------------------------------
 */

static const char *without_slash(struct arena *a, const char *path) {
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    return arena_strndup(a, path, n);
}

static void held(struct oracle *o, const char *root, const char *run) {
    o->root = without_slash(o->arena, root);
    o->run = without_slash(o->arena, run);
    o->root_below = arena_printf(o->arena, "%s/", o->root);
    o->run_below = arena_printf(o->arena, "%s/", o->run);
    o->name = arena_printf(o->arena, "tare%s", tag_of(o->arena, o->run));
    mounts(o);
    links(o);
    nft(o);
    cgroups(o);
    processes(o);
    files(o, "root", o->root, "", 0);
    files(o, "run", o->run, "", 0);
    shared_memory(o);
}

static int held_by_list(struct oracle *o, const char *path) {
    _cleanup_file_ FILE *file = fopen(path, "re");
    char root[4096], run[4096];

    if (!file) {
        fprintf(stderr, "leaks: %s: %s\n", path, strerror(errno));
        return 1;
    }
    while (fscanf(file, "%4095s %4095s", root, run) == 2)
        held(o, root, run);
    return 0;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print(struct strs *lines) {
    if (lines->n)
        qsort(lines->v, lines->n, sizeof(*lines->v), compare);
    for (size_t i = 0; i < lines->n; i++)
        if (i == 0 || strcmp(lines->v[i], lines->v[i - 1]) != 0)
            puts(lines->v[i]);
}

int main(int argc, char **argv) {
    _cleanup_arena_ struct arena arena = ARENA_INIT;
    struct oracle o = {.arena = &arena};
    int status = 0;

    if (argc > 1 && strcmp(argv[1], "--all") == 0) {
        o.all = true;
        argc--, argv++;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: leaks [--all] ROOT RUN_ROOT | leaks --list FILE | leaks tag RUN_ROOT\n");
        return 2;
    }
    if (strcmp(argv[1], "tag") == 0)
        puts(tag_of(&arena, argv[2]));
    else if (strcmp(argv[1], "--list") == 0)
        status = held_by_list(&o, argv[2]);
    else
        held(&o, argv[1], argv[2]);
    print(&o.found);
    return status;
}
