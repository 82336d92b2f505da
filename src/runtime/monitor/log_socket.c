#include "runtime/monitor/log_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/id.h"

#define JOURNAL_SOCKET  "/run/systemd/journal/socket"
#define SYSLOG_SOCKET   "/dev/log"
#define FACILITY_DAEMON 3
#define FACILITY_MAX    23
#define SEVERITY_ERR    3
#define SEVERITY_INFO   6
#define SHORT_ID        12
#define TAG_MAX         160

struct log_socket {
    int fd;
    bool journal;
    bool rfc5424; /* UDP, TCP */
    bool stream;  /* TCP: records end with a newline */
    uint32_t facility;
    char id[ID_LENGTH + 1];
    char name[NAME_MAX_LENGTH + 1];
    char tag[TAG_MAX]; /* what the record is called */
    bool has_tag;
};

static int connect_unix(int type, const char *path, struct error *e) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return error_errno(e, -errno, "make a socket for the log");
    if (strlen(path) >= sizeof(address.sun_path))
        return error_errno(e, -ENAMETOOLONG, "connect the log to %s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(e, -errno, "connect the log to %s", path);
    return TAKE_FD(fd);
}

/* "192.0.2.1:514" or "[2001:db8::1]:514". */
static int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size) {
    const char *colon = strrchr(text, ':');
    char host[64];
    size_t n;
    long port;

    if (!colon || (n = (size_t)(colon - text)) >= sizeof(host))
        return -EINVAL;
    port = strtol(colon + 1, NULL, 10);
    if (port <= 0 || port > 65535)
        return -EINVAL;
    memcpy(host, text, n);
    host[n] = '\0';
    *ret = (struct sockaddr_storage){0};
    if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

        host[n - 1] = '\0';
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        *ret_size = sizeof(*six);
        return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 ? 0 : -EINVAL;
    } else {
        struct sockaddr_in *four = (struct sockaddr_in *)ret;

        *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        *ret_size = sizeof(*four);
        return inet_pton(AF_INET, host, &four->sin_addr) == 1 ? 0 : -EINVAL;
    }
}

static int connect_inet(int type, const char *text, struct error *e) {
    struct sockaddr_storage address;
    socklen_t size;
    _cleanup_fd_ int fd = -1;

    if (parse_address(text, &address, &size) < 0)
        return error_set(e, -EINVAL, "the log's address %s is not NUMBERS:PORT", text);
    fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, size) < 0)
        return error_errno(e, -errno, "connect the log to %s", text);
    return TAKE_FD(fd);
}

static int open_syslog(struct log_socket *s, const char *address, struct error *e) {
    if (!address || !*address)
        return connect_unix(SOCK_DGRAM, SYSLOG_SOCKET, e);
    if (strncmp(address, "unix://", 7) == 0 || strncmp(address, "unixgram://", 11) == 0)
        return connect_unix(SOCK_DGRAM, strstr(address, "://") + 3, e);
    s->rfc5424 = true;
    if (strncmp(address, "udp://", 6) == 0)
        return connect_inet(SOCK_DGRAM, address + 6, e);
    if (strncmp(address, "tcp://", 6) == 0) {
        s->stream = true;
        return connect_inet(SOCK_STREAM, address + 6, e);
    }
    return error_set(e, -EINVAL, "the log's address %s begins with none of unix://, udp://, tcp://", address);
}

int log_socket_open(const struct monitor_log_options *options, const char *id, const char *name, struct log_socket **ret,
                    struct error *e) {
    struct log_socket *s = calloc(1, sizeof(*s));

    if (!s)
        return error_errno(e, -ENOMEM, "open the log");
    s->journal = options->driver == LOG_JOURNALD;
    (void)snprintf(s->id, sizeof(s->id), "%s", id);
    (void)snprintf(s->name, sizeof(s->name), "%s", name ? name : id);
    s->has_tag = options->tag != NULL;
    (void)snprintf(s->tag, sizeof(s->tag), "%s", options->tag ? options->tag : id);
    if (!s->has_tag)
        s->tag[SHORT_ID] = '\0';
    s->facility = options->facility && options->facility <= FACILITY_MAX ? options->facility : FACILITY_DAEMON;
    s->fd = s->journal ? connect_unix(SOCK_DGRAM, JOURNAL_SOCKET, e) : open_syslog(s, options->address, e);
    if (s->fd < 0) {
        int r = s->fd;

        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* systemd's JOURNAL_NATIVE_PROTOCOL: KEY=value lines; a value with newlines goes as KEY\n, u64 LE size, bytes. */
static void send_journal(struct log_socket *s, int stream, const char *p, size_t n, bool partial) {
    char head[768], size[8];
    struct iovec parts[4];
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};
    int head_size = snprintf(head, sizeof(head),
                             "PRIORITY=%d\nCONTAINER_ID=%.*s\nCONTAINER_ID_FULL=%s\nCONTAINER_NAME=%s\nCONTAINER_TAG=%s\n"
                             "SYSLOG_IDENTIFIER=%s\n%sMESSAGE\n",
                             stream == 2 ? SEVERITY_ERR : SEVERITY_INFO, SHORT_ID, s->id, s->id, s->name, s->tag,
                             s->has_tag ? s->tag : s->name, partial ? "CONTAINER_PARTIAL_MESSAGE=true\n" : "");

    if (head_size < 0 || (size_t)head_size >= sizeof(head))
        return;
    for (size_t i = 0; i < sizeof(size); i++)
        size[i] = (char)((uint64_t)n >> (8 * i));
    parts[0] = (struct iovec){.iov_base = head, .iov_len = (size_t)head_size};
    parts[1] = (struct iovec){.iov_base = size, .iov_len = sizeof(size)};
    parts[2] = (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = n};
    parts[3] = (struct iovec){.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1};
    (void)sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_syslog(struct log_socket *s, int stream, struct timespec t, const char *p, size_t n) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char head[384], time_text[TIME_TEXT_MAX];
    unsigned priority = s->facility * 8 + (stream == 2 ? SEVERITY_ERR : SEVERITY_INFO);
    struct iovec parts[3];
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = s->stream ? 3 : 2};
    struct tm tm;
    int head_size;

    if (s->rfc5424) {
        time_format(t, time_text);
        head_size = snprintf(head, sizeof(head), "<%u>1 %s - %s %d - - ", priority, time_text, s->tag, getpid());
    } else {
        gmtime_r(&t.tv_sec, &tm);
        head_size = snprintf(head, sizeof(head), "<%u>%.3s %2d %02d:%02d:%02d %s[%d]: ", priority, months + tm.tm_mon * 3,
                             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, s->tag, getpid());
    }
    if (head_size < 0 || (size_t)head_size >= sizeof(head))
        return;
    parts[0] = (struct iovec){.iov_base = head, .iov_len = (size_t)head_size};
    parts[1] = (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = n};
    parts[2] = (struct iovec){.iov_base = (void *)(uintptr_t) "\n", .iov_len = 1};
    (void)sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void log_socket_send(struct log_socket *s, int stream, struct timespec t, const char *p, size_t n) {
    bool whole = n && p[n - 1] == '\n';

    n -= whole;
    if (s->journal)
        send_journal(s, stream, p, n, !whole);
    else
        send_syslog(s, stream, t, p, n);
}

void log_socket_close(struct log_socket *s) {
    if (!s)
        return;
    fd_close(s->fd);
    free(s);
}
