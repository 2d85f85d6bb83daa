/* The device table: memory, queues, events, parameters and planned operations. Callers never ask
 * which device they hold. Activations are NHWC; parameters lie as an adn_layout says and are
 * opaque.
 *
 * An operation is planned once for its shapes, types and team (plan), then run many times (run
 * enqueues and returns). Work of one queue runs in order, apart from the host; work of different
 * queues is ordered by events alone. Every call returns when its arguments may be reused, but
 * memory that enqueued work reads or writes stays the caller's to keep. */
#ifndef ADN_DEVICE_H
#define ADN_DEVICE_H

#include "adonis/config.h" /* the algorithms a config may ask for */
#include "core/core.h"

typedef enum adn_type { ADN_F32, ADN_F64, ADN_BF16, ADN_U8, ADN_I32 } adn_type;
size_t adn_type_bytes(adn_type t);
/* Of parameters, their gradients and statistics, where activations are of type t. */
static inline adn_type adn_param_type(adn_type t)
{
    return t == ADN_BF16 ? ADN_F32 : t;
}

typedef struct adn_shape {
    int n, h, w, c;
} adn_shape;
static inline size_t adn_shape_count(adn_shape s)
{
    return (size_t)s.n * (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

/* A sample's target: class a with weight `weight_a`, class b with the rest (a == b for a plain
 * label). */
typedef struct adn_label {
    int32_t a, b;
    float weight_a;
} adn_label;

/* What a transform of the config's list (data.augment) does to one image [h, w]; a pixel is (y, x):
 *   crop    dst (i, j) is src (i + y, j + x), zeros where that is outside
 *   flip    mirrored, left and right, if x is 1
 *   cutout  a square whose middle is (y, x) is painted over: from y - size / 2 on, `size` rows */
typedef struct adn_move {
    int32_t y, x;
} adn_move;

/* What the loss leaves of a batch. */
typedef struct adn_loss_result {
    double loss_sum; /* over samples, not divided */
    int64_t hits;    /* samples whose largest score is class a */
    int64_t n;
} adn_loss_result;

/* Roles of an operation's memory. A kind uses those that its row in adn_op_info names. */
typedef enum adn_role {
    ADN_SRC,
    ADN_SRC2,
    ADN_DST,
    ADN_DST_MAX, /* norm's pools: of dst */
    ADN_DST_AVG,
    ADN_GRAD_DST, /* gradient of dst: comes in */
    ADN_GRAD_MAX, /* of the pools' dst */
    ADN_GRAD_AVG,
    ADN_GRAD_SRC, /* gradient of src: goes out */
    ADN_WEIGHT,   /* as its layout says; norm: scale [c] */
    ADN_BIAS,     /* [c] */
    ADN_GRAD_WEIGHT,
    ADN_GRAD_BIAS,
    ADN_SUMS, /* double [2][c]: of a convolution's dst, of its squares */
    ADN_MEAN, /* of the batch, kept for the gradient: [c] */
    ADN_INV_STD,
    ADN_RUN_MEAN, /* running statistics: [c] */
    ADN_RUN_VAR,
    ADN_INDEX,     /* u8 a pooled element: which of the window's elements was the largest */
    ADN_LABELS,    /* adn_label[n] */
    ADN_PICKS,     /* uint32[n]: images of src */
    ADN_MOVES,     /* adn_move[n][n_transform] */
    ADN_RESULT,    /* adn_loss_result */
    ADN_HALT,      /* int32: set by a loss that is not finite; updates then change nothing */
    ADN_MOMENTUM,  /* AdamW: of gradients */
    ADN_MOMENT2,   /* of their squares */
    ADN_WORKSPACE, /* as the plan asks */
    ADN_N_ROLE
} adn_role;

/* clang-format off */
/* Each kind of operation: what it computes, then what it reads (R), writes (W), or both (RW).
 * Roles in brackets may be NULL. The descriptor's `type` (ADN_F32 | ADN_F64 | ADN_BF16) is that of
 * activations and their gradients; parameters, their gradients and statistics have its
 * adn_param_type, and sums are formed in that. Gradients of parameters are sums over the batch.
 *
 * CONV_FWD        dst = src * weight + bias; sums for the norm behind it
 *                 R src weight [bias]  W dst [sums]
 * CONV_GRAD_SRC   R grad_dst weight  W grad_src
 * CONV_GRAD_PARAM R src grad_dst  W grad_weight [grad_bias]
 * LINEAR_*        the same over [n, h*w*c] -> [n, 1, 1, c]
 * NORM_FWD        batch norm over n, h, w, then ReLU if `relu`, then the pools that the descriptor
 *                 names. Moments by sums, or by a pass over src; running statistics move by
 *                 `momentum` (variance unbiased) unless value 0 is 0
 *                 R src weight bias [sums]  W [dst] [dst_max index] [dst_avg] mean inv_std
 *                 RW run_mean run_var
 * NORM_INFER      the same with running statistics
 *                 R src weight bias run_*  W [dst] [dst_max index] [dst_avg]
 * NORM_GRAD       through pools, ReLU (its mask recomputed from src) and norm
 *                 R src [grad_dst] [grad_max index] [grad_avg] weight bias mean inv_std
 *                 W grad_src grad_weight grad_bias.  grad_src may be grad_dst or src
 * RELU_FWD        max(src, 0); what is not a number stays so, in all of these: R src  W dst
 * RELU_GRAD       grad_dst where dst > 0: R dst grad_dst  W grad_src.  grad_src may be grad_dst
 * POOL_FWD        max, or average over the window (adaptive: PyTorch's): R src  W dst [index]
 * POOL_GRAD       max: to index' element; average: spread: R grad_dst [index]  W grad_src
 * ADD             src + src2, then ReLU if `relu`: R src src2  W dst.  dst may be src
 * LOSS            softmax cross entropy, label smoothing, mean over n; gradient of the mean, hits
 *                 (first largest): R src labels  W [grad_src] result  RW halt
 * AUGMENT         dst[i] = image picks[i] of src, transformed in the list's order. All of it is u8
 *                 NHWC, whatever `type`: R src picks moves  W dst
 * NORMALISE       u8 NHWC pixels to (p / 255 - mean) / std: R src (u8)  W dst
 * SGD             PyTorch's, over a flat array: g += decay w; m = momentum m + g; w -= lr (nesterov
 *                 ? g + momentum m : m); nothing if halt is set. Values: lr, momentum, decay, 1:
 *                 m = 0 first.  R grad_weight halt  RW weight momentum
 * ADAMW           PyTorch's, likewise: w = keep w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
 *                 w -= rate m / (scale sqrt(v) + eps); nothing if halt is set. Values: keep, b1,
 *                 1 - b1, b2, 1 - b2, rate, scale, eps; the t-th update of a rate lr with a decay
 *                 has keep = 1 - lr decay, rate = lr / (1 - b1^t), scale = 1 / sqrt(1 - b2^t).
 *                 What is 0 in w, g, m and v stays 0
 *                 R grad_weight halt  RW weight momentum moment2
 */
/* clang-format on */
typedef enum adn_op_kind {
    ADN_OP_CONV_FWD,
    ADN_OP_CONV_GRAD_SRC,
    ADN_OP_CONV_GRAD_PARAM,
    ADN_OP_LINEAR_FWD,
    ADN_OP_LINEAR_GRAD_SRC,
    ADN_OP_LINEAR_GRAD_PARAM,
    ADN_OP_NORM_FWD,
    ADN_OP_NORM_INFER,
    ADN_OP_NORM_GRAD,
    ADN_OP_RELU_FWD,
    ADN_OP_RELU_GRAD,
    ADN_OP_POOL_FWD,
    ADN_OP_POOL_GRAD,
    ADN_OP_ADD,
    ADN_OP_LOSS,
    ADN_OP_AUGMENT,
    ADN_OP_NORMALISE,
    ADN_OP_SGD,
    ADN_OP_ADAMW,
    ADN_N_OP
} adn_op_kind;

typedef enum adn_pool_kind { ADN_POOL_MAX, ADN_POOL_AVG, ADN_POOL_ADAPTIVE_AVG } adn_pool_kind;
enum { ADN_PIXEL_CHANNELS = 4, ADN_MAX_AUGMENT = 16, ADN_N_VALUE = 8 };

typedef struct adn_layout adn_layout;

/* src and dst are the forward operation's shapes for the gradients too. Updates: src.c elements.
 * AUGMENT: src is the set, dst the batch. */
typedef struct adn_op_desc {
    adn_op_kind kind;
    adn_type type; /* of activations; updates: of the arrays */
    adn_shape src, dst;
    union {
        struct {
            int kernel, stride, pad; /* square */
            bool has_bias;           /* linear uses this one too */
            adn_conv_algo algo;      /* the config's `conv` */
        } conv;
        struct {
            double eps, momentum;
            bool relu;
            bool is_pooled_only; /* dst itself is not wanted: pools alone read it */
            bool has_max;        /* maxima of 2x2, which tile the map */
            int avg_h, avg_w;    /* a map of averages whose windows tile it; 0: none */
        } norm;                  /* ADD uses relu */
        struct {
            adn_pool_kind kind;
            int kernel, stride; /* not of adaptive pools; windows that stick out are left out */
        } pool;
        struct {
            double smoothing;
        } loss;
        struct {
            const adn_aug_conf *list;         /* borrowed */
            int n_transform;                  /* at most ADN_MAX_AUGMENT */
            uint8_t fill[ADN_PIXEL_CHANNELS]; /* cutout's colour */
        } augment;
        struct {
            double mean[ADN_PIXEL_CHANNELS], std[ADN_PIXEL_CHANNELS];
        } pixel;
        struct {
            bool nesterov;
        } sgd;
    } u;
    const adn_layout *layout; /* conv, linear: how weight and its gradient lie. Borrowed */
} adn_op_desc;

typedef enum adn_access {
    ADN_NONE = 0,
    ADN_READ = 1,
    ADN_WRITE = 2,
    ADN_READ_WRITE = 3
} adn_access;
typedef struct adn_op_info {
    const char *name; /* "conv_fwd" */
    adn_access role[ADN_N_ROLE];
    bool optional[ADN_N_ROLE];
} adn_op_info;
extern const adn_op_info adn_op_infos[ADN_N_OP];
/* The role holds activations, or gradients of some: elements of the descriptor's type. */
bool adn_op_is_activation(adn_op_kind kind, adn_role role);
bool adn_op_is_update(adn_op_kind kind); /* of parameters, flat arrays: SGD, ADAMW */
/* Bytes that `role` must hold for this operation (workspace: 0, the plan says). */
size_t adn_op_role_bytes(const adn_op_desc *d, adn_role role);
/* Multiply-adds of one run (convolutions and linear; 0 for the rest), and bytes that must move. */
double adn_op_macs(const adn_op_desc *d);
double adn_op_bytes(const adn_op_desc *d);

typedef struct adn_op_args {
    void *p[ADN_N_ROLE];
    double value[ADN_N_VALUE];
} adn_op_args;

typedef struct adn_device adn_device;
typedef struct adn_queue adn_queue;
typedef struct adn_event adn_event;
typedef struct adn_op adn_op;
typedef struct adn_group adn_group;

typedef struct adn_queue_conf {
    const char *name; /* of its worker */
    int cores[64];    /* cpu device: where the worker pins itself; n_core 0: not at all */
    int n_core;
    int n_thread;  /* the team; at least 1 */
    bool is_timed; /* a GPU's operations get tallies of seconds, which costs it some; others have */
    uint64_t jitter; /* tests: not 0: seed of random delays between operations */
} adn_queue_conf;

/* Runs, and the seconds that they took: a team of one counts its own processor's time, a larger one
 * time that goes by. */
typedef struct adn_tally {
    double seconds;
    int64_t runs;
} adn_tally;

/* What a queue did since it was created beside its operations, which have tallies of their own. */
typedef struct adn_profile {
    adn_tally copies;  /* uploads, downloads, copies and fills of more than nothing */
    double copy_bytes; /* read and written by them */
    double wait_s;     /* time that went by with nothing to do, or in waits for events */
} adn_profile;

/* What a queue's team reaches at best: the floors that a benchmark holds its operations against. */
typedef struct adn_rates {
    double macs_s;      /* fp32 multiply-adds a second, from registers */
    double macs_bf16_s; /* of bf16 factors; where none are multiplied, macs_s */
    double
        copy_bytes_s; /* bytes read and written by a copy of much more than the caches, a second */
} adn_rates;

/* Every entry is required. A failed create owes nothing and leaves *out alone. Destroying
 * takes NULL. Host calls on one queue come from one thread at a time; events may be recorded,
 * waited for and asked from different threads if the caller's own locks order each record and the
 * other calls. Several threads may wait for one event and ask it at once. */
typedef struct adn_device_ops {
    const char *name;
    bool has_own_memory; /* operations reach what alloc gave, nothing of the host's */
    void (*close)(adn_device *dev);
    adn_status (*alloc)(adn_device *dev, size_t bytes, void **out); /* 64-byte aligned, zeroed */
    void (*release)(adn_device *dev, void *p);
    /* Host memory that uploads and downloads reach without the host's help (pinned, for a GPU).
     * Aligned and zeroed likewise. */
    adn_status (*host_alloc)(adn_device *dev, size_t bytes, void **out);
    void (*host_release)(adn_device *dev, void *p);
    size_t (*memory_free)(adn_device *dev); /* bytes that alloc may still give; SIZE_MAX: unknown */

    adn_status (*queue_create)(adn_device *dev, const adn_queue_conf *conf, adn_queue **out);
    void (*queue_destroy)(adn_queue *q); /* after all that was enqueued */
    adn_status (*queue_sync)(
        adn_queue *q); /* the host waits for all of it, also when it then gives a failure */
    adn_status (*queue_profile)(adn_queue *q, adn_profile *out); /* syncs */
    adn_status (*queue_rates)(adn_queue *q, adn_rates *out);     /* measures, about a second */
    /* For profilers (NVTX): what this thread enqueues until range_end goes under the name. Ranges
     * nest. */
    void (*range_begin)(adn_queue *q, const char *name);
    void (*range_end)(adn_queue *q);

    adn_status (*event_create)(adn_device *dev, adn_event **out); /* queues of dev record it */
    void (*event_destroy)(adn_event *e);
    adn_status (*event_record)(adn_queue *q, adn_event *e); /* happens when the queue gets there */
    adn_status (*event_wait)(
        adn_queue *q, adn_event *e); /* the queue waits for e's latest record; none: goes on */
    adn_status (*event_sync)(adn_event *e); /* the host waits likewise */
    bool (*event_query)(
        const adn_event *e); /* latest record happened, or there is none; orders nothing */

    /* dst and src may lie on other devices of the same kind, too. upload, download: src, dst are
     * the host's, kept until done. */
    adn_status (*upload)(adn_queue *q, void *dst, const void *src, size_t bytes);
    adn_status (*download)(adn_queue *q, void *dst, const void *src, size_t bytes);
    adn_status (*copy)(adn_queue *q, void *dst, const void *src, size_t bytes);
    adn_status (*fill)(adn_queue *q, void *dst, int byte, size_t bytes);

    /* A group averages arrays that lie once with each of its members, queues of devices of one kind
     * (on GPUs: each of its own). mean enqueues: when ready[k] has happened, recorded on queue k
     * before, for all k, each arrays[k] [count] of `type` (ADN_F32 | ADN_F64) becomes their mean,
     * the same bits everywhere. The devices may do it apart from the queues; join makes the queues
     * go on behind all means so far, and until then nobody touches the arrays. */
    adn_status (*group_create)(adn_queue *const *queues, int n, adn_group **out);
    void (*group_destroy)(adn_group *g); /* its means have ended: sync first */
    adn_status (*group_mean)(adn_group *g, adn_event *const *ready, void *const *arrays,
                             adn_type type, size_t count);
    adn_status (*group_join)(adn_group *g);
    /* Of a group of two: what queue 0 gets to in `src`, on its device, goes to `dst`, on queue 1's,
     * when that one gets there. Enqueues on both. */
    adn_status (*group_send)(adn_group *g, void *dst, const void *src, size_t bytes);

    /* How the weight of a convolution or linear layer lies: chosen from the forward operation of
     * the full training batch; all other plans take it. Import and export convert from and to
     * PyTorch's order
     * ([o][i][kh][kw]; linear [o][i] with i counted c, h, w), doubles on the host; both finish
     * before they return. Import writes all of the weight's bytes. */
    adn_status (*layout_create)(adn_queue *q, const adn_op_desc *fwd, adn_layout **out);
    void (*layout_destroy)(adn_layout *l);
    adn_status (*param_import)(adn_queue *q, const adn_layout *l, void *dst, const double *src);
    adn_status (*param_export)(adn_queue *q, const adn_layout *l, double *dst, const void *src);

    adn_status (*plan)(adn_queue *q, const adn_op_desc *d,
                       adn_op **out); /* waits for the queue's worker */
    adn_status (*run)(adn_op *op, const adn_op_args *args);
    void (*op_destroy)(adn_op *op); /* its runs have ended: sync first */
} adn_device_ops;

/* What every device's objects begin with. `dev` is for callers, and a wrapper puts itself there
 * (faulty.c): a device finds its own things elsewhere. */
struct adn_device {
    const adn_device_ops *ops;
};
struct adn_queue {
    adn_device *dev;
    adn_queue_conf conf;
};
struct adn_event {
    adn_device *dev;
};
struct adn_group {
    adn_device *dev; /* of its first member */
    int n;
};
struct adn_layout {
    adn_device *dev;
    adn_type type;
    size_t bytes;           /* of the weight, padding included; it stays zero under updates */
    int o, i, kernel, h, w; /* linear: kernel 0, input [h, w, i] */
    const char *algo;       /* "loops", "panels" (ours), "onednn" */
};
struct adn_op {
    adn_queue *queue;
    adn_op_desc desc;
    size_t workspace_bytes;
    const char *algo;
    const char *detail; /* of what a library chose, for people: "engine 31"; NULL: nothing */
    double macs;        /* multiply-adds of a run by this algorithm; most need adn_op_macs */
    adn_type factor;    /* type of what it multiplies: ADN_F32, or ADN_BF16 */
    adn_tally tally;    /* of its runs so far. The queue counts: read it after a sync */
};

/* Which kind of processor's code the cpu device runs, "v3", and the floats of its vector (may be
 * NULL): the best kind that this machine is, or what ADONIS_ISA names. ADN_BADCONF: it is not. */
adn_status adn_cpu_isa_name(const char **out, int *out_lanes) ADN_MUST_USE;
/* Opens "cpu". The cpu device borrows nothing; close after all else is destroyed. */
adn_status adn_cpu_open(adn_device **out) ADN_MUST_USE;
/* Of the oneDNN that the cpu device runs with: "2.6.3". */
void adn_dnnl_version(char *out, size_t room);

/* A device that passes everything on to `inner` (taken: closing closes both) but lets the n-th call
 * of those that can fail (from adn_faulty_arm on) give ADN_DEVICE without doing anything. For
 * tests. */
adn_status adn_faulty_open(adn_device *inner, adn_device **out) ADN_MUST_USE;
void adn_faulty_arm(adn_device *faulty, int64_t n); /* 0: never */
int64_t adn_faulty_calls(const adn_device *faulty); /* calls since armed */

/* Shorthands. */
static inline adn_status adn_op_run(adn_op *op, const adn_op_args *args)
{
    return op->queue->dev->ops->run(op, args);
}
static inline void adn_op_destroy(adn_op *op)
{
    if (op != NULL) op->queue->dev->ops->op_destroy(op);
}

#endif
