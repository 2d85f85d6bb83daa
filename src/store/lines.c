/* Append-only text files of whole lines: what a kill or a full disk leaves of a line is cut off. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "store/input.h"
#include "store/rundir_private.h"

/* The offset behind the last newline. */
static adn_status whole_lines(int fd, const char *path, int64_t size, int64_t *out)
{
    char piece[4096];

    for (int64_t end = size; end > 0;) {
        int64_t begin = ADN_MAX(end - (int64_t)sizeof(piece), 0);
        adn_status st = adn_input_read(fd, path, piece, (size_t)(end - begin), begin);
        if (st != ADN_OK) return st;
        for (; end > begin; end--)
            if (piece[end - begin - 1] == '\n') {
                *out = end;
                return ADN_OK;
            }
    }
    *out = 0;
    return ADN_OK;
}

static adn_status cut(int fd, const char *path, int64_t *size)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return ADN_FAIL(ADN_IO, "%s: %s", path, strerror(errno));
    adn_status st = whole_lines(fd, path, info.st_size, size);
    if (st == ADN_OK && *size < info.st_size && ftruncate(fd, (off_t)*size) != 0)
        st = ADN_FAIL(ADN_IO, "%s: its torn last line cannot be cut: %s", path, strerror(errno));
    return st;
}

adn_status adn_lines_open(const char *dir, const char *name, const char *first_line, int *out_fd)
{
    adn_status st = ADN_OK;
    int64_t size = 0;
    char *path = adn_path_join(dir, name);

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        st = ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
    else
        st = cut(fd, path, &size);
    if (st == ADN_OK && size == 0 && first_line != NULL)
        st = adn_lines_append(fd, path, first_line, strlen(first_line), true);
    if (st == ADN_OK)
        *out_fd = fd;
    else if (fd >= 0)
        close(fd);
    adn_free(path);
    return st;
}

adn_status adn_lines_append(int fd, const char *what, const char *line, size_t n, bool with_sync)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return ADN_FAIL(ADN_IO, "%s: %s", what, strerror(errno));
    adn_status st = adn_file_put(fd, what, line, n);
    if (st == ADN_OK && with_sync && fdatasync(fd) != 0)
        st = ADN_FAIL(ADN_IO, "%s: cannot be synced: %s", what, strerror(errno));
    if (st != ADN_OK && ftruncate(fd, info.st_size) != 0)
        adn_warn("%s: a torn line stays: %s", what, strerror(errno));
    return st;
}
