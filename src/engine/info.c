#include "engine/info.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "engine/container.h"
#include "engine/lookup.h"
#include "image/image.h"
#include "kernel/cgroup.h"
#include "kernel/lsm.h"
#include "kernel/selinux.h"
#include "model/config.h"

#define API_VERSION     "1.51"
#define API_VERSION_MIN "1.24"

#define INFO(member, name, kind) JSON_FIELD(struct system_info, member, name, kind, 0)
static const struct json_field info_fields[] = {
    INFO(id, "ID", JSON_STR),
    INFO(containers, "Containers", JSON_I64),
    INFO(running, "ContainersRunning", JSON_I64),
    INFO(paused, "ContainersPaused", JSON_I64),
    INFO(stopped, "ContainersStopped", JSON_I64),
    INFO(images, "Images", JSON_I64),
    INFO(driver, "Driver", JSON_STR),
    INFO(memory_limit, "MemoryLimit", JSON_BOOL),
    INFO(swap_limit, "SwapLimit", JSON_BOOL),
    INFO(cpu_cfs_quota, "CpuCfsPeriod", JSON_BOOL),
    INFO(cpu_cfs_quota, "CpuCfsQuota", JSON_BOOL),
    INFO(cpu_shares, "CPUShares", JSON_BOOL),
    INFO(cpuset, "CPUSet", JSON_BOOL),
    INFO(pids_limit, "PidsLimit", JSON_BOOL),
    INFO(oom_kill_disable, "OomKillDisable", JSON_BOOL),
    INFO(ipv4_forwarding, "IPv4Forwarding", JSON_BOOL),
    INFO(debug, "Debug", JSON_BOOL),
    INFO(system_time, "SystemTime", JSON_STR),
    INFO(logging_driver, "LoggingDriver", JSON_STR),
    INFO(cgroup_driver, "CgroupDriver", JSON_STR),
    INFO(cgroup_version, "CgroupVersion", JSON_STR),
    INFO(cgroup_layout, "CgroupLayout", JSON_STR),
    INFO(kernel_version, "KernelVersion", JSON_STR),
    INFO(operating_system, "OperatingSystem", JSON_STR),
    INFO(os_version, "OSVersion", JSON_STR),
    INFO(os_type, "OSType", JSON_STR),
    INFO(architecture, "Architecture", JSON_STR),
    INFO(index_server, "IndexServerAddress", JSON_STR),
    INFO(ncpu, "NCPU", JSON_I64),
    INFO(mem_total, "MemTotal", JSON_I64),
    INFO(root, "DockerRootDir", JSON_STR),
    INFO(run_root, "RunRoot", JSON_STR),
    INFO(http_proxy, "HttpProxy", JSON_STR),
    INFO(https_proxy, "HttpsProxy", JSON_STR),
    INFO(no_proxy, "NoProxy", JSON_STR),
    INFO(name, "Name", JSON_STR),
    INFO(experimental, "ExperimentalBuild", JSON_BOOL),
    INFO(server_version, "ServerVersion", JSON_STR),
    INFO(default_runtime, "DefaultRuntime", JSON_STR),
    INFO(isolation, "Isolation", JSON_STR),
    INFO(init_binary, "InitBinary", JSON_STR),
    INFO(rootless, "Rootless", JSON_BOOL),
    INFO(security_options, "SecurityOptions", JSON_STRS),
    JSON_FIELD(struct system_info, warnings, "Warnings", JSON_STRS, JSON_NULL_EMPTY),
    INFO(config, "Config", JSON_MAP),
    JSON_END,
};
const struct json_table system_info_table = JSON_TABLE("info", struct system_info, info_fields);

#define VERSION(member, name) JSON_FIELD(struct version_half, member, name, JSON_STR, 0)
static const struct json_field version_client_fields[] = {
    VERSION(version, "Version"),
    VERSION(api_version, "ApiVersion"),
    VERSION(git_commit, "GitCommit"),
    VERSION(compiler, "Compiler"),
    VERSION(os, "Os"),
    VERSION(arch, "Arch"),
    VERSION(build_time, "BuildTime"),
    JSON_END,
};
static const struct json_field version_server_fields[] = {
    VERSION(version, "Version"),
    VERSION(api_version, "ApiVersion"),
    VERSION(min_api_version, "MinAPIVersion"),
    VERSION(git_commit, "GitCommit"),
    VERSION(compiler, "Compiler"),
    VERSION(os, "Os"),
    VERSION(arch, "Arch"),
    VERSION(kernel_version, "KernelVersion"),
    VERSION(build_time, "BuildTime"),
    JSON_END,
};
const struct json_table version_client_table = JSON_TABLE("version", struct version_half, version_client_fields),
                        version_server_table = JSON_TABLE("version", struct version_half, version_server_fields);

static const char *go_arch(const char *machine) {
    static const char *const names[][2] = {{"x86_64", "amd64"},    {"aarch64", "arm64"}, {"armv7l", "arm"},     {"i686", "386"},
                                           {"ppc64le", "ppc64le"}, {"s390x", "s390x"},   {"riscv64", "riscv64"}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i][0], machine) == 0)
            return names[i][1];
    return machine;
}

void version_fill(struct arena *a, struct version_half *ret) {
    struct utsname u = {0};

    (void)uname(&u);
    *ret = (struct version_half){
        .version = TARE_VERSION,
        .api_version = API_VERSION,
        .min_api_version = API_VERSION_MIN,
        .git_commit = "",
        .compiler = "C " __VERSION__,
        .os = "linux",
        .arch = arena_strdup(a, go_arch(u.machine)),
        .build_time = "",
        .kernel_version = arena_strdup(a, u.release),
    };
}

/* --- pieces of info ------------------------------------------------------------------------------------------------------------
 */

static int count_container(struct engine *engine, struct container *c, void *arg, struct error *e) {
    struct system_info *info = arg;
    struct container_state state;

    (void)engine;
    info->containers++;
    if (container_state(c, &state, e) < 0) {
        info->stopped++;
        return 0;
    }
    if (state.status == STATUS_PAUSED)
        info->paused++;
    else if (container_is_alive(&state))
        info->running++;
    else
        info->stopped++;
    return 0;
}

/* The value of KEY="value" in /etc/os-release, os-release(5). */
static const char *os_release(const char *text, const char *key, struct arena *a) {
    size_t n = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, key, n) == 0 && line[n] == '=') {
            const char *value = line + n + 1;
            bool quoted = *value == '"';

            value += quoted;
            return arena_strndup(a, value, strcspn(value, quoted ? "\"\n" : "\n"));
        }
    }
    return "";
}

static void fill_host(struct arena *a, struct system_info *info) {
    _cleanup_buf_ struct buf text = BUF_INIT, forward = BUF_INIT;
    _cleanup_fd_ int fd = open("/etc/os-release", O_RDONLY | O_CLOEXEC);
    struct sysinfo memory = {0};
    char now[TIME_TEXT_MAX];
    struct utsname u = {0};

    if (fd >= 0)
        (void)fs_read_fd(fd, 65536, &text, NULL);
    (void)uname(&u);
    (void)sysinfo(&memory);
    time_format(clock_wall(), now);
    info->operating_system = os_release(buf_text(&text), "PRETTY_NAME", a);
    info->os_version = os_release(buf_text(&text), "VERSION_ID", a);
    info->os_type = "linux";
    info->architecture = arena_strdup(a, u.machine);
    info->kernel_version = arena_strdup(a, u.release);
    info->name = arena_strdup(a, u.nodename);
    info->ncpu = sysconf(_SC_NPROCESSORS_ONLN);
    info->mem_total = (int64_t)memory.totalram * memory.mem_unit;
    info->system_time = arena_strdup(a, now);
    if (fs_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &forward, NULL) == 0)
        info->ipv4_forwarding = buf_text(&forward)[0] == '1';
}

static void warn_missing(struct arena *a, struct system_info *info, bool have, const char *what) {
    if (!have)
        strs_add(a, &info->warnings, arena_printf(a, "WARNING: No %s support", what));
}

static void fill_cgroups(struct arena *a, struct system_info *info) {
    struct cgroup_layout layout;
    const char *name;

    if (cgroup_layout_read(&layout, NULL) < 0)
        return;
    name = cgroup_layout_name(&layout);
    info->cgroup_driver = "cgroupfs";
    info->cgroup_version = strcmp(name, "v2") == 0 ? "2" : "1";
    info->cgroup_layout = name;
    info->memory_limit = layout.of[CGROUP_MEMORY] != CGROUP_NONE;
    info->swap_limit = info->memory_limit;
    info->cpu_cfs_quota = info->cpu_shares = layout.of[CGROUP_CPU] != CGROUP_NONE;
    info->cpuset = layout.of[CGROUP_CPUSET] != CGROUP_NONE;
    info->pids_limit = layout.of[CGROUP_PIDS] != CGROUP_NONE;
    info->oom_kill_disable = info->memory_limit && strcmp(name, "v2") != 0;
    warn_missing(a, info, info->memory_limit, "memory limit");
    warn_missing(a, info, info->cpu_shares, "cpu shares");
    warn_missing(a, info, info->cpuset, "cpuset");
    warn_missing(a, info, info->pids_limit, "pids limit");
}

static void fill_security(struct arena *a, const struct config *config, struct system_info *info) {
    if (lsm_has_apparmor())
        strs_add(a, &info->security_options, "name=apparmor");
    strs_add(a, &info->security_options, arena_printf(a, "name=seccomp,profile=%s", config->seccomp_profile));
    if (selinux_is_on())
        strs_add(a, &info->security_options, "name=selinux");
    if (info->rootless)
        strs_add(a, &info->security_options, "name=rootless");
    if (strcmp(config->userns, "auto") == 0)
        strs_add(a, &info->security_options, "name=userns");
    if (info->cgroup_version && info->cgroup_version[0] == '2')
        strs_add(a, &info->security_options, "name=cgroupns");
}

static void fill_config(struct arena *a, const struct config *config, struct system_info *info) {
    for (const struct config_key *key = config_keys; key->name; key++) {
        _cleanup_buf_ struct buf value = BUF_INIT;

        config_value(config, key, &value);
        map_set(a, &info->config, key->name, arena_strdup(a, buf_text(&value)));
    }
}

static const char *variable(const char *lower, const char *upper) {
    const char *value = getenv(lower);

    value = value ? value : getenv(upper);
    return value ? value : "";
}

/* A stable id of the data root: from the machine's id and the path, so that nothing must be stored. */
static const char *root_id(const struct roots *roots, struct arena *a) {
    _cleanup_buf_ struct buf machine = BUF_INIT;
    uint64_t h[2] = {14695981039346656037ULL, 1099511628211ULL};

    (void)fs_read_at(AT_FDCWD, "/etc/machine-id", 128, &machine, NULL);
    for (int i = 0; i < 2; i++) {
        for (const char *s = buf_text(&machine); *s; s++)
            h[i] = (h[i] ^ (unsigned char)*s) * 1099511628211ULL;
        for (const char *s = roots->root; *s; s++)
            h[i] = (h[i] ^ (unsigned char)*s) * 1099511628211ULL;
    }
    return arena_printf(a, "%016llx%016llx", (unsigned long long)h[0], (unsigned long long)h[1]);
}

int system_info(struct engine *engine, const struct config *config, struct arena *a, struct system_info *ret, struct error *e) {
    struct system_info info = {.driver = "overlay2",
                               .server_version = TARE_VERSION,
                               .default_runtime = "tare",
                               .init_binary = "tare-init",
                               .isolation = "",
                               .index_server = "https://index.docker.io/v1/",
                               .rootless = engine->roots->rootless};
    struct image_store *store;
    struct list images = {0};
    int r = container_each(engine, a, count_container, &info, e);

    if (r >= 0)
        r = engine_store(engine, &store, e);
    if (r >= 0)
        r = image_list(store, a, &images, e);
    if (r < 0)
        return r;
    info.images = (int64_t)images.n;
    info.id = root_id(engine->roots, a);
    info.root = engine->roots->root;
    info.run_root = engine->roots->run_root;
    info.logging_driver = config->log_driver;
    info.http_proxy = variable("http_proxy", "HTTP_PROXY");
    info.https_proxy = variable("https_proxy", "HTTPS_PROXY");
    info.no_proxy = variable("no_proxy", "NO_PROXY");
    fill_host(a, &info);
    fill_cgroups(a, &info);
    fill_security(a, config, &info);
    fill_config(a, config, &info);
    *ret = info;
    return 0;
}
