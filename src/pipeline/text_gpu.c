/* What a plan on GPUs says beside: what cuDNN chose for each convolution, and for GPUs that are not
 * here how much of their memory a run takes, and what such a plan is worth. */
#include "core/core.h"
#include "core/log.h"
#include "device/cuda.h"
#include "pipeline/inside.h"
#include "pipeline/text.h"

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* ---- convolutions, each pass */

static bool is_conv(const adn_op *op)
{
    return op->desc.kind >= ADN_OP_CONV_FWD && op->desc.kind <= ADN_OP_CONV_GRAD_PARAM;
}

static const char *detail_of(const adn_op *op)
{
    return op->detail != NULL ? op->detail : "";
}

struct conv_lines {
    adn_text *t;
    int block;
};

static void conv_line(void *user, const char *layer, const adn_op *op)
{
    struct conv_lines *lines = user;

    if (is_conv(op))
        adn_text_line(lines->t, "%-5d  %-20s  %-15s  %13.1f  %s%s%s\n", lines->block, layer,
                      adn_op_infos[op->desc.kind].name, mib(op->workspace_bytes), op->algo,
                      op->detail != NULL ? ", " : "", detail_of(op));
}

void adn_text_convs(adn_text *t, const adn_plan *p, adn_run *r)
{
    adn_text_line(t, "\nblock  layer                 pass             workspace MiB  algorithm\n");
    for (int b = 0; b < p->n_block; b++) {
        struct conv_lines lines = {t, b};
        adn_net_ops(adn_stage_net(adn_run_stage(r, b), 0), conv_line, &lines);
    }
}

static void put_conv(void *user, const char *layer, const adn_op *op)
{
    adn_json *j = user;

    if (!is_conv(op)) return;
    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_string(j, "layer", layer);
    adn_json_string(j, "pass", adn_op_infos[op->desc.kind].name);
    adn_json_string(j, "algorithm", op->algo);
    adn_json_string(j, "detail", detail_of(op));
    adn_json_int(j, "workspace_bytes", (int64_t)op->workspace_bytes);
    adn_json_close(j, '}');
}

void adn_put_convs(adn_json *j, adn_run *r, int block)
{
    adn_json_open(j, "convolutions", '[');
    adn_net_ops(adn_stage_net(adn_run_stage(r, block), 0), put_conv, j);
    adn_json_close(j, ']');
}

static void put_choice(void *user, const char *key, const char *choice)
{
    adn_json_newline(user);
    adn_json_string(user, key, choice);
}

void adn_put_choices(adn_json *j, adn_run *r)
{
    adn_choices *choices = adn_cuda_choices_of(r->devs[0]);

    if (choices == NULL) return;
    adn_json_open(j, "choices", '{');
    adn_choices_each(choices, put_choice, j);
    adn_json_close(j, '}');
}

/* ---- GPUs that are not here */

typedef struct gpu {
    adn_device_name name;
    adn_cuda_planned planned;
} gpu;

/* The run's GPUs, in the order of its blocks: the i-th. False: there are no more. */
static bool gpu_at(const adn_plan *p, const adn_run *r, int i, gpu *out)
{
    int n = p->n_column * p->n_block;

    for (int k = 0; k < n; k++) {
        int first = 0;
        while (r->devs[first] != r->devs[k]) first++;
        if (first < k || i-- > 0) continue;
        out->name = adn_plan_device(p, k / p->n_block, k % p->n_block);
        out->planned = adn_cuda_planned_of(r->devs[k]);
        return true;
    }
    return false;
}

static int count_without(const adn_plan *p, const adn_run *r)
{
    gpu g;
    int n = 0;

    for (int i = 0; gpu_at(p, r, i, &g); i++) n += g.planned.n_without;
    return n;
}

void adn_text_planned(adn_text *t, const adn_plan *p, adn_run *r)
{
    char versions[160];
    int n_without = count_without(p, r);
    gpu g;

    adn_cuda_versions(versions, sizeof(versions));
    adn_text_line(t, "\n");
    for (int i = 0; gpu_at(p, r, i, &g); i++)
        adn_text_line(t, "%s: %.1f of %.1f MiB, with what cuBLAS works in%s\n", g.name.s,
                      mib(g.planned.bytes), mib(p->gpu_model->bytes),
                      g.planned.bytes > p->gpu_model->bytes
                          ? ": DOES NOT FIT"
                          : "; the driver, kernels and libraries take some more");
    if (n_without > 0)
        adn_text_line(t,
                      "cuDNN has no plan for %d operations, counted for each size of batch: those "
                      "where the table says none, or of batches that it does not show\n",
                      n_without);
    (void)gpu_at(p, r, 0, &g);
    if (!g.planned.compiles)
        adn_text_line(
            t, "There is no libcuda.so.1 here, without which cuDNN compiles nothing: it has more "
               "plans where there is one, and may take others. A driver brings it; tests/cudalab "
               "builds one to plan with.\n");
    adn_text_line(
        t,
        "Nothing was measured, and no GPU took part: planned for the %s by its properties "
        "alone, with %s.\n",
        p->gpu_model->full_name, versions);
}

void adn_put_planned(adn_json *j, const adn_plan *p, adn_run *r)
{
    gpu g;

    (void)gpu_at(p, r, 0, &g);
    adn_json_open(j, "gpu", '{');
    adn_json_string(j, "model", p->gpu_model->name);
    adn_json_string(j, "name", p->gpu_model->full_name);
    adn_json_bool(j, "is_here", false);
    adn_json_bool(j, "is_measured", false);
    adn_json_bool(j, "compiles", g.planned.compiles);
    adn_json_int(j, "without_plan", count_without(p, r));
    adn_json_int(j, "memory_bytes", (int64_t)p->gpu_model->bytes);
    adn_json_open(j, "devices", '[');
    for (int i = 0; gpu_at(p, r, i, &g); i++) {
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "device", g.name.s);
        adn_json_int(j, "bytes", (int64_t)g.planned.bytes);
        adn_json_bool(j, "fits", g.planned.bytes <= p->gpu_model->bytes);
        adn_json_close(j, '}');
    }
    adn_json_close(j, ']');
    adn_json_close(j, '}');
}

adn_status adn_planned_check(const adn_plan *p, adn_run *r)
{
    int n_without = count_without(p, r);
    gpu g;

    for (int i = 0; gpu_at(p, r, i, &g); i++)
        if (g.planned.bytes > p->gpu_model->bytes)
            return ADN_FAIL(ADN_NOMEM,
                            "%s: a run needs %.0f MiB, and this model, %s, has %.0f: lower "
                            "data.batch, edge.slots or the blocks on this GPU",
                            g.name.s, mib(g.planned.bytes), p->gpu_model->name,
                            mib(p->gpu_model->bytes));
    if (n_without > 0)
        return ADN_FAIL(ADN_DEVICE, "%s: cuDNN has no plan for %d operations%s", p->gpu_model->name,
                        n_without,
                        g.planned.compiles ? ""
                                           : ": it compiles some, but not without a libcuda.so.1 "
                                             "(a driver's, or that of tests/cudalab)");
    return ADN_OK;
}
