/* One layer's way in: its locks, its two workers, and what is accepted at the end. layers_ingest() drives several of them. */
#pragma once

#include "image/store_internal.h"
#include "image/worker.h"

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE };

struct layer_job {
    struct image_store *store;
    struct layer_task *task;
    const struct layer_job *below; /* the job of the layer below; NULL for the lowest */
    size_t index;
    const char *shown; /* the digest by which progress is told: the same from beginning to end; NULL: none is known before */
    uint64_t room;     /* unpacked bytes that the finished layers of the image leave of image_size_max */
    enum job_state state;

    bool need_blob, need_layer;
    int key_lock;
    struct blob_ingest *ingest; /* while the blob comes from the source */
    int source_handle;          /* of blob_source.start; -1 */
    int dir;                    /* the layer's directory: staging, then final; -1 */
    struct worker inflate, unpack;
    bool wants_lowers;
    unsigned tries;
    enum image_phase phase;
    int64_t reported_ns;
};

/* What is there already. -ENOENT etc. never: only real errors. Sets need_*; JOB_DONE when nothing is missing. */
int layer_job_look(struct layer_job *j, struct arena *a, struct error *e);
/* Takes the locks and starts the workers. -EAGAIN: another process is at it; look again later. */
int layer_job_start(struct layer_job *j, const struct blob_source *source, struct arena *a, struct error *e);
/* Both workers ended: checks everything and gives blob and layer their names. -EAGAIN: the transfer broke off, start again. */
int layer_job_finish(struct layer_job *j, const struct blob_source *source, struct arena *a, struct error *e);
/* Stops what runs and drops what is unfinished (but keeps a partial blob). */
void layer_job_abandon(struct layer_job *j, const struct blob_source *source);
