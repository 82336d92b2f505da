/* spec: a bundle's config.json to begin with, as runc makes it. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "oci/oci.h"

/* V2: where that version of control groups is the only one, as runc has it. UID, GID: the caller's, for ROOTLESS. */
enum form { BOTH, ROOT, ROOTLESS, V2, UID, GID };
#define CAPABILITIES "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"

static const struct {
    enum form form;
    const char *text;
} parts[] = {
    {BOTH, "{\n"
           "  \"ociVersion\": \"" OCI_VERSION "\",\n"
           "  \"process\": {\n"
           "    \"terminal\": true, \"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"sh\"], \"cwd\": \"/\",\n"
           "    \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", \"TERM=xterm\"],\n"
           "    \"capabilities\": {\n"
           "      \"bounding\": " CAPABILITIES ",\n"
           "      \"effective\": " CAPABILITIES ",\n"
           "      \"permitted\": " CAPABILITIES "\n"
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
           "     \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\""},
    {ROOT, ", \"gid=5\""}, /* a group that an ordinary user has not */
    {BOTH, "]},\n"
           "    {\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
           "     \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]},\n"
           "    {\"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\",\n"
           "     \"options\": [\"nosuid\", \"noexec\", \"nodev\"]},\n"},
    {ROOT, "    {\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\",\n"
           "     \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"]},\n"
           "    {\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\",\n"
           "     \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"]}\n"},
    /* With the host's network a new sysfs is refused. */
    {ROOTLESS, "    {\"destination\": \"/sys\", \"type\": \"none\", \"source\": \"/sys\",\n"
               "     \"options\": [\"rbind\", \"nosuid\", \"noexec\", \"nodev\", \"ro\"]}\n"},
    {BOTH, "  ],\n"
           "  \"linux\": {\n"},
    {ROOT, "    \"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]},\n"
           "    \"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"},\n"
           "      {\"type\": \"mount\"}"},
    {ROOTLESS, "    \"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, {\"type\": \"mount\"},\n"
               "      {\"type\": \"user\"}"},
    {V2, ", {\"type\": \"cgroup\"}"},
    {BOTH, "],\n"},
    {ROOTLESS, "    \"uidMappings\": [{\"containerID\": 0, \"size\": 1, \"hostID\": "},
    {UID, NULL},
    {ROOTLESS, "}],\n    \"gidMappings\": [{\"containerID\": 0, \"size\": 1, \"hostID\": "},
    {GID, NULL},
    {ROOTLESS, "}],\n"},
    {BOTH, "    \"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\", \"/proc/latency_stats\",\n"
           "      \"/proc/timer_list\", \"/proc/timer_stats\", \"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"],\n"
           "    \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\"]\n"
           "  }\n"
           "}\n"},
};

int oci_spec_make(struct oci_call *call, struct error *e) {
    const enum form form = call->o.spec_rootless ? ROOTLESS : ROOT;
    struct cgroup_layout layout;
    const bool unified = cgroup_layout_read(&layout, NULL) == 0 && strcmp(cgroup_layout_name(&layout), "v2") == 0;
    const char *name = call->o.config ? call->o.config : OCI_CONFIG_FILE;
    _cleanup_buf_ struct buf text = BUF_INIT;
    _cleanup_fd_ int dir = fs_open_dir(AT_FDCWD, call->o.bundle ? call->o.bundle : ".", e);

    if (dir < 0)
        return dir;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i].form == BOTH || parts[i].form == form || (parts[i].form == V2 && unified))
            buf_add_str(&text, parts[i].text);
        else if (form == ROOTLESS && parts[i].form >= UID)
            buf_printf(&text, "%u", parts[i].form == UID ? geteuid() : getegid());
    }
    return fs_create_at(dir, name, text.data, text.size, 0644, FS_NO_SYNC, e);
}
