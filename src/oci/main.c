#include "oci/oci.h"

int main(int argc, char *argv[]) {
    return oci_main(argc - 1, (const char *const *)argv + 1);
}
