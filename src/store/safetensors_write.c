/* The safetensors writer, and what it shares with the reader: the types and their sizes. */
#include "store/safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are written as they lie in memory");

enum { ALIGN = 64 }; /* where data starts: a cache line, for those who map the file */

static const struct {
    const char *name;
    int64_t bytes;
} types[] = {[ADN_ST_F32] = {"F32", 4}, [ADN_ST_F64] = {"F64", 8}, [ADN_ST_I64] = {"I64", 8}};

const char *adn_st_type_name(adn_st_type type)
{
    return types[type].name;
}

int64_t adn_st_bytes(const adn_st_tensor *t)
{
    int64_t bytes = types[t->type].bytes;
    for (int d = 0; d < t->n_dim; d++) bytes *= t->dim[d];
    return bytes;
}

/* Eight-byte elements first, else in the order given: so each tensor starts at a multiple of its
 * element, which PyTorch's loader relies on. Visits the i-th in file order by pass. */
static bool is_in_pass(const adn_st_tensor *t, int pass)
{
    return (types[t->type].bytes == 8) == (pass == 0);
}

static void put_tensor(adn_json *j, const adn_st_tensor *t, int64_t *offset)
{
    ADN_ASSERT(t->name[0] != '\0' && t->n_dim >= 0 && t->n_dim <= ADN_ST_DIMS);
    adn_json_open(j, t->name, '{');
    adn_json_string(j, "dtype", types[t->type].name);
    adn_json_open(j, "shape", '[');
    for (int d = 0; d < t->n_dim; d++) {
        ADN_ASSERT(t->dim[d] >= 0);
        adn_json_int(j, NULL, t->dim[d]);
    }
    adn_json_close(j, ']');
    adn_json_open(j, "data_offsets", '[');
    adn_json_int(j, NULL, *offset);
    *offset += adn_st_bytes(t);
    adn_json_int(j, NULL, *offset);
    adn_json_close(j, ']');
    adn_json_close(j, '}');
}

static void put_header(adn_json *j, const adn_st_tensor *tensors, int n_tensor,
                       const adn_st_meta *meta, int n_meta)
{
    int64_t offset = 0;

    adn_json_open(j, NULL, '{');
    if (n_meta > 0) {
        adn_json_open(j, "__metadata__", '{');
        for (int i = 0; i < n_meta; i++) adn_json_string(j, meta[i].key, meta[i].value);
        adn_json_close(j, '}');
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n_tensor; i++)
            if (is_in_pass(&tensors[i], pass)) put_tensor(j, &tensors[i], &offset);
    adn_json_close(j, '}');
}

static adn_status put_all(int fd, const char *path, const adn_json *header,
                          const adn_st_tensor *tensors, int n_tensor)
{
    static const char spaces[] = "                                                                ";
    adn_status st;
    size_t n_pad = (ALIGN - (8 + header->n_text) % ALIGN) % ALIGN;
    uint64_t n_header = header->n_text + n_pad;

    ADN_TRY(st, adn_file_put(fd, path, &n_header, sizeof(n_header)), done);
    ADN_TRY(st, adn_file_put(fd, path, header->text, header->n_text), done);
    ADN_TRY(st, adn_file_put(fd, path, spaces, n_pad), done);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n_tensor; i++)
            if (is_in_pass(&tensors[i], pass))
                ADN_TRY(st,
                        adn_file_put(fd, path, tensors[i].data, (size_t)adn_st_bytes(&tensors[i])),
                        done);
done:
    return st;
}

static adn_status sync_folder_of(const char *path)
{
    char *dir = adn_strdup(path);
    if (dir == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", path);
    char *slash = strrchr(dir, '/');
    if (slash == NULL)
        memcpy(dir, ".", 2);
    else
        slash[slash == dir ? 1 : 0] = '\0';
    adn_status st = adn_dir_sync(dir);
    adn_free(dir);
    return st;
}

adn_status adn_st_write(const char *path, const adn_st_tensor *tensors, int n_tensor,
                        const adn_st_meta *meta, int n_meta)
{
    adn_status st = ADN_NOMEM;
    adn_json header = {0};
    char *tmp = adn_format("%s.tmp", path);
    int fd;

    put_header(&header, tensors, n_tensor, meta, n_meta);
    if (tmp == NULL || header.failed) {
        ADN_FAIL(ADN_NOMEM, "%s: no memory", path);
        goto done;
    }
    ADN_TRY(st, adn_file_create(tmp, &fd), done);
    st = put_all(fd, tmp, &header, tensors, n_tensor);
    adn_status closed = adn_file_close_synced(fd, tmp);
    if (st == ADN_OK) st = closed;
    if (st == ADN_OK && rename(tmp, path) != 0)
        st = ADN_FAIL(ADN_IO, "%s: cannot be renamed: %s", tmp, strerror(errno));
    if (st == ADN_OK)
        st = sync_folder_of(path);
    else
        unlink(tmp);
done:
    adn_json_clear(&header);
    adn_free(tmp);
    return st;
}
