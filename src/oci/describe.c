/* spec: a bundle's config.json to begin with. features: what this runtime can do (OCI features.md). */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "kernel/capability.h"
#include "oci/oci.h"

static const char default_config[] =
    "{\n"
    "  \"ociVersion\": \"" OCI_VERSION "\",\n"
    "  \"process\": {\n"
    "    \"terminal\": false, \"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"sh\"], \"cwd\": \"/\",\n"
    "    \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", \"TERM=xterm\"],\n"
    "    \"capabilities\": {\n"
    "      \"bounding\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],\n"
    "      \"effective\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],\n"
    "      \"permitted\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]\n"
    "    },\n"
    "    \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}],\n"
    "    \"noNewPrivileges\": true\n"
    "  },\n"
    "  \"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
    "  \"hostname\": \"tare\",\n"
    "  \"mounts\": [\n"
    "    {\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},\n"
    "    {\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
    "     \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]},\n"
    "    {\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
    "     \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\", \"gid=5\"]},\n"
    "    {\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
    "     \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]},\n"
    "    {\"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\", \"options\": [\"nosuid\", \"noexec\", "
    "\"nodev\"]},\n"
    "    {\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\", \"options\": [\"nosuid\", \"noexec\", \"nodev\", "
    "\"ro\"]}\n"
    "  ],\n"
    "  \"linux\": {\n"
    "    \"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]},\n"
    "    \"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, {\"type\": "
    "\"mount\"}, {\"type\": \"cgroup\"}],\n"
    "    \"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\", \"/proc/latency_stats\", "
    "\"/proc/timer_list\",\n"
    "      \"/proc/timer_stats\", \"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"],\n"
    "    \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\"]\n"
    "  }\n"
    "}\n";

int oci_spec_make(struct oci_call *call, struct error *e) {
    _cleanup_fd_ int dir = fs_open_dir(AT_FDCWD, call->o.bundle ? call->o.bundle : ".", e);

    if (dir < 0)
        return dir;
    return fs_create_at(dir, OCI_CONFIG_FILE, default_config, sizeof(default_config) - 1, 0644, FS_NO_SYNC, e);
}

static void add_names(struct buf *out, const char *member, const struct strs *names) {
    buf_printf(out, "\"%s\":[", member);
    for (size_t i = 0; i < names->n; i++) {
        buf_add_str(out, i ? "," : "");
        json_write_string(out, names->v[i]);
    }
    buf_add_char(out, ']');
}

int oci_features(struct oci_call *call, struct error *e) {
    static const char *namespaces[] = {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"};
    struct buf *out = &call->out;
    struct strs caps = {0};

    (void)e;
    capability_list(CAPABILITY_ALL, &call->arena, &caps);
    buf_add_str(out, "{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"" OCI_VERSION "\",\"hooks\":[],\"linux\":{");
    add_names(out, "namespaces", &(struct strs){namespaces, ARRAY_SIZE(namespaces)});
    buf_add_char(out, ',');
    add_names(out, "capabilities", &caps);
    buf_add_str(out, ",\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":false,\"systemdUser\":false},\"seccomp\":{\"enabled\":true},"
                     "\"apparmor\":{\"enabled\":true},\"selinux\":{\"enabled\":true},\"intelRdt\":{\"enabled\":false}}}\n");
    return 0;
}
