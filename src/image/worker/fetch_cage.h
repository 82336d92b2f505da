/* What tare-fetch may do: read the host's files (the resolver and TLS need some of them) as nobody, connect TCP, speak UDP to name
 * servers, write to descriptors that it is sent. A function of its own so that the test which puts hostile code in the worker's
 * place runs in the very same cage. */
#pragma once

#include "base/error.h"

/* Keeps descriptors 0 to FETCH_CONTROL_FD. Before any thread is started. */
int fetch_cage_enter(struct error *e);
