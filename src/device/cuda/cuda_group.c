/* Means over GPUs, and sends, by NCCL: all members are of this process, one communicator each. A
 * member's all-reduces run on a stream of their own, beside what its queue goes on with. The
 * library is loaded when the first group is made: it is large, and most runs need none. */
#include <dlfcn.h>
#include <nccl.h>
#include <pthread.h>

#include "core/log.h"
#include "device/cuda/cuda.h"

static struct nccl {
    void *library;
    __typeof__(&ncclCommInitAll) comm_init_all;
    __typeof__(&ncclCommDestroy) comm_destroy;
    __typeof__(&ncclAllReduce) all_reduce;
    __typeof__(&ncclSend) send;
    __typeof__(&ncclRecv) recv;
    __typeof__(&ncclGroupStart) group_start;
    __typeof__(&ncclGroupEnd) group_end;
    __typeof__(&ncclGetErrorString) error_string;
    __typeof__(&ncclGetVersion) version;
} nccl;
static pthread_once_t nccl_once = PTHREAD_ONCE_INIT;

static void load_nccl(void)
{
    const struct {
        const char *name;
        void **to;
    } calls[] = {{"ncclCommInitAll", (void **)&nccl.comm_init_all},
                 {"ncclCommDestroy", (void **)&nccl.comm_destroy},
                 {"ncclAllReduce", (void **)&nccl.all_reduce},
                 {"ncclSend", (void **)&nccl.send},
                 {"ncclRecv", (void **)&nccl.recv},
                 {"ncclGroupStart", (void **)&nccl.group_start},
                 {"ncclGroupEnd", (void **)&nccl.group_end},
                 {"ncclGetErrorString", (void **)&nccl.error_string},
                 {"ncclGetVersion", (void **)&nccl.version}};
    void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);

    if (library == NULL) return;
    for (size_t i = 0; i < ADN_COUNT(calls); i++) {
        *calls[i].to = dlsym(library, calls[i].name);
        if (*calls[i].to == NULL) return;
    }
    nccl.library = library;
}

typedef struct cuda_group {
    adn_group base;
    cuda_queue *members[ADN_MAX_REPLICAS];
    adn_queue *beside[ADN_MAX_REPLICAS]; /* where member k's all-reduces run */
    adn_event *done[ADN_MAX_REPLICAS];
    ncclComm_t comms[ADN_MAX_REPLICAS];
} cuda_group;

#define NCCL_TRY(st, gpu, title, call, label)                                                      \
    do {                                                                                           \
        ncclResult_t nccl_error_ = (call);                                                         \
        (st) = nccl_error_ == ncclSuccess                                                          \
                   ? ADN_OK                                                                        \
                   : ADN_FAIL(ADN_DEVICE, "%s (%s): %s: %s (NCCL)", (gpu)->name, (gpu)->model,     \
                              title, nccl.error_string(nccl_error_));                              \
        if ((st) != ADN_OK) goto label;                                                            \
    } while (0)

int adn_cuda_nccl(void)
{
    int version = 0;

    pthread_once(&nccl_once, load_nccl);
    return nccl.library != NULL && nccl.version(&version) == ncclSuccess ? version : 0;
}

adn_status adn_cuda_group_create(adn_queue *const *queues, int n, adn_group **out)
{
    adn_status st = ADN_OK;
    int ordinals[ADN_MAX_REPLICAS];
    cuda_group *g = adn_alloc(sizeof(*g));
    adn_queue_conf conf = {.name = "mean", .n_thread = 1};

    pthread_once(&nccl_once, load_nccl);
    if (g == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory for a group");
    if (nccl.library == NULL) {
        adn_free(g);
        return ADN_FAIL(ADN_DEVICE,
                        "replicas and edge.link: nccl need NCCL, and libnccl.so.2 cannot be loaded "
                        "(NVIDIA's package libnccl2 has it; LD_LIBRARY_PATH may say where it is)");
    }
    ADN_ASSERT(n >= 1 && n <= ADN_MAX_REPLICAS);
    g->base = (adn_group){queues[0]->dev, n};
    for (int k = 0; k < n; k++) {
        g->members[k] = (cuda_queue *)queues[k];
        ordinals[k] = g->members[k]->gpu->conf.ordinal;
        adn_device *dev = &g->members[k]->gpu->base;
        ADN_TRY(st, adn_cuda_queue_create(dev, &conf, &g->beside[k]), fail);
        ADN_TRY(st, adn_cuda_event_create(dev, &g->done[k]), fail);
    }
    NCCL_TRY(st, g->members[0]->gpu, "ncclCommInitAll", nccl.comm_init_all(g->comms, n, ordinals),
             fail);
    *out = &g->base;
    return ADN_OK;
fail:
    adn_cuda_group_destroy(&g->base);
    return st;
}

void adn_cuda_group_destroy(adn_group *group)
{
    cuda_group *g = (cuda_group *)group;

    if (g == NULL) return;
    for (int k = 0; k < g->base.n; k++) {
        adn_cuda_queue_destroy(g->beside[k]);
        adn_cuda_event_destroy(g->done[k]);
        if (g->comms[k] != NULL) nccl.comm_destroy(g->comms[k]);
    }
    adn_free(g);
}

adn_status adn_cuda_group_mean(adn_group *group, adn_event *const *ready, void *const *arrays,
                               adn_type type, size_t count)
{
    cuda_group *g = (cuda_group *)group;
    ncclDataType_t as = type == ADN_F64 ? ncclDouble : ncclFloat;
    adn_status st = ADN_OK;

    for (int k = 0; k < g->base.n; k++)
        ADN_TRY(st, adn_cuda_event_wait(g->beside[k], ready[k]), done);
    NCCL_TRY(st, g->members[0]->gpu, "ncclGroupStart", nccl.group_start(), done);
    for (int k = 0; k < g->base.n; k++)
        NCCL_TRY(st, g->members[0]->gpu, "ncclAllReduce",
                 nccl.all_reduce(arrays[k], arrays[k], count, as, ncclAvg, g->comms[k],
                                 ((cuda_queue *)g->beside[k])->stream),
                 done);
    NCCL_TRY(st, g->members[0]->gpu, "ncclGroupEnd", nccl.group_end(), done);
done:
    return st;
}

adn_status adn_cuda_group_join(adn_group *group)
{
    cuda_group *g = (cuda_group *)group;
    adn_status st = ADN_OK;

    for (int k = 0; k < g->base.n; k++) {
        ADN_TRY(st, adn_cuda_event_record(g->beside[k], g->done[k]), done);
        ADN_TRY(st, adn_cuda_event_wait(&g->members[k]->base, g->done[k]), done);
    }
done:
    return st;
}

adn_status adn_cuda_group_send(adn_group *group, void *dst, const void *src, size_t bytes)
{
    cuda_group *g = (cuda_group *)group;
    adn_status st = ADN_OK;

    ADN_ASSERT(g->base.n == 2);
    if (bytes == 0) return ADN_OK;
    for (int k = 0; k < 2; k++) {
        cuda_queue *q = g->members[k];
        CUDA_TRY(st, q->gpu, cudaSetDevice(q->gpu->conf.ordinal), done);
        ADN_TRY(st, adn_cuda_idle_end(q), done);
    }
    NCCL_TRY(st, g->members[0]->gpu, "ncclGroupStart", nccl.group_start(), done);
    NCCL_TRY(st, g->members[0]->gpu, "ncclSend",
             nccl.send(src, bytes, ncclUint8, 1, g->comms[0], g->members[0]->stream), done);
    NCCL_TRY(st, g->members[0]->gpu, "ncclRecv",
             nccl.recv(dst, bytes, ncclUint8, 0, g->comms[1], g->members[1]->stream), done);
    NCCL_TRY(st, g->members[0]->gpu, "ncclGroupEnd", nccl.group_end(), done);
done:
    return st;
}
