/* `tare oci`, which has a command line of its own (runc's), and so is told apart before anything else. */
#pragma once

#include <stdbool.h>

bool oci_is_meant(int argc, char *const argv[]);
int oci_main(int argc, char *const argv[]);
