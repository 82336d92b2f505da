/* What can come next on a command line, from the option tables and from what there is (containers, images, networks, volumes). The
 * shells' functions (completion.c) ask it at every key by the hidden command `tare __complete WORD…`, the last word being the one
 * under the cursor. */
#pragma once

#include "cli/command.h"

struct completion {
    struct cli *cli;
    const char *word;  /* what the candidates begin with */
    const char *front; /* what stands before the part that is completed ("--network=", "web:"); goes before each candidate */
    bool files;        /* the shell completes file names too */
    bool open;         /* no blank after the candidate: it is the first half of something ("web:") */
    struct buf out;    /* "CANDIDATE\tHELP\n" */
};

/* Adds the candidate if it begins with the word. help may be NULL. */
void completion_offer(struct completion *c, const char *text, const char *help);

/* Adds the names of things: "containers", "running", "images", … (complete_names.c). What cannot be read is not offered. */
void complete_containers(struct completion *c, bool running, const char *suffix);
void complete_images(struct completion *c);
void complete_networks(struct completion *c);
void complete_volumes(struct completion *c);
