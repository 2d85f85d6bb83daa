/* Tiny experiments. */
#include "tiny.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/rng.h"
#include "devices.h"
#include "pipeline/inside.h"
#include "suite.h"

static void fill_split(adn_dataset *s, int n, int h, int w, int c, int classes, uint64_t seed)
{
    size_t image = (size_t)(h * w * c);
    uint8_t *pixels = adn_alloc((size_t)n * image), *labels = adn_alloc((size_t)n);

    ADN_ASSERT(pixels != NULL && labels != NULL);
    for (int i = 0; i < n; i++) {
        labels[i] =
            (uint8_t)(adn_rng_draw(seed, ADN_RNG_TEST, 1, (uint64_t)i).u[0] % (uint32_t)classes);
        for (size_t k = 0; k < image; k++) {
            uint32_t noise = adn_rng_draw(seed, ADN_RNG_TEST, 2 + (uint64_t)i, k).u[0] % 120;
            uint32_t sign = (k / (size_t)c % (size_t)classes) == labels[i] ? 110 : 20;
            pixels[(size_t)i * image + k] = (uint8_t)(noise + sign);
        }
    }
    *s = (adn_dataset){
        .n = n, .h = h, .w = w, .c = c, .classes = classes, .pixels = pixels, .labels = labels};
}

void tiny_data(adn_dataset_pair *out, int n_train, int n_test, int h, int w, int c, int classes)
{
    *out = (adn_dataset_pair){0};
    fill_split(&out->train, n_train, h, w, c, classes, 11);
    fill_split(&out->test, n_test, h, w, c, classes, 12);
    for (int k = 0; k < c; k++) {
        out->mean[k] = 0.4 + 0.01 * k;
        out->std[k] = 0.2 + 0.01 * k;
    }
}

void tiny_data_clear(adn_dataset_pair *data)
{
    adn_free((void *)(uintptr_t)data->train.pixels);
    adn_free((void *)(uintptr_t)data->train.labels);
    adn_free((void *)(uintptr_t)data->test.pixels);
    adn_free((void *)(uintptr_t)data->test.labels);
    *data = (adn_dataset_pair){0};
}

adn_config *tiny_config(const char *yaml, const char *const *overrides)
{
    static const char *dir; /* one for all of a program's configs */
    adn_config *conf = NULL;

    if (dir == NULL) dir = adn_test_dir();
    char *text = adn_format("version: 1\n%s", yaml);
    int n = 0;
    char *path = adn_format("%s/tiny.yaml", dir);

    ADN_ASSERT(text != NULL && path != NULL);
    ADN_ASSERT(adn_file_write(path, text, strlen(text)) == ADN_OK);
    while (overrides != NULL && overrides[n] != NULL) n++;
    if (adn_config_load(path, overrides, n, &conf) != ADN_OK) ck_abort_msg("%s", adn_test_log());
    adn_free(text);
    adn_free(path);
    return conf;
}

adn_config *tiny_config_of(const char *yaml, const char *overrides)
{
    const char *list[24] = {NULL};
    char *text = adn_strdup(overrides);
    int n = 0;

    ADN_ASSERT(text != NULL);
    for (char *p = strtok(text, " "); p != NULL; p = strtok(NULL, " ")) {
        ADN_ASSERT(n + 1 < (int)ADN_COUNT(list));
        list[n++] = p;
    }
    adn_config *conf = tiny_config(yaml, list);
    adn_free(text);
    return conf;
}

const adn_epoch_row *tiny_row(const tiny_rows *r, int block, int epoch)
{
    for (int i = 0; i < r->n; i++)
        if (r->rows[i].block == block && r->rows[i].epoch == epoch) return &r->rows[i];
    return NULL;
}

static adn_status keep_row(void *user, const adn_epoch_row *row)
{
    tiny_run *t = user;
    ADN_ASSERT(t->rows.n < TINY_ROWS);
    t->rows.rows[t->rows.n++] = *row;
    return ADN_OK;
}

static adn_status keep_edge_row(void *user, const adn_edge_row *row)
{
    tiny_run *t = user;
    ADN_ASSERT(t->edge_rows.n < TINY_ROWS);
    t->edge_rows.rows[t->edge_rows.n++] = *row;
    return ADN_OK;
}

static void before_step(void *user, int block)
{
    const tiny_run *t = user;
    t->before_step(t->user, block);
}

static bool must_stop(void *user)
{
    tiny_run *t = user;
    return t->stop_at > 0 && t->first_step + t->asked++ >= t->stop_at;
}

static void count_save(void *user, const adn_ckpt_info *info)
{
    tiny_run *t = user;
    struct timespec slow = {0, (long)(1e9 * t->save_s)};

    (void)info;
    t->n_save++;
    if (t->save_s > 0) nanosleep(&slow, NULL);
}

void tiny_open(tiny_run *t, const adn_config *conf, const adn_dataset_pair *data,
               const tiny_options *o)
{
    *t = (tiny_run){.stop_at = o->stop_at,
                    .first_step = o->load_step,
                    .n_dev = ADN_MAX(1, o->n_dev),
                    .before_step = o->before_step,
                    .user = o->user,
                    .save_s = o->save_s};
    adn_device *devs[ADN_MAX_BLOCKS * 2];

    memcpy(t->devs, o->devs, sizeof(t->devs));
    ADN_ASSERT(adn_plan_create(conf, data, &t->plan) == ADN_OK);
    for (int j = 1; j < t->plan.n_block && o->sends; j++)
        t->plan.blocks[j].edge.link = ADN_LINK_NCCL;
    if (o->n_dev == 0) { /* the virtual schedule has one queue for all blocks */
        bool is_virtual = conf->schedule == ADN_SCHEDULE_VIRTUAL;
        t->n_dev = is_virtual ? 1 : ADN_MIN(devices_count(), (int)TINY_DEVICES);
        for (int k = 0; k < t->n_dev; k++) t->devs[k] = devices_get(k);
    }
    int n = t->plan.n_column * t->plan.n_block;
    ADN_ASSERT(n <= (int)ADN_COUNT(devs));
    for (int i = 0; i < n; i++) { /* copies of a block are apart, as NCCL wants it */
        int k = i / t->plan.n_block, j = i % t->plan.n_block;
        devs[i] = t->devs[n <= t->n_dev ? i : (j + k) % t->n_dev];
    }
    adn_run_conf rc = {.plan = &t->plan,
                       .data = data,
                       .devs = devs,
                       .jitter = o->jitter,
                       .bucket_bytes = o->bucket_bytes,
                       .must_stop = must_stop,
                       .before_step = o->before_step != NULL ? before_step : NULL,
                       .on_row = keep_row,
                       .on_edge_row = keep_edge_row,
                       .on_save = count_save,
                       .user = t};
    ADN_ASSERT(adn_run_create(&rc, &t->run) == ADN_OK);
    if (o->dir != NULL) ADN_ASSERT(adn_run_set_dir(t->run, o->dir) == ADN_OK);
    if (o->order_dir != NULL) t->run->run_dir = o->order_dir; /* and there is no saver */
    if (o->load != NULL) ADN_ASSERT(adn_run_load(t->run, o->load, o->load_step, true) == ADN_OK);
}

void tiny_close(tiny_run *t)
{
    adn_run_destroy(t->run);
    for (int k = 0; k < t->n_dev; k++) t->devs[k]->ops->close(t->devs[k]);
    adn_plan_clear_all(&t->plan);
}

uint64_t tiny_hash(adn_net *net, adn_optim *optim)
{
    uint64_t h = ADN_HASH_OF_NOTHING;

    for (int i = 0; i < adn_net_n_tensor(net); i++) {
        const adn_tensor *t = adn_net_tensor(net, i);
        double *values = adn_alloc(t->count * sizeof(*values));
        ADN_ASSERT(values != NULL);
        ADN_ASSERT(adn_net_export(net, i, adn_net_params(net), values) == ADN_OK);
        h = adn_hash_on(h, values, t->count * sizeof(*values));
        void *state;
        for (int k = 0; !t->is_stat && (state = adn_optim_state(optim, k)) != NULL; k++) {
            ADN_ASSERT(adn_net_export(net, i, state, values) == ADN_OK);
            h = adn_hash_on(h, values, t->count * sizeof(*values));
        }
        adn_free(values);
    }
    return h;
}

uint64_t tiny_run_hash(tiny_run *t)
{
    uint64_t h = 0;
    for (int j = 0; j < t->plan.n_block; j++) {
        adn_stage *s = adn_run_stage(t->run, j);
        h = h * 31 + tiny_hash(adn_stage_net(s, 0), adn_stage_optim(s, 0));
    }
    return h;
}
