/* Write down before you do; undo from what is written. A journal lists what would outlive a crash, one operation a line, each of
 * which says how to get rid of one thing. It is written once, before the first step. Undoing goes through it in reverse, skips what
 * is already gone, and may be done twice, at the same time even, and by any process. There is no other clean-up code.
 *
 * Text: "tare-journal 1", one line per operation (tab-separated, \t \n \\ escaped), "end". A journal without its last line was torn
 * while it was written, when nothing had been done yet. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

enum journal_op {
    JOURNAL_CGROUP,  /* absolute directory: kill what is left in it and below, remove it */
    JOURNAL_UNLINK,  /* absolute path of a file of the engine's own */
    JOURNAL_NAME,    /* absolute path of a symbolic link, its text: unlinked only while it says that (a name that one holds) */
    JOURNAL_LEASE,   /* absolute path of a symbolic link, its owner: unlinked only while its text begins with the owner (addresses,
                        ports: what is given back half may be another's when the undoing is done again) */
    JOURNAL_RMDIR,   /* absolute path of an empty directory of the engine's own */
    JOURNAL_TREE,    /* absolute path: removed with everything below */
    JOURNAL_VOLUME,  /* absolute path of a volume's directory, ROOT, RUN_ROOT: as JOURNAL_TREE, and its event is told */
    JOURNAL_TRASH,   /* absolute path, absolute directory of the trash, name there: renamed into it (reaped later by anybody) */
    JOURNAL_LINK,    /* name of a network interface */
    JOURNAL_NFT,     /* table, element as nft_element_format() writes it: taken out of a set of tare's own table */
    JOURNAL_PORT,    /* record of a port (see JOURNAL_LEASE; stands in an earlier line), its owner, table, elements separated by
                        ";": as JOURNAL_NFT, while the record is the owner's */
    JOURNAL_UMOUNT,  /* absolute path: unmounted (lazily) */
    JOURNAL_SCOPE,   /* name of a scope of systemd's, which is stopped with what is left in it */
    JOURNAL_PROGRAM, /* absolute path of a file, absolute path of a program of ours: run as `PROGRAM undo FILE` while the file is
                        there, which it removes */
    JOURNAL_OP_COUNT,
};

#define JOURNAL_ELEMENTS_MAX 64

struct journal {
    struct buf text;
};
#define JOURNAL_INIT                                                                                                               \
    { 0 }
#define _cleanup_journal_ _cleanup_(journal_release)
void journal_release(struct journal *j);

/* Appends an operation with its arguments (as many as the operation takes). */
void journal_add(struct journal *j, enum journal_op op, ...);
/* Takes over the lines that another room made with journal_add() into its own journal. */
void journal_append(struct journal *j, const struct journal *other);

/* Writes the journal as `name` in dirfd; `lasting`: to the disk (the container's own directory), else it may die with the boot. */
int journal_write(int dirfd, const char *name, const struct journal *j, bool lasting, struct error *e);
/* Changes a journal that is there: adds lines (NULL: none), drops those that have the argument `without` (NULL: none; one without
 * tabs and such). -ENOENT: there is none, the run is over. */
int journal_change(int dirfd, const char *name, const struct journal *more, const char *without, struct error *e);
/* Undoes `name` in reverse order, then removes it. Absent = done. Goes on past what fails and returns the first failure; the
 * journal then stays. -EPROTO: written by a newer tare, or damaged. */
int journal_undo(int dirfd, const char *name, struct error *e);
