/* Reading and atomic writing of files. Only write(2), fsync(2) and rename(2): no buffer of stdio
 * stands between a statement and the disk. */
#define _GNU_SOURCE
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

adn_status adn_file_read(const char *path, size_t limit, char **out, size_t *out_bytes)
{
    adn_status st = ADN_IO;
    char *text = NULL;
    size_t at = 0;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang us */

    if (fd < 0) return ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &info) != 0) {
        st = ADN_FAIL(ADN_IO, "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (!S_ISREG(info.st_mode)) {
        st = ADN_FAIL(ADN_IO, "%s: is no regular file", path);
        goto fail;
    }
    if ((uint64_t)info.st_size > limit) {
        st = ADN_FAIL(ADN_IO, "%s: has %lld bytes, at most %zu are expected", path,
                      (long long)info.st_size, limit);
        goto fail;
    }
    size_t bytes = (size_t)info.st_size;
    text = adn_alloc(bytes + 1);
    if (text == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "%s: no memory for %zu bytes", path, bytes);
        goto fail;
    }
    while (at < bytes) {
        ssize_t n = read(fd, text + at, bytes - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            st = ADN_FAIL(ADN_IO, "%s: reading stopped at byte %zu of %zu: %s", path, at, bytes,
                          n < 0 ? strerror(errno) : "the file became shorter");
            goto fail;
        }
        at += (size_t)n;
    }
    close(fd);
    *out = text;
    *out_bytes = bytes;
    return ADN_OK;
fail:
    adn_free(text);
    close(fd);
    return st;
}

adn_status adn_file_create(const char *path, int *out_fd)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return ADN_FAIL(ADN_IO, "%s: cannot be created: %s", path, strerror(errno));
    *out_fd = fd;
    return ADN_OK;
}

adn_status adn_file_put(int fd, const char *path, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return ADN_FAIL(ADN_IO, "%s: cannot be written: %s", path, strerror(errno));
        at += done;
        n -= (size_t)done;
    }
    return ADN_OK;
}

adn_status adn_file_close_synced(int fd, const char *path)
{
    int bad = fsync(fd) != 0 ? errno : 0;
    if (close(fd) != 0 && bad == 0) bad = errno;
    return bad == 0 ? ADN_OK : ADN_FAIL(ADN_IO, "%s: cannot be synced: %s", path, strerror(bad));
}

adn_status adn_dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
    return adn_file_close_synced(fd, path);
}

static adn_status sync_parent(const char *path)
{
    char *dir = adn_strdup(path);
    if (dir == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", path);
    char *slash = strrchr(dir, '/');
    if (slash == NULL)
        strcpy(dir, ".");
    else
        slash[slash == dir ? 1 : 0] = '\0';
    adn_status st = adn_dir_sync(dir);
    adn_free(dir);
    return st;
}

adn_status adn_file_write(const char *path, const void *bytes, size_t n)
{
    adn_status st = ADN_NOMEM;
    int fd = -1;
    char *tmp = adn_format("%s.tmp", path);

    if (tmp == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", path);
    ADN_TRY(st, adn_file_create(tmp, &fd), done);
    st = adn_file_put(fd, tmp, bytes, n);
    adn_status closed = adn_file_close_synced(fd, tmp);
    if (st == ADN_OK) st = closed;
    if (st == ADN_OK && rename(tmp, path) != 0)
        st = ADN_FAIL(ADN_IO, "%s: cannot be renamed: %s", tmp, strerror(errno));
    if (st == ADN_OK)
        st = sync_parent(path);
    else
        unlink(tmp);
done:
    adn_free(tmp);
    return st;
}

adn_status adn_dir_make(const char *path)
{
    char *p = adn_strdup(path);
    if (p == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", path);
    for (char *s = p + 1;; s++) {
        if (*s != '/' && *s != '\0') continue;
        char was = *s;
        *s = '\0';
        if (mkdir(p, 0777) != 0 && errno != EEXIST) {
            adn_status st = ADN_FAIL(ADN_IO, "%s: cannot be made: %s", p, strerror(errno));
            adn_free(p);
            return st;
        }
        *s = was;
        if (was == '\0') break;
    }
    adn_free(p);
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return ADN_FAIL(ADN_IO, "%s: exists and is no folder", path);
    return ADN_OK;
}

adn_status adn_dir_remove(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) return ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
    adn_status st = ADN_OK;
    struct dirent *e;
    while (st == ADN_OK && (e = readdir(dir)) != NULL) {
        struct stat info;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *name = adn_path_join(path, e->d_name);
        if (name == NULL)
            st = ADN_FAIL(ADN_NOMEM, "%s: no memory", path);
        else if (lstat(name, &info) == 0 && S_ISDIR(info.st_mode))
            st = adn_dir_remove(name);
        else if (unlink(name) != 0)
            st = ADN_FAIL(ADN_IO, "%s: cannot be removed: %s", name, strerror(errno));
        adn_free(name);
    }
    closedir(dir);
    if (st == ADN_OK && rmdir(path) != 0)
        st = ADN_FAIL(ADN_IO, "%s: cannot be removed: %s", path, strerror(errno));
    return st;
}

bool adn_path_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

char *adn_path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0') return adn_strdup(name);
    return adn_format("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}
