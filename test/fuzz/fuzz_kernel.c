/* What the kernel says: attributes of netlink messages, elements of nftables as text, mountinfo, schemata. The first byte chooses.
 */
#include <linux/netlink.h>

#include "fuzz.h"
#include "kernel/netlink.h"
#include "kernel/nft.h"
#include "kernel/resctrl.h"

static void attributes(const struct nlattr *a, size_t left, int depth) {
    for (int n = 0; a && n < 256; a = netlink_attr_next(a, &left), n++) {
        const unsigned char *p = netlink_attr_data(a);
        unsigned sum = 0;
        size_t below;

        for (size_t i = 0; i < netlink_attr_size(a); i++) /* every byte that it says it has is there */
            sum += p[i];
        FUZZ_MUST(sum <= 255 * netlink_attr_size(a));
        (void)netlink_attr_get_u32(a);
        if (depth < 6)
            attributes(netlink_attr_nested(a, &below), below, depth + 1);
    }
}

static void message(const uint8_t *data, size_t size) {
    const size_t whole = NLMSG_HDRLEN + size;
    struct nlmsghdr *m = malloc(whole); /* its length is right: the socket's reader has checked it */
    size_t left;

    if (!m)
        return;
    *m = (struct nlmsghdr){.nlmsg_len = (uint32_t)whole};
    if (size)
        memcpy(NLMSG_DATA(m), data, size);
    for (size_t header = 0; header <= 16; header += 4) {
        left = 0;
        const struct nlattr *first = netlink_attr_first(m, header, &left);
        attributes(first, left, 0);
    }
    free(m);
}

static void element(const char *text) {
    char once[NFT_ELEMENT_TEXT_MAX], twice[NFT_ELEMENT_TEXT_MAX];
    struct nft_element e;

    if (nft_element_parse(text, &e, NULL) < 0)
        return;
    nft_element_format(&e, once);
    FUZZ_MUST(nft_element_parse(once, &e, NULL) == 0);
    nft_element_format(&e, twice);
    FUZZ_MUST(strcmp(once, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_arena_ struct arena a = ARENA_INIT;
    const char *text, *at;

    if (size < 1)
        return 0;
    text = fuzz_text(&a, data + 1, size - 1);
    switch (data[0] % 4) {
    case 0: message(data + 1, size - 1); break;
    case 1: element(text); break;
    case 2: (void)resctrl_mount_find(text, &a, &at, NULL); break;
    case 3: (void)resctrl_schema_holds(text, text + strcspn(text, "\n")); break;
    }
    return 0;
}
