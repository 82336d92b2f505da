/* The systemd unit that brings containers back at boot. Only files are written: systemd reads them when it starts, or at
 * `systemctl daemon-reload`.
 *
 * Source: systemd.unit(5), systemd.service(5), systemd.exec(5). */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define BOOT_UNIT_NAME_MAX 40

struct boot_unit {
    const char *program; /* this tare; absolute */
    const char *root;    /* --root and the like, absolute; NULL = not given */
    const char *run_root;
    const char *config;
    const char *data_home; /* of an ordinary user: $XDG_DATA_HOME; NULL = not set */
    const char *tag;       /* of the roots: engines with different ones have units of their own */
    const char *dir;       /* where units lie; absolute */
    bool user;             /* a unit of the user's own systemd */
};

/* "tare-boot.service" */
void boot_unit_name(const struct boot_unit *u, char name[BOOT_UNIT_NAME_MAX]);
/* Pure: the unit. */
void boot_unit_text(const struct boot_unit *u, struct buf *out);
/* Pure: the command line that another init is to call, for a shell. verb: run, stop. */
void boot_unit_command(const struct boot_unit *u, const char *verb, struct buf *out);
int boot_unit_enable(const struct boot_unit *u, struct error *e);
/* Absent is success. */
int boot_unit_disable(const struct boot_unit *u, struct error *e);
bool boot_unit_enabled(const struct boot_unit *u);
