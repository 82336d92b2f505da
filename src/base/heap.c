/* malloc(3) for programs that live for milliseconds, in the place of musl's (the lists of programs in meson.build).
 *
 * musl's maps pages for each group of a few blocks and gives them back as soon as the group is free: 117 calls in one `tare run`,
 * and a fault for each page each time, which under a hypervisor is what glibc's start would have cost. Here blocks are cut from a
 * region that grows, a freed block waits for the next of its size, and large ones alone are mappings of their own. Nothing is
 * merged: of each size a program keeps what it has held at most. There is one thread (test/rules). A block that is freed twice, or
 * was never one, ends the program. aligned_alloc() is musl's, and fails. */
#include <features.h>

#if !defined __GLIBC__
#include <errno.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STEP        ((size_t)16)
#define SMALL_MAX   ((size_t)128)     /* sizes up to here are a step apart, then four to each power of two */
#define LARGE_MIN   ((size_t)1 << 16) /* more than this is a mapping of its own */
#define CLASSES     (SMALL_MAX / STEP + 4 * 9)
#define REGION_SIZE ((size_t)1 << 20)
#define FIRST_SIZE  ((size_t)64 << 10)
#define LIVE        UINT64_C(0x7a3c91e5d2b4f608)
#define FREE        UINT64_C(0x19f0c4a86e5d3b72)

struct block {
    size_t size;   /* of what follows */
    uint64_t mark; /* LIVE or FREE, and the address: what is not a block has another */
    alignas(16) unsigned char data[];
};

static alignas(4096) unsigned char first[FIRST_SIZE]; /* pages of it exist once they are written */
static unsigned char *at = first, *end = first + FIRST_SIZE;
static struct block *freed[CLASSES]; /* the next one stands in data */

/* *size becomes the size of the class. */
static size_t class_of(size_t *size) {
    size_t n = *size ? *size : 1, power;

    if (n <= SMALL_MAX) {
        *size = (n + STEP - 1) / STEP * STEP;
        return *size / STEP - 1;
    }
    power = (size_t)(63 - __builtin_clzll(n - 1)); /* n is in (2^power, 2^(power + 1)] */
    n = (n - 1) >> (power - 2);                    /* 4 to 7 */
    *size = (n + 1) << (power - 2);
    return SMALL_MAX / STEP + (power - 7) * 4 + n - 4;
}

static void set(struct block *b, size_t size, uint64_t mark) {
    b->size = size;
    b->mark = mark ^ (uintptr_t)b;
}

static void *map(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static struct block *block_of(void *p) {
    struct block *b = (struct block *)((unsigned char *)p - offsetof(struct block, data));

    if (b->mark != (LIVE ^ (uintptr_t)b))
        abort();
    return b;
}

static size_t mapped(size_t size) {
    return (sizeof(struct block) + size + 4095) & ~(size_t)4095;
}

static struct block *cut(size_t size) {
    struct block *b;

    if ((size_t)(end - at) < sizeof(*b) + size) {
        unsigned char *region = map(REGION_SIZE);

        if (!region)
            return NULL;
        at = region;
        end = region + REGION_SIZE;
    }
    b = (struct block *)at;
    at += sizeof(*b) + size;
    return b;
}

/* *zero: nobody has written there yet. NULL with errno. */
static void *allocate(size_t size, bool *zero) {
    struct block *b;

    *zero = true;
    if (size > PTRDIFF_MAX - REGION_SIZE) {
        errno = ENOMEM;
        return NULL;
    }
    if (size > LARGE_MIN) {
        b = map(mapped(size));
        size = mapped(size) - sizeof(*b);
    } else {
        struct block **list = &freed[class_of(&size)];

        b = *list;
        if (b && b->mark != (FREE ^ (uintptr_t)b))
            abort();
        if (b) {
            (void)memcpy(list, b->data, sizeof(*list));
            *zero = false;
        } else {
            b = cut(size);
        }
    }
    if (!b)
        return NULL;
    set(b, size, LIVE);
    return b->data;
}

void *malloc(size_t size) {
    bool zero;

    return allocate(size, &zero);
}

void *calloc(size_t n, size_t each) {
    size_t size;
    bool zero;
    void *p;

    if (__builtin_mul_overflow(n, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    p = allocate(size, &zero);
    return p && !zero ? memset(p, 0, size) : p;
}

void free(void *p) {
    struct block *b;
    size_t size, class;

    if (!p)
        return;
    b = block_of(p);
    if (b->size > LARGE_MIN) {
        int kept = errno;

        (void)munmap(b, sizeof(*b) + b->size);
        errno = kept;
        return;
    }
    size = b->size;
    class = class_of(&size);
    set(b, size, FREE);
    (void)memcpy(b->data, &freed[class], sizeof(freed[class]));
    freed[class] = b;
}

/* In place: the last block of the region, and mappings. */
static bool resize(struct block **b, size_t size) {
    size_t old = (*b)->size;

    if (old > LARGE_MIN && size > LARGE_MIN) {
        struct block *moved = mremap(*b, sizeof(**b) + old, mapped(size), MREMAP_MAYMOVE);

        if (moved == MAP_FAILED)
            return false;
        set(moved, mapped(size) - sizeof(**b), LIVE);
        *b = moved;
        return true;
    }
    if (size <= old)
        return true;
    if (size > LARGE_MIN || (*b)->data + old != at)
        return false;
    (void)class_of(&size);
    if (size - old > (size_t)(end - at))
        return false;
    at += size - old;
    set(*b, size, LIVE);
    return true;
}

void *realloc(void *p, size_t size) {
    struct block *b;
    void *bigger;

    if (!p)
        return malloc(size);
    b = block_of(p);
    if (size <= PTRDIFF_MAX - REGION_SIZE && resize(&b, size))
        return b->data;
    bigger = malloc(size);
    if (!bigger)
        return NULL;
    (void)memcpy(bigger, p, b->size < size ? b->size : size);
    free(p);
    return bigger;
}

size_t malloc_usable_size(void *p) {
    return p ? block_of(p)->size : 0;
}
#endif
