/* tare-fetch: makes HTTP requests for the engine, one after the other, and can do nothing else. It is started for a pull, gets its
 * requests (credentials among them) over a socket, shuts itself into its cage before it reads the first one, and ends when the
 * socket closes. Redirects, authentication and retries are the engine's business: here is one exchange after the other.
 *
 * This is the only program of tare that loads an HTTP library. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "image/fetch_wire.h"
#include "image/worker/fetch_cage.h"

#define HEADER_BYTES_MAX ((size_t)64 << 10)
#define HEADERS_MAX      64
#define STALL_BYTES      100L /* per second: less is a stall */
#define SYSTEM_CA        "/etc/ssl/certs/ca-certificates.crt"
#define SYSTEM_CA_MAX    ((size_t)4 << 20)

/* One exchange. */
struct exchange {
    struct arena arena;
    struct fetch_request request;
    struct fetch_reply reply;
    CURL *curl;
    int fd;                  /* sink or source of an upload; -1 */
    struct buf body;         /* of the answer, when it does not go to the sink */
    size_t header_bytes;     /* of the present header block */
    bool sinking;            /* this answer's body goes to the sink */
    bool checked;            /* `sinking` is decided */
    uint64_t skip;           /* bytes of the body that the receiver has already */
    uint64_t uploaded;       /* bytes */
    enum fetch_result fault; /* why a callback broke off; FETCH_OK = it did not */
};

/* The headers that the engine reads; all others are dropped here. */
static const char *const wanted_headers[] = {
    "content-type", "content-length", "content-range",    "docker-content-digest", "link",        "location",
    "range",        "retry-after",    "www-authenticate", "docker-upload-uuid",    "oci-subject", "warning",
};

static bool header_is_wanted(const char *name, size_t n) {
    for (size_t i = 0; i < ARRAY_SIZE(wanted_headers); i++)
        if (strlen(wanted_headers[i]) == n && !strncasecmp(wanted_headers[i], name, n))
            return true;
    return false;
}

static const char *reply_header(const struct fetch_reply *reply, const char *name) {
    size_t n = strlen(name);

    for (size_t i = 0; i < reply->headers.n; i++)
        if (!strncmp(reply->headers.v[i], name, n) && reply->headers.v[i][n] == ':')
            return reply->headers.v[i] + n + 2;
    return NULL;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
    struct exchange *x = arg;
    size_t length = size * n, name, value, end = length;
    char *line;

    if (length >= 5 && !memcmp(p, "HTTP/", 5)) { /* a new block: after 100 Continue or a proxy's answer */
        x->header_bytes = 0;
        x->reply.headers = (struct strs){0};
    }
    x->header_bytes += length;
    if (x->header_bytes > HEADER_BYTES_MAX) {
        x->fault = FETCH_TOO_LARGE;
        return 0;
    }
    name = 0;
    while (name < length && p[name] != ':')
        name++;
    if (name == length || !header_is_wanted(p, name) || x->reply.headers.n == HEADERS_MAX)
        return length;
    for (value = name + 1; value < length && (p[value] == ' ' || p[value] == '\t'); value++)
        ;
    while (end > value && (p[end - 1] == '\r' || p[end - 1] == '\n' || p[end - 1] == ' '))
        end--;
    if (memchr(p, 0, length))
        return length;
    line = arena_printf(&x->arena, "%.*s: %.*s", (int)name, p, (int)(end - value), p + value);
    for (size_t i = 0; i < name; i++)
        line[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] | 0x20 : line[i]);
    strs_add(&x->arena, &x->reply.headers, line);
    return length;
}

/* Decides at the first byte of the body where it goes. A server that ignores Range sends all from the beginning: skip what is
 * there.
 */
static void choose_sink(struct exchange *x) {
    const char *range = reply_header(&x->reply, "content-range");
    unsigned long long from = 0;
    long status = 0;

    x->checked = true;
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (!(x->request.flags & FETCH_SINK))
        return;
    if (status == 200) {
        x->sinking = true;
        x->skip = x->request.offset;
    } else if (status == 206 && range && sscanf(range, "bytes %llu-", &from) == 1 && from == x->request.offset) {
        x->sinking = true;
    }
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
    struct exchange *x = arg;
    size_t length = size * n, skipped;

    if (!x->checked)
        choose_sink(x);
    if (!x->sinking) {
        if (length > x->request.body_max || x->body.size > x->request.body_max - length) {
            x->fault = FETCH_TOO_LARGE;
            return 0;
        }
        buf_add(&x->body, p, length);
        return length;
    }
    skipped = (size_t)MIN_OF((uint64_t)length, x->skip);
    x->skip -= skipped;
    if (length - skipped > x->request.size - x->request.offset - x->reply.written) {
        x->fault = FETCH_TOO_LARGE;
        return 0;
    }
    if (fs_write_all(x->fd, p + skipped, length - skipped) < 0) {
        x->fault = FETCH_SINK_GONE;
        return 0;
    }
    x->reply.written += length - skipped;
    return length;
}

static size_t on_upload(char *p, size_t size, size_t n, void *arg) {
    struct exchange *x = arg;
    size_t want = (size_t)MIN_OF((uint64_t)(size * n), x->request.upload_size - x->uploaded);
    ssize_t got;

    if (!want)
        return 0;
    got = read(x->fd, p, want);
    if (got <= 0) {
        x->fault = FETCH_SINK_GONE;
        return CURL_READFUNC_ABORT;
    }
    x->uploaded += (uint64_t)got;
    return (size_t)got;
}

static enum fetch_peer classify_v4(const uint8_t *a) {
    if (a[0] == 127 || a[0] == 0)
        return FETCH_PEER_LOOPBACK;
    if (a[0] == 169 && a[1] == 254)
        return FETCH_PEER_LINK_LOCAL;
    if (a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) || (a[0] == 100 && (a[1] & 0xc0) == 64))
        return FETCH_PEER_PRIVATE;
    return FETCH_PEER_PUBLIC;
}

static enum fetch_peer classify(const struct sockaddr *sa) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (sa->sa_family == AF_INET) {
        memcpy(&in, sa, sizeof in);
        return classify_v4((const uint8_t *)&in.sin_addr);
    }
    memcpy(&in6, sa, sizeof in6);
    if (!memcmp(&in6.sin6_addr, mapped, sizeof mapped))
        return classify_v4((const uint8_t *)&in6.sin6_addr + 12);
    if (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr))
        return FETCH_PEER_LOOPBACK;
    if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr))
        return FETCH_PEER_LINK_LOCAL;
    if ((in6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(&in6.sin6_addr))
        return FETCH_PEER_PRIVATE;
    return FETCH_PEER_PUBLIC;
}

/* Here the address is known that the connection will really go to: no name server can answer differently a moment later. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
    struct exchange *x = arg;
    enum fetch_peer peer;

    if (address->family != AF_INET && address->family != AF_INET6)
        return CURL_SOCKET_BAD;
    peer = classify(&address->addr);
    if ((peer != FETCH_PEER_PUBLIC && (x->request.flags & FETCH_REFUSE_PRIVATE)) ||
        (peer == FETCH_PEER_LINK_LOCAL && (x->request.flags & FETCH_REFUSE_LINK_LOCAL))) {
        x->fault = FETCH_ADDRESS;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void note_peer(struct exchange *x) {
    char *ip = NULL;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_storage any = {0};

    if (curl_easy_getinfo(x->curl, CURLINFO_PRIMARY_IP, &ip) || !ip)
        return;
    if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
        memcpy(&any, &in, sizeof in);
    else if (inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1)
        memcpy(&any, &in6, sizeof in6);
    else
        return;
    x->reply.peer = (uint64_t)classify((const struct sockaddr *)&any);
}

/* With TLS 1.3 the server's refusal comes after the handshake, as an alert at the first read (RFC 8446, 4.4.2.4). */
static bool wants_client_certificate(const char *error_text) {
    static const char *const alerts[] = {"alert certificate required", "alert bad certificate", "alert unknown ca",
                                         "alert certificate unknown", "alert certificate expired"};

    for (size_t i = 0; i < ARRAY_SIZE(alerts); i++)
        if (strcasestr(error_text, alerts[i]))
            return true;
    return false;
}

static enum fetch_result result_of(const struct exchange *x, CURLcode code, const char *error_text) {
    double connected = 0;

    if (x->fault != FETCH_OK)
        return x->fault;
    if (code != CURLE_OK && wants_client_certificate(error_text))
        return FETCH_STRANGER;
    switch (code) {
    case CURLE_OK: return FETCH_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return FETCH_RESOLVE;
    case CURLE_COULDNT_CONNECT: return FETCH_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        curl_easy_getinfo(x->curl, CURLINFO_CONNECT_TIME, &connected);
        return connected > 0 ? FETCH_STALLED : FETCH_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR: return FETCH_NOT_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return FETCH_AUTHORITY;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_WEIRD_SERVER_REPLY: return FETCH_BROKEN;
    case CURLE_UNSUPPORTED_PROTOCOL: return FETCH_FAILED;
    default: return FETCH_FAILED;
    }
}

static void set_blob(CURL *curl, CURLoption option, const char *text, size_t n) {
    struct curl_blob blob = {.data = NULL, .len = n, .flags = CURL_BLOB_COPY};

    memcpy(&blob.data, &text, sizeof blob.data);
    curl_easy_setopt(curl, option, &blob);
}

/* One more authority beside the system's own: curl takes either a file or a text, so the two are put together. */
static void set_tls(struct exchange *x) {
    CURL *c = x->curl;
    const struct fetch_request *r = &x->request;
    bool verify = !(r->flags & FETCH_SKIP_VERIFY);

    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    if (r->ca) {
        _cleanup_buf_ struct buf all = BUF_INIT;

        (void)fs_read_at(AT_FDCWD, SYSTEM_CA, SYSTEM_CA_MAX, &all, NULL);
        buf_add_char(&all, '\n');
        buf_add_str(&all, r->ca);
        set_blob(c, CURLOPT_CAINFO_BLOB, buf_text(&all), all.size);
    }
    if (r->cert)
        set_blob(c, CURLOPT_SSLCERT_BLOB, r->cert, strlen(r->cert));
    if (r->key)
        set_blob(c, CURLOPT_SSLKEY_BLOB, r->key, strlen(r->key));
}

static void set_body(struct exchange *x) {
    CURL *c = x->curl;
    const struct fetch_request *r = &x->request;

    if (!strcmp(r->method, "HEAD")) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (r->flags & FETCH_UPLOAD) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(c, CURLOPT_READDATA, x);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->upload_size);
    } else if (strcmp(r->method, "GET") != 0) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.n ? (const char *)r->body.p : "");
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, strcmp(r->method, "HEAD") ? r->method : NULL);
    if (!(r->flags & FETCH_SINK)) /* blobs must come as they are; documents may be packed */
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void set_options(struct exchange *x, struct curl_slist *headers, char error_text[CURL_ERROR_SIZE]) {
    CURL *c = x->curl;
    const struct fetch_request *r = &x->request;

    curl_easy_reset(c); /* keeps the connections */
    curl_easy_setopt(c, CURLOPT_URL, r->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "tare/" TARE_VERSION);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error_text);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->total_timeout_ms);
    if (r->stall_timeout_ms) {
        curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES);
        curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)((r->stall_timeout_ms + 999) / 1000));
    }
    curl_easy_setopt(c, CURLOPT_PROXY, r->proxy ? r->proxy : ""); /* "" = none, whatever the environment says */
    if (r->proxy && r->no_proxy)
        curl_easy_setopt(c, CURLOPT_NOPROXY, r->no_proxy);
    if (r->flags & (FETCH_REFUSE_PRIVATE | FETCH_REFUSE_LINK_LOCAL))
        curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L); /* so that on_socket() looks at the address */
    set_tls(x);
    set_body(x);
}

static void perform(struct exchange *x) {
    char error_text[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    char *redirect = NULL;
    long status = 0;
    CURLcode code;

    headers = curl_slist_append(headers, "Expect:"); /* no waiting for 100 Continue */
    for (size_t i = 0; i < x->request.headers.n; i++)
        headers = curl_slist_append(headers, x->request.headers.v[i]);
    if ((x->request.flags & FETCH_SINK) && x->request.offset)
        headers = curl_slist_append(headers, arena_printf(&x->arena, "Range: bytes=%llu-", (unsigned long long)x->request.offset));
    set_options(x, headers, error_text);
    code = curl_easy_perform(x->curl);
    curl_slist_free_all(headers);

    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->curl, CURLINFO_REDIRECT_URL, &redirect);
    x->reply.result = (uint64_t)result_of(x, code, error_text);
    x->reply.status = (uint64_t)status;
    x->reply.redirect = redirect ? arena_strdup(&x->arena, redirect) : NULL;
    x->reply.body = (struct bytes){buf_text(&x->body), x->body.size};
    if (x->reply.result != FETCH_OK)
        x->reply.text = arena_strdup(&x->arena, error_text[0] ? error_text : curl_easy_strerror(code));
    note_peer(x);
}

/* 1 to go on, 0 at the end, negative when the engine sent nonsense. */
static int serve_one(CURL *curl) {
    _cleanup_buf_ struct buf in = BUF_WITH_MAX(FETCH_MESSAGE_MAX + 64), out = BUF_WITH_MAX(FETCH_MESSAGE_MAX);
    struct exchange x = {.curl = curl, .fd = -1};
    int r = fetch_receive(FETCH_CONTROL_FD, &in, &x.fd);

    if (r <= 0)
        return r;
    r = fetch_request_decode(in.data, in.size, &x.arena, &x.request);
    if (r >= 0 && (x.request.flags & (FETCH_SINK | FETCH_UPLOAD)) && (x.fd < 0 || x.request.offset > x.request.size))
        r = -EBADMSG;
    if (r >= 0) {
        perform(&x);
        x.fd = fd_close(x.fd); /* before the answer: the reader of the pipe sees its end first */
        fetch_reply_encode(&x.reply, &out);
        r = fetch_send(FETCH_CONTROL_FD, &out, -1);
    }
    fd_close(x.fd);
    explicit_bzero(in.data, in.room);
    buf_release(&x.body);
    arena_release(&x.arena);
    return r < 0 ? r : 1;
}

int main(void) {
    _cleanup_error_ struct error e = ERROR_INIT;
    CURL *curl;
    int r;

    (void)signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(curl = curl_easy_init())) {
        fputs("tare-fetch: cannot set up libcurl\n", stderr);
        return 1;
    }
    r = fetch_cage_enter(&e);
    if (r < 0) {
        fprintf(stderr, "tare-fetch: %s\n", e.text);
        return 1;
    }
    do {
        r = serve_one(curl);
    } while (r > 0);
    return r < 0 ? 1 : 0;
}
