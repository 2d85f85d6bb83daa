/* Reading by offset: open, fstat, pread. */
#include "store/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

adn_status adn_input_open(const char *path, int *out_fd, int64_t *out_bytes)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo does not hold us up */

    if (fd < 0) return ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return ADN_FAIL(ADN_IO, "%s: is no regular file", path);
    }
    *out_fd = fd;
    *out_bytes = (int64_t)info.st_size;
    return ADN_OK;
}

adn_status adn_input_read(int fd, const char *path, void *dst, size_t n, int64_t offset)
{
    char *at = dst;
    while (n > 0) {
        ssize_t done = pread(fd, at, n, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0)
            return ADN_FAIL(ADN_IO, "%s: reading stopped at byte %lld: %s", path, (long long)offset,
                            done < 0 ? strerror(errno) : "the file became shorter");
        at += done;
        n -= (size_t)done;
        offset += done;
    }
    return ADN_OK;
}
