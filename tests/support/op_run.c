/* One operation under guard: all its memory lies in one image, whose other bytes must stay. */
#include "op_run.h"

#include <check.h>
#include <string.h>

#include "core/bf16.h"

enum { GUARD = 256, GUARD_BYTE = 0xa5 }; /* a multiple of 64: roles stay aligned */

typedef struct region {
    size_t at, bytes;
    bool is_there;
} region;

typedef struct image {
    adn_queue *q;
    const op_case *c;
    adn_op_desc desc; /* with the device's layout */
    adn_layout *layout;
    adn_op *op;
    region role[ADN_N_ROLE];
    size_t bytes;
    char *device, *before, *after; /* after: the host's copy of what the device has */
} image;

static const adn_device_ops *ops_of(const image *m)
{
    return m->q->dev->ops;
}

static void must(adn_status st, const image *m, const char *what)
{
    if (st != ADN_OK) ck_abort_msg("%s: %s: %s", op_case_text(m->c), what, adn_status_name(st));
}

static bool is_written(const image *m, adn_role r)
{
    return r == ADN_WORKSPACE || (adn_op_infos[m->desc.kind].role[r] & ADN_WRITE) != 0;
}

static bool is_laid_out(const image *m, adn_role r)
{
    return op_has_layout(m->desc.kind) && (r == ADN_WEIGHT || r == ADN_GRAD_WEIGHT);
}

static void plan(image *m)
{
    adn_op_desc fwd = m->c->desc;

    m->desc = m->c->desc;
    if (op_has_layout(fwd.kind)) {
        fwd.kind = fwd.kind < ADN_OP_LINEAR_FWD ? ADN_OP_CONV_FWD : ADN_OP_LINEAR_FWD;
        fwd.src.n = fwd.dst.n = m->c->layout_n;
        must(ops_of(m)->layout_create(m->q, &fwd, &m->layout), m, "layout");
        m->desc.layout = m->layout;
    }
    must(ops_of(m)->plan(m->q, &m->desc, &m->op), m, "plan");
}

static void place(image *m)
{
    adn_role out, in;

    m->bytes = GUARD;
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        m->role[r].is_there =
            op_case_has(m->c, r) || (r == ADN_WORKSPACE && m->op->workspace_bytes > 0);
        if (!m->role[r].is_there) continue;
        m->role[r].at = m->bytes;
        m->role[r].bytes =
            r == ADN_WORKSPACE ? m->op->workspace_bytes : adn_op_role_bytes(&m->desc, r);
        m->bytes += (m->role[r].bytes + 63) / 64 * 64 + GUARD;
    }
    if (m->c->is_in_place && op_in_place(m->c, &out, &in)) m->role[out] = m->role[in];
}

/* Of a role's real numbers. Sums are doubles in every type. */
static adn_type type_of(const image *m, adn_role r)
{
    if (r == ADN_SUMS) return ADN_F64;
    return adn_op_is_activation(m->desc.kind, r) ? m->desc.type : adn_param_type(m->desc.type);
}

static void put(const image *m, adn_role r, char *to, const op_data *data)
{
    if (!op_is_real(m->c, r)) {
        memcpy(to, data->p[r], m->role[r].bytes);
        return;
    }
    for (size_t k = 0; k < data->count[r]; k++) {
        double v = ((double *)data->p[r])[k];
        if (type_of(m, r) == ADN_F64)
            ((double *)(void *)to)[k] = v;
        else if (type_of(m, r) == ADN_F32)
            ((float *)(void *)to)[k] = (float)v;
        else
            ((adn_bf16 *)(void *)to)[k] = adn_bf16_of((float)v);
    }
}

static void get(const image *m, adn_role r, const char *from, op_data *data)
{
    if (!op_is_real(m->c, r)) {
        memcpy(data->p[r], from, m->role[r].bytes);
        return;
    }
    for (size_t k = 0; k < data->count[r]; k++) {
        double *v = &((double *)data->p[r])[k];
        if (type_of(m, r) == ADN_F64)
            *v = ((const double *)(const void *)from)[k];
        else if (type_of(m, r) == ADN_F32)
            *v = ((const float *)(const void *)from)[k];
        else
            *v = adn_bf16_float(((const adn_bf16 *)(const void *)from)[k]);
    }
}

static void fetch(image *m, char *host)
{
    must(ops_of(m)->download(m->q, host, m->device, m->bytes), m, "download");
    must(ops_of(m)->queue_sync(m->q), m, "sync");
}

/* All of the image as it is before the operation, on the device and in m->before. */
static void fill(image *m, const op_data *data)
{
    adn_role out, in;
    bool shares = m->c->is_in_place && op_in_place(m->c, &out, &in);

    memset(m->before, GUARD_BYTE, m->bytes);
    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        if (m->role[r].is_there && r != ADN_WORKSPACE && !is_laid_out(m, r) &&
            !(shares && r == out))
            put(m, r, m->before + m->role[r].at, data);
    must(ops_of(m)->upload(m->q, m->device, m->before, m->bytes), m, "upload");
    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        if (m->role[r].is_there && is_laid_out(m, r))
            must(ops_of(m)->param_import(m->q, m->layout, m->device + m->role[r].at, data->p[r]), m,
                 "import");
    fetch(m, m->before);
}

static void run(image *m)
{
    adn_op_args args = {{0}, {0}};

    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        if (m->role[r].is_there) args.p[r] = m->device + m->role[r].at;
    memcpy(args.value, m->c->value, sizeof(args.value));
    must(adn_op_run(m->op, &args), m, "run");
    fetch(m, m->after);
}

/* The role whose memory or guard the byte lies in. */
static adn_role owner(const image *m, size_t k)
{
    adn_role best = 0;
    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        if (m->role[r].is_there && m->role[r].at < k + GUARD / 2) best = r;
    return best;
}

/* Outside of what the operation writes, both images are the same. */
static void check_untouched(const image *m)
{
    char *expected = adn_alloc(m->bytes);

    ck_assert_ptr_nonnull(expected);
    memcpy(expected, m->before, m->bytes);
    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        if (m->role[r].is_there && is_written(m, r))
            memcpy(expected + m->role[r].at, m->after + m->role[r].at, m->role[r].bytes);
    bool is_same = memcmp(expected, m->after, m->bytes) == 0;
    for (size_t k = 0; !is_same && k < m->bytes; k++) {
        if (expected[k] == m->after[k]) continue;
        const region *near = &m->role[owner(m, k)];
        ck_abort_msg("%s: byte %lld of role %d was written, of %zu", op_case_text(m->c),
                     (long long)k - (long long)near->at, (int)owner(m, k), near->bytes);
    }
    adn_free(expected);
}

static void run_again(image *m)
{
    char *first = m->after;

    m->after = adn_alloc(m->bytes);
    ck_assert_ptr_nonnull(m->after);
    must(ops_of(m)->upload(m->q, m->device, m->before, m->bytes), m, "upload");
    run(m);
    for (adn_role r = 0; r < ADN_N_ROLE; r++)
        ck_assert_msg(
            !m->role[r].is_there || r == ADN_WORKSPACE ||
                memcmp(first + m->role[r].at, m->after + m->role[r].at, m->role[r].bytes) == 0,
            "%s: two runs give other bytes for role %d", op_case_text(m->c), (int)r);
    adn_free(first);
}

static void bring(image *m, op_data *data)
{
    char *again = adn_alloc(m->bytes);

    ck_assert_ptr_nonnull(again);
    for (adn_role r = 0; r < ADN_N_ROLE; r++) {
        if (!m->role[r].is_there || !is_written(m, r) || r == ADN_WORKSPACE) continue;
        if (!is_laid_out(m, r)) {
            get(m, r, m->after + m->role[r].at, data);
            continue;
        }
        must(ops_of(m)->param_export(m->q, m->layout, data->p[r], m->device + m->role[r].at), m,
             "export");
        must(ops_of(m)->param_import(m->q, m->layout, m->device + m->role[r].at, data->p[r]), m,
             "import");
        fetch(m, again);
        ck_assert_msg(memcmp(again + m->role[r].at, m->after + m->role[r].at, m->role[r].bytes) ==
                          0,
                      "%s: role %d does not come back as it was, or its padding is not zero",
                      op_case_text(m->c), (int)r);
    }
    adn_free(again);
}

const char *op_run(adn_queue *q, const op_case *c, op_data *data)
{
    image m = {.q = q, .c = c};
    int64_t live = adn_alloc_live();
    void *device = NULL;

    plan(&m);
    const char *algo = m.op->algo;
    place(&m);
    must(ops_of(&m)->alloc(q->dev, m.bytes, &device), &m, "alloc");
    m.device = device;
    m.before = adn_alloc(m.bytes);
    m.after = adn_alloc(m.bytes);
    ck_assert(m.before != NULL && m.after != NULL);
    fill(&m, data);
    run(&m);
    check_untouched(&m);
    run_again(&m);
    bring(&m, data);
    adn_op_destroy(m.op);
    ops_of(&m)->layout_destroy(m.layout);
    ops_of(&m)->release(q->dev, device);
    adn_free(m.before);
    adn_free(m.after);
    ck_assert_int_eq(adn_alloc_live(), live);
    return algo;
}
