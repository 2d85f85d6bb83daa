/* A stage with copies, by itself: R batches of n are one batch of R n, and a loss that is not
 * finite in any of them ends the run. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "devices.h"
#include "stage/stage.h"
#include "suite.h"

typedef struct lone { /* a stage without norm, and a slot of its own */
    adn_device *devs[4];
    adn_stage *stage;
    adn_slot slots[4];
    int n_copy, batch;
} lone;

static const adn_optim_conf sgd = {
    .lr = 0.05, .momentum = 0.9, .weight_decay = 1e-3, .no_decay_bias = true};
static const adn_optim_conf adamw = {
    .kind = ADN_OPTIM_ADAMW, .lr = 0.01, .betas = {0.9, 0.999}, .eps = 1e-8};

/* Convolution and ReLU; a linear head. */
static adn_net_spec plain_spec(void)
{
    adn_net_spec spec = {.input = {1, 8, 8, 3}, .n_block = 2};
    const adn_layer layers[] = {{.kind = ADN_LAYER_CONV,
                                 .name = "unit1.conv",
                                 .src = 0,
                                 .channels = 6,
                                 .kernel = 3,
                                 .stride = 1,
                                 .pad = 1,
                                 .has_bias = true},
                                {.kind = ADN_LAYER_RELU, .src = 1},
                                {.kind = ADN_LAYER_FLATTEN, .src = 2},
                                {.kind = ADN_LAYER_LINEAR,
                                 .name = "classifier.fc1",
                                 .src = 3,
                                 .channels = 4,
                                 .has_bias = true}};

    for (size_t i = 0; i < ADN_COUNT(layers); i++)
        ck_assert_int_ne(adn_layers_add(&spec.layers, &layers[i]), 0);
    return spec;
}

static void lone_open(lone *l, const adn_optim_conf *optim, adn_clock_kind counts, int n_copy,
                      int batch)
{
    adn_net_spec spec = plain_spec();
    adn_stage_conf c = {.spec = &spec,
                        .n_copy = n_copy,
                        .queue = {.name = "lone", .n_thread = 1},
                        .type = ADN_F32,
                        .batches = {{batch, true}},
                        .n_batches = 1,
                        .optim = optim,
                        .counts = counts,
                        .until = {1, ADN_EPOCHS},
                        .epoch_samples = 1000,
                        .bucket_bytes = 64,
                        .seed = 3};

    *l = (lone){.n_copy = n_copy, .batch = batch};
    for (int k = 0; k < n_copy; k++) {
        adn_device *dev = l->devs[k] = c.devs[k] = devices_get(devices_are_gpus() ? k : 0);
        adn_slot *s = &l->slots[k];
        void *labels;
        ck_assert_int_eq(dev->ops->alloc(dev, (size_t)batch * 192 * sizeof(float), &s->x), ADN_OK);
        ck_assert_int_eq(dev->ops->alloc(dev, (size_t)batch * sizeof(*s->labels), &labels), ADN_OK);
        s->labels = labels;
        ck_assert_int_eq(dev->ops->event_create(dev, &s->read), ADN_OK);
        s->beside = k + 1 < n_copy ? s + 1 : NULL;
    }
    ck_assert_int_eq(adn_stage_create(&c, &l->stage), ADN_OK);
    adn_net_spec_clear(&spec);
}

static void lone_close(lone *l)
{
    adn_stage_destroy(l->stage);
    for (int k = 0; k < l->n_copy; k++) {
        const adn_device_ops *ops = l->devs[k]->ops;
        ops->release(l->devs[k], l->slots[k].x);
        ops->release(l->devs[k], l->slots[k].labels);
        ops->event_destroy(l->slots[k].read);
        ops->close(l->devs[k]);
    }
}

/* Sample i of a step is the same, whoever has it. */
static void lone_fill(lone *l, int step)
{
    float *x = adn_alloc((size_t)l->batch * 192 * sizeof(*x));
    adn_label *labels = adn_alloc((size_t)l->batch * sizeof(*labels));

    for (int k = 0; k < l->n_copy; k++) {
        adn_slot *s = &l->slots[k];
        adn_queue *q = adn_stage_queues(l->stage)[k];
        for (int i = 0; i < l->batch; i++) {
            uint64_t sample = (uint64_t)(1000 * step + k * l->batch + i);
            labels[i] = (adn_label){(int)(sample % 4), (int)(sample % 4), 1};
            for (size_t e = 0; e < 192; e++)
                x[(size_t)i * 192 + e] =
                    adn_rng_unit(adn_rng_draw(8, ADN_RNG_TEST, sample, e).u[0]) +
                    (e % 4 == sample % 4);
        }
        s->n_valid = l->batch;
        s->step = step;
        ck_assert_int_eq(q->dev->ops->upload(q, s->x, x, (size_t)l->batch * 192 * sizeof(*x)),
                         ADN_OK);
        ck_assert_int_eq(
            q->dev->ops->upload(q, s->labels, labels, (size_t)l->batch * sizeof(*labels)), ADN_OK);
        ck_assert_int_eq(q->dev->ops->queue_sync(q), ADN_OK);
    }
    adn_free(x);
    adn_free(labels);
}

static void lone_step(lone *l, int step)
{
    lone_fill(l, step);
    ck_assert_int_eq(adn_stage_step(l->stage, &l->slots[0], NULL, ADN_ACT_LEARN), ADN_OK);
    ck_assert_int_eq(adn_stage_drain(l->stage), ADN_OK);
}

static double distance(lone *a, lone *b)
{
    adn_net *nets[2] = {adn_stage_net(a->stage, 0), adn_stage_net(b->stage, 0)};
    double most = 0;

    for (int i = 0; i < adn_net_n_tensor(nets[0]); i++) {
        size_t n = adn_net_tensor(nets[0], i)->count;
        double *v[2];
        for (int k = 0; k < 2; k++) {
            v[k] = adn_alloc(n * sizeof(double));
            ck_assert_int_eq(adn_net_export(nets[k], i, adn_net_params(nets[k]), v[k]), ADN_OK);
        }
        for (size_t e = 0; e < n; e++) most = fmax(most, fabs(v[0][e] - v[1][e]));
        adn_free(v[0]);
        adn_free(v[1]);
    }
    return most;
}

START_TEST(without_norm_r_batches_are_one_that_is_r_times_as_large)
{
    int most = devices_are_gpus() ? ADN_MIN(devices_count(), 4) : 4;

    for (int n_copy = 2; n_copy <= most; n_copy += 2) {
        lone one, many;
        lone_open(&one, &sgd, ADN_CLOCK_FRESH, 1, 16);
        lone_open(&many, &sgd, ADN_CLOCK_FRESH, n_copy, 16 / n_copy);
        for (int step = 0; step < 20; step++) {
            lone_step(&one, step);
            lone_step(&many, step);
        }
        adn_stage_view a = adn_stage_look(one.stage), b = adn_stage_look(many.stage);
        ck_assert_int_eq(b.samples, a.samples);
        ck_assert_double_lt(a.loss, 1.2); /* it has learned */
        ck_assert_double_lt(fabs(a.loss - b.loss), 1e-5);
        ck_assert_double_lt(distance(&one, &many), 2e-6);
        lone_close(&one);
        lone_close(&many);
    }
}
END_TEST

/* AdamW's count is of updates, re-reads too: not of what the clock counts. */
START_TEST(two_clocks_make_the_same_updates_of_re_reads)
{
    lone fresh, own;

    lone_open(&fresh, &adamw, ADN_CLOCK_FRESH, 1, 16);
    lone_open(&own, &adamw, ADN_CLOCK_OWN_STEPS, 1, 16);
    for (int k = 0; k < 9; k++) { /* each batch three times */
        lone_step(&fresh, k / 3);
        lone_step(&own, k / 3);
    }
    ck_assert_int_eq(adn_stage_look(fresh.stage).steps, 3);
    ck_assert_int_eq(adn_stage_look(own.stage).steps, 9);
    ck_assert_double_eq(distance(&fresh, &own), 0);
    lone_close(&fresh);
    lone_close(&own);
}
END_TEST

/* A loss that is not finite ends the run, in whichever column it is. */
START_TEST(a_diverged_copy_ends_the_run)
{
    const float bad = NAN;

    if (devices_are_gpus() && devices_count() < 2) {
        adn_test_skip("one GPU: copies are on GPUs of their own");
        return;
    }
    for (int k = 0; k < 2; k++) {
        lone l;
        lone_open(&l, &sgd, ADN_CLOCK_FRESH, 2, 8);
        lone_fill(&l, 0);
        adn_queue *q = adn_stage_queues(l.stage)[k];
        ck_assert_int_eq(q->dev->ops->upload(q, l.slots[k].x, &bad, sizeof(bad)), ADN_OK);
        ck_assert_int_eq(q->dev->ops->queue_sync(q), ADN_OK);
        adn_test_log_clear();
        ck_assert_int_eq(adn_stage_step(l.stage, &l.slots[0], NULL, ADN_ACT_LEARN), ADN_OK);
        ck_assert_int_eq(adn_stage_drain(l.stage), ADN_DIVERGED);
        ck_assert_msg(strstr(adn_test_log(), "block 0, step 1: the loss is") != NULL, "%s",
                      adn_test_log());
        lone_close(&l);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("replica stage");
    TCase *tc = tcase_create("steps");

    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, without_norm_r_batches_are_one_that_is_r_times_as_large);
    tcase_add_test(tc, two_clocks_make_the_same_updates_of_re_reads);
    tcase_add_test(tc, a_diverged_copy_ends_the_run);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
