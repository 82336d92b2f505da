/* What resolver.c (the container's side) and asked.c (the servers' side) share. */
#pragma once

#include <netinet/in.h>

#include "network/resolver.h"

/* A client's connection by TCP: one question at a time. */
struct stream {
    struct net_mortal mortal;
    struct stream *next;
    struct resolver *resolver;
    struct net_watch watch;
    int64_t until_ns;
    struct asked *asked; /* its question is with a server */
    size_t have;         /* bytes of the question and its length that have come */
    uint8_t in[2 + DNS_QUERY_MAX];
    uint8_t *out; /* the answer with its length in front; owned; NULL = none */
    size_t out_size, sent;
};

/* A question that is with a server. */
struct asked {
    struct net_mortal mortal;
    struct asked *next;
    struct resolver *resolver;
    struct net_watch watch;
    int64_t until_ns; /* then the next server is asked */
    unsigned server, tries;
    uint16_t client_id;
    struct sockaddr_in client; /* by UDP */
    struct stream *stream;     /* by TCP; NULL = UDP */
    struct dns_query query;
    size_t size;
    uint8_t message[2 + DNS_QUERY_MAX]; /* with the length in front */
    uint8_t *answer;                    /* by TCP: what has come of it */
    size_t have;
};

/* Hands a question on. `client` for UDP, `stream` for TCP. Without room it is dropped. */
void ask(struct resolver *r, const uint8_t *query, size_t n, const struct dns_query *q, const struct sockaddr_in *client,
         struct stream *stream);
void asked_forget(struct asked *a);
/* Deadlines that have passed; the next one, 0 = none. */
int64_t asked_tick(struct resolver *r, int64_t now_ns);

/* resolver.c: an answer for the client. `p` is borrowed. */
void stream_answer(struct stream *s, const uint8_t *p, size_t n);
