#include "image/registry_auth.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define PARAMETERS_MAX 32

static bool is_token_char(char c) {
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip(const char *p, const char *what) {
    return p + strspn(p, what);
}

static size_t token_length(const char *p) {
    size_t n = 0;

    while (is_token_char(p[n]))
        n++;
    return n;
}

/* A quoted string at *p; the value without quotes and backslashes. NULL: it does not end. */
static const char *quoted(const char **p, struct arena *a) {
    char *out = arena_alloc(a, strlen(*p) + 1), *w = out;

    for (const char *q = *p + 1; *q; q++) {
        if (*q == '"') {
            *p = q + 1;
            *w = 0;
            return out;
        }
        if (*q == '\\' && q[1])
            q++;
        *w++ = *q;
    }
    return NULL;
}

static void set_parameter(struct challenge *c, const char *name, size_t n, const char *value) {
    const struct {
        const char *name;
        const char **at;
    } known[] = {{"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}, {"error", &c->error}};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strlen(known[i].name) == n && !strncasecmp(known[i].name, name, n) && !*known[i].at)
            *known[i].at = value;
}

/* The parameters behind a scheme: name=value, …; ends in front of the next scheme (a word that no = follows). */
static int parse_parameters(const char **text, struct arena *a, struct challenge *c) {
    const char *p = *text;

    for (size_t count = 0; count < PARAMETERS_MAX; count++) {
        const char *name, *value;
        size_t n;

        p = skip(p, " \t,");
        name = p;
        n = token_length(p);
        value = skip(p + n, " \t");
        if (!n || *value != '=') {
            *text = name;
            return *name && !n ? -EINVAL : 0;
        }
        p = skip(value + 1, " \t");
        if (*p == '"') {
            value = quoted(&p, a);
            if (!value)
                return -EINVAL;
        } else {
            value = arena_strndup(a, p, token_length(p));
            p += strlen(value);
        }
        set_parameter(c, name, n, value);
    }
    return -EINVAL;
}

int challenge_parse(const char *header, struct arena *a, struct challenge *ret, struct error *e) {
    struct challenge best = {0};
    bool found = false;
    const char *p = skip(header, " \t,");

    while (*p) {
        struct challenge c = {0};
        size_t n = token_length(p);
        bool bearer = n == 6 && !strncasecmp(p, "Bearer", 6), basic = n == 5 && !strncasecmp(p, "Basic", 5);

        if (!n)
            return error_set(e, -EINVAL, "malformed WWW-Authenticate: %.100s", header);
        p += n;
        if (parse_parameters(&p, a, &c) < 0)
            return error_set(e, -EINVAL, "malformed WWW-Authenticate: %.100s", header);
        c.bearer = bearer;
        if ((bearer || basic) && (!found || (bearer && !best.bearer))) {
            best = c;
            found = true;
        }
    }
    if (!found)
        return error_set(e, -EINVAL, "the registry asks for a kind of authentication that tare has not: %.100s", header);
    if (best.bearer && !best.realm)
        return error_set(e, -EINVAL, "the registry asks for a token and does not say where to get it");
    *ret = best;
    return 0;
}

/* Where cloud machines keep their secrets: no registry has business there. */
static bool is_link_local(const char *host) {
    return !strncmp(host, "169.254.", 8) || !strncasecmp(host, "fe80:", 5);
}

int realm_check(const struct url *registry, bool registry_private, const struct url *realm, struct error *e) {
    if (!realm->https && registry->https)
        return error_set(e, -EPERM, "the registry sends us for a token to %s, which is not https: refused", realm->host);
    if (!strcmp(realm->host, registry->host))
        return 0;
    if (is_link_local(realm->host) || (host_is_private(realm->host) && !registry_private))
        return error_set(e, -EPERM, "the registry sends us for a token to %s, an address inside this network: refused",
                         realm->host);
    return 0;
}

static void add_query(struct buf *out, char *separator, const char *name, const char *value) {
    if (!value || !*value)
        return;
    buf_printf(out, "%c%s=", *separator, name);
    url_escape(value, out);
    *separator = '&';
}

const char *realm_query(const struct url *realm, const struct challenge *c, const char *scope, const char *account,
                        struct arena *a) {
    _cleanup_buf_ struct buf out = BUF_INIT;
    char separator = strchr(realm->text, '?') ? '&' : '?';

    buf_add(&out, realm->text, strcspn(realm->text, "#"));
    add_query(&out, &separator, "service", c->service);
    for (const char *s = scope; s && *s;) { /* one parameter for each (distribution's token specification) */
        size_t n = strcspn(s, " ");

        add_query(&out, &separator, "scope", arena_strndup(a, s, n));
        s += n + (s[n] == ' ');
    }
    add_query(&out, &separator, "account", account);
    return arena_strdup(a, buf_text(&out));
}

int redirect_check(const struct url *from, const struct url *to, struct error *e) {
    if (from->https && !to->https)
        return error_set(e, -EPERM, "%s redirects from https to http (%s): refused", from->host, to->host);
    if (is_link_local(to->host) && strcmp(to->host, from->host) != 0)
        return error_set(e, -EPERM, "%s redirects to the link-local address %s: refused", from->host, to->host);
    return 0;
}

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *p, size_t n, struct buf *out) {
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) | (left > 2 ? b[i + 2] : 0);

        buf_add_char(out, base64_alphabet[v >> 18]);
        buf_add_char(out, base64_alphabet[(v >> 12) & 63]);
        buf_add_char(out, left > 1 ? base64_alphabet[(v >> 6) & 63] : '=');
        buf_add_char(out, left > 2 ? base64_alphabet[v & 63] : '=');
    }
}

int base64_decode(const char *text, size_t n, struct buf *out) {
    uint32_t v = 0;
    unsigned bits = 0;

    while (n && (text[n - 1] == '=' || text[n - 1] == '\n'))
        n--;
    if (n % 4 == 1)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        const char *found = text[i] ? strchr(base64_alphabet, text[i]) : NULL;

        if (!found)
            return -EINVAL;
        v = v << 6 | (uint32_t)(found - base64_alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_add_char(out, (char)(v >> bits));
            v &= (1U << bits) - 1;
        }
    }
    return 0;
}

static int64_t parse_retry_after(const char *text, int64_t now_s) {
    struct tm tm = {0};

    text = skip(text, " ");
    if (*text && strspn(text, "0123456789") == strlen(text))
        return strlen(text) > 9 ? RETRY_DELAY_MAX_S : strtoll(text, NULL, 10);
    if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        return -1;
    return MAX_OF((int64_t)timegm(&tm) - now_s, 0);
}

unsigned retry_delay_ms(unsigned attempt, const char *retry_after, int64_t now_s, uint32_t random) {
    int64_t asked = retry_after ? parse_retry_after(retry_after, now_s) : -1;
    unsigned base = 500U << MIN_OF(attempt ? attempt - 1 : 0, 5U);

    if (asked >= 0)
        return (unsigned)MIN_OF(asked, (int64_t)RETRY_DELAY_MAX_S) * 1000 + random % 200;
    return base / 2 + random % base; /* spread, so that many that failed together do not come back together */
}

bool status_is_transient(unsigned status) {
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}
