/* A GPU that is planned for and not here: queues, operations and layouts are the CUDA device's own,
 * planned by cuDNN from the model's properties; its memory is counted. No CUDA call is made. */
#include <dlfcn.h>
#include <stdio.h>

#include "core/log.h"
#include "device/cuda/dnn_graph.h"

static adn_status not_here(adn_queue *q, const char *what)
{
    const cuda_device *gpu = ((cuda_queue *)q)->gpu;
    return ADN_FAIL(ADN_DEVICE, "%s (%s): is planned for and not here: %s is impossible", gpu->name,
                    gpu->model, what);
}

static void planned_close(adn_device *dev)
{
    cuda_device *gpu = (cuda_device *)dev;

    if (gpu->props != NULL) cudnnBackendDestroyDescriptor(gpu->props);
    adn_dnn_cache_close(gpu->plans);
    adn_free(gpu);
}

/* ---- memory: an address is that of its size */

static adn_status planned_alloc(adn_device *dev, size_t bytes, void **out)
{
    cuda_device *gpu = (cuda_device *)dev;
    size_t *size = adn_alloc(sizeof(*size));

    if (size == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory to plan with", gpu->name);
    *size = bytes;
    gpu->planned.bytes += bytes;
    *out = size;
    return ADN_OK;
}

static void planned_release(adn_device *dev, void *p)
{
    const size_t *size = p;

    if (size != NULL) ((cuda_device *)dev)->planned.bytes -= *size;
    adn_free(p);
}

static adn_status planned_host_alloc(adn_device *dev, size_t bytes, void **out)
{
    *out = adn_alloc(ADN_MAX(bytes, (size_t)1));
    if (*out != NULL) return ADN_OK;
    return ADN_FAIL(ADN_NOMEM, "%s: no host memory", ((cuda_device *)dev)->name);
}

static void planned_host_release(adn_device *dev, void *p)
{
    (void)dev;
    adn_free(p);
}

/* What does not fit is told by who asks for the sum. */
static size_t planned_memory_free(adn_device *dev)
{
    (void)dev;
    return SIZE_MAX;
}

/* ---- queues, events and groups, where nothing is ever enqueued */

static adn_status planned_queue_create(adn_device *dev, const adn_queue_conf *conf, adn_queue **out)
{
    cuda_queue *q = adn_alloc(sizeof(*q));

    if (q == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory for a queue");
    q->base = (adn_queue){dev, *conf};
    q->gpu = (cuda_device *)dev;
    *out = &q->base;
    return ADN_OK;
}

static void planned_queue_destroy(adn_queue *queue)
{
    cuda_queue *q = (cuda_queue *)queue;

    if (q != NULL) planned_release(&q->gpu->base, q->blas_workspace);
    adn_free(q);
}

static adn_status planned_queue_sync(adn_queue *q)
{
    (void)q;
    return ADN_OK;
}

static adn_status planned_queue_profile(adn_queue *q, adn_profile *out)
{
    (void)out;
    return not_here(q, "a profile");
}

static adn_status planned_queue_rates(adn_queue *q, adn_rates *out)
{
    (void)out;
    return not_here(q, "a measurement");
}

static void planned_range_begin(adn_queue *q, const char *name)
{
    (void)q;
    (void)name;
}

static void planned_range_end(adn_queue *q)
{
    (void)q;
}

static adn_status planned_event_create(adn_device *dev, adn_event **out)
{
    adn_event *e = adn_alloc(sizeof(*e));

    if (e == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory for an event");
    e->dev = dev;
    *out = e;
    return ADN_OK;
}

static void planned_event_destroy(adn_event *e)
{
    adn_free(e);
}

static adn_status planned_event_meet(adn_queue *q, adn_event *e)
{
    (void)q;
    (void)e;
    return ADN_OK;
}

static adn_status planned_event_sync(adn_event *e)
{
    (void)e;
    return ADN_OK;
}

static bool planned_event_query(const adn_event *e)
{
    (void)e;
    return true;
}

static adn_status planned_group_create(adn_queue *const *queues, int n, adn_group **out)
{
    adn_group *g = adn_alloc(sizeof(*g));

    if (g == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory for a group");
    *g = (adn_group){queues[0]->dev, n};
    *out = g;
    return ADN_OK;
}

static void planned_group_destroy(adn_group *g)
{
    adn_free(g);
}

static adn_status planned_group_mean(adn_group *g, adn_event *const *ready, void *const *arrays,
                                     adn_type type, size_t count)
{
    (void)g;
    (void)ready;
    (void)arrays;
    (void)type;
    (void)count;
    return ADN_FAIL(ADN_DEVICE, "cuda: GPUs that are planned for and not here form no mean");
}

static adn_status planned_group_join(adn_group *g)
{
    (void)g;
    return ADN_OK;
}

static adn_status planned_group_send(adn_group *g, void *dst, const void *src, size_t bytes)
{
    (void)g;
    (void)dst;
    (void)src;
    (void)bytes;
    return ADN_OK;
}

/* ---- what is put into memory is dropped, what should come out of it fails */

static adn_status planned_write(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    (void)q;
    (void)dst;
    (void)src;
    (void)bytes;
    return ADN_OK;
}

static adn_status planned_download(adn_queue *q, void *dst, const void *src, size_t bytes)
{
    (void)dst;
    (void)src;
    (void)bytes;
    return not_here(q, "a download");
}

static adn_status planned_fill(adn_queue *q, void *dst, int byte, size_t bytes)
{
    (void)q;
    (void)dst;
    (void)byte;
    (void)bytes;
    return ADN_OK;
}

static adn_status planned_import(adn_queue *q, const adn_layout *l, void *dst, const double *src)
{
    (void)q;
    (void)l;
    (void)dst;
    (void)src;
    return ADN_OK;
}

static adn_status planned_export(adn_queue *q, const adn_layout *l, double *dst, const void *src)
{
    (void)l;
    (void)dst;
    (void)src;
    return not_here(q, "a download");
}

static adn_status planned_run(adn_op *op, const adn_op_args *args)
{
    (void)args;
    return not_here(op->queue, adn_op_infos[op->desc.kind].name);
}

static const adn_device_ops planned_ops = {
    .name = "cuda",
    .has_own_memory = true,
    .close = planned_close,
    .alloc = planned_alloc,
    .release = planned_release,
    .host_alloc = planned_host_alloc,
    .host_release = planned_host_release,
    .memory_free = planned_memory_free,
    .queue_create = planned_queue_create,
    .queue_destroy = planned_queue_destroy,
    .queue_sync = planned_queue_sync,
    .queue_profile = planned_queue_profile,
    .queue_rates = planned_queue_rates,
    .range_begin = planned_range_begin,
    .range_end = planned_range_end,
    .event_create = planned_event_create,
    .event_destroy = planned_event_destroy,
    .event_record = planned_event_meet,
    .event_wait = planned_event_meet,
    .event_sync = planned_event_sync,
    .event_query = planned_event_query,
    .upload = planned_write,
    .download = planned_download,
    .copy = planned_write,
    .fill = planned_fill,
    .group_create = planned_group_create,
    .group_destroy = planned_group_destroy,
    .group_mean = planned_group_mean,
    .group_join = planned_group_join,
    .group_send = planned_group_send,
    .layout_create = adn_cuda_layout_create,
    .layout_destroy = adn_cuda_layout_destroy,
    .param_import = planned_import,
    .param_export = planned_export,
    .plan = adn_cuda_op_plan,
    .run = planned_run,
    .op_destroy = adn_cuda_op_destroy,
};

/* cuDNN looks for the driver when it is to compile, and refuses such engines where it is not. */
static bool has_driver(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);

    if (driver != NULL) dlclose(driver);
    return driver != NULL;
}

adn_status adn_cuda_plan_open(const adn_cuda_conf *conf, const adn_cuda_model *model,
                              adn_device **out)
{
    adn_status st;
    cuda_device *gpu = adn_alloc(sizeof(*gpu));

    if (gpu == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory for the device");
    gpu->base.ops = &planned_ops;
    gpu->conf = *conf;
    snprintf(gpu->name, sizeof(gpu->name), "cuda:%d", conf->ordinal);
    snprintf(gpu->model, sizeof(gpu->model), "%.63s", model->full_name);
    gpu->planned.compiles = has_driver();
    ADN_TRY(st, adn_dnn_props_create(gpu, model->properties, &gpu->props), fail);
    gpu->plans = adn_dnn_cache_open();
    *out = &gpu->base;
    return ADN_OK;
fail:
    planned_close(&gpu->base);
    return st;
}

adn_cuda_planned adn_cuda_planned_of(const adn_device *dev)
{
    return ((const cuda_device *)dev)->planned;
}
