/* Who holds a port of the host: for the message when it is in use. */
#pragma once

#include "base/error.h"

/* Returns -EADDRINUSE with "port 8080/tcp is in use by nginx (pid 1234)". */
int holder_error(uint8_t protocol, uint16_t port, struct error *e);
