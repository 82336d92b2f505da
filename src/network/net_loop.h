/* The event loop of tare-net: watches that call back, one deadline, and memory that is freed after the round of events that may
 * still name it. Single-threaded. */
#pragma once

#include <sys/epoll.h>

#include "base/error.h"

/* Something that is watched. Embedded in its owner. */
struct net_watch {
    int fd; /* owned; -1 = closed */
    uint32_t events;
    void (*ready)(struct net_watch *w, uint32_t events);
    void *owner;
};

/* The first member of whatever is given to net_loop_free(). */
struct net_mortal {
    struct net_mortal *next;
};

struct net_loop {
    int epoll_fd;
    bool over;                                  /* set by a watch: net_loop_run() returns */
    struct net_mortal *dead;                    /* freed after the round */
    int64_t (*tick)(void *arg, int64_t now_ns); /* after each round; its answer is when it wants to be called again, 0 = never */
    void *tick_arg;
};

int net_loop_init(struct net_loop *l, struct error *e);
int net_watch_add(struct net_loop *l, struct net_watch *w, uint32_t events);     /* takes w->fd over, also on failure */
void net_watch_change(struct net_loop *l, struct net_watch *w, uint32_t events); /* 0: none, the watch stays */
void net_watch_close(struct net_loop *l, struct net_watch *w);                   /* and its descriptor */
void net_loop_free(struct net_loop *l, struct net_mortal *m);                    /* of calloc(), later */
void net_loop_run(struct net_loop *l);
