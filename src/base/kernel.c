#include "base/kernel.h"

#include <stdio.h>
#include <sys/utsname.h>

bool kernel_is_at_least(unsigned major, unsigned minor) {
    static unsigned have_major, have_minor;
    struct utsname u;

    if (!have_major && (uname(&u) < 0 || sscanf(u.release, "%u.%u", &have_major, &have_minor) != 2))
        return true;
    return have_major > major || (have_major == major && have_minor >= minor);
}
