/* Descriptors and roles to launchers. */
#include "kernel_device.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "adn_kernels.h"

static cudaStream_t stream;
static size_t skew;

static void must(cudaError_t e, const char *what)
{
    if (e != cudaSuccess) ck_abort_msg("%s: %s", what, cudaGetErrorString(e));
}

static adn_k_type type_of(const adn_op_desc *d)
{
    return d->type == ADN_BF16 ? ADN_K_BF16 : ADN_K_F32;
}

static size_t places_of(const adn_op_desc *d)
{
    return (size_t)d->src.n * (size_t)d->src.h * (size_t)d->src.w;
}

static adn_k_norm norm_of(const adn_op_desc *d, void *const *p)
{
    return (adn_k_norm){type_of(d),    d->src.n,       d->src.h,        d->src.w,
                        d->src.c,      d->u.norm.relu, d->u.norm.avg_h, d->u.norm.avg_w,
                        p[ADN_MEAN],   p[ADN_INV_STD], p[ADN_WEIGHT],   p[ADN_BIAS],
                        p[ADN_SRC],    p[ADN_DST],     p[ADN_DST_MAX],  p[ADN_INDEX],
                        p[ADN_DST_AVG]};
}

/* Workspace: sums [2][c], then the moments'. */
static cudaError_t norm_fwd(const adn_op_desc *d, void *const *p, bool moves)
{
    const adn_k_norm norm = norm_of(d, p);
    size_t c = (size_t)d->src.c, places = places_of(d);
    double *own = p[ADN_WORKSPACE], *sums = p[ADN_SUMS];

    if (sums == NULL) {
        must(adn_k_moments(norm.type, norm.src, places, c, own, own + 2 * c, stream), "moments");
        sums = own;
    }
    must(adn_k_norm_statistics(sums, places, c, d->u.norm.eps, d->u.norm.momentum, moves,
                               p[ADN_MEAN], p[ADN_INV_STD], p[ADN_RUN_MEAN], p[ADN_RUN_VAR],
                               stream),
         "statistics");
    return adn_k_norm_apply(&norm, stream);
}

static cudaError_t norm_infer(const adn_op_desc *d, void *const *p)
{
    adn_k_norm norm = norm_of(d, p);

    norm.mean = p[ADN_RUN_MEAN];
    norm.inv_std = p[ADN_WORKSPACE];
    must(adn_k_norm_inv_std(p[ADN_RUN_VAR], (size_t)d->src.c, d->u.norm.eps, p[ADN_WORKSPACE],
                            stream),
         "inv_std");
    return adn_k_norm_apply(&norm, stream);
}

static cudaError_t norm_grad(const adn_op_desc *d, void *const *p)
{
    const adn_k_norm_grad grad = {
        type_of(d),      d->src.n,        d->src.h,        d->src.w,           d->src.c,
        d->u.norm.relu,  d->u.norm.avg_h, d->u.norm.avg_w, p[ADN_MEAN],        p[ADN_INV_STD],
        p[ADN_WEIGHT],   p[ADN_BIAS],     p[ADN_SRC],      p[ADN_GRAD_DST],    p[ADN_GRAD_MAX],
        p[ADN_GRAD_AVG], p[ADN_INDEX],    p[ADN_GRAD_SRC], p[ADN_GRAD_WEIGHT], p[ADN_GRAD_BIAS]};
    return adn_k_norm_backward(&grad, p[ADN_WORKSPACE], stream);
}

static cudaError_t pool(const adn_op_desc *d, void *const *p)
{
    const adn_k_pool pool = {type_of(d),       (adn_k_pool_kind)d->u.pool.kind,
                             d->src.n,         d->src.c,
                             d->src.h,         d->src.w,
                             d->dst.h,         d->dst.w,
                             d->u.pool.kernel, d->u.pool.stride};
    if (d->kind == ADN_OP_POOL_FWD)
        return adn_k_pool_forward(&pool, p[ADN_SRC], p[ADN_DST], p[ADN_INDEX], stream);
    return adn_k_pool_backward(&pool, p[ADN_GRAD_DST], p[ADN_INDEX], p[ADN_GRAD_SRC], stream);
}

static cudaError_t normalise(const adn_op_desc *d, void *const *p)
{
    float mean[ADN_PIXEL_CHANNELS], std[ADN_PIXEL_CHANNELS];
    for (int i = 0; i < ADN_PIXEL_CHANNELS; i++) {
        mean[i] = (float)d->u.pixel.mean[i];
        std[i] = (float)d->u.pixel.std[i];
    }
    return adn_k_normalise(type_of(d), p[ADN_SRC], p[ADN_DST], places_of(d), d->src.c, mean, std,
                           stream);
}

static cudaError_t augment(const adn_op_desc *d, void *const *p)
{
    adn_k_augment how = {
        .h = d->src.h, .w = d->src.w, .c = d->src.c, .n_transform = d->u.augment.n_transform};
    for (int t = 0; t < how.n_transform; t++) {
        how.kind[t] = (unsigned char)d->u.augment.list[t].kind;
        how.size[t] = d->u.augment.list[t].size;
    }
    for (int i = 0; i < ADN_PIXEL_CHANNELS; i++)
        how.fill |= (uint32_t)d->u.augment.fill[i] << 8 * i;
    return adn_k_augment_images(&how, p[ADN_SRC], p[ADN_PICKS], p[ADN_MOVES], p[ADN_DST],
                                (size_t)d->dst.n, stream);
}

static cudaError_t sgd(const adn_op_desc *d, const adn_op_args *a)
{
    const adn_k_sgd how = {(float)a->value[0], (float)a->value[1], (float)a->value[2],
                           d->u.sgd.nesterov, a->value[3] == 1};
    return adn_k_sgd_step(&how, a->p[ADN_WEIGHT], a->p[ADN_MOMENTUM], a->p[ADN_GRAD_WEIGHT],
                          a->p[ADN_HALT], adn_shape_count(d->src), stream);
}

static cudaError_t adamw(const adn_op_desc *d, const adn_op_args *a)
{
    const double *by = a->value;
    const adn_k_adamw how = {(float)by[0], (float)by[1], (float)by[2], (float)by[3],
                             (float)by[4], (float)by[5], (float)by[6], (float)by[7]};
    return adn_k_adamw_step(&how, a->p[ADN_WEIGHT], a->p[ADN_MOMENTUM], a->p[ADN_MOMENT2],
                            a->p[ADN_GRAD_WEIGHT], a->p[ADN_HALT], adn_shape_count(d->src), stream);
}

static cudaError_t launch(const adn_op_desc *d, const adn_op_args *a)
{
    void *const *p = a->p;
    size_t n = adn_shape_count(d->src);

    switch (d->kind) {
    case ADN_OP_NORM_FWD:
        return norm_fwd(d, p, a->value[0] != 0);
    case ADN_OP_NORM_INFER:
        return norm_infer(d, p);
    case ADN_OP_NORM_GRAD:
        return norm_grad(d, p);
    case ADN_OP_RELU_FWD:
        return adn_k_relu(type_of(d), p[ADN_SRC], p[ADN_DST], n, stream);
    case ADN_OP_RELU_GRAD:
        return adn_k_relu_grad(type_of(d), p[ADN_DST], p[ADN_GRAD_DST], p[ADN_GRAD_SRC], n, stream);
    case ADN_OP_POOL_FWD:
    case ADN_OP_POOL_GRAD:
        return pool(d, p);
    case ADN_OP_ADD:
        return adn_k_add(type_of(d), p[ADN_SRC], p[ADN_SRC2], p[ADN_DST], d->u.norm.relu, n,
                         stream);
    case ADN_OP_LOSS:
        return adn_k_loss(type_of(d), p[ADN_SRC], p[ADN_LABELS], (size_t)d->src.n, (size_t)d->src.c,
                          d->u.loss.smoothing, p[ADN_GRAD_SRC], p[ADN_RESULT], p[ADN_HALT],
                          p[ADN_WORKSPACE], stream);
    case ADN_OP_AUGMENT:
        return augment(d, p);
    case ADN_OP_NORMALISE:
        return normalise(d, p);
    case ADN_OP_SGD:
        return sgd(d, a);
    case ADN_OP_ADAMW:
        return adamw(d, a);
    default:
        return cudaErrorInvalidValue;
    }
}

bool kernel_device_runs(adn_op_kind kind)
{
    return kind >= ADN_OP_NORM_FWD && kind < ADN_N_OP;
}

/* ---- the table ---- */

static adn_status alloc(adn_device *dev, size_t bytes, void **out)
{
    void *p;

    (void)dev;
    must(cudaMalloc(&p, bytes + skew), "cudaMalloc");
    must(cudaMemsetAsync(p, 0, bytes + skew, stream), "cudaMemsetAsync");
    *out = (char *)p + skew;
    return ADN_OK;
}

static void release(adn_device *dev, void *p)
{
    (void)dev;
    must(cudaFree((char *)p - skew), "cudaFree");
}

static adn_status upload(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    (void)q;
    must(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, stream), "upload");
    return ADN_OK;
}

static adn_status download(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    (void)q;
    must(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, stream), "download");
    return ADN_OK;
}

static adn_status sync(adn_queue *q)
{
    (void)q;
    must(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    return ADN_OK;
}

static size_t workspace_of(const adn_op_desc *d)
{
    size_t c = (size_t)d->src.c, places = places_of(d);

    switch (d->kind) {
    case ADN_OP_NORM_FWD:
        return 2 * c * sizeof(double) + adn_k_moments_workspace(places, c);
    case ADN_OP_NORM_INFER:
        return c * sizeof(float);
    case ADN_OP_NORM_GRAD:
        return adn_k_norm_backward_workspace(places, c);
    case ADN_OP_LOSS:
        return adn_k_loss_workspace((size_t)d->src.n);
    default:
        return 0;
    }
}

static adn_status plan(adn_queue *q, const adn_op_desc *d, adn_op **out)
{
    adn_op *op = adn_alloc(sizeof(*op));
    ck_assert_ptr_nonnull(op);
    *op = (adn_op){.queue = q, .desc = *d, .workspace_bytes = workspace_of(d), .algo = "kernels"};
    *out = op;
    return ADN_OK;
}

static adn_status run(adn_op *op, const adn_op_args *args)
{
    must(launch(&op->desc, args), adn_op_infos[op->desc.kind].name);
    return ADN_OK;
}

static void op_destroy(adn_op *op)
{
    adn_free(op);
}

static void layout_destroy(adn_layout *l)
{
    ck_assert_ptr_null(l);
}

static const adn_device_ops ops = {.name = "kernels",
                                   .alloc = alloc,
                                   .release = release,
                                   .upload = upload,
                                   .download = download,
                                   .queue_sync = sync,
                                   .plan = plan,
                                   .run = run,
                                   .op_destroy = op_destroy,
                                   .layout_destroy = layout_destroy};
static adn_device device = {&ops};
static adn_queue queue = {.dev = &device};

bool kernel_device_open(adn_queue **out, const char **why)
{
    int n = 0;
    cudaError_t e = cudaGetDeviceCount(&n);

    if (e == cudaSuccess && n > 0) e = cudaSetDevice(0);
    if (e == cudaSuccess && n > 0) e = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    *why = e != cudaSuccess ? cudaGetErrorString(e) : "no GPU";
    *out = &queue;
    return e == cudaSuccess && n > 0;
}

void kernel_device_close(void)
{
    must(cudaStreamDestroy(stream), "cudaStreamDestroy");
}

void kernel_device_skew(size_t bytes)
{
    skew = bytes;
}
