#include "network/files.h"

#include <ctype.h>
#include <string.h>

#define SERVERS_MAX 16

/* --- resolv.conf: resolv.conf(5) -------------------------------------------------------------------------------------------------
 */

/* Calls for each word of each line that begins with `key`; of several lines the last one counts where `last` (search, as glibc). */
static void collect(const char *text, const char *key, bool last, struct arena *a, struct strs *ret) {
    size_t n = strlen(key);

    for (const char *line = text; line && *line;) {
        const char *end = strchrnul(line, '\n'), *at = line + strspn(line, " \t");

        if (strncmp(at, key, n) == 0 && isblank((unsigned char)at[n])) {
            if (last)
                ret->n = 0;
            for (at += n; at < end; at += strcspn(at, " \t\r\n")) {
                size_t length;

                at += strspn(at, " \t\r");
                length = strcspn(at, " \t\r\n;#");
                if (length == 0)
                    break;
                if (ret->n < SERVERS_MAX)
                    strs_add(a, ret, arena_strndup(a, at, length));
            }
        }
        line = *end ? end + 1 : end;
    }
}

static bool server_is_usable(const struct resolv_request *q, const char *server) {
    struct ip_address ip;
    char address[IP_TEXT_MAX];
    size_t n = strcspn(server, "%"); /* a zone (fe80::1%eth0) names an interface of the host */

    if (q->host_network)
        return true;
    if (n >= sizeof(address))
        return false;
    memcpy(address, server, n);
    address[n] = '\0';
    if (server[n] == '%' || ip_parse(address, &ip, NULL) < 0 || ip_is_loopback(&ip))
        return false;
    return ip.family == IP_V4 || q->ipv6;
}

static void add_usable(const struct resolv_request *q, const char *text, struct arena *a, struct strs *ret) {
    struct strs all = {0};

    collect(text, "nameserver", false, a, &all);
    for (size_t i = 0; i < all.n; i++)
        if (server_is_usable(q, all.v[i]) && !strs_has(ret, all.v[i]))
            strs_add(a, ret, all.v[i]);
}

void resolv_servers(const struct resolv_request *request, const char *fallback, struct arena *a, struct strs *ret) {
    for (size_t i = 0; i < request->servers.n; i++)
        strs_add(a, ret, request->servers.v[i]);
    if (ret->n == 0)
        add_usable(request, request->host, a, ret);
    if (ret->n == 0)
        add_usable(request, fallback, a, ret);
}

static void write_line(struct buf *out, const char *key, const struct strs *words) {
    if (words->n == 0)
        return;
    buf_add_str(out, key);
    for (size_t i = 0; i < words->n; i++)
        buf_printf(out, " %s", words->v[i]);
    buf_add_char(out, '\n');
}

void resolv_conf_build(const struct resolv_request *request, const char *fallback, struct buf *out, bool *ret_none) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    struct strs servers = {0}, search = request->search, options = request->options;

    if (search.n == 0)
        collect(request->host, "search", true, &a, &search);
    if (search.n == 1 && strcmp(search.v[0], ".") == 0)
        search.n = 0;
    if (options.n == 0)
        collect(request->host, "options", false, &a, &options);
    if (request->embedded)
        strs_add(&a, &servers, request->embedded);
    else
        resolv_servers(request, fallback, &a, &servers);
    for (size_t i = 0; i < servers.n; i++)
        buf_printf(out, "nameserver %s\n", servers.v[i]);
    write_line(out, "search", &search);
    if (request->embedded) {
        /* Names without a dot are containers' names: asked for as they are before any search domain is tried. */
        bool has_ndots = false;

        for (size_t i = 0; i < options.n; i++)
            has_ndots |= strncmp(options.v[i], "ndots:", 6) == 0;
        if (!has_ndots) {
            struct strs more = {0};

            for (size_t i = 0; i < options.n; i++)
                strs_add(&a, &more, options.v[i]);
            strs_add(&a, &more, "ndots:0");
            options = more;
        }
    }
    write_line(out, "options", &options);
    if (ret_none)
        *ret_none = servers.n == 0;
}

/* --- hosts: hosts(5)
 * --------------------------------------------------------------------------------------------------------------- */

int hosts_parse_extra(const char *text, struct arena *a, const char **ret_name, const char **ret_address, struct error *e) {
    const char *separator = strpbrk(text, "=:"), *address;
    struct ip_address ip;
    size_t n;

    if (!separator || separator == text || !separator[1])
        return error_set(e, -EINVAL, "bad format for add-host: \"%s\"", text);
    address = separator + 1;
    n = strlen(address);
    if (address[0] == '[' && address[n - 1] == ']')
        address = arena_strndup(a, address + 1, n - 2);
    if (strcmp(address, "host-gateway") != 0 && ip_parse(address, &ip, NULL) < 0)
        return error_set(e, -EINVAL, "invalid IP address in add-host: \"%s\"", address);
    for (const char *p = text; p < separator; p++)
        if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p) || *p == '#')
            return error_set(e, -EINVAL, "bad format for add-host: \"%s\"", text);
    *ret_name = arena_strndup(a, text, (size_t)(separator - text));
    *ret_address = address;
    return 0;
}

static int write_extra(const struct hosts_request *q, const char *text, struct arena *a, struct buf *out, struct error *e) {
    const char *name, *address;
    int r = hosts_parse_extra(text, a, &name, &address, e);

    if (r < 0)
        return r;
    if (strcmp(address, "host-gateway") != 0) {
        buf_printf(out, "%s\t%s\n", address, name);
        return 0;
    }
    if (q->host_gateway.n == 0)
        return error_set(e, -EINVAL, "add-host %s: this container's network has no gateway to the host", text);
    for (size_t i = 0; i < q->host_gateway.n; i++)
        buf_printf(out, "%s\t%s\n", q->host_gateway.v[i], name);
    return 0;
}

int hosts_build(const struct hosts_request *request, struct buf *out, struct error *e) {
    static const char *const six[] = {"fe00::\tip6-localnet", "ff00::\tip6-mcastprefix", "ff02::1\tip6-allnodes",
                                      "ff02::2\tip6-allrouters"};
    _cleanup_arena_ struct arena a = ARENA_INIT;

    buf_add_str(out, "127.0.0.1\tlocalhost\n");
    if (request->ipv6) {
        buf_add_str(out, "::1\tlocalhost ip6-localhost ip6-loopback\n");
        for (size_t i = 0; i < ARRAY_SIZE(six); i++)
            buf_printf(out, "%s\n", six[i]);
    }
    for (size_t i = 0; i < request->extra.n; i++) {
        int r = write_extra(request, request->extra.v[i], &a, out, e);

        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < request->more.n; i++) {
        const struct hosts_entry *entry = LIST_AT(struct hosts_entry, &request->more, i);

        write_line(out, arena_printf(&a, "%s\t", entry->address), &entry->names);
    }
    for (size_t i = 0; i < request->addresses.n; i++) {
        bool has_domain = request->domainname && *request->domainname;

        buf_printf(out, "%s\t", request->addresses.v[i]);
        if (has_domain)
            buf_printf(out, "%s.%s ", request->hostname, request->domainname);
        buf_printf(out, "%s\n", request->hostname);
    }
    return 0;
}

void hostname_build(const char *hostname, struct buf *out) {
    buf_printf(out, "%s\n", hostname);
}
