/* The cpu device's inside: planned operations, the ordered lists of ways to run them, the queue.
 * Private to src/device/cpu. */
#ifndef ADN_CPU_H
#define ADN_CPU_H

#include "core/bf16.h"
#include "device/device.h"

typedef struct adn_cpu_op adn_cpu_op;
struct adn_cpu_op {
    adn_op base;
    /* Runs on the worker with its team (omp_get_max_threads() is the team's size there). */
    adn_status (*run)(const adn_cpu_op *op, const adn_op_args *args);
    void *impl; /* of the way chosen: primitives and the like; NULL if it needs none */
    void (*impl_free)(void *impl);
};

typedef struct adn_cpu_layout adn_cpu_layout;
struct adn_cpu_layout {
    adn_layout base;
    void *impl; /* of the family that made it; NULL: the loops' order, [o][kernel][kernel][i];
                   linear [o][h][w][i] */
    void (*impl_free)(void *impl);
    /* Between PyTorch's order (doubles) and this layout. */
    adn_status (*import_)(const adn_cpu_layout *l, void *dst, const double *src);
    adn_status (*export_)(const adn_cpu_layout *l, double *dst, const void *src);
};

/* A way to run a kind of operation. plan fills op->run (and impl, base.workspace_bytes, base.algo),
 * on the worker; it may change base.macs. ADN_END: not for this descriptor, ask the next one. op is
 * zeroed but for base.desc, base.queue and base.macs. */
typedef struct adn_cpu_way {
    const char *algo;
    adn_status (*plan)(adn_cpu_op *op);
} adn_cpu_way;

/* What the hot files give for one kind of processor (cpu_ways.c). */
typedef struct adn_cpu_isa {
    const char *name; /* "v3": x86-64-v3, AVX2; "v4": AVX-512; "amx": v4 and tiles; "portable" */
    int lanes;        /* floats of a vector */
    /* By kind, in order of preference, the loops last; of operations over bf16. */
    const adn_cpu_way *const *ways, *const *ways_bf16;
    /* Fill a layout for this forward descriptor, whose type is that of parameters, in order of
     * preference; ADN_END likewise. The second: for operations over bf16. */
    adn_status (*const *layouts)(adn_cpu_layout *l, const adn_op_desc *fwd);
    adn_status (*const *layouts_bf16)(adn_cpu_layout *l, const adn_op_desc *fwd);
    float (*peak)(int rounds);      /* fast.h */
    float (*peak_bf16)(int rounds); /* amx_tile.h; NULL: bf16 are widened */
    void (*moments)(double *sums, const float *x, size_t n, size_t c, float *parts);
    size_t moments_rows; /* fast_moments.h: a part for so many rows */
    void (*widen)(float *dst, const adn_bf16 *src, size_t n);
    void (*narrow)(adn_bf16 *dst, const float *src, size_t n);
} adn_cpu_isa;

/* cpu_isa.c: the k-th best that this machine runs (NULL: no more); the best, or what ADONIS_ISA
 * names. */
const adn_cpu_isa *adn_cpu_isa_at(int k);
adn_status adn_cpu_isa_choose(const adn_cpu_isa **out) ADN_MUST_USE;

typedef struct adn_cpu_device {
    adn_device base;
    const adn_cpu_isa *isa;
} adn_cpu_device;

/* The loops, compiled for float and double (ref_*.c): the truth that everything is compared with.
 */
typedef void (*adn_ref_fn)(const adn_op_desc *d, const adn_op_args *args);
adn_ref_fn adn_ref_float(adn_op_kind kind);
adn_ref_fn adn_ref_double(adn_op_kind kind);
adn_status
adn_ref_plan(adn_cpu_op *op); /* the loops as a way: takes every descriptor in the loops' layout */
adn_status adn_ref_layout(adn_cpu_layout *l, const adn_op_desc *fwd);

/* cpu_widen.c: operations over bf16 by the first way that takes them over floats. */
adn_status adn_widen_plan(adn_cpu_op *op);
/* cpu.c: plans op by the first of the ways that takes it, on the worker. */
adn_status adn_cpu_choose(const adn_cpu_way *const *ways, adn_cpu_op *op) ADN_MUST_USE;

/* cpu_group.c. Elements from `first` to before `end` of arrays that become their mean. */
typedef struct adn_cpu_mean {
    void *arrays[ADN_MAX_REPLICAS];
    int n;
    adn_type type;
    size_t first, end;
} adn_cpu_mean;
void adn_cpu_mean_run(const adn_cpu_mean *m); /* on the worker, with its team */
adn_status adn_cpu_group_create(adn_queue *const *queues, int n, adn_group **out);
void adn_cpu_group_destroy(adn_group *g);
adn_status adn_cpu_group_mean(adn_group *g, adn_event *const *ready, void *const *arrays,
                              adn_type type, size_t count);
adn_status adn_cpu_group_join(adn_group *g);
adn_status adn_cpu_group_send(adn_group *g, void *dst, const void *src, size_t bytes);

/* queue.c. Commands are copied in; a full queue makes the host wait. */
adn_status adn_cpu_queue_create(adn_device *dev, const adn_queue_conf *conf, adn_queue **out);
void adn_cpu_queue_destroy(adn_queue *q);
adn_status adn_cpu_queue_sync(adn_queue *q);
adn_status adn_cpu_queue_profile(adn_queue *q, adn_profile *out);
adn_status adn_cpu_queue_run(adn_cpu_op *op, const adn_op_args *args);
adn_status adn_cpu_queue_copy(adn_queue *q, void *dst, const void *src, size_t bytes);
adn_status adn_cpu_queue_fill(adn_queue *q, void *dst, int byte, size_t bytes);
adn_status adn_cpu_queue_mean(adn_queue *q, const adn_cpu_mean *m);
double
adn_cpu_work_s(int n_thread); /* on the worker: seconds of work of a team of that size so far */
adn_status adn_cpu_queue_rates(adn_queue *q, adn_rates *out); /* cpu_rates.c */
const adn_cpu_isa *adn_cpu_queue_isa(const adn_queue *q);     /* of the device that made it */
/* Runs fn(user) on the worker, in order, and waits for it: planning. Gives what fn returned. */
adn_status adn_cpu_queue_call(adn_queue *q, adn_status (*fn)(void *user), void *user);
adn_status adn_cpu_event_create(adn_device *dev, adn_event **out);
void adn_cpu_event_destroy(adn_event *e);
adn_status adn_cpu_event_record(adn_queue *q, adn_event *e);
adn_status adn_cpu_event_wait(adn_queue *q, adn_event *e);
adn_status adn_cpu_event_sync(adn_event *e);
bool adn_cpu_event_query(const adn_event *e);

#endif
