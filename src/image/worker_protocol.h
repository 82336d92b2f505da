/* What the engine and tare-unpack say to each other: fixed structs over a SOCK_SEQPACKET pair, one message each. Both programs come
 * from one build (the engine starts the worker beside it), so there is no version to negotiate.
 *
 * Descriptors of a worker when it starts:
 *   0  the bytes (inflate: the blob; unpack: the plain archive)
 *   1  inflate: the plain archive goes there (/dev/null when nobody wants it)
 *   3  the socket; the request is waiting in it
 *   4  inflate with WORKER_KEEP: the partial blob; unpack: the layer's directory
 *   5  unpack with WORKER_LOWERS: the directory that holds all layers, for Landlock only */
#pragma once

#include <stdint.h>

#include "base/id_shift.h"

#define WORKER_FD_SOCKET  3
#define WORKER_FD_TARGET  4
#define WORKER_FD_LAYERS  5
#define WORKER_LOWERS_MAX 127

enum worker_flag {
    WORKER_KEEP = 1 << 0,      /* inflate: write the blob's own bytes into descriptor 4, too */
    WORKER_LAYER = 1 << 1,     /* unpack: whiteouts, owners, xattrs: a layer of an image. Else: files only, all of them ours */
    WORKER_LOWERS = 1 << 2,    /* unpack: there are layers below, ask for them when an entry needs one */
    WORKER_DEVICES = 1 << 3,   /* unpack: make the device nodes in the archive */
    WORKER_ONE_OWNER = 1 << 4, /* unpack: only one id is mapped, all files belong to it */
    WORKER_NOBODY = 1 << 5,    /* become uid 65534 (inflate) */
    WORKER_COPY = 1 << 6,      /* unpack: into a tree that is in use: modes and times count, names of whiteouts mean nothing, and a
                                * directory takes the place of nothing else, nor anything else its */
    WORKER_OWNERS = 1 << 7,    /* unpack with WORKER_COPY: owners count, too */
};

struct worker_request {
    uint32_t flags;
    uint32_t gid;          /* unused unless WORKER_NOBODY */
    uint64_t kept;         /* inflate: bytes of the blob that descriptor 4 holds already; they are read from there first */
    uint64_t size;         /* inflate: bytes of the whole blob; UINT64_MAX = unknown */
    uint64_t unpacked_max; /* bytes */
    uint64_t image_room;   /* bytes that the other layers leave to this one; 0: no such limit */
    uint64_t ratio_max;    /* 0: none */
    uint64_t inodes_max;
    uint32_t path_length_max, path_depth_max; /* 0: PATH_MAX, TREE_DEPTH_MAX */
    struct id_shift owners;                   /* unpack: the archive's ids are a container's */
};

enum worker_message_kind {
    WORKER_PROGRESS,    /* inflate: in_bytes so far */
    WORKER_NEED_LOWERS, /* unpack: all entries are read, some need the layers below: answer with their descriptors, top first */
    WORKER_DONE,        /* the last message; status tells */
};

struct worker_message {
    uint32_t kind;
    int32_t status; /* 0 or a negative errno */
    uint64_t in_bytes, out_bytes;
    uint64_t inodes;
    uint32_t opaque_root; /* unpack: the layer hides all layers below it */
    uint32_t skipped_devices;
    uint32_t compression;                    /* enum layer_compression that was found */
    unsigned char in_hash[32], out_hash[32]; /* SHA-256 */
    char text[400];                          /* the error's sentence */
};
