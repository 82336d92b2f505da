/* tare-unpack: the worker that reads what strangers sent. One role per process:
 *
 *   inflate  blob in, plain archive out; hashes both; sees nothing but pipes
 *   unpack   plain archive in, files out; locked into one directory
 *   compress a log in, gzip out; started by the process of a container's log, to which its exit status says all
 *
 * All enter their cage (kernel/confine.h) before the first foreign byte is read. */
#pragma once

#include "base/error.h"
#include "image/worker_protocol.h"

/* Each works through to the end and fills the message's numbers; 0 or a negative errno with e. */
int inflate_run(const struct worker_request *request, struct worker_message *result, struct error *e);
int unpack_run(const struct worker_request *request, struct worker_message *result, struct error *e);

int inflate_confine(const struct worker_request *request, struct error *e);
int unpack_confine(const struct worker_request *request, struct error *e);

int compress_main(void);

/* Receives the layers below from the engine: descriptors, top first. Returns how many. */
int worker_receive_lowers(int fds[WORKER_LOWERS_MAX], struct error *e);
void worker_send(const struct worker_message *message);
