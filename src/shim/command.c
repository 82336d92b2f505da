/* The command line that containerd calls:
 *
 *   … start     in the bundle: prints the address of the pod's shim, which is started if there is none
 *   … delete    in the bundle, after a shim has died: ends the container, takes everything away, prints how it ended
 *   … -info     prints what this runtime can do, as `tare oci features`
 *   …           serves (started by `start`, the socket at descriptor 3)
 *
 * Options in Go's manner: -name value, -name=value, one dash or two. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sha256.h"
#include "kernel/cgroup.h"
#include "kernel/sys.h"
#include "oci/oci.h"
#include "shim/messages.pb-c.h"
#include "shim/shim.h"
#include "shim/ttrpc.h"

#define STDIN_MAX      ((size_t)1 << 16)
#define STDIN_WAIT_MS  20000 /* containerd writes at once, or gives /dev/null; only a busy machine takes longer */
#define KILLED_STATUS  137
#define ANSWER_WAIT_MS 3000 /* containerd itself waits for 5 s */
#define SOCKET_BACKLOG 64

struct arguments {
    const char *namespace_, *address, *publish_binary, *id, *bundle, *debug, *version, *info, *help;
    const char *root, *systemd_cgroup; /* from `start` to the shim: options that pods are made with */
    const char *action;
};

static int parse(int argc, char *argv[], struct arguments *a, struct error *e) {
    const struct {
        const char *name;
        const char **value;
        bool is_switch;
    } flags[] = {
        {"namespace", &a->namespace_, false},
        {"address", &a->address, false},
        {"publish-binary", &a->publish_binary, false},
        {"id", &a->id, false},
        {"bundle", &a->bundle, false},
        {"debug", &a->debug, true},
        {"v", &a->version, true},
        {"info", &a->info, true},
        {"help", &a->help, true},
        {"h", &a->help, true},
        {"root", &a->root, false},
        {"systemd-cgroup", &a->systemd_cgroup, true},
    };

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *name = word + 1 + (word[0] == '-' && word[1] == '-');
        size_t n = strcspn(name, "="), k = 0;

        if (word[0] != '-') {
            a->action = word;
            continue;
        }
        while (k < ARRAY_SIZE(flags) && (strlen(flags[k].name) != n || strncmp(flags[k].name, name, n) != 0))
            k++;
        if (k == ARRAY_SIZE(flags))
            return error_set(e, -EINVAL, "flag %s is not known", word);
        *flags[k].value = name[n] ? name + n + 1 : "true";
        if (!name[n] && !flags[k].is_switch) {
            if (i + 1 == argc)
                return error_set(e, -EINVAL, "%s: a value is missing", word);
            *flags[k].value = argv[++i];
        }
    }
    return 0;
}

/* ---- start ---- */

struct annotated {
    struct map annotations;
};

/* Containers of one pod carry its sandbox's id; containerd's own name for any such group goes before it. */
static int find_group(const char *id, struct arena *a, const char **ret, struct error *e) {
    static const struct json_field fields[] = {JSON_FIELD(struct annotated, annotations, "annotations", JSON_MAP, 0), JSON_END};
    static const struct json_table table = JSON_TABLE("config", struct annotated, fields);
    static const char *const labels[] = {"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"};
    struct annotated spec = {0};
    _cleanup_buf_ struct buf text = BUF_INIT;
    int r;

    *ret = id;
    if (access("config.json", F_OK) < 0 && errno == ENOENT) /* of a pod whose sandbox is the shim itself */
        return 0;
    r = fs_read_at(AT_FDCWD, "config.json", OCI_CONFIG_MAX, &text, e);
    if (r == 0)
        r = json_decode(&table, buf_text(&text), text.size, a, &spec, e);
    if (r < 0)
        return error_wrap(e, r, "read the bundle");
    for (size_t i = ARRAY_SIZE(labels); i-- > 0;)
        if (map_get(&spec.annotations, labels[i]))
            *ret = map_get(&spec.annotations, labels[i]);
    return 0;
}

/* What `start` hears on standard input. */
struct start_input {
    const Pb__Options *options;
    const char *socket_dir;
    bool is_message; /* of containerd 2.3 and later */
};

static int socket_path(const struct arguments *args, const char *dir, const char *group, struct sockaddr_un *ret, struct error *e) {
    struct sha256 h;
    unsigned char digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    const char *const parts[] = {args->address, "/", args->namespace_, "/", group};

    sha256_init(&h);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        sha256_add(&h, parts[i], strlen(parts[i]));
    sha256_final(&h, digest);
    hex_encode(digest, sizeof(digest), hex);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((size_t)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", dir, hex) >= sizeof(ret->sun_path))
        return error_set(e, -ENAMETOOLONG, "the socket's path is too long");
    return fs_mkdirs(dir, 0711, e);
}

/* Does a shim live there? The forks of one that was killed hold its socket for another moment, in which they may still make things
 * for it: so it is asked, and what lives answers, be it that there is no such service; the end comes when they are gone, too. */
static bool shim_lives(const struct sockaddr_un *at) {
    static const char empty_request[TTRPC_HEADER] = {0, 0, 0, 0, 0, 0, 0, 1, TTRPC_REQUEST, 0};
    _cleanup_fd_ int c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd p = {.fd = c, .events = POLLIN};
    char byte;

    if (c < 0 || connect(c, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
        send(c, empty_request, sizeof(empty_request), MSG_NOSIGNAL) < 0)
        return false;
    return poll(&p, 1, ANSWER_WAIT_MS) != 1 || recv(c, &byte, 1, 0) == 1;
}

/* A listening socket; -EADDRINUSE: a shim lives there. */
static int listen_at(const struct sockaddr_un *at, struct error *e) {
    _cleanup_fd_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (s < 0)
        return error_errno(e, -errno, "make a socket");
    if (bind(s, (const struct sockaddr *)at, sizeof(*at)) < 0) {
        if (errno != EADDRINUSE)
            return error_errno(e, -errno, "bind %s", at->sun_path);
        if (shim_lives(at))
            return -EADDRINUSE;
        (void)unlink(at->sun_path); /* of one that was killed */
        if (bind(s, (const struct sockaddr *)at, sizeof(*at)) < 0)
            return errno == EADDRINUSE ? -EADDRINUSE : error_errno(e, -errno, "bind %s", at->sun_path);
    }
    if (chmod(at->sun_path, 0600) < 0 || listen(s, SOCKET_BACKLOG) < 0)
        return error_errno(e, -errno, "listen at %s", at->sun_path);
    return TAKE_FD(s);
}

static const Pb__Options *options_or_usual(const Pb__Any *any, struct arena *a) {
    const Pb__Options *o = NULL;

    if (options_read(any, a, &o, NULL) < 0) /* whoever needs them says what is wrong with them */
        (void)options_read(NULL, a, &o, NULL);
    return o;
}

/* containerd hands over the runtime's options, and since 2.3 a message that has them among its extensions. One can be read as the
 * other: the message is meant when it says what the command line says. */
static void read_input(const struct arguments *args, struct arena *a, struct start_input *ret) {
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    _cleanup_buf_ struct buf text = BUF_INIT;
    const Pb__BootstrapParams *b;

    *ret = (struct start_input){.options = options_or_usual(NULL, a), .socket_dir = SHIM_SOCKETS};
    if (poll(&p, 1, STDIN_WAIT_MS) != 1 || fs_read_fd(STDIN_FILENO, STDIN_MAX, &text, NULL) < 0 || text.size == 0)
        return;
    b = message_unpack(&pb__bootstrap_params__descriptor, text.data, text.size, a);
    if (!b || strcmp(b->instance_id, args->id) != 0 || strcmp(b->namespace_, args->namespace_) != 0) {
        ret->options = options_or_usual(message_unpack(&pb__any__descriptor, text.data, text.size, a), a);
        return;
    }
    ret->is_message = true;
    for (size_t i = 0; i < b->n_extensions; i++)
        if (b->extensions[i]->value && strstr(b->extensions[i]->value->type_url, "Options"))
            ret->options = options_or_usual(b->extensions[i]->value, a);
    if (b->socket_dir[0] == '/')
        ret->socket_dir = b->socket_dir;
}

static int enter_cgroup(const char *path, struct arena *a, struct error *e) {
    struct cgroup_layout layout;
    struct list ops = {0};
    int r = cgroup_layout_read(&layout, e);

    if (r == 0)
        r = cgroup_plan_create(&layout, path, NULL, a, &ops, e);
    if (r == 0)
        cgroup_plan_attach(&layout, path, false, a, &ops);
    return r < 0 ? r : cgroup_ops_run(&ops, 0, e);
}

/* A shim goes before containerd when memory runs out, but after its containers, as runc's does it. */
static void adjust_oom_score(void) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    char path[40];
    _cleanup_fd_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    long score;

    (void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", getppid());
    if (fd < 0 || fs_read_at(AT_FDCWD, path, 32, &text, NULL) < 0)
        return;
    score = strtol(buf_text(&text), NULL, 10);
    (void)dprintf(fd, "%ld", MIN_OF(score + 1, 1000L));
}

/* The shim itself: a fresh image of this program, so that nothing of the documents read here stays in its memory. Its diary goes
 * into the bundle's FIFO, which containerd copies into its own. */
static _Noreturn void become_shim(const struct arguments *args, const Pb__Options *o, int listener) {
    char *argv[] = {(char *)(uintptr_t) "containerd-shim-tare-v2",
                    (char *)(uintptr_t) "-namespace",
                    (char *)(uintptr_t)args->namespace_,
                    (char *)(uintptr_t) "-id",
                    (char *)(uintptr_t)args->id,
                    (char *)(uintptr_t) "-address",
                    (char *)(uintptr_t)args->address,
                    (char *)(uintptr_t) "-root",
                    (char *)(uintptr_t)(*o->root ? o->root : SHIM_ROOT),
                    (char *)(uintptr_t)(o->systemd_cgroup ? "-systemd-cgroup=true" : "-systemd-cgroup=false"),
                    args->debug ? (char *)(uintptr_t) "-debug" : NULL,
                    NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = open("log", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

    (void)setsid();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(log >= 0 ? log : null, STDERR_FILENO) < 0 || chdir("/") < 0)
        _exit(EXIT_ENGINE);
    if (listener == SHIM_LISTEN_FD ? fcntl(listener, F_SETFD, 0) < 0 : dup2(listener, SHIM_LISTEN_FD) < 0)
        _exit(EXIT_ENGINE);
    (void)sys_close_range(SHIM_LISTEN_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC); /* what containerd's own parents left open */
    execve("/proc/self/exe", argv, environ);
    _exit(EXIT_ENGINE);
}

static int spawn(const struct arguments *args, const Pb__Options *o, int listener, struct arena *a, struct error *e) {
    const char *cgroup = o->shim_cgroup;
    pid_t pid;
    int r = *cgroup ? enter_cgroup(cgroup, a, e) : 0;

    if (r < 0)
        return error_wrap(e, r, "ShimCgroup %s", cgroup);
    pid = fork();
    if (pid < 0)
        return error_errno(e, -errno, "start the shim");
    if (pid == 0) {
        adjust_oom_score();
        become_shim(args, o, listener);
    }
    return 0;
}

/* containerd 1.7 to 2.2 says which version of the interface it knows, later ones know the third; older ones expect the bare
 * address. */
static void print_address(const struct sockaddr_un *at, bool knows_third) {
    const char *version = getenv("MAX_SHIM_VERSION");

    if (knows_third || (version && strtol(version, NULL, 10) >= 3))
        dprintf(STDOUT_FILENO, "{\"version\":3,\"address\":\"unix://%s\",\"protocol\":\"ttrpc\"}", at->sun_path);
    else
        dprintf(STDOUT_FILENO, "unix://%s", at->sun_path);
}

static int do_start(const struct arguments *args, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf address = BUF_INIT;
    _cleanup_fd_ int listener = -1;
    struct sockaddr_un at;
    struct start_input input;
    const char *group = args->id;
    int r = find_group(args->id, &a, &group, e);

    read_input(args, &a, &input);
    if (r == 0)
        r = socket_path(args, input.socket_dir, group, &at, e);
    if (r < 0)
        return r;
    listener = listen_at(&at, e);
    if (listener >= 0)
        r = spawn(args, input.options, listener, &a, e);
    else if (listener != -EADDRINUSE)
        r = listener;
    if (r < 0)
        return r;
    /* containerd 1.6 looks there after its restart. */
    buf_printf(&address, "unix://%s", at.sun_path);
    r = fs_replace_at(AT_FDCWD, SHIM_ADDRESS_FILE, address.data, address.size, 0600, FS_NO_SYNC, e);
    if (r == 0)
        print_address(&at, input.is_message);
    return r;
}

/* ---- delete ---- */

/* Where the bundle's shim listened, when it and its forks are dead and no other one of the pod has taken its place. */
static bool find_dead_socket(int bundle, struct sockaddr_un *ret) {
    _cleanup_buf_ struct buf text = BUF_INIT;
    static const char scheme[] = "unix://";

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (fs_read_at(bundle, SHIM_ADDRESS_FILE, sizeof(ret->sun_path), &text, NULL) < 0 || !text.data ||
        strncmp(text.data, scheme, strlen(scheme)) != 0)
        return false;
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", text.data + strlen(scheme));
    return ret->sun_path[0] == '/' && !shim_lives(ret);
}

static int do_delete(const struct arguments *args, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf text = BUF_INIT, out = BUF_INIT;
    const char *bundle = args->bundle && *args->bundle ? args->bundle : ".";
    _cleanup_fd_ int dir = fs_open_dir(AT_FDCWD, bundle, e);
    struct oci_call call = {0};
    const struct timespec now = clock_wall();
    Pb__DeleteResponse m = PB__DELETE_RESPONSE__INIT;
    Pb__Timestamp exited = PB__TIMESTAMP__INIT;
    struct sockaddr_un socket;
    const char *root;
    bool dead;
    int r;

    if (dir < 0)
        return dir;
    dead = find_dead_socket(dir, &socket);
    if (fs_read_at(dir, SHIM_ROOT_FILE, 4096, &text, NULL) == 0 && text.size > 0)
        root = arena_strdup(&a, buf_text(&text));
    else
        root = arena_printf(&a, "%s/%s", SHIM_ROOT, args->namespace_);
    r = oci_call(5, (const char *const[]){"--root", root, "delete", "--force", args->id}, &call, e);
    arena_release(&call.arena);
    buf_release(&call.out);
    if (r == 0)
        r = rootfs_unmount(bundle, e);
    if (r == 0)
        r = pod_unmount(bundle, e);
    if (r < 0)
        return r;
    if (dead)
        (void)unlink(socket.sun_path);
    exited.seconds = now.tv_sec;
    exited.nanos = (int32_t)now.tv_nsec;
    m.exit_status = KILLED_STATUS;
    m.exited_at = &exited;
    message_pack(&m.base, &out);
    return fs_write_all(STDOUT_FILENO, out.data, out.size);
}

/* ---- -info ---- */

static int do_info(struct error *e) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    struct oci_call call = {0};
    Pb__RuntimeVersion version = PB__RUNTIME_VERSION__INIT;
    Pb__RuntimeInfo m = PB__RUNTIME_INFO__INIT;
    Pb__Any features = PB__ANY__INIT;
    int r = oci_call(1, (const char *const[]){"features"}, &call, e);

    version.version = (char *)(uintptr_t)TARE_VERSION;
    features.type_url = (char *)(uintptr_t) "types.containerd.io/opencontainers/runtime-spec/1/features/Features";
    features.value.data = (uint8_t *)call.out.data;
    features.value.len = call.out.size;
    m.name = (char *)(uintptr_t) "io.containerd.tare.v2";
    m.version = &version;
    m.features = &features;
    if (r == 0) {
        message_pack(&m.base, &out);
        r = fs_write_all(STDOUT_FILENO, out.data, out.size);
    }
    arena_release(&call.arena);
    buf_release(&call.out);
    return r;
}

/* ---- Serving ---- */

static int do_serve(const struct arguments *args, struct error *e) {
    static struct shim s;
    const char *address = getenv("TTRPC_ADDRESS");
    struct stat st;

    if (fstat(SHIM_LISTEN_FD, &st) < 0 || !S_ISSOCK(st.st_mode) || fcntl(SHIM_LISTEN_FD, F_SETFD, FD_CLOEXEC) < 0)
        return error_hint((error_set(e, -EINVAL, "there is no socket at descriptor %d", SHIM_LISTEN_FD), e),
                          "containerd starts this program, by `start`");
    if (!address || !*address) {
        _cleanup_arena_ struct arena a = ARENA_INIT;

        address = strdup(arena_printf(&a, "%s.ttrpc", args->address));
        if (!address)
            return -ENOMEM;
    }
    if (strncmp(address, "unix://", 7) == 0)
        address += 7;
    s.namespace_ = args->namespace_;
    s.address = args->address;
    s.ttrpc_address = address;
    s.root = args->root;
    s.systemd_cgroup = args->systemd_cgroup && strcmp(args->systemd_cgroup, "true") == 0;
    return serve(&s, e);
}

static const char usage[] =
    "Usage: containerd-shim-tare-v2 [-namespace NAME] [-address SOCKET] [-bundle DIR] -id ID start|delete\n"
    "       containerd-shim-tare-v2 -info | -v\n\n"
    "The runtime io.containerd.tare.v2, which containerd calls by itself when it finds this program in its PATH:\n\n"
    "    ctr run --runtime io.containerd.tare.v2 IMAGE NAME\n\n"
    "start    start the shim of the container (or of its pod), in its bundle, and print the address\n"
    "delete   after a shim that died: end the container and take away what it holds\n"
    "-info    tell what this runtime can do, as containerd reads it\n";

/* They become parts of paths. */
static int check_names(const struct arguments *args, struct error *e) {
    const struct { const char *flag, *value; } names[] = {{"-namespace", args->namespace_}, {"-id", args->id}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!*names[i].value || *names[i].value == '.' || strchr(names[i].value, '/'))
            return *names[i].value ? error_set(e, -EINVAL, "%s: %s is not a name", names[i].flag, names[i].value)
                                   : error_set(e, -EINVAL, "%s is missing", names[i].flag);
    return 0;
}

int shim_main(int argc, char *argv[]) {
    struct arguments args = {.namespace_ = "default", .address = "", .id = ""};
    _cleanup_error_ struct error e = ERROR_INIT;
    int r = parse(argc, argv, &args, &e);

    if (r == 0 && args.version) {
        dprintf(STDOUT_FILENO, "containerd-shim-tare-v2:\n  Version:  %s\n", TARE_VERSION);
        return 0;
    }
    if (r == 0 && args.help)
        return dprintf(STDOUT_FILENO, "%s", usage) < 0;
    if (r == 0 && args.action)
        r = check_names(&args, &e);
    if (r == 0 && args.info)
        r = do_info(&e);
    else if (r == 0 && args.action && strcmp(args.action, "start") == 0)
        r = do_start(&args, &e);
    else if (r == 0 && args.action && strcmp(args.action, "delete") == 0)
        r = do_delete(&args, &e);
    else if (r == 0 && args.action)
        r = error_set(&e, -EINVAL, "%s: there is no such command", args.action);
    else if (r == 0)
        r = do_serve(&args, &e);
    if (r < 0) {
        _cleanup_free_ char *text = error_sentence(&e);

        dprintf(STDERR_FILENO, "containerd-shim-tare-v2: %s\n", text);
    }
    return r < 0;
}
