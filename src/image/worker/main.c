#include <locale.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "image/worker/worker.h"

static const struct {
    const char *name;
    int (*confine)(const struct worker_request *request, struct error *e);
    int (*run)(const struct worker_request *request, struct worker_message *result, struct error *e);
} roles[] = {
    {"inflate", inflate_confine, inflate_run},
    {"unpack", unpack_confine, unpack_run},
};

static int work(size_t role, struct worker_message *result, struct error *e) {
    struct worker_request request;
    int r;

    if (recv(WORKER_FD_SOCKET, &request, sizeof(request), 0) != sizeof(request))
        return error_set(e, -EPROTO, "no request from the engine");
    r = roles[role].confine(&request, e);
    if (r < 0)
        return r;
    return roles[role].run(&request, result, e);
}

int main(int argc, char **argv) {
    _cleanup_error_ struct error e = ERROR_INIT;
    struct worker_message result = {.kind = WORKER_DONE};

    if (argc == 2 && strcmp(argv[1], "compress") == 0)
        return compress_main();
    umask(0);
    /* libarchive translates pax headers, which are UTF-8, into the locale's characters: only UTF-8 leaves them as they are. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(roles); i++)
        if (strcmp(argv[1], roles[i].name) == 0) {
            result.status = work(i, &result, &e);
            if (result.status < 0)
                (void)snprintf(result.text, sizeof(result.text), "%s", e.text ? e.text : errno_text(result.status));
            worker_send(&result);
            return result.status < 0 ? 1 : 0;
        }
    fputs("tare-unpack is started by tare\n", stderr);
    return 2;
}
