/* A stage's state in files: weights and statistics in PyTorch's names and layouts, the
 * optimizer's states, the clock. */
#include "stage/inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

enum { N_META = 13, META_ROOM = 40, NAME_ROOM = 80 };

static char *file_of(const adn_stage *s, const char *dir, const char *ending)
{
    return adn_format("%s/block%d%s.safetensors", dir, s->block, ending);
}

static bool is_tracked(const adn_tensor *t)
{
    const char *end = ".running_var";
    size_t n = strlen(t->name), m = strlen(end);
    return n > m && strcmp(t->name + n - m, end) == 0;
}

/* What a file is made of, while it is written. */
typedef struct writing {
    adn_st_tensor *tensors;
    int n;
    char (*names)[NAME_ROOM]; /* that are not the net's own */
    int64_t tracked;
} writing;

static void writing_clear(writing *w, int64_t *tracked)
{
    for (int i = 0; i < w->n; i++)
        if (w->tensors[i].data != tracked) adn_free(w->tensors[i].data);
    adn_free(w->tensors);
    adn_free(w->names);
}

/* Tensor i's name in the optimizer's k-th state. */
static void state_name(const adn_stage *s, int i, int k, char name[NAME_ROOM])
{
    snprintf(name, NAME_ROOM, "%s%s", adn_net_tensor(s->copies[0].net, i)->name,
             adn_optim_state_ending(s->optim_conf, k));
}

/* Appends tensor i of the net, under a name that stays: float for a float net, exact. */
static adn_status put_tensor(adn_stage *s, writing *w, int i, const char *name, const void *base)
{
    const adn_tensor *t = adn_net_tensor(s->copies[0].net, i);
    double *values = adn_alloc(t->count * sizeof(*values));
    adn_st_tensor *dst = &w->tensors[w->n];

    if (values == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory to save it", t->name);
    *dst = (adn_st_tensor){.name = name, .n_dim = t->n_dim, .data = values, .type = ADN_ST_F64};
    for (int d = 0; d < t->n_dim; d++) dst->dim[d] = t->dim[d];
    w->n++;
    adn_status st = adn_net_export(s->copies[0].net, i, base, values);
    if (st != ADN_OK || adn_param_type(s->type) != ADN_F32) return st;
    dst->type = ADN_ST_F32;
    for (size_t k = 0; k < t->count; k++) { /* narrows in place from the front */
        float f = (float)values[k];
        memcpy((char *)values + k * sizeof(f), &f, sizeof(f));
    }
    return ADN_OK;
}

static adn_status save_weights(adn_stage *s, const char *dir)
{
    adn_status st = ADN_NOMEM;
    int n = adn_net_n_tensor(s->copies[0].net);
    /* batches that moved the running statistics */
    int64_t n_moved = s->counts == ADN_CLOCK_OWN_STEPS ? s->steps - s->rereads : s->steps;
    writing w = {.tracked = n_moved + (s->bn_reuse == ADN_BN_EVERY ? s->rereads : 0)};
    char *path = file_of(s, dir, "");
    const adn_st_meta meta[] = {{"format", "pt"}};

    w.tensors = adn_alloc((size_t)n * 2 * sizeof(*w.tensors));
    w.names = adn_alloc((size_t)n * sizeof(*w.names));
    if (path == NULL || w.tensors == NULL || w.names == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "block %d: no memory to save it", s->block);
        goto done;
    }
    for (int i = 0; i < n; i++) {
        const adn_tensor *t = adn_net_tensor(s->copies[0].net, i);
        ADN_TRY(st, put_tensor(s, &w, i, t->name, adn_net_params(s->copies[0].net)), done);
        if (!is_tracked(t)) continue;
        snprintf(w.names[i], sizeof(w.names[i]), "%.*s.num_batches_tracked",
                 (int)(strrchr(t->name, '.') - t->name), t->name);
        w.tensors[w.n++] =
            (adn_st_tensor){.name = w.names[i], .type = ADN_ST_I64, .data = &w.tracked};
    }
    st = adn_st_write(path, w.tensors, w.n, meta, (int)ADN_COUNT(meta));
done:
    writing_clear(&w, &w.tracked);
    adn_free(path);
    return st;
}

/* The clock and the open epoch, as strings: doubles in hexadecimal, exact. */
static int state_meta(const adn_stage *s, adn_st_meta *meta, char (*text)[META_ROOM])
{
    const adn_open_row *r = &s->row;
    const struct {
        const char *key;
        bool is_real;
        int64_t count;
        double real;
    } facts[] = {{"clock.steps", false, s->steps, 0},
                 {"clock.samples", false, s->samples, 0},
                 {"clock.decays", false, s->decays, 0},
                 {"clock.rereads", false, s->rereads, 0},
                 {"epoch", false, r->epoch, 0},
                 {"epoch.is_closing", false, r->is_closing, 0},
                 {"epoch.steps", false, r->steps, 0},
                 {"epoch.loss_sum", true, 0, r->train.loss_sum},
                 {"epoch.hits", false, r->train.hits, 0},
                 {"epoch.n", false, r->train.n, 0},
                 {"epoch.test_loss", true, 0, r->test_loss},
                 {"epoch.test_top1", true, 0, r->test_top1},
                 {"lr", true, 0, s->view.lr}};
    int n = (int)ADN_COUNT(facts);

    for (int i = 0; i < n; i++) {
        if (facts[i].is_real)
            snprintf(text[i], META_ROOM, "%a", facts[i].real);
        else
            snprintf(text[i], META_ROOM, "%lld", (long long)facts[i].count);
        meta[i] = (adn_st_meta){facts[i].key, text[i]};
    }
    return n;
}

static adn_status save_optim(adn_stage *s, const char *dir)
{
    adn_status st = ADN_NOMEM;
    int n = adn_net_n_tensor(s->copies[0].net), n_state = adn_optim_n_state(s->optim_conf);
    writing w = {0};
    char *path = file_of(s, dir, ".optim");
    adn_st_meta meta[N_META];
    char text[N_META][META_ROOM];

    w.tensors = adn_alloc((size_t)(n * n_state) * sizeof(*w.tensors));
    w.names = adn_alloc((size_t)(n * n_state) * sizeof(*w.names));
    if (path == NULL || w.tensors == NULL || w.names == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "block %d: no memory to save it", s->block);
        goto done;
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n_state && !adn_net_tensor(s->copies[0].net, i)->is_stat; k++) {
            char *name = w.names[w.n];
            state_name(s, i, k, name);
            ADN_TRY(st, put_tensor(s, &w, i, name, adn_optim_state(s->copies[0].optim, k)), done);
        }
    st = adn_st_write(path, w.tensors, w.n, meta, state_meta(s, meta, text));
done:
    writing_clear(&w, NULL);
    adn_free(path);
    return st;
}

adn_status adn_stage_save(adn_stage *s, const char *dir)
{
    adn_status st;
    ADN_TRY(st, adn_stage_drain(s), done);
    ADN_TRY(st, save_weights(s, dir), done);
    st = save_optim(s, dir);
done:
    return st;
}

/* --- reading */

static adn_status take_tensor(adn_net *net, const adn_st_file *f, const char *path, int i,
                              const char *name, void *base)
{
    const adn_tensor *t = adn_net_tensor(net, i);
    const adn_st_tensor *src = adn_st_find(f, name);

    if (src == NULL) return ADN_FAIL(ADN_BADCKPT, "%s: tensor '%s' is not there", path, name);
    bool fits = src->n_dim == t->n_dim && src->type != ADN_ST_I64;
    for (int d = 0; fits && d < t->n_dim; d++) fits = src->dim[d] == t->dim[d];
    if (!fits)
        return ADN_FAIL(ADN_BADCKPT, "%s: tensor '%s' has another shape or type than the net's",
                        path, name);
    double *values = adn_alloc(t->count * sizeof(*values));
    if (values == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory to load it", name);
    for (size_t k = 0; k < t->count; k++)
        values[k] = src->type == ADN_ST_F32 ? (double)((const float *)src->data)[k]
                                            : ((const double *)src->data)[k];
    adn_status st = adn_net_import(net, i, base, values);
    adn_free(values);
    return st;
}

static adn_status take_weights(adn_stage *s, const adn_st_file *f, const char *path)
{
    adn_status st = ADN_OK;

    for (int c = 0; c < s->n_copy; c++) {
        adn_net *net = s->copies[c].net;
        for (int i = 0; i < adn_net_n_tensor(net) && st == ADN_OK; i++)
            st = take_tensor(net, f, path, i, adn_net_tensor(net, i)->name, adn_net_params(net));
    }
    return st;
}

static bool is_state(const adn_stage *s, const char *name)
{
    const adn_net *net = s->copies[0].net;
    char state[NAME_ROOM];

    for (int i = 0; i < adn_net_n_tensor(net); i++)
        for (int k = 0; k < adn_optim_n_state(s->optim_conf); k++) {
            state_name(s, i, k, state);
            if (strcmp(state, name) == 0) return true;
        }
    return false;
}

/* What one optimizer left is no beginning for another: all its tensors must be there, and no other.
 */
static adn_status take_states(adn_stage *s, const adn_st_file *f, const char *path)
{
    adn_status st = ADN_OK;
    const adn_net *net = s->copies[0].net;
    char name[NAME_ROOM];

    for (int i = 0; i < adn_net_n_tensor(net); i++)
        for (int k = 0; k < adn_optim_n_state(s->optim_conf); k++) {
            if (adn_net_tensor(net, i)->is_stat) continue;
            state_name(s, i, k, name);
            for (int c = 0; c < s->n_copy; c++)
                ADN_TRY(st,
                        take_tensor(s->copies[c].net, f, path, i, name,
                                    adn_optim_state(s->copies[c].optim, k)),
                        done);
        }
    for (int t = 0; t < f->n_tensor; t++)
        if (!is_state(s, f->tensors[t].name))
            return ADN_FAIL(ADN_BADCKPT,
                            "%s: tensor '%s' is of another optimizer than the config's", path,
                            f->tensors[t].name);
done:
    return st;
}

static adn_status meta_text(const adn_st_file *f, const char *path, const char *key,
                            const char **out)
{
    for (int i = 0; i < f->n_meta; i++)
        if (strcmp(f->meta[i].key, key) == 0) {
            *out = f->meta[i].value;
            return ADN_OK;
        }
    return ADN_FAIL(ADN_BADCKPT, "%s: metadata '%s' is not there", path, key);
}

static adn_status meta_count(const adn_st_file *f, const char *path, const char *key, int64_t *out)
{
    const char *text = NULL;
    char *end = NULL;
    adn_status st = meta_text(f, path, key, &text);

    if (st != ADN_OK) return st;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || v < 0)
        return ADN_FAIL(ADN_BADCKPT, "%s: metadata '%s' is '%s', a count is expected", path, key,
                        text);
    *out = v;
    return ADN_OK;
}

/* A count that older files do not have; it was 0 then. */
static adn_status later_count(const adn_st_file *f, const char *path, const char *key, int64_t *out)
{
    *out = 0;
    for (int i = 0; i < f->n_meta; i++)
        if (strcmp(f->meta[i].key, key) == 0) return meta_count(f, path, key, out);
    return ADN_OK;
}

static adn_status meta_real(const adn_st_file *f, const char *path, const char *key, double *out)
{
    const char *text = NULL;
    char *end = NULL;
    adn_status st = meta_text(f, path, key, &text);

    if (st != ADN_OK) return st;
    double v = strtod(text, &end);
    if (end == text || *end != '\0')
        return ADN_FAIL(ADN_BADCKPT, "%s: metadata '%s' is '%s', a number is expected", path, key,
                        text);
    *out = v;
    return ADN_OK;
}

static adn_status take_clock(adn_stage *s, const adn_st_file *f, const char *path)
{
    adn_status st;
    adn_open_row row;
    int64_t epoch = 1, is_closing;

    adn_row_open(&row, 1);
    ADN_TRY(st, meta_count(f, path, "clock.steps", &s->steps), done);
    ADN_TRY(st, meta_count(f, path, "clock.samples", &s->samples), done);
    ADN_TRY(st, meta_count(f, path, "clock.decays", &s->decays), done);
    ADN_TRY(st, later_count(f, path, "clock.rereads", &s->rereads), done);
    ADN_TRY(st, meta_count(f, path, "epoch", &epoch), done);
    ADN_TRY(st, later_count(f, path, "epoch.is_closing", &is_closing), done);
    ADN_TRY(st, meta_count(f, path, "epoch.steps", &row.steps), done);
    ADN_TRY(st, meta_real(f, path, "epoch.loss_sum", &row.train.loss_sum), done);
    ADN_TRY(st, meta_count(f, path, "epoch.hits", &row.train.hits), done);
    ADN_TRY(st, meta_count(f, path, "epoch.n", &row.train.n), done);
    ADN_TRY(st, meta_real(f, path, "epoch.test_loss", &row.test_loss), done);
    ADN_TRY(st, meta_real(f, path, "epoch.test_top1", &row.test_top1), done);
    ADN_TRY(st, meta_real(f, path, "lr", &s->view.lr), done);
    row.epoch = (int)epoch;
    row.is_closing = is_closing != 0;
    s->row = row;
    s->view.steps = s->steps;
    s->view.samples = s->samples;
    s->view.rereads = s->rereads;
done:
    return st;
}

static adn_status load_weights(adn_stage *s, const char *path)
{
    adn_st_file f = {0};
    adn_status st;

    ADN_TRY(st, adn_st_read(path, &f), done);
    st = take_weights(s, &f, path);
done:
    adn_st_clear(&f);
    return st;
}

static adn_status load_optim(adn_stage *s, const char *path)
{
    adn_st_file f = {0};
    adn_status st;

    ADN_TRY(st, adn_st_read(path, &f), done);
    ADN_TRY(st, take_states(s, &f, path), done);
    st = take_clock(s, &f, path);
done:
    adn_st_clear(&f);
    return st;
}

adn_status adn_stage_load(adn_stage *s, const char *dir, bool with_optim)
{
    adn_status st = ADN_NOMEM;
    char *weights = file_of(s, dir, ""), *optim = file_of(s, dir, ".optim");

    if (weights == NULL || optim == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "block %d: no memory to load it", s->block);
        goto done;
    }
    ADN_TRY(st, load_weights(s, weights), done);
    if (with_optim) st = load_optim(s, optim);
done:
    adn_free(weights);
    adn_free(optim);
    return st;
}
