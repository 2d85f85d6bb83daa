/* The cases themselves: tables of sizes, and what varies over them. */
#include <stdio.h>
#include <string.h>

#include "op_case.h"

typedef struct sink {
    adn_op_kind kind;
    adn_type type;
    void (*fn)(const op_case *c, void *user);
    void *user;
} sink;

static op_case start(const sink *s, adn_shape src, adn_shape dst)
{
    op_case c = {.desc = {.kind = s->kind, .type = s->type, .src = src, .dst = dst},
                 .layout_n = src.n};
    if (c.layout_n == 0) c.layout_n = 5;
    return c;
}

/* Random numbers, then whole ones: but for a sanitizer, to which they are the same. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { N_KIND_OF_NUMBER = 1 };
#else
enum { N_KIND_OF_NUMBER = 2 };
#endif
static void emit(const sink *s, op_case c)
{
    for (int i = 0; i < N_KIND_OF_NUMBER; i++) {
        c.is_integer = i == 1;
        s->fn(&c, s->user);
    }
}

static void conv_cases(const sink *s)
{
    static const struct {
        int n, h, w, i, o, kernel, stride, pad;
        int layout_n; /* 0: the same batch */
    } rows[] = {
        /* the last two: results so large that they are streamed past the caches */
        {1, 1, 1, 1, 1, 1, 1, 0, 0},      {5, 3, 3, 3, 4, 3, 1, 1, 0},
        {67, 4, 4, 3, 5, 3, 1, 1, 0},     {1, 17, 17, 3, 8, 5, 1, 2, 0},
        {5, 7, 9, 16, 17, 3, 2, 1, 0},    {5, 8, 8, 64, 64, 3, 1, 1, 0},
        {1, 6, 6, 130, 33, 3, 1, 1, 0},   {5, 5, 5, 130, 16, 1, 1, 0, 0},
        {5, 9, 7, 16, 32, 1, 2, 0, 0},    {67, 3, 3, 33, 16, 3, 1, 1, 128},
        {1, 8, 8, 16, 32, 3, 1, 1, 67},   {0, 8, 8, 16, 32, 3, 1, 1, 67},
        {0, 1, 1, 1, 1, 1, 1, 0, 0},      {1, 2, 2, 5, 3, 3, 1, 1, 0},
        {5, 5, 5, 8, 8, 5, 2, 2, 0},      {5, 6, 6, 7, 9, 3, 1, 0, 0},
        {5, 17, 13, 24, 48, 3, 1, 1, 67}, {1, 1, 1, 64, 64, 3, 1, 1, 0},
        {5, 2, 3, 20, 30, 3, 2, 1, 0},    {5, 4, 4, 6, 6, 3, 1, 2, 0},
        {5, 16, 16, 3, 128, 3, 1, 1, 0},  {5, 4, 4, 128, 96, 3, 1, 1, 1},
        {1, 16, 16, 32, 32, 3, 2, 1, 5},  {67, 1, 1, 128, 10, 1, 1, 0, 5},
        {5, 16, 16, 16, 64, 1, 2, 0, 0},  {0, 5, 5, 130, 16, 1, 1, 0, 5},
        {1, 4, 4, 256, 300, 3, 1, 1, 0},  {1, 4, 4, 16, 16, 3, 1, 1, 0},
        {2, 17, 17, 130, 1, 3, 1, 1, 0},  {3, 13, 6, 1, 130, 3, 1, 2, 0},
        {4, 10, 15, 40, 24, 3, 1, 1, 0},  {5, 12, 11, 31, 65, 3, 1, 0, 0},
        {3, 16, 16, 64, 128, 3, 1, 1, 0}, {130, 4, 4, 17, 33, 3, 1, 1, 0},
        {5, 9, 7, 300, 70, 1, 1, 0, 0},   {2, 3, 5, 2100, 40, 1, 1, 0, 0},
        {6, 7, 7, 40, 2100, 1, 1, 0, 0},  {1, 1, 1, 1, 3, 3, 1, 1, 0},
        {2, 1, 1, 17, 130, 3, 1, 1, 0},   {128, 1, 1, 130, 17, 3, 1, 1, 0},
        {3, 1, 2, 3, 17, 3, 1, 1, 5},     {4, 2, 1, 130, 3, 3, 1, 1, 0},
        {5, 2, 2, 17, 1, 3, 1, 1, 128},   {128, 2, 2, 130, 130, 3, 1, 1, 0},
        {3, 2, 2, 600, 17, 3, 1, 1, 0},   {4, 2, 2, 3, 600, 3, 1, 1, 0},
        {130, 2, 2, 40, 24, 3, 1, 1, 0},  {1, 1, 2, 2400, 40, 5, 1, 2, 0},
        {5, 2, 2, 33, 20, 5, 1, 2, 0},    {7, 1, 2, 20, 33, 2, 1, 1, 0},
        {6, 2, 1, 12, 8, 4, 1, 2, 0},     {5, 2, 2, 40, 36, 2, 1, 0, 0},
        {5, 8, 8, 6, 6, 1, 2, 0, 0},      {5, 9, 7, 33, 40, 1, 2, 0, 0},
        {5, 33, 31, 3, 112, 3, 1, 1, 0},  {5, 33, 31, 112, 3, 3, 1, 1, 0},
    };

    for (size_t k = 0; k < ADN_COUNT(rows); k++) {
        int kernel = rows[k].kernel, stride = rows[k].stride, pad = rows[k].pad;
        adn_shape src = {rows[k].n, rows[k].h, rows[k].w, rows[k].i};
        adn_shape dst = {src.n, (src.h + 2 * pad - kernel) / stride + 1,
                         (src.w + 2 * pad - kernel) / stride + 1, rows[k].o};
        op_case c = start(s, src, dst);
        c.desc.u.conv.kernel = kernel;
        c.desc.u.conv.stride = stride;
        c.desc.u.conv.pad = pad;
        if (rows[k].layout_n != 0) c.layout_n = rows[k].layout_n;
        for (int i = 0; i < 4; i++) {
            bool may_transform = kernel == 3 && stride == 1;
            c.is_integer = i % 2 == 1;
            c.desc.u.conv.has_bias = (k + (size_t)i) % 2 == 0;
            c.desc.u.conv.algo = i < 2 ? ADN_CONV_DIRECT : ADN_CONV_WINOGRAD;
            c.has_sums = (k / 2 + (size_t)i) % 2 == 0 && s->kind == ADN_OP_CONV_FWD;
            if (i < 2 || may_transform) s->fn(&c, s->user);
        }
    }
}

static void linear_cases(const sink *s)
{
    static const struct {
        int n, h, w, i, o, layout_n;
    } rows[] = {
        {1, 1, 1, 1, 1, 0},       {5, 1, 1, 130, 10, 0},   {67, 2, 3, 5, 7, 0},
        {0, 1, 1, 64, 10, 67},    {1, 4, 4, 16, 33, 67},   {67, 1, 1, 128, 128, 5},
        {5, 17, 17, 1, 2, 0},     {5, 3, 1, 7, 1, 128},    {67, 1, 1, 3, 100, 0},
        {130, 1, 1, 300, 600, 0}, {257, 3, 3, 30, 260, 0}, {1, 1, 1, 300, 600, 128},
        {9, 1, 1, 2100, 50, 0},   {7, 1, 1, 50, 2100, 0},
    };

    for (size_t k = 0; k < ADN_COUNT(rows); k++) {
        adn_shape src = {rows[k].n, rows[k].h, rows[k].w, rows[k].i},
                  dst = {src.n, 1, 1, rows[k].o};
        op_case c = start(s, src, dst);
        if (rows[k].layout_n != 0) c.layout_n = rows[k].layout_n;
        for (int has_bias = 0; has_bias < 2; has_bias++) {
            c.desc.u.conv.has_bias = has_bias;
            emit(s, c);
        }
    }
}

static const adn_shape maps[] = {{1, 1, 1, 1},    {2, 1, 1, 5},    {5, 3, 3, 3},   {67, 2, 3, 4},
                                 {1, 17, 17, 16}, {5, 17, 1, 130}, {67, 1, 1, 33}, {5, 16, 15, 64},
                                 {0, 4, 4, 16},   {0, 1, 1, 1},    {1, 5, 7, 8},   {3, 8, 8, 17},
                                 {67, 4, 4, 24}};

static void norm_cases(const sink *s)
{
    for (size_t k = 0; k < ADN_COUNT(maps); k++)
        for (int variant = 0; variant < 4; variant++) {
            op_case c = start(s, maps[k], maps[k]);
            c.desc.u.norm.eps = 1e-5;
            c.desc.u.norm.momentum = 0.1;
            c.desc.u.norm.relu = variant % 2 == 1;
            c.value[0] = variant / 2;
            c.is_in_place = s->kind == ADN_OP_NORM_GRAD && variant / 2 == 1;
            c.has_sums = s->kind == ADN_OP_NORM_FWD && variant / 2 == 1;
            s->fn(&c, s->user); /* no whole numbers: a mean is none */
        }
}

/* Norms with pools behind them. The last are of rows so long that they are not done at once. */
static void pooled_norm_cases(const sink *s)
{
    static const struct {
        adn_shape map;
        bool has_max;
        int avg_h, avg_w;
    } rows[] = {
        {{5, 8, 8, 16}, true, 0, 0},    {{3, 8, 8, 17}, false, 2, 2},
        {{2, 16, 16, 64}, true, 4, 4},  {{67, 4, 4, 24}, true, 1, 1},
        {{1, 6, 12, 130}, true, 2, 4},  {{2, 32, 32, 33}, false, 8, 8},
        {{1, 2, 2, 1}, true, 0, 0},     {{4, 7, 5, 40}, false, 1, 1},
        {{0, 4, 4, 16}, true, 2, 2},    {{2, 10, 14, 300}, true, 5, 2},
        {{3, 3, 9, 20}, false, 3, 3},   {{1, 4, 12, 700}, true, 0, 0},
        {{1, 8, 16, 520}, true, 2, 4},  {{1, 6, 12, 300}, true, 2, 4},
        {{1, 6, 10, 900}, false, 3, 5},
    };

    for (size_t k = 0; k < ADN_COUNT(rows); k++)
        for (int variant = 0; variant < 4; variant++) {
            op_case c = start(s, rows[k].map, rows[k].map);
            c.desc.u.norm.eps = 1e-5;
            c.desc.u.norm.momentum = 0.1;
            c.desc.u.norm.relu = variant > 0;
            c.desc.u.norm.has_max = rows[k].has_max;
            c.desc.u.norm.avg_h = rows[k].avg_h;
            c.desc.u.norm.avg_w = rows[k].avg_w;
            c.desc.u.norm.is_pooled_only = variant % 2 == 1;
            c.value[0] = variant / 2;
            c.is_in_place = s->kind == ADN_OP_NORM_GRAD && variant > 1;
            c.has_sums = s->kind == ADN_OP_NORM_FWD && variant > 1;
            c.is_absent = s->kind != ADN_OP_NORM_GRAD && variant == 3;
            s->fn(&c, s->user);
        }
}

static void act_cases(const sink *s)
{
    adn_role out, in;

    for (size_t k = 0; k < ADN_COUNT(maps); k++)
        for (int variant = 0; variant < 4; variant++) {
            op_case c = start(s, maps[k], maps[k]);
            c.desc.u.norm.relu = s->kind == ADN_OP_ADD && variant % 2 == 1;
            c.is_in_place = variant / 2 == 1;
            if (c.is_in_place && !op_in_place(&c, &out, &in)) continue;
            emit(s, c);
        }
}

static void pool_cases(const sink *s)
{
    static const struct {
        adn_pool_kind kind;
        int n, h, w, c, kernel, stride, out_h, out_w; /* out: adaptive */
    } rows[] = {
        {ADN_POOL_MAX, 1, 1, 1, 1, 1, 1, 0, 0},
        {ADN_POOL_MAX, 5, 8, 8, 16, 2, 2, 0, 0},
        {ADN_POOL_MAX, 5, 7, 9, 33, 2, 2, 0, 0},
        {ADN_POOL_MAX, 67, 4, 4, 5, 2, 2, 0, 0},
        {ADN_POOL_MAX, 5, 17, 17, 8, 3, 2, 0, 0},
        {ADN_POOL_MAX, 5, 6, 5, 130, 3, 1, 0, 0},
        {ADN_POOL_MAX, 0, 8, 8, 16, 2, 2, 0, 0},
        {ADN_POOL_MAX, 1, 16, 16, 64, 2, 2, 0, 0},
        {ADN_POOL_MAX, 5, 9, 9, 4, 2, 3, 0, 0},
        {ADN_POOL_AVG, 1, 1, 1, 1, 1, 1, 0, 0},
        {ADN_POOL_AVG, 5, 8, 8, 16, 2, 2, 0, 0},
        {ADN_POOL_AVG, 67, 5, 7, 3, 3, 2, 0, 0},
        {ADN_POOL_AVG, 0, 4, 4, 16, 2, 2, 0, 0},
        {ADN_POOL_AVG, 5, 6, 6, 130, 3, 1, 0, 0},
        {ADN_POOL_AVG, 5, 9, 9, 4, 2, 3, 0, 0},
        {ADN_POOL_ADAPTIVE_AVG, 5, 8, 8, 16, 0, 0, 1, 1},
        {ADN_POOL_ADAPTIVE_AVG, 67, 8, 8, 33, 0, 0, 2, 2},
        {ADN_POOL_ADAPTIVE_AVG, 5, 7, 17, 5, 0, 0, 3, 4},
        {ADN_POOL_ADAPTIVE_AVG, 1, 2, 3, 130, 0, 0, 5, 4},
        {ADN_POOL_ADAPTIVE_AVG, 0, 4, 4, 16, 0, 0, 2, 2},
        {ADN_POOL_ADAPTIVE_AVG, 5, 4, 4, 24, 0, 0, 4, 4},
        {ADN_POOL_ADAPTIVE_AVG, 5, 16, 8, 64, 0, 0, 4, 1},
    };

    for (size_t k = 0; k < ADN_COUNT(rows); k++) {
        adn_shape src = {rows[k].n, rows[k].h, rows[k].w, rows[k].c}, dst = src;
        bool is_adaptive = rows[k].kind == ADN_POOL_ADAPTIVE_AVG,
             is_max = rows[k].kind == ADN_POOL_MAX;
        dst.h = is_adaptive ? rows[k].out_h : (src.h - rows[k].kernel) / rows[k].stride + 1;
        dst.w = is_adaptive ? rows[k].out_w : (src.w - rows[k].kernel) / rows[k].stride + 1;
        op_case c = start(s, src, dst);
        c.desc.u.pool.kind = rows[k].kind;
        c.desc.u.pool.kernel = rows[k].kernel;
        c.desc.u.pool.stride = rows[k].stride;
        emit(s, c);
        c.is_absent = true; /* the index, without a gradient to come */
        if (is_max && s->kind == ADN_OP_POOL_FWD) emit(s, c);
    }
}

static void loss_cases(const sink *s)
{
    static const int batches[] = {0, 1, 5, 67}, classes[] = {1, 2, 10, 33, 130};
    static const double smoothings[] = {0, 0.1};

    for (size_t k = 0; k < ADN_COUNT(batches) * ADN_COUNT(classes) * ADN_COUNT(smoothings) * 2;
         k++) {
        adn_shape scores = {batches[k % 4], 1, 1, classes[k / 4 % 5]};
        op_case c = start(s, scores, scores);
        c.desc.u.loss.smoothing = smoothings[k / 20 % 2];
        c.is_absent = k / 40 == 1; /* the gradient: evaluation */
        c.halt = k % 3 == 0;       /* stays */
        emit(s, c);
    }
}

static void pixel_cases(const sink *s)
{
    static const adn_shape images[] = {{1, 1, 1, 1}, {5, 17, 13, 3}, {67, 4, 4, 1}, {0, 8, 8, 3},
                                       {1, 5, 5, 2}, {5, 8, 8, 4},   {67, 3, 3, 3}};

    for (size_t k = 0; k < ADN_COUNT(images); k++) {
        op_case c = start(s, images[k], images[k]);
        for (int i = 0; i < ADN_PIXEL_CHANNELS; i++) {
            c.desc.u.pixel.mean[i] = 0.4914 - 0.02 * i;
            c.desc.u.pixel.std[i] = 0.2023 + 0.03 * i;
        }
        s->fn(&c, s->user);
    }
}

static void sgd_cases(const sink *s)
{
    static const int counts[] = {0, 1, 15, 16, 17, 130, 4099};
    /* lr, momentum, decay, first: dyadic ones keep whole numbers exact */
    static const double values[][ADN_N_VALUE] = {
        {0.5, 0.5, 0.25, 0}, {0.5, 0.5, 0.25, 1}, {0.25, 0, 0, 0}};

    for (size_t k = 0; k < ADN_COUNT(counts) * ADN_COUNT(values) * 4; k++) {
        adn_shape flat = {1, 1, 1, counts[k % 7]};
        op_case c = start(s, flat, flat);
        memcpy(c.value, values[k / 7 % 3], sizeof(c.value));
        c.desc.u.sgd.nesterov = k / 21 % 2 == 1;
        c.halt = k / 42 == 1;
        emit(s, c);
        c.value[0] = 0.1;
        c.value[1] = 0.9;
        c.value[2] = 5e-4;
        s->fn(&c, s->user);
    }
}

static void adamw_cases(const sink *s)
{
    static const int counts[] = {0, 1, 15, 16, 17, 130, 4099};
    /* keep, b1, 1 - b1, b2, 1 - b2, rate, scale, eps: of a first update, of a later one, of one
     * that eps alone steps */
    static const double values[][ADN_N_VALUE] = {
        {1 - 1e-5, 0.9, 0.1, 0.999, 1e-3, 1e-2, 31.622776601683793, 1e-8},
        {1, 0.9, 0.1, 0.999, 1e-3, 1.2e-3, 2.5, 1e-8},
        {0.75, 0, 1, 0.5, 0.5, 0.5, 0.25, 1}};

    for (size_t k = 0; k < ADN_COUNT(counts) * ADN_COUNT(values) * 2; k++) {
        adn_shape flat = {1, 1, 1, counts[k % 7]};
        op_case c = start(s, flat, flat);
        memcpy(c.value, values[k / 7 % 3], sizeof(c.value));
        c.halt = k / 21 == 1;
        emit(s, c);
    }
}

void op_cases_each(adn_op_kind kind, adn_type type, void (*fn)(const op_case *c, void *user),
                   void *user)
{
    sink s = {kind, type, fn, user};

    switch (kind) {
    case ADN_OP_CONV_FWD:
    case ADN_OP_CONV_GRAD_SRC:
    case ADN_OP_CONV_GRAD_PARAM:
        conv_cases(&s);
        break;
    case ADN_OP_LINEAR_FWD:
    case ADN_OP_LINEAR_GRAD_SRC:
    case ADN_OP_LINEAR_GRAD_PARAM:
        linear_cases(&s);
        break;
    case ADN_OP_NORM_FWD:
    case ADN_OP_NORM_INFER:
    case ADN_OP_NORM_GRAD:
        norm_cases(&s);
        pooled_norm_cases(&s);
        break;
    case ADN_OP_RELU_FWD:
    case ADN_OP_RELU_GRAD:
    case ADN_OP_ADD:
        act_cases(&s);
        break;
    case ADN_OP_POOL_FWD:
    case ADN_OP_POOL_GRAD:
        pool_cases(&s);
        break;
    case ADN_OP_LOSS:
        loss_cases(&s);
        break;
    case ADN_OP_AUGMENT:
        op_augment_each(type, fn, user);
        break;
    case ADN_OP_NORMALISE:
        pixel_cases(&s);
        break;
    case ADN_OP_SGD:
        sgd_cases(&s);
        break;
    case ADN_OP_ADAMW:
        adamw_cases(&s);
        break;
    case ADN_N_OP:
        break;
    }
}

const char *op_case_text(const op_case *c)
{
    static char text[200];
    const adn_op_desc *d = &c->desc;
    adn_shape a = d->src, b = d->dst;
    int n =
        snprintf(text, sizeof(text), "%s %s %dx%dx%dx%d -> %dx%dx%dx%d", adn_op_infos[d->kind].name,
                 d->type == ADN_F64    ? "f64"
                 : d->type == ADN_BF16 ? "bf16"
                                       : "f32",
                 a.n, a.h, a.w, a.c, b.n, b.h, b.w, b.c);
    char *at = text + n;
    size_t room = sizeof(text) - (size_t)n;

    if (d->kind <= ADN_OP_LINEAR_GRAD_PARAM)
        snprintf(at, room, " kernel %d stride %d pad %d%s, laid out for %d", d->u.conv.kernel,
                 d->u.conv.stride, d->u.conv.pad, d->u.conv.has_bias ? " bias" : "", c->layout_n);
    else if (d->kind == ADN_OP_POOL_FWD || d->kind == ADN_OP_POOL_GRAD)
        snprintf(at, room, " pool %d kernel %d stride %d", (int)d->u.pool.kind, d->u.pool.kernel,
                 d->u.pool.stride);
    else if (d->kind == ADN_OP_LOSS)
        snprintf(at, room, " smoothing %g", d->u.loss.smoothing);
    else if (d->kind == ADN_OP_AUGMENT)
        snprintf(at, room, " %d transforms, first %d of %d", d->u.augment.n_transform,
                 (int)d->u.augment.list[0].kind, d->u.augment.list[0].size);
    else if (d->kind == ADN_OP_SGD)
        snprintf(at, room, " lr %g momentum %g decay %g first %g%s halt %d", c->value[0],
                 c->value[1], c->value[2], c->value[3], d->u.sgd.nesterov ? " nesterov" : "",
                 (int)c->halt);
    else if (d->kind == ADN_OP_ADAMW)
        snprintf(at, room, " keep %g betas %g %g rate %g scale %g eps %g halt %d", c->value[0],
                 c->value[1], c->value[3], c->value[5], c->value[6], c->value[7], (int)c->halt);
    else
        snprintf(at, room, "%s%s avg %dx%d%s%s value %g%s", d->u.norm.relu ? " relu" : "",
                 d->u.norm.has_max ? " max" : "", d->u.norm.avg_h, d->u.norm.avg_w,
                 d->u.norm.is_pooled_only ? " alone" : "", c->has_sums ? " sums" : "", c->value[0],
                 c->is_in_place ? " in place" : "");
    if (c->is_integer) strncat(text, ", whole numbers", sizeof(text) - strlen(text) - 1);
    return text;
}
