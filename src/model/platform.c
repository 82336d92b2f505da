#include "model/platform.h"

#include <string.h>
#include <sys/utsname.h>

static const struct {
    const char *alias, *architecture, *variant;
} aliases[] = {
    {"x86_64", "amd64", NULL},    {"x86-64", "amd64", NULL},      {"aarch64", "arm64", NULL},
    {"armhf", "arm", "v7"},       {"armel", "arm", "v6"},         {"armv7l", "arm", "v7"},
    {"armv6l", "arm", "v6"},      {"armv8l", "arm", "v7"},        {"i386", "386", NULL},
    {"i486", "386", NULL},        {"i586", "386", NULL},          {"i686", "386", NULL},
    {"ppc64el", "ppc64le", NULL}, {"mips64el", "mips64le", NULL}, {"loongarch64", "loong64", NULL},
};

/* Variants that say nothing: what everybody means by the bare name. */
static const struct { const char *architecture, *variant; } implied[] = {{"arm64", "v8"}, {"arm64", "8"}, {"amd64", "v1"}};

static const char *lower_variant(const char *variant) {
    static const char *const bare[][2] = {{"5", "v5"}, {"6", "v6"}, {"7", "v7"}, {"8", "v8"}};

    for (size_t i = 0; variant && i < ARRAY_SIZE(bare); i++)
        if (strcmp(variant, bare[i][0]) == 0)
            return bare[i][1];
    return variant && variant[0] ? variant : NULL;
}

void platform_normalise(struct platform *p) {
    for (size_t i = 0; p->architecture && i < ARRAY_SIZE(aliases); i++)
        if (strcmp(p->architecture, aliases[i].alias) == 0) {
            p->architecture = aliases[i].architecture;
            if (!p->variant)
                p->variant = aliases[i].variant;
            break;
        }
    p->variant = lower_variant(p->variant);
    for (size_t i = 0; p->architecture && p->variant && i < ARRAY_SIZE(implied); i++)
        if (strcmp(p->architecture, implied[i].architecture) == 0 && strcmp(p->variant, implied[i].variant) == 0)
            p->variant = NULL;
    if (p->architecture && strcmp(p->architecture, "arm") == 0 && !p->variant)
        p->variant = "v7";
}

const struct platform *platform_host(void) {
    static struct utsname name;
    static struct platform host;

    if (!host.os) {
        host.architecture = uname(&name) == 0 ? name.machine : "unknown";
        platform_normalise(&host);
        host.os = "linux";
    }
    return &host;
}

static bool is_os(const char *text) {
    static const char *const known[] = {"linux", "windows", "darwin", "freebsd", "wasip1", "android"};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcmp(text, known[i]) == 0)
            return true;
    return false;
}

int platform_parse(const char *text, struct arena *a, struct platform *ret, struct error *e) {
    struct platform p = {.os = platform_host()->os, .architecture = platform_host()->architecture};
    const char *part[3] = {NULL};
    size_t n = 0;

    for (const char *s = text;; s++) {
        size_t length = strcspn(s, "/");

        if (n == 3 || length == 0 || strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") < length)
            return error_set(e, -EINVAL, "invalid platform \"%.100s\": expected OS/ARCHITECTURE[/VARIANT]", text);
        part[n++] = arena_strndup(a, s, length);
        s += length;
        if (*s == '\0')
            break;
    }
    if (n == 1 && !is_os(part[0])) {
        p.architecture = part[0];
    } else {
        p.os = part[0];
        p.architecture = n > 1 ? part[1] : p.architecture;
        p.variant = part[2];
    }
    platform_normalise(&p);
    if (n == 1 && is_os(part[0]))
        p.variant = platform_host()->variant;
    *ret = p;
    return 0;
}

const char *platform_text(const struct platform *p, struct arena *a) {
    return arena_printf(a, "%s/%s%s%s", p->os ? p->os : "unknown", p->architecture ? p->architecture : "unknown",
                        p->variant ? "/" : "", p->variant ? p->variant : "");
}

static bool same(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* "v7" = 7; 0 when it is no number. */
static int variant_number(const char *variant) {
    return variant && variant[0] == 'v' && variant[1] >= '0' && variant[1] <= '9' && !variant[2] ? variant[1] - '0' : 0;
}

int platform_match(const struct platform *want, const struct platform *have) {
    struct platform w = *want, h = *have;
    int wanted, offered;

    platform_normalise(&w);
    platform_normalise(&h);
    if (!same(w.os, h.os) || !same(w.architecture, h.architecture))
        return 0;
    if (same(w.variant, h.variant))
        return 100;
    if (same(w.architecture, "arm")) { /* newer processors run what was made for older ones */
        wanted = variant_number(w.variant);
        offered = variant_number(h.variant);
        return offered && offered < wanted ? 50 + offered : 0;
    }
    if (same(w.architecture, "amd64")) { /* v2…: a baseline image serves everybody; a better one only who asked for it */
        wanted = w.variant ? variant_number(w.variant) : 1;
        offered = h.variant ? variant_number(h.variant) : 1;
        return offered && offered < wanted ? 50 + offered : 0;
    }
    return !h.variant || !w.variant ? 10 : 0;
}

static int no_match(const struct image_index *index, const struct platform *want, struct error *e) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    _cleanup_buf_ struct buf there = BUF_INIT;

    for (size_t i = 0; i < index->manifests.n; i++) {
        const struct descriptor *d = LIST_AT(struct descriptor, &index->manifests, i);

        if (d->platform && !same(d->platform->os, "unknown"))
            buf_printf(&there, "%s%s", there.size ? ", " : "", platform_text(d->platform, &a));
    }
    error_set(e, -ENOENT, "no matching manifest for %s in the manifest list entries", platform_text(want, &a));
    if (there.size)
        error_hint(e, "there is: %.400s", buf_text(&there));
    return -ENOENT;
}

int platform_choose(const struct image_index *index, const struct platform *want, const struct descriptor **ret, struct error *e) {
    const struct descriptor *best = NULL;
    int best_score = 0;

    if (!want)
        want = platform_host();
    for (size_t i = 0; i < index->manifests.n; i++) {
        const struct descriptor *d = LIST_AT(struct descriptor, &index->manifests, i);
        int score = d->platform ? platform_match(want, d->platform) : index->manifests.n == 1 ? 1 : 0;

        if (map_get(&d->annotations, "vnd.docker.reference.type")) /* an attestation about another entry */
            score = 0;
        if (score > best_score) {
            best = d;
            best_score = score;
        }
    }
    if (!best)
        return no_match(index, want, e);
    *ret = best;
    return 0;
}
