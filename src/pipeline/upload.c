/* The loader's batches into a column's slots of edge 0. Either the loader augments and pixels are
 * uploaded, or the set lies in the device's memory: then the loader says which images and what
 * becomes of each, and the device gathers and augments them, to the same bytes. */
#include <string.h>

#include "pipeline/inside.h"

/* Picks [batch] and moves [batch][n_augment] lie side by side, here and there: one upload. */
static size_t picks_bytes(const adn_plan *p)
{
    return (size_t)p->batch * sizeof(uint32_t);
}

static size_t moves_bytes(const adn_plan *p, int n_sample)
{
    return (size_t)n_sample * (size_t)p->conf->data.n_augment * sizeof(adn_move);
}

static adn_status staging_create(adn_upload *u, struct adn_staging *g)
{
    adn_device *dev = u->queue->dev;
    const adn_device_ops *ops = dev->ops;
    const adn_plan *p = u->run->plan;
    void *pixels = NULL, *picks = NULL, *labels = NULL;
    adn_status st;

    if (!u->run->is_resident) {
        ADN_TRY(st, ops->host_alloc(dev, adn_shape_count(p->image), &pixels), done);
        g->pixels = pixels;
    } else {
        ADN_TRY(st, ops->host_alloc(dev, picks_bytes(p) + moves_bytes(p, p->batch), &picks), done);
        g->picks = picks;
        g->moves = (adn_move *)(void *)((char *)picks + picks_bytes(p));
    }
    ADN_TRY(st, ops->host_alloc(dev, (size_t)p->batch * sizeof(*g->labels), &labels), done);
    g->labels = labels;
    g->classes = adn_alloc((size_t)p->batch * sizeof(*g->classes));
    if (g->classes == NULL) return ADN_FAIL(ADN_NOMEM, "loader: no memory for a batch");
    st = ops->event_create(dev, &g->free);
done:
    return st;
}

/* --- a set in the device's memory */

static adn_status plan_op(const adn_upload *u, adn_lane lane, int n_sample, adn_op **out)
{
    const adn_plan *p = u->run->plan;
    const adn_data_conf *d = &p->conf->data;
    adn_op_desc op = {.kind = ADN_OP_AUGMENT, .type = ADN_F32, .src = p->image, .dst = p->image};

    if (n_sample == 0) return ADN_OK; /* there is no short batch */
    op.src.n = lane == ADN_LANE_TEST ? p->n_test : p->n_train;
    op.dst.n = n_sample;
    op.u.augment.list = d->augment;
    op.u.augment.n_transform = lane == ADN_LANE_TEST ? 0 : d->n_augment;
    adn_augment_fill(u->run->conf.data->mean, p->image.c, op.u.augment.fill);
    return u->queue->dev->ops->plan(u->queue, &op, out);
}

/* Every later batch comes behind the set's upload, on the same queue. */
static adn_status set_create(adn_upload *u, adn_lane lane, const adn_dataset *set, int n_short)
{
    adn_device *dev = u->queue->dev;
    const adn_plan *p = u->run->plan;
    size_t bytes = (size_t)set->n * (size_t)p->image.h * (size_t)p->image.w * (size_t)p->image.c;
    adn_status st;

    ADN_TRY(st, dev->ops->alloc(dev, bytes, &u->sets[lane]), done);
    if (!u->run->conf.is_bare)
        ADN_TRY(st, dev->ops->upload(u->queue, u->sets[lane], set->pixels, bytes), done);
    ADN_TRY(st, plan_op(u, lane, p->batch, &u->ops[lane][0]), done);
    st = plan_op(u, lane, n_short, &u->ops[lane][1]);
done:
    return st;
}

static adn_status resident_create(adn_upload *u)
{
    adn_device *dev = u->queue->dev;
    const adn_plan *p = u->run->plan;
    const adn_dataset_pair *data = u->run->conf.data;
    adn_status st;

    ADN_TRY(st, set_create(u, ADN_LANE_TRAIN, &data->train, p->short_batch), done);
    ADN_TRY(st, set_create(u, ADN_LANE_TEST, &data->test, p->short_test), done);
    st = dev->ops->alloc(dev, picks_bytes(p) + moves_bytes(p, p->batch), &u->picks);
done:
    return st;
}

static adn_status augment_there(adn_upload *u, const struct adn_staging *g, adn_slot *part)
{
    const adn_plan *p = u->run->plan;
    bool is_test = part->lane == ADN_LANE_TEST;
    adn_op_args args = {.p = {[ADN_SRC] = u->sets[part->lane],
                              [ADN_PICKS] = u->picks,
                              [ADN_MOVES] = (char *)u->picks + picks_bytes(p),
                              [ADN_DST] = part->x}};
    size_t bytes = picks_bytes(p) + (is_test ? 0 : moves_bytes(p, part->n_valid));
    adn_status st;

    memcpy(g->picks, part->samples, (size_t)part->n_valid * sizeof(*g->picks));
    ADN_TRY(st, u->queue->dev->ops->upload(u->queue, u->picks, g->picks, bytes), done);
    st = adn_op_run(u->ops[part->lane][part->n_valid != p->batch], &args);
done:
    return st;
}

/* --- both */

adn_status adn_upload_create(adn_run *r, int column, adn_upload *u)
{
    adn_device *dev = adn_run_dev(r, column, 0);
    adn_queue_conf queue = {.name = "source", .n_thread = 1, .jitter = r->conf.jitter};
    adn_status st = ADN_OK;

    u->run = r;
    if (r->queue == NULL) ADN_TRY(st, dev->ops->queue_create(dev, &queue, &u->own_queue), done);
    u->queue = r->queue != NULL ? r->queue : u->own_queue;
    for (int k = 0; k < 2; k++) ADN_TRY(st, staging_create(u, &u->staging[k]), done);
    if (r->is_resident) st = resident_create(u);
done:
    return st;
}

void adn_upload_clear(adn_upload *u)
{
    if (u->queue == NULL) return;
    adn_device *dev = u->queue->dev;
    const adn_device_ops *ops = dev->ops;

    if (ops->queue_sync(u->queue) != ADN_OK) adn_debug("the source's queue had failed");
    for (int lane = 0; lane < ADN_N_LANE; lane++) {
        for (int k = 0; k < 2; k++) adn_op_destroy(u->ops[lane][k]);
        if (u->sets[lane] != NULL) ops->release(dev, u->sets[lane]);
    }
    if (u->picks != NULL) ops->release(dev, u->picks);
    if (u->own_queue != NULL) ops->queue_destroy(u->own_queue);
    for (int k = 0; k < 2; k++) {
        struct adn_staging *g = &u->staging[k];
        if (g->pixels != NULL) ops->host_release(dev, g->pixels);
        if (g->picks != NULL) ops->host_release(dev, g->picks);
        if (g->labels != NULL) ops->host_release(dev, g->labels);
        adn_free(g->classes);
        ops->event_destroy(g->free);
    }
}

adn_status adn_upload_batch(adn_upload *u, adn_loader *loader, int turn, adn_slot *part,
                            int *out_epoch)
{
    const adn_device_ops *ops = u->queue->dev->ops;
    struct adn_staging *g = &u->staging[turn];
    adn_batch b = {
        .pixels = g->pixels, .moves = g->moves, .labels = g->classes, .samples = part->samples};
    adn_shape image = u->run->plan->image;
    adn_status st;
    int index = 0;

    ADN_TRY(st, ops->event_sync(g->free), done);
    ADN_TRY(st, adn_loader_next(loader, &b, out_epoch, &index), done);
    for (int i = 0; i < b.n_valid; i++) g->labels[i] = (adn_label){b.labels[i], b.labels[i], 1};
    part->n_valid = image.n = b.n_valid;
    if (u->run->is_resident)
        ADN_TRY(st, augment_there(u, g, part), done);
    else
        ADN_TRY(st, ops->upload(u->queue, part->x, g->pixels, adn_shape_count(image)), done);
    ADN_TRY(st,
            ops->upload(u->queue, part->labels, g->labels, (size_t)b.n_valid * sizeof(*g->labels)),
            done);
    ADN_TRY(st, ops->event_record(u->queue, g->free), done);
    st = ops->event_record(u->queue, part->written);
done:
    return st;
}
