/* Reading of order.bin, as untrusted bytes. */
#include <string.h>
#include <unistd.h>

#include "store/input.h"
#include "store/order_bytes.h"

struct adn_order_reader {
    char *path;
    int fd; /* -1: not open */
    adn_order_info info;
    int64_t n_given; /* steps */
    size_t at, n;    /* of buffer: bytes given and bytes there */
    uint8_t buffer[ADN_ORDER_BUFFER];
};

static adn_status no_memory(const char *path)
{
    return ADN_FAIL(ADN_NOMEM, "%s: no memory for the order of events", path);
}

static adn_status read_header(adn_order_reader *r, int64_t n_bytes)
{
    uint8_t h[ADN_ORDER_HEADER];
    adn_status st;

    if (n_bytes < ADN_ORDER_HEADER)
        return ADN_FAIL(ADN_BADDATA, "%s: byte %lld: ends inside the header of %d bytes", r->path,
                        (long long)n_bytes, ADN_ORDER_HEADER);
    st = adn_input_read(r->fd, r->path, h, sizeof(h), 0);
    if (st != ADN_OK) return st;
    uint64_t version = adn_order_get(h + 8, 4), n_block = adn_order_get(h + 12, 4),
             first_step = adn_order_get(h + 16, 8);
    if (memcmp(h, ADN_ORDER_MAGIC, 8) != 0)
        return ADN_FAIL(ADN_BADDATA,
                        "%s: byte 0: is no order of events: it does not begin "
                        "with " ADN_ORDER_MAGIC,
                        r->path);
    if (version != ADN_ORDER_VERSION)
        return ADN_FAIL(ADN_BADDATA, "%s: byte 8: is of version %llu, expected %d", r->path,
                        (unsigned long long)version, ADN_ORDER_VERSION);
    if (n_block < 1 || n_block > ADN_MAX_BLOCKS)
        return ADN_FAIL(ADN_BADDATA, "%s: byte 12: says %llu blocks, expected 1 to %d", r->path,
                        (unsigned long long)n_block, ADN_MAX_BLOCKS);
    if (first_step > INT64_MAX)
        return ADN_FAIL(ADN_BADDATA, "%s: byte 16: begins at source step %llu: too large", r->path,
                        (unsigned long long)first_step);
    r->info = (adn_order_info){.n_block = (int)n_block,
                               .first_step = (int64_t)first_step,
                               .n_step = (n_bytes - ADN_ORDER_HEADER) / ADN_ORDER_RECORD};
    return ADN_OK;
}

adn_status adn_order_open(const char *path, adn_order_reader **out)
{
    int64_t n_bytes;
    adn_status st = ADN_NOMEM;
    adn_order_reader *r = adn_alloc(sizeof(*r));

    if (r == NULL) return no_memory(path);
    r->fd = -1;
    r->path = adn_strdup(path);
    if (r->path == NULL) {
        no_memory(path);
        goto fail;
    }
    ADN_TRY(st, adn_input_open(path, &r->fd, &n_bytes), fail);
    ADN_TRY(st, read_header(r, n_bytes), fail);
    *out = r;
    return ADN_OK;
fail:
    adn_order_reader_close(r);
    return st;
}

adn_order_info adn_order_about(const adn_order_reader *r)
{
    return r->info;
}

static int64_t offset(const adn_order_reader *r)
{
    return ADN_ORDER_HEADER + r->n_given * ADN_ORDER_RECORD;
}

static adn_status refill(adn_order_reader *r)
{
    int64_t left = (r->info.n_step - r->n_given) * ADN_ORDER_RECORD;

    r->at = 0;
    r->n = (size_t)ADN_MIN(left, ADN_ORDER_BUFFER);
    return adn_input_read(r->fd, r->path, r->buffer, r->n, offset(r));
}

static int slot_of(const uint8_t *at)
{
    uint64_t code = adn_order_get(at, 3);
    return code == ADN_ORDER_NONE ? -1 : (int)code;
}

/* What is wrong with a record; NULL: nothing. */
static const char *fault(const adn_order_step *s, int n_block)
{
    if (s->stage >= n_block) return "a stage that there is not";
    if (s->stage < 0 && s->in_slot >= 0) return "a slot that the source would take";
    return NULL;
}

adn_status adn_order_next(adn_order_reader *r, adn_order_step *out)
{
    adn_status st;

    if (r->n_given == r->info.n_step) return ADN_END;
    if (r->at == r->n) {
        st = refill(r);
        if (st != ADN_OK) {
            r->n = 0; /* another try reads again */
            return st;
        }
    }
    const uint8_t *at = r->buffer + r->at;
    adn_order_step s = {.stage = (int)adn_order_get(at, 2) - 1,
                        .in_slot = slot_of(at + 3),
                        .out_slot = slot_of(at + 6),
                        .act = at[2] % ADN_ORDER_ACTS,
                        .flags = at[2] / ADN_ORDER_ACTS,
                        .source_step = (int64_t)adn_order_get(at + 9, 7)};
    const char *what = fault(&s, r->info.n_block);
    if (what != NULL)
        return ADN_FAIL(ADN_BADDATA, "%s: byte %lld: %s, in a run of %d blocks", r->path,
                        (long long)offset(r), what, r->info.n_block);
    r->at += ADN_ORDER_RECORD;
    r->n_given++;
    *out = s;
    return ADN_OK;
}

void adn_order_reader_close(adn_order_reader *r)
{
    if (r == NULL) return;
    if (r->fd >= 0) close(r->fd);
    adn_free(r->path);
    adn_free(r);
}
