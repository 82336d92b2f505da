/* Published ports of a running container as users are shown them: by `port`, `ps` and `inspect`, from the records (network/port.h).
 */
#pragma once

#include "base/arena.h"
#include "base/roots.h"

struct port_shown {
    uint16_t container_port, host_port;
    const char *protocol; /* "tcp" */
    const char *host_ip;  /* "0.0.0.0", "::", "192.0.2.1"; what is published on every address of the host is there twice */
};

/* records: struct port_record, of all containers. *ret: struct port_shown, those of one, by container port, protocol and address.
 */
void ports_shown(const struct list *records, const char *container_id, struct arena *a, struct list *ret);
/* As the column of `ps`: "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp"; the same port on both sides, in a row, makes a range:
 * "0.0.0.0:8000-8002->8000-8002/tcp". exposed: "443/tcp". */
const char *ports_text(const struct list *shown, const struct strs *exposed, struct arena *a);
