/* The CUDA device's inside: a GPU, its queues (streams), planned operations. Private to
 * src/device/cuda. Every entry of the table makes the queue's GPU current before it calls CUDA. */
#ifndef ADN_CUDA_INSIDE_H
#define ADN_CUDA_INSIDE_H

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <stdatomic.h>

#include "adn_kernels.h"
#include "device/cuda.h"
#include "device/device.h"

typedef struct cuda_device {
    adn_device base;
    adn_cuda_conf conf;
    char name[16];           /* "cuda:0", in messages */
    char model[64];          /* "NVIDIA H100 80GB HBM3" */
    int sm;                  /* multiprocessors */
    struct dnn_cache *plans; /* cuDNN's, on disk; NULL: not kept */
    /* Of a model that is planned for and not here (planned.c), which calls no CUDA: its properties,
     * else NULL; and what was asked of it. */
    cudnnBackendDescriptor_t props;
    adn_cuda_planned planned;
} cuda_device;

/* Of one operation, or of a queue's copies: what runs between its two events. */
typedef struct cuda_timer {
    cudaEvent_t from, to;
    bool is_pending; /* to was recorded and is not in the tally yet */
    adn_tally *tally;
    struct cuda_timer *next; /* of the queue */
} cuda_timer;

/* Gaps in a queue's work: from where it ended to where it went on. */
enum { CUDA_N_GAP = 64 };
typedef struct cuda_idle {
    cudaEvent_t from[CUDA_N_GAP], to[CUDA_N_GAP]; /* of gap i: place i % CUDA_N_GAP */
    int64_t n_gap, n_collected;                   /* that ended; that are in seconds */
    bool is_open;                                 /* gap n_gap has begun */
    double seconds;
} cuda_idle;

typedef struct cuda_queue {
    adn_queue base;
    cuda_device *gpu; /* borrowed */
    cudaStream_t stream;
    cublasHandle_t blas;
    cudnnHandle_t dnn;
    void *blas_workspace;
    adn_tally copies;
    double copy_bytes;
    cuda_timer copy_timer, *timers; /* of a timed queue: all that were used */
    cuda_idle idle;
    _Atomic adn_status failed; /* first failure that CUDA told of work enqueued before */
} cuda_queue;

typedef struct cuda_op cuda_op;
struct cuda_op {
    adn_op base;
    cuda_queue *q;
    /* Enqueues on q->stream; allocates nothing, waits for nothing. */
    adn_status (*run)(const cuda_op *op, const adn_op_args *args);
    void *impl; /* plans and the like; NULL if it needs none */
    void (*impl_free)(void *impl);
    cuda_timer timer;
};

/* Plans an operation of one kind: fills op->run (and impl, base.workspace_bytes, base.algo). op is
 * zeroed but for base.desc, base.queue, base.macs and q; what it holds is freed after a failure
 * too. */
typedef adn_status (*cuda_plan)(cuda_op *op);
extern const cuda_plan adn_cuda_plans[ADN_N_OP];
adn_status adn_cuda_op_plan(adn_queue *q, const adn_op_desc *d, adn_op **out);
void adn_cuda_op_destroy(adn_op *op);

/* One check for each foreign world of errors. A failed CUDA call is told with its text, the GPU
 * and, out of memory, what to lower; after a sticky error the GPU is lost to the process. */
adn_status adn_cuda_failed(const cuda_device *gpu, cudaError_t e, const char *call,
                           const char *file, int line);
adn_status adn_cublas_failed(const cuda_device *gpu, cublasStatus_t e, const char *call,
                             const char *file, int line);
adn_status adn_cudnn_failed(const cuda_device *gpu, cudnnStatus_t e, const char *call,
                            const char *file, int line);

#define CUDA_TRY(st, gpu, call, label)                                                             \
    do {                                                                                           \
        cudaError_t cuda_error_ = (call);                                                          \
        (st) = cuda_error_ == cudaSuccess                                                          \
                   ? ADN_OK                                                                        \
                   : adn_cuda_failed((gpu), cuda_error_, #call, __FILE__, __LINE__);               \
        if ((st) != ADN_OK) goto label;                                                            \
    } while (0)
#define CUBLAS_TRY(st, gpu, call, label)                                                           \
    do {                                                                                           \
        cublasStatus_t cublas_error_ = (call);                                                     \
        (st) = cublas_error_ == CUBLAS_STATUS_SUCCESS                                              \
                   ? ADN_OK                                                                        \
                   : adn_cublas_failed((gpu), cublas_error_, #call, __FILE__, __LINE__);           \
        if ((st) != ADN_OK) goto label;                                                            \
    } while (0)
#define CUDNN_TRY(st, gpu, call, label)                                                            \
    do {                                                                                           \
        cudnnStatus_t cudnn_error_ = (call);                                                       \
        (st) = cudnn_error_ == CUDNN_STATUS_SUCCESS                                                \
                   ? ADN_OK                                                                        \
                   : adn_cudnn_failed((gpu), cudnn_error_, #call, __FILE__, __LINE__);             \
        if ((st) != ADN_OK) goto label;                                                            \
    } while (0)

/* cuda_queue.c */
adn_status adn_cuda_queue_create(adn_device *dev, const adn_queue_conf *conf, adn_queue **out);
void adn_cuda_queue_destroy(adn_queue *q);
adn_status adn_cuda_queue_sync(adn_queue *q);
adn_status adn_cuda_queue_profile(adn_queue *q, adn_profile *out);
adn_status adn_cuda_queue_rates(adn_queue *q, adn_rates *out); /* cuda_rates.c */
void adn_cuda_range_begin(adn_queue *q, const char *name);
void adn_cuda_range_end(adn_queue *q);
/* Make the queue's handle of the library, the first time. */
adn_status adn_cuda_queue_blas(cuda_queue *q);
adn_status adn_cuda_queue_dnn(cuda_queue *q);
adn_status adn_cuda_copy(adn_queue *q, void *dst, const void *src, size_t bytes);
adn_status adn_cuda_fill(adn_queue *q, void *dst, int byte, size_t bytes);

/* cuda_timer.c. Nothing, where the queue is not timed. A timer waits for its last run before it is
 * used again: the host is a step ahead at most. */
adn_status adn_cuda_timer_begin(cuda_queue *q, cuda_timer *t, adn_tally *tally);
adn_status adn_cuda_timer_end(cuda_queue *q, cuda_timer *t);
adn_status adn_cuda_timers_collect(cuda_queue *q); /* waits for what is timed */
void adn_cuda_timer_clear(cuda_queue *q, cuda_timer *t);

/* cuda_idle.c. Called before a wait and behind an event's record; before all that is enqueued. The
 * queue's GPU is current. */
adn_status adn_cuda_idle_begin(cuda_queue *q);
adn_status adn_cuda_idle_end(cuda_queue *q);
/* Seconds until now of a queue that has done all its work. */
adn_status adn_cuda_idle_look(cuda_queue *q, double *out);
void adn_cuda_idle_clear(cuda_queue *q);

/* cuda_event.c */
adn_status adn_cuda_event_create(adn_device *dev, adn_event **out);
void adn_cuda_event_destroy(adn_event *e);
adn_status adn_cuda_event_record(adn_queue *q, adn_event *e);
adn_status adn_cuda_event_wait(adn_queue *q, adn_event *e);
adn_status adn_cuda_event_sync(adn_event *e);
bool adn_cuda_event_query(const adn_event *e);

/* cuda_group.c: NCCL's all-reduce, on a stream beside each member's; sends on theirs. */
adn_status adn_cuda_group_create(adn_queue *const *queues, int n, adn_group **out);
void adn_cuda_group_destroy(adn_group *g);
adn_status adn_cuda_group_mean(adn_group *g, adn_event *const *ready, void *const *arrays,
                               adn_type type, size_t count);
adn_status adn_cuda_group_join(adn_group *g);
adn_status adn_cuda_group_send(adn_group *g, void *dst, const void *src, size_t bytes);

/* cuda_layout.c: [o][kernel][kernel][i], linear [o][h][w][i], in fp32. */
adn_status adn_cuda_layout_create(adn_queue *q, const adn_op_desc *fwd, adn_layout **out);
void adn_cuda_layout_destroy(adn_layout *l);
adn_status adn_cuda_param_import(adn_queue *q, const adn_layout *l, void *dst, const double *src);
adn_status adn_cuda_param_export(adn_queue *q, const adn_layout *l, double *dst, const void *src);

/* cuda_linear.c: c = op(a) op(b), all column-major and dense: [m, n] of [m, k] and [k, n]. */
typedef struct cuda_product {
    cublasOperation_t op_a, op_b;
    int m, n, k;
    adn_type factor, result; /* types of a and b, of c */
} cuda_product;
adn_status adn_cuda_multiply(cuda_queue *q, const cuda_product *p, const void *a, const void *b,
                             void *c);

/* Of activations. */
static inline adn_k_type adn_cuda_k_type(adn_type t)
{
    return t == ADN_BF16 ? ADN_K_BF16 : ADN_K_F32;
}

/* Plans by kind: cuda_conv.c and cuda_linear.c by libraries, the rest by our kernels. */
adn_status adn_cuda_plan_conv(cuda_op *op);
adn_status adn_cuda_plan_linear(cuda_op *op);
adn_status adn_cuda_plan_norm(cuda_op *op); /* NORM_FWD, NORM_INFER, NORM_GRAD */
adn_status adn_cuda_plan_pool(cuda_op *op); /* POOL_FWD, POOL_GRAD */
adn_status adn_cuda_plan_loss(cuda_op *op);
adn_status adn_cuda_plan_augment(cuda_op *op);
adn_status adn_cuda_plan_elem(cuda_op *op); /* RELU_FWD, RELU_GRAD, ADD, NORMALISE, updates */

#endif
