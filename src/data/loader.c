/* Reader threads fill a ring of batches ahead of one taker. A batch's number (ticket) decides its
 * slot, its samples and its draws; which reader fills it decides nothing. */
#include "data/data.h"

#include <pthread.h>
#include <string.h>

#include "core/thread.h"

typedef struct slot {
    uint8_t *pixels;   /* [batch, h, w, c]; or */
    adn_move *moves;   /* [batch][n_augment] */
    int32_t *labels;   /* [batch] */
    uint32_t *samples; /* [batch] */
    int n_valid, epoch, index;
    bool is_ready; /* filled, not yet taken */
    adn_status status;
} slot;

struct adn_loader {
    adn_loader_conf conf;
    size_t image_bytes, moves_bytes; /* of a sample */
    int n_batch;                     /* of an epoch */
    uint8_t fill[ADN_MAX_CHANNELS];
    slot *slots;     /* [n_ahead]; ticket t lies in slot t % n_ahead */
    uint32_t *order; /* [n], of epoch order_epoch */
    adn_thread *threads;

    pthread_mutex_t
        lock; /* all below, order, and the slots' fields but for what a reader is filling */
    pthread_cond_t is_filled, is_taken;
    int order_epoch;              /* 0: none yet */
    int next_epoch, next_index;   /* of the next ticket */
    uint64_t n_given, n_taken;    /* tickets to readers, batches to the taker */
    bool is_stopping, has_failed; /* no more tickets; those given are still filled */
};

int adn_loader_batches(int n_sample, int batch, bool drop_last, bool is_ordered)
{
    int rest = n_sample % batch;
    bool has_short = !drop_last && (is_ordered ? rest > 0 : rest > 1);

    return n_sample / batch + has_short;
}

/* Gives the next ticket's slot its epoch, index and samples. Under the lock: the one order array
 * serves whatever epoch the tickets have reached. */
static slot *draw_ticket(adn_loader *l)
{
    const adn_loader_conf *conf = &l->conf;
    slot *s = &l->slots[l->n_given % (uint64_t)conf->n_ahead];
    int first = l->next_index * conf->batch;

    if (l->order_epoch != l->next_epoch && !conf->is_ordered)
        adn_order_epoch(conf->seed, l->next_epoch, conf->set->n, l->order);
    l->order_epoch = l->next_epoch;
    s->epoch = l->next_epoch;
    s->index = l->next_index;
    s->n_valid = ADN_MIN(conf->batch, conf->set->n - first);
    for (int i = 0; i < s->n_valid; i++)
        s->samples[i] = conf->is_ordered ? (uint32_t)(first + i) : l->order[first + i];
    l->n_given++;
    l->next_index++;
    if (l->next_index == l->n_batch) {
        l->next_index = 0;
        l->next_epoch++;
    }
    return s;
}

static adn_status fill_slot(const adn_loader *l, slot *s)
{
    const adn_loader_conf *conf = &l->conf;
    const adn_dataset *set = conf->set;

    for (int i = 0; i < s->n_valid; i++) {
        uint32_t sample = s->samples[i];
        if (set->labels[sample] >= set->classes)
            return ADN_FAIL(ADN_BADDATA, "sample %u has label %d, expected 0..%d", sample,
                            set->labels[sample], set->classes - 1);
        s->labels[i] = set->labels[sample];
        if (conf->gives_moves) {
            adn_augment_draw(conf->augment, conf->n_augment, conf->seed, s->epoch, sample, set->h,
                             set->w, s->moves + (size_t)i * (size_t)conf->n_augment);
            continue;
        }
        adn_augment(conf->augment, conf->n_augment, conf->seed, s->epoch, sample, set->h, set->w,
                    set->c, l->fill, set->pixels + (size_t)sample * l->image_bytes,
                    s->pixels + (size_t)i * l->image_bytes);
    }
    return ADN_OK;
}

static adn_status read_batches(void *user)
{
    adn_loader *l = user;

    pthread_mutex_lock(&l->lock);
    while (!l->is_stopping) {
        if (l->has_failed || l->n_given == l->n_taken + (uint64_t)l->conf.n_ahead) {
            pthread_cond_wait(&l->is_taken, &l->lock);
            continue;
        }
        slot *s = draw_ticket(l);
        pthread_mutex_unlock(&l->lock);
        adn_status st = fill_slot(l, s);
        pthread_mutex_lock(&l->lock);
        s->status = st;
        if (st != ADN_OK) l->has_failed = true;
        s->is_ready = true;
        pthread_cond_signal(&l->is_filled); /* one taker */
    }
    pthread_mutex_unlock(&l->lock);
    return ADN_OK;
}

adn_status adn_loader_next(adn_loader *l, adn_batch *dst, int *epoch, int *index)
{
    slot *s = &l->slots[l->n_taken % (uint64_t)l->conf.n_ahead]; /* n_taken: only we write it */

    pthread_mutex_lock(&l->lock);
    while (!s->is_ready) pthread_cond_wait(&l->is_filled, &l->lock);
    pthread_mutex_unlock(&l->lock);
    if (s->status != ADN_OK) return s->status; /* said where it was seen; it stays at the front */
    size_t n = (size_t)s->n_valid;             /* nobody touches a ready slot until it is taken */
    if (l->conf.gives_moves)
        memcpy(dst->moves, s->moves, n * l->moves_bytes);
    else
        memcpy(dst->pixels, s->pixels, n * l->image_bytes);
    memcpy(dst->labels, s->labels, n * sizeof(*s->labels));
    memcpy(dst->samples, s->samples, n * sizeof(*s->samples));
    dst->n_valid = s->n_valid;
    *epoch = s->epoch;
    *index = s->index;
    pthread_mutex_lock(&l->lock);
    s->is_ready = false;
    l->n_taken++;
    pthread_cond_signal(&l->is_taken); /* one slot, one reader */
    pthread_mutex_unlock(&l->lock);
    return ADN_OK;
}

static adn_status allocate(adn_loader *l)
{
    const adn_loader_conf *conf = &l->conf;
    size_t batch = (size_t)conf->batch, n_ahead = (size_t)conf->n_ahead;
    size_t bytes = batch * (conf->gives_moves ? l->moves_bytes : l->image_bytes);
    size_t words = batch * sizeof(uint32_t);

    l->slots = adn_alloc(n_ahead * sizeof(*l->slots));
    l->threads = adn_alloc((size_t)conf->n_thread * sizeof(*l->threads));
    l->order = adn_alloc(conf->is_ordered ? 0 : (size_t)conf->set->n * sizeof(*l->order));
    if (l->slots == NULL || l->threads == NULL || l->order == NULL) goto fail;
    for (size_t i = 0; i < n_ahead; i++) {
        slot *s = &l->slots[i];
        if (conf->gives_moves)
            s->moves = adn_alloc(bytes);
        else
            s->pixels = adn_alloc(bytes);
        s->labels = adn_alloc(words);
        s->samples = adn_alloc(words);
        bool has_room = s->pixels != NULL || s->moves != NULL;
        if (!has_room || s->labels == NULL || s->samples == NULL) goto fail;
    }
    return ADN_OK;
fail:
    return ADN_FAIL(ADN_NOMEM, "data loader: no memory for %zu batches of %zu bytes", n_ahead,
                    bytes);
}

/* Whether the loader can do what is asked, and where it starts. */
static adn_status settle_start(adn_loader *l)
{
    const adn_loader_conf *conf = &l->conf;

    if (conf->n_augment > ADN_MAX_AUGMENT)
        return ADN_FAIL(ADN_BADCONF, "data.augment: has %d transforms, at most %d are possible",
                        conf->n_augment, ADN_MAX_AUGMENT);
    l->n_batch = adn_loader_batches(conf->set->n, conf->batch, conf->drop_last, conf->is_ordered);
    l->n_batch -= l->n_batch % ADN_MAX(1, conf->multiple);
    if (l->n_batch == 0)
        return ADN_FAIL(ADN_BADDATA, "data loader: %d samples make no batch of %d%s", conf->set->n,
                        conf->batch, conf->drop_last ? " (data.drop_last)" : "");
    if (conf->first_batch < 0 || conf->first_batch > l->n_batch)
        return ADN_FAIL(ADN_BADDATA,
                        "data loader: cannot start at batch %d of epoch %d, which has %d",
                        conf->first_batch, conf->epoch, l->n_batch);
    l->next_epoch = conf->epoch + conf->first_batch / l->n_batch;
    l->next_index = conf->first_batch % l->n_batch;
    return ADN_OK;
}

adn_status adn_loader_create(const adn_loader_conf *conf, adn_loader **out)
{
    adn_status st = ADN_NOMEM;
    adn_loader *l = adn_alloc(sizeof(*l));

    ADN_ASSERT(conf->n_thread >= 1 && conf->n_ahead >= 1 && conf->batch >= 1 && conf->epoch >= 1);
    ADN_ASSERT(conf->set->c <= ADN_MAX_CHANNELS);
    if (l == NULL) return ADN_FAIL(ADN_NOMEM, "data loader: no memory");
    pthread_mutex_init(&l->lock, NULL); /* with default attributes these three cannot fail */
    pthread_cond_init(&l->is_filled, NULL);
    pthread_cond_init(&l->is_taken, NULL);
    l->conf = *conf;
    l->conf.mean = NULL; /* borrowed for this call only */
    l->image_bytes = (size_t)conf->set->h * (size_t)conf->set->w * (size_t)conf->set->c;
    l->moves_bytes = (size_t)conf->n_augment * sizeof(adn_move);
    adn_augment_fill(conf->mean, conf->set->c, l->fill);
    ADN_TRY(st, settle_start(l), fail);
    ADN_TRY(st, allocate(l), fail);
    for (int i = 0; i < conf->n_thread; i++)
        ADN_TRY(st, adn_thread_start(&l->threads[i], "adn-reader", read_batches, l), fail);
    *out = l;
    return ADN_OK;
fail:
    adn_loader_destroy(l);
    return st;
}

void adn_loader_destroy(adn_loader *l)
{
    if (l == NULL) return;
    pthread_mutex_lock(&l->lock);
    l->is_stopping = true;
    pthread_cond_broadcast(&l->is_taken);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; l->threads != NULL && i < l->conf.n_thread; i++)
        (void)adn_thread_join(&l->threads[i]); /* a reader's failures went into its slots */
    for (int i = 0; l->slots != NULL && i < l->conf.n_ahead; i++) {
        adn_free(l->slots[i].pixels);
        adn_free(l->slots[i].moves);
        adn_free(l->slots[i].labels);
        adn_free(l->slots[i].samples);
    }
    adn_free(l->slots);
    adn_free(l->threads);
    adn_free(l->order);
    pthread_cond_destroy(&l->is_taken);
    pthread_cond_destroy(&l->is_filled);
    pthread_mutex_destroy(&l->lock);
    adn_free(l);
}
