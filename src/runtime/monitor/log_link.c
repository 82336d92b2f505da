#include "runtime/monitor/log_link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd_message.h"

#define PIECES_MAX     4
#define RECONNECT_MS   1000 /* between two attempts */
#define NS_PER_MS      1000000LL
#define SEALS          (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)
#define ADDRESS_TEXT   128
#define AGAIN_SIZE_MAX ((size_t)64 << 10)

struct peer {
    struct sockaddr_storage address;
    socklen_t size;
    int type;
};

struct log_link {
    struct peer peer;
    bool takes_files;   /* the journal */
    int fd;             /* -1 = not connected */
    bool connecting;    /* a stream that is not there yet */
    int64_t not_before; /* monotonic: neither tried nor waited for until then */
    uint64_t lost;
    struct buf again; /* a record that a broken stream has not taken whole */
};

/* --- addresses --------------------------------------------------------------------------------------------------------------- */

static int unix_peer(const char *path, int type, struct peer *ret) {
    struct sockaddr_un *a = (struct sockaddr_un *)&ret->address;

    *ret = (struct peer){.size = sizeof(*a), .type = type};
    if (strlen(path) >= sizeof(a->sun_path))
        return -ENAMETOOLONG;
    a->sun_family = AF_UNIX;
    memcpy(a->sun_path, path, strlen(path) + 1);
    return 0;
}

/* "192.0.2.1 514", "2001:db8::1 514" */
static int inet_peer(const char *text, int type, struct peer *ret) {
    struct sockaddr_in *four = (struct sockaddr_in *)&ret->address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ret->address;
    const char *space = strchr(text, ' ');
    char host[ADDRESS_TEXT];
    long port = space ? strtol(space + 1, NULL, 10) : 0;

    *ret = (struct peer){.type = type};
    if (port <= 0 || port > UINT16_MAX || snprintf(host, sizeof(host), "%.*s", (int)(space - text), text) >= (int)sizeof(host))
        return -EINVAL;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        ret->size = sizeof(*four);
        return 0;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    ret->size = sizeof(*six);
    return inet_pton(AF_INET6, host, &six->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int peer_of(const char *text, struct peer *ret) {
    static const struct {
        const char *scheme;
        int (*make)(const char *rest, int type, struct peer *ret);
        int type;
    } kinds[] = {
        {"unixgram://", unix_peer, SOCK_DGRAM},
        {"unix://", unix_peer, SOCK_STREAM},
        {"udp://", inet_peer, SOCK_DGRAM},
        {"tcp://", inet_peer, SOCK_STREAM},
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strncmp(text, kinds[i].scheme, strlen(kinds[i].scheme)) == 0)
            return kinds[i].make(text + strlen(kinds[i].scheme), kinds[i].type, ret);
    return -EINVAL;
}

/* --- connecting -------------------------------------------------------------------------------------------------------------- */

static bool is_stream(const struct log_link *l) {
    return l->peer.type == SOCK_STREAM;
}

/* Sending waits for the peer as long as the socket says; connecting never does. 0, or -EINPROGRESS: under way. */
static int begin_connect(struct log_link *l) {
    const struct timeval wait = {LINK_WAIT_MS / 1000, LINK_WAIT_MS % 1000 * 1000};
    _cleanup_fd_ int fd = socket(l->peer.address.ss_family, l->peer.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = 0;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&l->peer.address, l->peer.size) < 0)
        r = -errno;
    if (r < 0 && r != -EINPROGRESS)
        return r;
    l->connecting = r < 0;
    if (r == 0)
        (void)fcntl(fd, F_SETFL, 0);
    l->fd = TAKE_FD(fd);
    return r;
}

/* 0: it is there; -EINPROGRESS after wait_ms; or what the attempt came to. */
static int end_connect(struct log_link *l, int wait_ms) {
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};
    socklen_t size = sizeof(int);
    int failure = 0;

    if (!l->connecting)
        return 0;
    if (poll(&p, 1, wait_ms) <= 0)
        return -EINPROGRESS;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0 || failure)
        return failure ? -failure : -errno;
    (void)fcntl(l->fd, F_SETFL, 0);
    l->connecting = false;
    return 0;
}

static void rest(struct log_link *l, int64_t ms) {
    l->fd = fd_close(l->fd);
    l->connecting = false;
    l->not_before = clock_monotonic_ns() + ms * NS_PER_MS;
}

/* A stream whose other side has closed takes one more record and loses it: look first. */
static bool was_left(const struct log_link *l) {
    char byte;
    ssize_t n = recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static bool is_there(struct log_link *l) {
    int r = 0;

    if (l->fd >= 0 && is_stream(l) && !l->connecting && was_left(l))
        l->fd = fd_close(l->fd);
    if (l->fd < 0 && clock_monotonic_ns() < l->not_before)
        return false;
    if (l->fd < 0)
        r = begin_connect(l);
    if (l->fd >= 0)
        r = end_connect(l, 0);
    if (r == 0)
        return true;
    if (r != -EINPROGRESS)
        rest(l, RECONNECT_MS);
    return false;
}

int log_link_open(const char *address, bool takes_files, struct log_link **ret, struct error *e) {
    static const char *const usual[] = {"unixgram:///dev/log", "unix:///dev/log", "unixgram:///var/run/syslog",
                                        "unixgram:///var/run/log"};
    struct log_link *l = calloc(1, sizeof(*l));
    int r = -EINVAL, first = 0;

    if (!l)
        return error_errno(e, -ENOMEM, "open the log");
    *l = (struct log_link){.fd = -1, .takes_files = takes_files, .again = BUF_WITH_MAX(AGAIN_SIZE_MAX)};
    for (size_t i = 0; i < (address ? 1 : ARRAY_SIZE(usual)) && l->fd < 0; i++) {
        r = peer_of(address ? address : usual[i], &l->peer);
        if (r == 0)
            r = begin_connect(l);
        if (r == -EINPROGRESS)
            r = end_connect(l, LINK_WAIT_MS);
        if (r < 0)
            l->fd = fd_close(l->fd);
        if (r < 0 && i == 0)
            first = r == -EINPROGRESS ? -ETIMEDOUT : r;
    }
    if (r < 0) {
        log_link_close(l);
        return error_errno(e, first, "connect the log to %s", address ? address : "/dev/log");
    }
    *ret = l;
    return 0;
}

int log_link_fd(const struct log_link *l) {
    return l->fd;
}

void log_link_cut(struct log_link *l) {
    if (l)
        l->fd = fd_close(l->fd);
}

struct log_link *log_link_close(struct log_link *l) {
    if (l) {
        fd_close(l->fd);
        buf_release(&l->again);
    }
    free(l);
    return NULL;
}

/* --- records ----------------------------------------------------------------------------------------------------------------- */

/* What does not fit into a datagram, the journal takes as a sealed file of memory. */
static int send_as_file(struct log_link *l, const struct iovec *pieces, int n) {
    FD_ROOM(1) room = {0};
    struct msghdr m = {0};
    _cleanup_fd_ int fd = memfd_create("tare-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || writev(fd, pieces, n) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    fd_message_put(&m, &room, &fd, 1);
    return sendmsg(l->fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int send_datagram(struct log_link *l, const struct iovec *pieces, int n) {
    const struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)n};

    if (sendmsg(l->fd, &m, MSG_NOSIGNAL) >= 0)
        return 0;
    if (errno == EMSGSIZE && l->takes_files)
        return send_as_file(l, pieces, n);
    return -errno;
}

/* All of it: on a stream, half a record would run into the next one. */
static int send_stream(struct log_link *l, const struct iovec *pieces, int n) {
    struct iovec left[PIECES_MAX];
    struct msghdr m = {.msg_iov = left, .msg_iovlen = (size_t)n};

    memcpy(left, pieces, (size_t)n * sizeof(*left));
    while (m.msg_iovlen > 0) {
        ssize_t sent = sendmsg(l->fd, &m, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        while (m.msg_iovlen > 0 && (size_t)sent >= m.msg_iov->iov_len) {
            sent -= (ssize_t)m.msg_iov->iov_len;
            m.msg_iov++;
            m.msg_iovlen--;
        }
        if (m.msg_iovlen > 0) {
            m.msg_iov->iov_base = (char *)m.msg_iov->iov_base + sent;
            m.msg_iov->iov_len -= (size_t)sent;
        }
    }
    return 0;
}

static int send_once(struct log_link *l, const struct iovec *pieces, int n) {
    int r;

    if (!is_there(l))
        return -ENOTCONN;
    r = is_stream(l) ? send_stream(l, pieces, n) : send_datagram(l, pieces, n);
    if (r == -EAGAIN) /* it waited as long as it may */
        rest(l, LINK_REST_MS);
    else if (r < 0 && r != -EMSGSIZE)
        l->fd = fd_close(l->fd);
    return r;
}

/* A record that a stream broke off comes first, whole. */
static bool send_again(struct log_link *l) {
    const struct iovec whole = {l->again.data, l->again.size};

    if (l->again.size == 0)
        return true;
    if (send_once(l, &whole, 1) < 0)
        return false;
    buf_clear(&l->again);
    return true;
}

bool log_link_send(struct log_link *l, const struct iovec *pieces, int n) {
    int r = -ENOTCONN;

    /* Twice: the peer may just have been started anew. */
    for (int tries = 0; tries < 2 && r < 0 && r != -EAGAIN && r != -EMSGSIZE; tries++)
        if (send_again(l))
            r = send_once(l, pieces, n);
    if (r == 0)
        return true;
    if (is_stream(l) && l->again.size == 0)
        for (int i = 0; i < n; i++)
            buf_add(&l->again, pieces[i].iov_base, pieces[i].iov_len);
    else
        l->lost++;
    return false;
}

uint64_t log_link_lost(struct log_link *l) {
    uint64_t lost = l->lost;

    if (lost == 0 || l->again.size || !is_there(l))
        return 0;
    l->lost = 0;
    return lost;
}
