#define _GNU_SOURCE
#include "core/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

static adn_status failed(const char *dir, size_t bytes, const char *what, int error)
{
    return ADN_FAIL(ADN_IO, "%s: a file of %.1f MiB for slots %s: %s", dir, (double)bytes / 0x1p20,
                    what, strerror(error));
}

/* Asked first: a reservation that fails halfway would leave no room for anybody meanwhile. */
static int reserve(int fd, size_t bytes)
{
    struct statvfs v;

    if (fstatvfs(fd, &v) == 0 && bytes / v.f_frsize >= v.f_bavail) return ENOSPC;
    return posix_fallocate(fd, 0, (off_t)bytes);
}

adn_status adn_map_create(const char *dir, size_t bytes, void **out)
{
    adn_status st = ADN_OK;
    char *path = adn_format("%s/.slots-XXXXXX", dir);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for a file's name", dir);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        st = failed(dir, bytes, "cannot be made", errno);
        goto done;
    }
    (void)unlink(path);
    int error = reserve(fd, bytes);
    if (error != 0) {
        st = failed(dir, bytes, "finds no room", error);
        goto close;
    }
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        st = failed(dir, bytes, "cannot be mapped", errno);
    else
        *out = p;
close:
    close(fd);
done:
    adn_free(path);
    return st;
}

void adn_map_release(void *p, size_t bytes)
{
    if (p != NULL) munmap(p, bytes);
}
