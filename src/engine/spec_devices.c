#include <ctype.h>
#include <string.h>

#include "engine/spec_parts.h"
#include "model/security_defaults.h"

static void add_device(struct arena *a, struct oci_linux *l, const struct spec_device *d) {
    const char *type = d->type == 'b' ? "b" : d->type == 'p' ? "p" : "c";
    *LIST_ADD(a, struct oci_device, &l->devices) = (struct oci_device){
        .path = d->path,
        .host_path = d->host_path,
        .type = type,
        .major = d->major,
        .minor = d->minor,
        .file_mode = {true, d->mode},
        .uid = {true, d->uid},
        .gid = {true, d->gid},
    };
}

static void add_rule(struct arena *a, struct oci_linux *l, const char *type, struct opt_i64 major, struct opt_i64 minor,
                     const char *access) {
    *LIST_ADD(a, struct oci_device_rule, &l->resources->devices) =
        (struct oci_device_rule){.allow = true, .type = type, .major = major, .minor = minor, .access = access};
}

static const char *parse_number(const char *text, struct opt_i64 *ret) {
    if (*text == '*') {
        *ret = (struct opt_i64){0};
        return text + 1;
    }
    if (!isdigit((unsigned char)*text))
        return NULL;
    char *end;
    *ret = (struct opt_i64){true, strtol(text, &end, 10)};
    return ret->value <= UINT32_MAX ? end : NULL;
}

/* "c 42:* rmw" */
static int parse_rule(const char *text, struct arena *a, struct oci_linux *l, struct error *e) {
    struct opt_i64 major, minor;
    const char *p = text;
    const char *type = *p == 'a' ? "a" : *p == 'b' ? "b" : *p == 'c' ? "c" : NULL;
    p = type && p[1] == ' ' ? parse_number(p + 2, &major) : NULL;
    p = p && *p == ':' ? parse_number(p + 1, &minor) : NULL;
    if (!p || *p != ' ' || !p[1] || strlen(p + 1) > 3 || strspn(p + 1, "rwm") != strlen(p + 1))
        return error_set(e, -EINVAL, "invalid device cgroup rule format: '%s'", text);
    add_rule(a, l, type, major, minor, p + 1);
    return 0;
}

int spec_devices(const struct spec_input *in, struct arena *a, struct oci_linux *l, struct error *e) {
    const struct host_config *h = &in->record->host;
    if (h->privileged) {
        security_device_rules_all(a, &l->resources->devices);
        for (size_t i = 0; i < in->all_devices.n; i++)
            add_device(a, l, LIST_AT(struct spec_device, &in->all_devices, i));
    } else {
        security_device_rules(a, &l->resources->devices);
    }
    for (size_t i = 0; i < in->devices.n; i++) {
        const struct spec_device *d = LIST_AT(struct spec_device, &in->devices, i);
        add_device(a, l, d);
        if (d->type != 'p' && *d->access)
            add_rule(a, l, d->type == 'b' ? "b" : "c", (struct opt_i64){true, d->major}, (struct opt_i64){true, d->minor},
                     d->access);
    }
    for (size_t i = 0; i < h->device_cgroup_rules.n; i++) {
        int r = parse_rule(h->device_cgroup_rules.v[i], a, l, e);
        if (r < 0)
            return r;
    }
    return 0;
}
