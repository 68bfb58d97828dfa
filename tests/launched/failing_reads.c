/* Preloaded into a process: reads of files whose path has "victim" in it fail with EIO, from the number `failing_from`
   up to, but not including, `failing_to`. `reads` counts them. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

long failing_from = -1, failing_to = -1, reads = 0;

static int fails(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!strstr(path, "victim")) return 0;
    long number = reads++;
    return failing_from <= number && number < failing_to;
}

#define PREAD(name, offset_type) \
    ssize_t name(int descriptor, void *to, size_t size, offset_type offset) { \
        static ssize_t (*real)(int, void *, size_t, offset_type); \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        if (fails(descriptor)) return errno = EIO, -1; \
        return real(descriptor, to, size, offset); \
    }

PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t read(int descriptor, void *to, size_t size) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    if (fails(descriptor)) return errno = EIO, -1;
    return real(descriptor, to, size);
}
