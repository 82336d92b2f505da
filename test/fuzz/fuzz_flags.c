/* What stands behind single flags, and small documents of others: mounts, secrets, limits, keys, modes; CDI files in JSON and YAML,
 * seccomp profiles (compiled, too), credentials, challenges of registries. The first byte chooses. */
#include "fuzz.h"
#include "image/credentials.h"
#include "image/registry_auth.h"
#include "kernel/seccomp_filter.h"
#include "model/cdi.h"
#include "model/container.h"
#include "model/cpu_list.h"
#include "model/gpu.h"
#include "model/mount_text.h"
#include "model/network_mode.h"
#include "model/seccomp_profile.h"
#include "model/secret.h"
#include "model/signal_name.h"
#include "model/ulimit.h"
#include "model/userns_mode.h"
#include "network/files.h"
#include "network/upstream.h"
#include "runtime/detach_keys.h"

static void mounts(const char *text, struct arena *a) {
    struct mount_request request = {0};
    struct mount_point point = {0};
    const char *options = strchr(text, ':');

    if (volume_text_parse(text, "/here", a, &point, NULL) == 0)
        FUZZ_MUST(point.destination && point.destination[0] == '/');
    (void)mount_text_parse(text, "/here", a, &request, NULL);
    (void)tmpfs_text_parse(text, options ? options + 1 : "", a, &point, NULL);
}

static void words(const char *text, struct arena *a) {
    struct secret_request secret = {0};
    struct device_request gpu = {0};
    struct detach_keys keys = {0};
    struct userns_mode mode = {0};
    struct ulimit limit = {0};
    const char *name, *address;

    (void)secret_request_parse(text, a, &secret, NULL);
    (void)gpu_request_parse(text, a, &gpu, NULL);
    (void)detach_keys_parse(text, &keys, NULL);
    (void)userns_mode_parse(text, &mode, NULL);
    (void)ulimit_parse(text, &limit, NULL);
    (void)signal_parse(text);
    (void)network_mode_path(text);
    (void)hosts_parse_extra(text, a, &name, &address, NULL);
}

static void cdi(bool yaml, const char *text, size_t n, struct arena *a) {
    struct cdi_file file = {0};

    (void)cdi_name_is(text);
    if (cdi_file_decode(text, n, yaml, a, &file, NULL) == 0)
        FUZZ_MUST(file.kind);
}

/* As the container gets it: without a cache. */
static void profile(const char *text, size_t n, struct arena *a) {
    const struct seccomp_request q = {.profile = text, .profile_size = n, .caps = 0xa80425fb};
    struct seccomp_program program = {0};

    if (n && seccomp_for_container(-1, &q, a, &program, NULL) == 0)
        FUZZ_MUST(program.n > 0 && program.n <= BPF_MAXINSNS);
}

static void registry(const char *text, size_t n, struct arena *a) {
    struct credentials credentials = {0};
    struct challenge challenge = {0};
    struct upstream upstream = {0};
    const char *helper = NULL;

    (void)credentials_parse(text, n, "docker.io/library/alpine", a, &credentials, &helper, NULL);
    (void)credentials_decode(text, a, &credentials, NULL);
    if (challenge_parse(text, a, &challenge, NULL) == 0)
        FUZZ_MUST(!challenge.bearer || !challenge.realm || *challenge.realm >= 0);
    (void)retry_delay_ms(1, text, 0, 0);
    upstream_parse(&upstream, text);
}

static void record(const char *text, size_t n, struct arena *a) {
    struct container_record *c = arena_alloc(a, sizeof(*c));

    (void)json_decode(&container_record_table, text, n, a, c, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *text;

    if (size < 1)
        return 0;
    text = fuzz_text(&a, data + 1, size - 1);
    switch (data[0] % 7) {
    case 0: mounts(text, &a); break;
    case 1: words(text, &a); break;
    case 2: cdi(false, text, size - 1, &a); break;
    case 3: cdi(true, text, size - 1, &a); break;
    case 4: profile(text, size - 1, &a); break;
    case 5: registry(text, size - 1, &a); break;
    case 6: record(text, size - 1, &a); break;
    }
    return 0;
}
