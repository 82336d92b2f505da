#include "image/registry_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

static int parse_port(const char *text, uint16_t *ret) {
    unsigned long port = 0;

    if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
        return -EINVAL;
    port = strtoul(text, NULL, 10);
    if (!port || port > 65535)
        return -EINVAL;
    *ret = (uint16_t)port;
    return 0;
}

static char *lower(struct arena *a, const char *text, size_t n) {
    char *copy = arena_strndup(a, text, n);

    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

int host_split(const char *text, struct arena *a, const char **ret_host, uint16_t *ret_port, struct error *e) {
    const char *colon, *host;
    uint16_t port = 0;

    if (*text == '[') {
        const char *close = strchr(text, ']');
        struct in6_addr ignored;

        if (!close || (close[1] && close[1] != ':'))
            return error_set(e, -EINVAL, "bad address: %s", text);
        host = lower(a, text + 1, (size_t)(close - text) - 1);
        if (inet_pton(AF_INET6, host, &ignored) != 1)
            return error_set(e, -EINVAL, "bad IPv6 address: %s", text);
        colon = close[1] ? close + 1 : NULL;
    } else {
        size_t n = strcspn(text, ":");

        host = lower(a, text, n);
        if (!n || strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != n)
            return error_set(e, -EINVAL, "bad host name: %s", text);
        colon = text[n] ? text + n : NULL;
    }
    if (colon && parse_port(colon + 1, &port) < 0)
        return error_set(e, -EINVAL, "bad port: %s", text);
    *ret_host = host;
    *ret_port = port;
    return 0;
}

int url_parse(const char *text, struct arena *a, struct url *ret, struct error *e) {
    bool https = !strncasecmp(text, "https://", 8);
    struct url url = {.https = https};
    const char *authority, *rest;
    int r;

    if (!https && strncasecmp(text, "http://", 7) != 0)
        return error_set(e, -EINVAL, "not an http or https address: %.100s", text);
    if (strlen(text) > URL_MAX)
        return error_set(e, -EINVAL, "address longer than %zu bytes", URL_MAX);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return error_set(e, -EINVAL, "address with control characters or spaces");
    authority = text + (https ? 8 : 7);
    rest = authority + strcspn(authority, "/?#");
    authority = arena_strndup(a, authority, (size_t)(rest - authority));
    if (strchr(authority, '@'))
        return error_set(e, -EINVAL, "address with user information");
    r = host_split(authority, a, &url.host, &url.port, e);
    if (r < 0)
        return r;
    if (!url.port)
        url.port = https ? 443 : 80;
    url.rest = arena_strndup(a, rest, strcspn(rest, "#"));
    if (*url.rest != '/')
        url.rest = arena_printf(a, "/%s", url.rest);
    url.text = arena_strdup(a, text);
    *ret = url;
    return 0;
}

bool url_same_origin(const struct url *a, const struct url *b) {
    return a->https == b->https && a->port == b->port && !strcmp(a->host, b->host);
}

bool host_is_loopback(const char *host) {
    struct in6_addr six;
    struct in_addr four;

    if (!strcmp(host, "localhost"))
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return (ntohl(four.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool v4_is_private(uint32_t a) {
    return a >> 24 == 0 || a >> 24 == 10 || a >> 24 == 127 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 16 == 0xa9fe ||
           a >> 22 == (0x64400000U >> 22);
}

bool host_is_private(const char *host) {
    struct in6_addr six;
    struct in_addr four;
    size_t n = strlen(host);

    if (host_is_loopback(host) || (n > 10 && !strcmp(host + n - 10, ".localhost")))
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return v4_is_private(ntohl(four.s_addr));
    if (inet_pton(AF_INET6, host, &six) != 1)
        return strspn(host, "0123456789.") == n || !strncmp(host, "0x", 2); /* 127.1, 2130706433: what some resolvers take */
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
        uint32_t last;

        memcpy(&last, &six.s6_addr[12], sizeof last);
        return v4_is_private(ntohl(last));
    }
    return IN6_IS_ADDR_UNSPECIFIED(&six) || IN6_IS_ADDR_LINKLOCAL(&six) || IN6_IS_ADDR_SITELOCAL(&six) ||
           (six.s6_addr[0] & 0xfe) == 0xfc;
}

void url_escape(const char *text, struct buf *out) {
    for (const char *p = text; *p; p++) {
        if (isalnum((unsigned char)*p) || strchr("-._~", *p))
            buf_add_char(out, *p);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*p);
    }
}
