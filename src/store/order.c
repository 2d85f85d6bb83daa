/* Writing of order.bin. */
#include "store/order.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "store/order_bytes.h"

struct adn_order {
    pthread_mutex_t lock;
    char *path;
    int fd; /* -1: not open */
    int n_block;
    bool is_lost; /* it could not be written, which was said */
    size_t n;     /* bytes of buffer that wait */
    uint8_t buffer[ADN_ORDER_BUFFER];
};

static adn_status no_memory(const char *path)
{
    return ADN_FAIL(ADN_NOMEM, "%s: no memory for the order of events", path);
}

adn_status adn_order_create(const char *path, int n_block, int64_t first_step, adn_order **out)
{
    uint8_t header[ADN_ORDER_HEADER] = {0};
    adn_status st = ADN_NOMEM;
    adn_order *o = adn_alloc(sizeof(*o));

    ADN_ASSERT(n_block > 0 && n_block <= ADN_MAX_BLOCKS && first_step >= 0);
    if (o == NULL) return no_memory(path);
    pthread_mutex_init(&o->lock, NULL);
    o->fd = -1;
    o->n_block = n_block;
    o->path = adn_strdup(path);
    if (o->path == NULL) {
        no_memory(path);
        goto fail;
    }
    memcpy(header, ADN_ORDER_MAGIC, 8);
    adn_order_put(header + 8, 4, ADN_ORDER_VERSION);
    adn_order_put(header + 12, 4, (uint64_t)n_block);
    adn_order_put(header + 16, 8, (uint64_t)first_step);
    ADN_TRY(st, adn_file_write(path, header, sizeof(header)), fail); /* never half a header */
    o->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (o->fd < 0) {
        st = ADN_FAIL(ADN_IO, "%s: cannot be opened: %s", path, strerror(errno));
        goto fail;
    }
    *out = o;
    return ADN_OK;
fail:
    o->is_lost = true;
    adn_order_close(o);
    return st;
}

/* Locked, or of one thread. */
static adn_status flush(adn_order *o)
{
    if (o->is_lost) return ADN_IO;
    adn_status st = adn_file_put(o->fd, o->path, o->buffer, o->n);
    o->n = 0;
    o->is_lost = st != ADN_OK;
    return st;
}

static bool is_slot(int slot)
{
    return slot >= -1 && slot < ADN_ORDER_SLOTS;
}

static uint64_t slot_code(int slot)
{
    return slot < 0 ? ADN_ORDER_NONE : (uint64_t)slot;
}

adn_status adn_order_append(adn_order *o, const adn_order_step *step)
{
    adn_status st = ADN_OK;

    ADN_ASSERT(step->stage >= -1 && step->stage < o->n_block);
    ADN_ASSERT(is_slot(step->in_slot) && is_slot(step->out_slot));
    ADN_ASSERT(step->stage >= 0 || step->in_slot < 0);
    ADN_ASSERT(step->act < ADN_ORDER_ACTS && step->flags < ADN_ORDER_FLAGS);
    ADN_ASSERT(step->source_step >= 0 && step->source_step >> 56 == 0);
    pthread_mutex_lock(&o->lock);
    if (o->n == ADN_ORDER_BUFFER || o->is_lost) st = flush(o);
    if (st == ADN_OK) {
        uint8_t *at = o->buffer + o->n;
        adn_order_put(at, 2, (uint64_t)(step->stage + 1));
        at[2] = (uint8_t)(step->act | step->flags * ADN_ORDER_ACTS);
        adn_order_put(at + 3, 3, slot_code(step->in_slot));
        adn_order_put(at + 6, 3, slot_code(step->out_slot));
        adn_order_put(at + 9, 7, (uint64_t)step->source_step);
        o->n += ADN_ORDER_RECORD;
    }
    pthread_mutex_unlock(&o->lock);
    return st;
}

adn_status adn_order_flush(adn_order *o)
{
    pthread_mutex_lock(&o->lock);
    adn_status st = flush(o);
    pthread_mutex_unlock(&o->lock);
    return st;
}

adn_status adn_order_close(adn_order *o)
{
    adn_status st;

    if (o == NULL) return ADN_OK;
    st = flush(o);
    if (st == ADN_OK)
        st = adn_file_close_synced(o->fd, o->path);
    else if (o->fd >= 0)
        close(o->fd);
    pthread_mutex_destroy(&o->lock);
    adn_free(o->path);
    adn_free(o);
    return st;
}
