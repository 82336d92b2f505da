/* Between `tare oci` and `tare-monitor oci`, which carries one plan out and ends: the arguments behind the role are an id (for ps)
 * and the numbers below; the descriptors among them are inherited, above those that are handed on to the container. */
#pragma once

#include <stdint.h>

enum oci_role_arg {
    OCI_ROLE_SOCKET,   /* SOCK_SEQPACKET: struct oci_role_reply, then one byte back: let go, and end with 0 */
    OCI_ROLE_PLAN,     /* a memfd */
    OCI_ROLE_LISTEN,   /* what the process waits on for its start; -1 */
    OCI_ROLE_PIDFD,    /* of the container to join; -1 */
    OCI_ROLE_LOCK,     /* held until the end: the container is being made; -1 */
    OCI_ROLE_PRESERVE, /* how many descriptors from 3 on the program gets */
    OCI_ROLE_TERMINAL,
    OCI_ROLE_ARGS,
};

struct oci_role_reply { /* a descriptor beside it: the terminal's master */
    int32_t code;       /* negative errno */
    int32_t status;
    int32_t pid;
    char text[3000];
};
