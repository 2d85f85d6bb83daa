/* The CUDA device's table: GPUs, their memory, planning. */
#include "device/cuda/cuda.h"
#include "device/cuda/dnn_cache.h"

#include <stdio.h>
#include <string.h>

static void cuda_close(adn_device *dev)
{
    adn_dnn_cache_close(((cuda_device *)dev)->plans);
    adn_free(dev);
}

/* Zeroed before it is given: streams of ours do not wait for the default one. */
static adn_status cuda_alloc(adn_device *dev, size_t bytes, void **out)
{
    const cuda_device *gpu = (const cuda_device *)dev;
    adn_status st;
    void *p = NULL;

    bytes = ADN_MAX(bytes, (size_t)1); /* cudaMalloc gives NULL for nothing */
    CUDA_TRY(st, gpu, cudaSetDevice(gpu->conf.ordinal), fail);
    cudaError_t e = cudaMalloc(&p, bytes);
    if (e == cudaErrorMemoryAllocation) adn_info("%s: %zu bytes were asked for", gpu->name, bytes);
    CUDA_TRY(st, gpu, e, fail);
    CUDA_TRY(st, gpu, cudaMemset(p, 0, bytes), fail);
    CUDA_TRY(st, gpu, cudaStreamSynchronize(0), fail);
    *out = p;
    return ADN_OK;
fail:
    if (p != NULL) cudaFree(p);
    return st;
}

static void cuda_release(adn_device *dev, void *p)
{
    const cuda_device *gpu = (const cuda_device *)dev;

    if (p != NULL && cudaSetDevice(gpu->conf.ordinal) == cudaSuccess) cudaFree(p);
}

static adn_status cuda_host_alloc(adn_device *dev, size_t bytes, void **out)
{
    const cuda_device *gpu = (const cuda_device *)dev;
    adn_status st;
    void *p = NULL;

    bytes = ADN_MAX(bytes, (size_t)1);
    CUDA_TRY(st, gpu, cudaSetDevice(gpu->conf.ordinal), done);
    CUDA_TRY(st, gpu, cudaHostAlloc(&p, bytes, cudaHostAllocPortable), done);
    memset(p, 0, bytes);
    *out = p;
done:
    return st;
}

static void cuda_host_release(adn_device *dev, void *p)
{
    (void)dev;
    if (p != NULL) cudaFreeHost(p);
}

static size_t cuda_memory_free(adn_device *dev)
{
    const cuda_device *gpu = (const cuda_device *)dev;
    size_t free_bytes = 0, bytes = 0;

    if (cudaSetDevice(gpu->conf.ordinal) != cudaSuccess ||
        cudaMemGetInfo(&free_bytes, &bytes) != cudaSuccess)
        return SIZE_MAX;
    return free_bytes;
}

const cuda_plan adn_cuda_plans[ADN_N_OP] = {
    [ADN_OP_CONV_FWD] = adn_cuda_plan_conv,
    [ADN_OP_CONV_GRAD_SRC] = adn_cuda_plan_conv,
    [ADN_OP_CONV_GRAD_PARAM] = adn_cuda_plan_conv,
    [ADN_OP_LINEAR_FWD] = adn_cuda_plan_linear,
    [ADN_OP_LINEAR_GRAD_SRC] = adn_cuda_plan_linear,
    [ADN_OP_LINEAR_GRAD_PARAM] = adn_cuda_plan_linear,
    [ADN_OP_NORM_FWD] = adn_cuda_plan_norm,
    [ADN_OP_NORM_INFER] = adn_cuda_plan_norm,
    [ADN_OP_NORM_GRAD] = adn_cuda_plan_norm,
    [ADN_OP_RELU_FWD] = adn_cuda_plan_elem,
    [ADN_OP_RELU_GRAD] = adn_cuda_plan_elem,
    [ADN_OP_POOL_FWD] = adn_cuda_plan_pool,
    [ADN_OP_POOL_GRAD] = adn_cuda_plan_pool,
    [ADN_OP_ADD] = adn_cuda_plan_elem,
    [ADN_OP_LOSS] = adn_cuda_plan_loss,
    [ADN_OP_AUGMENT] = adn_cuda_plan_augment,
    [ADN_OP_NORMALISE] = adn_cuda_plan_elem,
    [ADN_OP_SGD] = adn_cuda_plan_elem,
    [ADN_OP_ADAMW] = adn_cuda_plan_elem,
};

void adn_cuda_op_destroy(adn_op *base)
{
    cuda_op *op = (cuda_op *)base;

    if (op == NULL) return;
    if (op->impl_free != NULL) op->impl_free(op->impl);
    adn_cuda_timer_clear(op->q, &op->timer);
    adn_free(op);
}

adn_status adn_cuda_op_plan(adn_queue *queue, const adn_op_desc *d, adn_op **out)
{
    cuda_queue *q = (cuda_queue *)queue;
    adn_status st;
    cuda_op *op = adn_alloc(sizeof(*op));

    if (op == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for an operation", q->gpu->name);
    op->base.queue = queue;
    op->base.desc = *d;
    op->base.macs = adn_op_macs(d);
    op->base.factor = d->type;
    op->q = q;
    if (d->type != ADN_F32 && d->type != ADN_BF16) {
        st = ADN_FAIL(ADN_DEVICE, "%s: %s runs over fp32 and bf16 alone", q->gpu->name,
                      adn_op_infos[d->kind].name);
        goto fail;
    }
    if (q->gpu->props == NULL) CUDA_TRY(st, q->gpu, cudaSetDevice(q->gpu->conf.ordinal), fail);
    ADN_TRY(st, adn_cuda_plans[d->kind](op), fail);
    *out = &op->base;
    return ADN_OK;
fail:
    adn_cuda_op_destroy(&op->base);
    return st;
}

static adn_status run(adn_op *base, const adn_op_args *args)
{
    cuda_op *op = (cuda_op *)base;
    adn_status st;

    CUDA_TRY(st, op->q->gpu, cudaSetDevice(op->q->gpu->conf.ordinal), done);
    ADN_TRY(st, adn_cuda_idle_end(op->q), done);
    ADN_TRY(st, adn_cuda_timer_begin(op->q, &op->timer, &base->tally), done);
    ADN_TRY(st, op->run(op, args), done);
    ADN_TRY(st, adn_cuda_timer_end(op->q, &op->timer), done);
    base->tally.runs++;
done:
    return st;
}

static const adn_device_ops cuda_ops = {
    .name = "cuda",
    .has_own_memory = true,
    .close = cuda_close,
    .alloc = cuda_alloc,
    .release = cuda_release,
    .host_alloc = cuda_host_alloc,
    .host_release = cuda_host_release,
    .memory_free = cuda_memory_free,
    .queue_create = adn_cuda_queue_create,
    .queue_destroy = adn_cuda_queue_destroy,
    .queue_sync = adn_cuda_queue_sync,
    .queue_profile = adn_cuda_queue_profile,
    .queue_rates = adn_cuda_queue_rates,
    .range_begin = adn_cuda_range_begin,
    .range_end = adn_cuda_range_end,
    .event_create = adn_cuda_event_create,
    .event_destroy = adn_cuda_event_destroy,
    .event_record = adn_cuda_event_record,
    .event_wait = adn_cuda_event_wait,
    .event_sync = adn_cuda_event_sync,
    .event_query = adn_cuda_event_query,
    .upload = adn_cuda_copy,
    .download = adn_cuda_copy,
    .copy = adn_cuda_copy,
    .fill = adn_cuda_fill,
    .group_create = adn_cuda_group_create,
    .group_destroy = adn_cuda_group_destroy,
    .group_mean = adn_cuda_group_mean,
    .group_join = adn_cuda_group_join,
    .group_send = adn_cuda_group_send,
    .layout_create = adn_cuda_layout_create,
    .layout_destroy = adn_cuda_layout_destroy,
    .param_import = adn_cuda_param_import,
    .param_export = adn_cuda_param_export,
    .plan = adn_cuda_op_plan,
    .run = run,
    .op_destroy = adn_cuda_op_destroy,
};

int adn_cuda_count(const char **why)
{
    int n = 0, driver = 0;
    cudaError_t e = cudaGetDeviceCount(&n);
    bool has_driver = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;

    if (e != cudaSuccess) n = 0;
    if (why != NULL)
        *why = !has_driver        ? "no NVIDIA driver is loaded"
               : e == cudaSuccess ? "no GPU is visible"
                                  : cudaGetErrorString(e);
    (void)cudaGetLastError();
    return n;
}

adn_status adn_cuda_open(const adn_cuda_conf *conf, adn_device **out)
{
    adn_status st;
    const char *why;
    int n = adn_cuda_count(&why);
    struct cudaDeviceProp props;

    if (n == 0) return ADN_FAIL(ADN_DEVICE, "cuda:%d: %s", conf->ordinal, why);
    if (conf->ordinal < 0 || conf->ordinal >= n)
        return ADN_FAIL(ADN_DEVICE, "cuda:%d: there are %d GPUs, from cuda:0", conf->ordinal, n);
    cuda_device *gpu = adn_alloc(sizeof(*gpu));
    if (gpu == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory for the device");
    gpu->base.ops = &cuda_ops;
    gpu->conf = *conf;
    snprintf(gpu->name, sizeof(gpu->name), "cuda:%d", conf->ordinal);
    CUDA_TRY(st, gpu, cudaGetDeviceProperties(&props, conf->ordinal), fail);
    snprintf(gpu->model, sizeof(gpu->model), "%.63s", props.name);
    gpu->sm = props.multiProcessorCount;
    gpu->plans = adn_dnn_cache_open();
    *out = &gpu->base;
    return ADN_OK;
fail:
    adn_free(gpu);
    return st;
}

adn_choices *adn_cuda_choices_of(const adn_device *dev)
{
    return ((const cuda_device *)dev)->conf.choices;
}

static adn_status reach(const cuda_device *from, const cuda_device *to)
{
    adn_status st;
    int can = 0;

    CUDA_TRY(st, from, cudaDeviceCanAccessPeer(&can, from->conf.ordinal, to->conf.ordinal), done);
    if (!can) {
        adn_debug("%s reaches %s through the host's memory", from->name, to->name);
        return ADN_OK;
    }
    CUDA_TRY(st, from, cudaSetDevice(from->conf.ordinal), done);
    cudaError_t e = cudaDeviceEnablePeerAccess(to->conf.ordinal, 0);
    if (e == cudaErrorPeerAccessAlreadyEnabled)
        (void)cudaGetLastError();
    else
        CUDA_TRY(st, from, e, done);
done:
    return st;
}

adn_status adn_cuda_reach(adn_device *a, adn_device *b)
{
    if (((const cuda_device *)a)->props != NULL) return ADN_OK; /* as is b: neither is here */
    adn_status st = reach((const cuda_device *)a, (const cuda_device *)b);
    return st == ADN_OK ? reach((const cuda_device *)b, (const cuda_device *)a) : st;
}
