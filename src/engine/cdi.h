/* Devices by the Container Device Interface: what the files in tare.conf's cdi_dirs say is put into the container's specification.
 * A device in a later directory stands before one of the same name in an earlier; two in one directory are a conflict. */
#pragma once

#include "engine/engine.h"
#include "engine/spec.h"

/* Of record.host.device_requests. -ENOENT: no such vendor, class or device; -EEXIST: a conflict; -ENOTSUP: what the file asks for
 * is not done here. */
int cdi_gather(const struct engine *engine, const struct host_config *h, struct arena *a, struct spec_input *in, struct error *e);
