/* The sockets of published ports, for the container's monitor to hold. */
#include "network/port.h"

/* Those to which somebody may come are the first. */
void port_sockets(const struct list *published, struct arena *a, struct port_sockets_held *ret) {
    int *fds = arena_array(a, int, 2 * published->n + 1);

    *ret = (struct port_sockets_held){.fds = fds};
    for (int relays = 1; relays >= 0; relays--) {
        for (size_t i = 0; i < published->n; i++) {
            const struct published_port *p = LIST_AT(struct published_port, published, i);

            if (p->fd4 >= 0 && p->relay_all == relays)
                fds[ret->n++] = p->fd4;
            if (p->fd6 >= 0 && (p->relay || p->relay_all) == relays)
                fds[ret->n++] = p->fd6;
        }
        if (relays)
            ret->n_relays = ret->n;
    }
}
