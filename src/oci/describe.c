/* features: what this runtime can do (OCI features.md). */
#include "kernel/capability.h"

#include "oci/oci.h"
#include "runtime/mount_option.h"

static void add_names(struct buf *out, const char *member, const struct strs *names) {
    buf_printf(out, "\"%s\":[", member);
    for (size_t i = 0; i < names->n; i++) {
        buf_add_str(out, i ? "," : "");
        json_write_string(out, names->v[i]);
    }
    buf_add_char(out, ']');
}

static void add_list(struct buf *out, const char *member, const char *const *names, size_t n) {
    buf_printf(out, "\"%s\":[", member);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s\"%s\"", i ? "," : "", names[i]);
    buf_add_char(out, ']');
}

/* Names that a document may have are those that the decoder of the document knows. */
static void add_words(struct buf *out, const char *member, enum oci_word_kind kind) {
    size_t n = 0;

    while (oci_words[kind][n])
        n++;
    add_list(out, member, oci_words[kind], n);
}

static void add_seccomp(struct buf *out) {
    static const struct {
        const char *member;
        enum oci_word_kind kind;
    } lists[] = {{"actions", OCI_WORDS_SECCOMP_ACTION},
                 {"operators", OCI_WORDS_SECCOMP_OPERATOR},
                 {"archs", OCI_WORDS_SECCOMP_ARCH},
                 {"knownFlags", OCI_WORDS_SECCOMP_FLAG},
                 {"supportedFlags", OCI_WORDS_SECCOMP_FLAG}};

    buf_add_str(out, "\"seccomp\":{\"enabled\":true");
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        buf_add_char(out, ',');
        add_words(out, lists[i].member, lists[i].kind);
    }
    buf_add_str(out, "},");
}

static void add_memory_policy(struct buf *out) {
    buf_add_str(out, "\"memoryPolicy\":{");
    add_words(out, "modes", OCI_WORDS_MEMORY_POLICY_MODE);
    buf_add_char(out, ',');
    add_words(out, "flags", OCI_WORDS_MEMORY_POLICY_FLAG);
    buf_add_str(out, "},");
}

static void add_linux(struct oci_call *call, struct buf *out) {
    struct strs caps = {0};

    capability_list(CAPABILITY_ALL, &call->arena, &caps);
    buf_add_str(out, "\"linux\":{");
    add_words(out, "namespaces", OCI_WORDS_NAMESPACE);
    buf_add_char(out, ',');
    add_names(out, "capabilities", &caps);
    buf_add_str(out, ",\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":true,\"systemdUser\":false,\"rdma\":true},");
    add_seccomp(out);
    add_memory_policy(out);
    buf_add_str(out, "\"apparmor\":{\"enabled\":true},\"selinux\":{\"enabled\":true},"
                     "\"intelRdt\":{\"enabled\":true,\"schemata\":true,\"monitoring\":true},"
                     "\"mountExtensions\":{\"idmap\":{\"enabled\":true}},\"netDevices\":{\"enabled\":true}}");
}

int oci_features(struct oci_call *call, struct error *e) {
    static const char *const hooks[] = {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};
    struct buf *out = &call->out;
    struct strs options = {0};

    (void)e;
    for (size_t i = 0; mount_option_name(i); i++)
        strs_add(&call->arena, &options, mount_option_name(i));
    buf_add_str(out, "{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"" OCI_VERSION "\",");
    add_list(out, "hooks", hooks, ARRAY_SIZE(hooks));
    buf_add_char(out, ',');
    add_names(out, "mountOptions", &options);
    buf_add_char(out, ',');
    add_linux(call, out);
    buf_add_str(out, ",\"potentiallyUnsafeConfigAnnotations\":[\"org.systemd.property.\",\"run.oci.keep_original_groups\"],"
                     "\"annotations\":{\"org.opencontainers."
                     "runc.checkpoint.enabled\":\"false\"}}\n");
    return 0;
}
