#include "model/port.h"

#include <netinet/in.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t protocol;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};

const char *port_protocol_name(uint8_t protocol) {
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i].protocol == protocol)
            return protocols[i].name;
    return NULL;
}

int port_protocol_parse(const char *name, size_t n, uint8_t *ret, struct error *e) {
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (strlen(protocols[i].name) == n && strncasecmp(protocols[i].name, name, n) == 0) {
            *ret = protocols[i].protocol;
            return 0;
        }
    return error_set(e, -EINVAL, "invalid proto: %.*s (tcp, udp and sctp are known)", (int)n, name);
}

struct range {
    uint16_t first, last;
};

static int parse_number(const char **at, const char *end, uint16_t *ret) {
    uint32_t v = 0;
    const char *p = *at;

    for (; p < end && *p >= '0' && *p <= '9' && v <= 65535; p++)
        v = v * 10 + (uint32_t)(*p - '0');
    if (p == *at || v > 65535)
        return -EINVAL;
    *ret = (uint16_t)v;
    *at = p;
    return 0;
}

/* "80" or "80-90"; n bytes. */
static int parse_range(const char *text, size_t n, const char *what, struct range *ret, struct error *e) {
    const char *at = text, *end = text + n;
    struct range r;

    if (parse_number(&at, end, &r.first) < 0)
        return error_set(e, -EINVAL, "invalid %s: %.*s", what, (int)n, text);
    r.last = r.first;
    if (at < end && *at == '-') {
        at++;
        if (parse_number(&at, end, &r.last) < 0 || r.last < r.first)
            return error_set(e, -EINVAL, "invalid %s: %.*s", what, (int)n, text);
    }
    if (at != end)
        return error_set(e, -EINVAL, "invalid %s: %.*s", what, (int)n, text);
    *ret = r;
    return 0;
}

/* The container's side: "80-90/udp". */
static int parse_container(const char *text, uint8_t *ret_protocol, struct range *ret, struct error *e) {
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    struct range range;
    int r;

    *ret_protocol = IPPROTO_TCP;
    if (slash) {
        r = port_protocol_parse(slash + 1, strlen(slash + 1), ret_protocol, e);
        if (r < 0)
            return r;
    }
    if (n == 0)
        return error_set(e, -EINVAL, "no port specified: %s<empty>", text);
    r = parse_range(text, n, "containerPort", &range, e);
    if (r == 0 && range.first == 0)
        r = error_set(e, -EINVAL, "invalid containerPort: %.*s", (int)n, text);
    if (r == 0)
        *ret = range;
    return r;
}

static void expand(struct arena *a, struct list *ret, uint8_t protocol, const struct ip_address *ip, struct range container,
                   struct range host) {
    bool any_of = container.first == container.last;

    for (uint32_t i = 0; i <= (uint32_t)(container.last - container.first); i++) {
        struct port_mapping *m = LIST_ADD(a, struct port_mapping, ret);

        m->protocol = protocol;
        m->container_port = (uint16_t)(container.first + i);
        m->host_ip = *ip;
        m->host_first = host.first ? (uint16_t)(host.first + i) : 0;
        m->host_last = host.first ? (any_of ? host.last : m->host_first) : 0;
    }
}

static int combine(struct arena *a, struct list *ret, uint8_t protocol, const struct ip_address *ip, struct range container,
                   struct range host, struct error *e) {
    if (host.first && container.first != container.last && host.last - host.first != container.last - container.first)
        return error_set(e, -EINVAL, "invalid ranges specified for container and host Ports: %u-%u and %u-%u", container.first,
                         container.last, host.first, host.last);
    expand(a, ret, protocol, ip, container, host);
    return 0;
}

/* Cuts "[ip:]host:" off in front of the container's side. Returns where that begins; NULL and the error set on failure. */
static const char *split(struct arena *a, const char *text, const char **ret_ip, const char **ret_host, struct error *e) {
    const char *ip_end = text, *colon;

    *ret_ip = *ret_host = "";
    if (text[0] == '[') {
        ip_end = strchr(text, ']');
        if (!ip_end || ip_end[1] != ':') {
            error_set(e, -EINVAL, "invalid IP address: %s", text);
            return NULL;
        }
        *ret_ip = arena_strndup(a, text + 1, (size_t)(ip_end - text - 1));
        text = ip_end + 2;
        colon = strchr(text, ':');
        if (!colon) {
            error_set(e, -EINVAL, "no host port before the container port: %s", text);
            return NULL;
        }
        *ret_host = arena_strndup(a, text, (size_t)(colon - text));
        return colon + 1;
    }
    colon = strrchr(text, ':');
    if (!colon)
        return text;
    for (ip_end = colon - 1; ip_end >= text && *ip_end != ':'; ip_end--)
        ;
    *ret_host = arena_strndup(a, ip_end + 1, (size_t)(colon - ip_end - 1));
    if (ip_end >= text) {
        *ret_ip = arena_strndup(a, text, (size_t)(ip_end - text));
        if (!**ret_ip) {
            error_set(e, -EINVAL, "invalid IP address: it is empty before the first colon");
            return NULL;
        }
    }
    return colon + 1;
}

int port_parse_binding(const char *container, const char *host_ip, const char *host_port, struct arena *a, struct list *ret,
                       struct error *e) {
    struct range inside = {0}, host = {0};
    struct ip_address ip = {0};
    uint8_t protocol;
    int r = parse_container(container, &protocol, &inside, e);

    if (r == 0 && host_ip && *host_ip && ip_parse(host_ip, &ip, NULL) < 0)
        r = error_set(e, -EINVAL, "invalid IP address: %s", host_ip);
    if (r == 0 && host_port && *host_port)
        r = parse_range(host_port, strlen(host_port), "hostPort", &host, e);
    return r < 0 ? r : combine(a, ret, protocol, &ip, inside, host, e);
}

int port_parse(const char *text, struct arena *a, struct list *ret, struct error *e) {
    const char *ip, *host, *container = split(a, text, &ip, &host, e);
    int r = container ? port_parse_binding(container, ip, host, a, ret, e) : -EINVAL;

    return r < 0 ? error_wrap(e, r, "invalid publish opts format (%s)", text) : 0;
}

int port_parse_exposed(const char *text, struct arena *a, struct list *ret, struct error *e) {
    int r = port_parse_binding(text, NULL, NULL, a, ret, e);

    return r < 0 ? error_wrap(e, r, "invalid range format for --expose: %s", text) : 0;
}

int publish_mode_parse(const char *text, enum publish_mode *ret, struct error *e) {
    if (strcmp(text, "nat") != 0 && strcmp(text, "input") != 0)
        return error_set(e, -EINVAL, "invalid publish mode: %s (nat or input)", text);
    *ret = *text == 'n' ? PUBLISH_NAT : PUBLISH_INPUT;
    return 0;
}
