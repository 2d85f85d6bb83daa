/* Files read front to back: plain bytes, or gzip by zlib's inflate with our own memory. gzread is
 * passed over: it takes plain files for gzip, and ignores garbage behind the stream. */
#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    IN_BYTES = 1 << 16,     /* read from the disk at once */
    FIRST_ROOM = 1 << 20,   /* of a block whose real size is not known; then doubled */
    GZIP_WINDOW = 15 + 16,  /* zlib: the largest window, with gzip's header */
    LARGEST_PIECE = 1 << 30 /* zlib counts in 32 bits, read(2) in 31 */
};

static void *zlib_alloc(void *user, uInt n, uInt size)
{
    (void)user;
    return adn_alloc((size_t)n * size);
}

static void zlib_free(void *user, void *p)
{
    (void)user;
    adn_free(p);
}

static bool ends_in_gz(const char *path)
{
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

static adn_status start_gzip(adn_source *s)
{
    s->z.zalloc = zlib_alloc;
    s->z.zfree = zlib_free;
    s->in = adn_alloc(IN_BYTES);
    if (s->in == NULL || inflateInit2(&s->z, GZIP_WINDOW) != Z_OK)
        return ADN_FAIL(ADN_NOMEM, "%s: no memory to inflate it", s->path);
    return ADN_OK;
}

adn_status adn_source_open(adn_source *s, const char *path)
{
    adn_status st = ADN_BADDATA;
    struct stat info;

    *s = (adn_source){.path = path, .is_gz = ends_in_gz(path)};
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang us */
    if (s->fd < 0) return ADN_FAIL(ADN_BADDATA, "%s: cannot be opened: %s", path, strerror(errno));
    s->is_open = true;
    if (fstat(s->fd, &info) != 0) {
        st = ADN_FAIL(ADN_IO, "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (!S_ISREG(info.st_mode)) {
        st = ADN_FAIL(ADN_BADDATA, "%s: is no regular file", path);
        goto fail;
    }
    s->file_bytes = info.st_size;
    if (s->file_bytes == 0) {
        st = ADN_FAIL(ADN_BADDATA, "%s: is empty (0 bytes)", path);
        goto fail;
    }
    if (s->is_gz) ADN_TRY(st, start_gzip(s), fail);
    return ADN_OK;
fail:
    adn_source_close(s);
    return st;
}

void adn_source_close(adn_source *s)
{
    if (!s->is_open) return;
    if (s->is_gz) inflateEnd(&s->z); /* refuses a stream that was never begun, without harm */
    adn_free(s->in);
    close(s->fd);
    *s = (adn_source){0};
}

/* One read(2), or as much as a signal allows; 0 at the end of the file. */
static adn_status read_some(adn_source *s, void *dst, size_t n, size_t *got)
{
    ssize_t done;
    do done = read(s->fd, dst, ADN_MIN(n, (size_t)LARGEST_PIECE));
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return ADN_FAIL(ADN_IO, "%s: cannot be read at byte %lld: %s", s->path,
                        (long long)s->read_at, strerror(errno));
    s->read_at += done;
    *got = (size_t)done;
    return ADN_OK;
}

/* Sees to it that inflate has input; *is_end where the file ends between two members. */
static adn_status feed(adn_source *s, bool *is_end)
{
    size_t got = 0;

    if (s->z.avail_in == 0) {
        adn_status st = read_some(s, s->in, IN_BYTES, &got);
        if (st != ADN_OK) return st;
        s->z.next_in = s->in;
        s->z.avail_in = (uInt)got;
    }
    if (s->z.avail_in == 0 && s->in_member)
        return ADN_FAIL(ADN_BADDATA,
                        "%s: ends at byte %lld inside its gzip data (after %lld "
                        "inflated bytes): the file is cut short",
                        s->path, (long long)s->read_at, (long long)s->at);
    *is_end = s->z.avail_in == 0;
    if (!*is_end && !s->in_member) {
        inflateReset(&s->z); /* cannot fail: the stream was begun */
        s->in_member = true;
    }
    return ADN_OK;
}

static adn_status gzip_failed(const adn_source *s, int code)
{
    if (code == Z_MEM_ERROR) return ADN_FAIL(ADN_NOMEM, "%s: no memory to inflate it", s->path);
    return ADN_FAIL(ADN_BADDATA,
                    "%s: broken gzip data before byte %lld (after %lld inflated bytes): "
                    "%s",
                    s->path, (long long)(s->read_at - (int64_t)s->z.avail_in), (long long)s->at,
                    s->z.msg != NULL ? s->z.msg : zError(code));
}

static adn_status inflate_some(adn_source *s, void *dst, size_t n, size_t *got)
{
    adn_status st = ADN_OK;
    uInt room = (uInt)ADN_MIN(n, (size_t)LARGEST_PIECE);
    bool is_end = false;

    s->z.next_out = dst;
    s->z.avail_out = room;
    while (s->z.avail_out == room) {
        ADN_TRY(st, feed(s, &is_end), done);
        if (is_end) break;
        int code = inflate(&s->z, Z_NO_FLUSH);
        if (code == Z_STREAM_END)
            s->in_member = false;
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return gzip_failed(s, code);
    }
    *got = room - s->z.avail_out;
done:
    return st;
}

adn_status adn_source_read(adn_source *s, void *dst, size_t n, size_t *got)
{
    adn_status st = ADN_OK;
    size_t at = 0, piece = 1;

    while (at < n && piece > 0) {
        uint8_t *to = (uint8_t *)dst + at;
        ADN_TRY(st,
                s->is_gz ? inflate_some(s, to, n - at, &piece) : read_some(s, to, n - at, &piece),
                done);
        at += piece;
        s->at += (int64_t)piece;
    }
    *got = at;
done:
    return st;
}

adn_status adn_source_exact(adn_source *s, void *dst, size_t n, const char *what)
{
    size_t got = 0;
    int64_t from = s->at;
    adn_status st = adn_source_read(s, dst, n, &got);

    if (st == ADN_OK && got < n)
        st = ADN_FAIL(ADN_BADDATA,
                      "%s: ends at byte %lld; %zu bytes of %s were expected from byte "
                      "%lld on",
                      s->path, (long long)s->at, n, what, (long long)from);
    return st;
}

adn_status adn_source_take(adn_source *s, size_t n, size_t extra, const char *what, uint8_t **out)
{
    adn_status st = ADN_NOMEM;
    size_t at = 0, room = 0;
    uint8_t *block = NULL;

    while (at < n || block == NULL) {
        size_t wanted = s->is_gz ? ADN_MAX(2 * room, (size_t)FIRST_ROOM) : n;
        wanted = ADN_MIN(wanted, n);
        uint8_t *larger = adn_alloc(wanted + extra);
        if (larger == NULL) {
            st = ADN_FAIL(ADN_NOMEM, "%s: no memory for %zu bytes of %s", s->path, wanted, what);
            goto fail;
        }
        if (block != NULL) memcpy(larger, block, at);
        adn_free(block);
        block = larger;
        room = wanted;
        int64_t whole = s->at - (int64_t)at + (int64_t)n;
        size_t got = 0;
        ADN_TRY(st, adn_source_read(s, block + at, room - at, &got), fail);
        at += got;
        if (at < room) {
            st = ADN_FAIL(ADN_BADDATA,
                          "%s: ends at byte %lld inside the %s; %lld bytes were expected", s->path,
                          (long long)s->at, what, (long long)whole);
            goto fail;
        }
    }
    *out = block;
    return ADN_OK;
fail:
    adn_free(block);
    return st;
}

adn_status adn_source_end(adn_source *s)
{
    uint8_t more;
    size_t got = 0;
    adn_status st = adn_source_read(s, &more, 1, &got);

    if (st == ADN_OK && got > 0)
        st =
            ADN_FAIL(ADN_BADDATA, "%s: goes on behind byte %lld, where it should end by its header",
                     s->path, (long long)(s->at - 1));
    return st;
}
