/* For LD_PRELOAD: kills the process at its n-th change of a folder, or fills the disk under it.
 * A change is write, pwrite, fsync, fdatasync, ftruncate, open with O_CREAT, rename, renameat,
 * symlink, unlink, unlinkat, rmdir or mkdir on a path or descriptor under the folder. Kernel calls
 * are made directly, so that it stands beside any sanitizer.
 *
 *   ADN_CRASH_DIR=DIR     the folder, absolute
 *   ADN_CRASH_AT=n        SIGKILL right before the n-th change (from 1)
 *   ADN_CRASH_AFTER=1     ... right after it instead
 *   ADN_CRASH_AFTER=half  ... in the middle of the n-th write: only writes are counted, half of its
 * bytes land ADN_FULL_AFTER=bytes  writes fail with ENOSPC once so many bytes were written there
 *   ADN_COUNT_FILE=FILE   at exit: how many changes there were */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef enum when { BEFORE, AFTER, HALF } when;

static struct {
    const char *dir;
    long at, full; /* -1: not asked for */
    when when;
    atomic_long n_change, n_bytes;
    bool is_ready;
} shim;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : -1;
}

__attribute__((constructor)) static void prepare(void)
{
    const char *after = getenv("ADN_CRASH_AFTER");
    if (shim.is_ready) return;
    shim.dir = getenv("ADN_CRASH_DIR");
    shim.at = number("ADN_CRASH_AT");
    shim.full = number("ADN_FULL_AFTER");
    shim.when = after == NULL ? BEFORE : strcmp(after, "half") == 0 ? HALF : AFTER;
    shim.is_ready = true;
}

__attribute__((destructor)) static void tell(void)
{
    char text[32];
    const char *path = getenv("ADN_COUNT_FILE");
    if (path == NULL) return;
    int n = snprintf(text, sizeof(text), "%ld\n", atomic_load(&shim.n_change));
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0) syscall(SYS_write, fd, text, n);
}

static bool is_path_inside(const char *path)
{
    char whole[2 * PATH_MAX] = "";
    prepare();
    if (shim.dir == NULL) return false;
    if (path[0] != '/' && getcwd(whole, PATH_MAX) != NULL) strcat(whole, "/");
    strncat(whole, path, PATH_MAX);
    size_t n = strlen(shim.dir);
    return strncmp(whole, shim.dir, n) == 0 && (whole[n] == '/' || whole[n] == '\0');
}

static bool is_fd_inside(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    long n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
    if (n < 0) return false;
    path[n] = '\0';
    return is_path_inside(path);
}

static bool is_at_inside(int dir_fd, const char *path)
{
    return dir_fd == AT_FDCWD || path[0] == '/' ? is_path_inside(path) : is_fd_inside(dir_fd);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts a change; true when it is the one to die at, and not before it. */
static bool count(bool is_inside, bool is_write)
{
    if (!is_inside || (shim.when == HALF && !is_write)) return false;
    if (atomic_fetch_add(&shim.n_change, 1) + 1 != shim.at) return false;
    if (shim.when == BEFORE) die();
    return true;
}

static int finish(bool is_last, long result)
{
    if (is_last) die();
    return (int)result;
}

/* How many of n bytes the disk still takes; -1: none. */
static long room_for(bool is_inside, size_t n)
{
    if (!is_inside || shim.full < 0) return (long)n;
    long left = shim.full - atomic_fetch_add(&shim.n_bytes, (long)n);
    return left <= 0 && n > 0 ? -1 : left < (long)n ? left : (long)n;
}

static ssize_t put(int fd, const void *bytes, size_t n, long offset)
{
    bool is_inside = is_fd_inside(fd), is_last = count(is_inside, true);
    long room = room_for(is_inside, n);
    if (is_last && shim.when == HALF) room /= 2;
    if (room < 0) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t done = offset < 0 ? syscall(SYS_write, fd, bytes, room)
                              : syscall(SYS_pwrite64, fd, bytes, room, offset);
    if (is_last) die();
    return done;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return put(fd, bytes, n, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    return put(fd, bytes, n, offset);
}

int fsync(int fd)
{
    bool is_last = count(is_fd_inside(fd), false);
    return finish(is_last, syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    bool is_last = count(is_fd_inside(fd), false);
    return finish(is_last, syscall(SYS_fdatasync, fd));
}

int ftruncate(int fd, off_t size)
{
    bool is_last = count(is_fd_inside(fd), false);
    return finish(is_last, syscall(SYS_ftruncate, fd, size));
}

static int open_at(int dir_fd, const char *path, int flags, va_list args)
{
    unsigned mode = (flags & O_CREAT) != 0 ? va_arg(args, unsigned) : 0;
    bool is_last = (flags & O_CREAT) != 0 && count(is_at_inside(dir_fd, path), false);
    return finish(is_last, syscall(SYS_openat, dir_fd, path, flags, mode));
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_at(AT_FDCWD, path, flags, args);
    va_end(args);
    return fd;
}

int openat(int dir_fd, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_at(dir_fd, path, flags, args);
    va_end(args);
    return fd;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    bool is_last = count(is_at_inside(from_fd, from) || is_at_inside(to_fd, to), false);
    return finish(is_last, syscall(SYS_renameat2, from_fd, from, to_fd, to, 0));
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int symlink(const char *target, const char *path)
{
    bool is_last = count(is_path_inside(path), false);
    return finish(is_last, syscall(SYS_symlinkat, target, AT_FDCWD, path));
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    bool is_last = count(is_at_inside(dir_fd, path), false);
    return finish(is_last, syscall(SYS_unlinkat, dir_fd, path, flags));
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    bool is_last = count(is_path_inside(path), false);
    return finish(is_last, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}
