/* What a plan says of itself, and the text that grows. */
#include "pipeline/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"
#include "core/json.h"
#include "core/thread.h"

typedef struct block_facts {
    adn_net_sizes net;
    adn_shape input, emits;
    int first_unit, last_unit, threads;
} block_facts;

static block_facts facts_of(const adn_plan *p, adn_run *r, int j)
{
    const adn_plan_block *b = &p->blocks[j];
    return (block_facts){.net = adn_net_size(adn_stage_net(adn_run_stage(r, j))),
                         .input = b->spec.input,
                         .emits = b->emits,
                         .first_unit = b->first_unit,
                         .last_unit = b->last_unit,
                         .threads = b->queue.n_thread};
}

static bool is_measured(const adn_plan *p)
{
    return p->blocks[0].predicted_s > 0;
}

/* Speed-up of the pipeline over its stages one after another: sum / max of their times, or of their
 * multiply-adds where nothing was measured. */
static double bound(const adn_plan *p, adn_run *r)
{
    double sum = 0, max = 0;
    for (int j = 0; j < p->n_block; j++) {
        double cost = is_measured(p) ? p->blocks[j].predicted_s : facts_of(p, r, j).net.macs;
        sum += cost;
        max = ADN_MAX(max, cost);
    }
    return max > 0 ? sum / max : 1;
}

static const char *precision_of(adn_type type)
{
    return type == ADN_BF16 ? "bf16" : "fp32";
}

/* Algorithms are told of convolutions and linear layers, forward. */
static bool tells_algo(const adn_op *op)
{
    return op->desc.kind == ADN_OP_CONV_FWD || op->desc.kind == ADN_OP_LINEAR_FWD;
}

static void put_algo(void *user, const char *layer, const adn_op *op)
{
    if (tells_algo(op)) adn_json_string(user, layer, op->algo);
}

static void put_block(adn_json *j, const adn_plan *p, adn_run *r, int b)
{
    block_facts f = facts_of(p, r, b);

    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "block", b);
    adn_json_int(j, "first_unit", f.first_unit);
    adn_json_int(j, "last_unit", f.last_unit);
    adn_json_string(j, "device", "cpu");
    adn_json_int(j, "threads", f.threads);
    if (is_measured(p)) adn_json_number(j, "predicted_ms", 1e3 * p->blocks[b].predicted_s);
    adn_json_number(j, "macs", f.net.macs);
    adn_json_number(j, "head_macs", f.net.head_macs);
    adn_json_int(j, "parameters", f.net.n_param);
    adn_json_int(j, "parameter_bytes", (int64_t)f.net.param_bytes);
    adn_json_int(j, "optimizer_bytes", (int64_t)f.net.param_bytes);
    adn_json_int(j, "gradient_bytes", (int64_t)f.net.grad_bytes);
    adn_json_int(j, "activation_bytes", (int64_t)f.net.activation_bytes);
    adn_json_int(j, "workspace_bytes", (int64_t)f.net.workspace_bytes);
    adn_json_open(j, "algorithms", '{');
    adn_net_ops(adn_stage_net(adn_run_stage(r, b)), put_algo, j);
    adn_json_close(j, '}');
    adn_json_close(j, '}');
}

static void put_edge(adn_json *j, const adn_plan *p, int e)
{
    adn_edge_conf c = adn_plan_edge(p, NULL, e);

    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "edge", e);
    adn_json_int(j, "slots", c.n_slot[ADN_LANE_TRAIN]);
    adn_json_int(j, "test_slots", c.n_slot[ADN_LANE_TEST]);
    adn_json_int(j, "slot_bytes", (int64_t)adn_edge_slot_bytes(&c));
    adn_json_string(j, "policy", "fifo");
    adn_json_close(j, '}');
}

adn_status adn_plan_json(const adn_plan *p, adn_run *r, char **out)
{
    adn_json j = {0};
    const char *isa = NULL;
    adn_status st = adn_cpu_isa_name(&isa, NULL);

    if (st != ADN_OK) return st;
    adn_json_open(&j, NULL, '{');
    adn_json_int(&j, "version", 1);
    adn_json_int(&j, "samples", p->n_train);
    adn_json_int(&j, "test_samples", p->n_test);
    adn_json_int(&j, "classes", p->classes);
    adn_json_int(&j, "batch", p->batch);
    adn_json_int(&j, "epoch_steps", p->epoch_batches);
    adn_json_int(&j, "short_batch", p->short_batch);
    adn_json_string(&j, "isa", isa);
    adn_json_string(&j, "precision", precision_of(p->type));
    adn_json_number(&j, "bound", bound(p, r));
    adn_json_open(&j, "blocks", '[');
    for (int b = 0; b < p->n_block; b++) put_block(&j, p, r, b);
    adn_json_close(&j, ']');
    adn_json_open(&j, "edges", '[');
    for (int e = 0; e < p->n_block; e++) put_edge(&j, p, e);
    adn_json_close(&j, ']');
    adn_json_close(&j, '}');
    return adn_json_give(&j, out);
}

/* Room for n more characters and the end. */
static bool grow(adn_text *t, size_t n)
{
    if (t->failed || t->n + n < t->room) return !t->failed;
    size_t room = ADN_MAX(2 * t->room, t->n + n + 1024);
    char *text = adn_alloc(room);
    t->failed = text == NULL;
    if (t->failed) return false;
    if (t->text != NULL) memcpy(text, t->text, t->n);
    adn_free(t->text);
    t->text = text;
    t->room = room;
    return true;
}

adn_status adn_text_begin(adn_text *t, adn_type type)
{
    const char *isa = NULL;
    int lanes;
    adn_status st = adn_cpu_isa_name(&isa, &lanes);

    *t = (adn_text){0};
    if (st == ADN_OK)
        adn_text_line(t, "processor code %s (%d floats a vector); activations in %s\n", isa, lanes,
                      precision_of(type));
    return st;
}

void adn_text_line(adn_text *t, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    ADN_ASSERT(n >= 0);
    if (grow(t, (size_t)n)) vsnprintf(t->text + t->n, t->room - t->n, fmt, again);
    if (!t->failed) t->n += (size_t)n;
    va_end(again);
    va_end(args);
}

adn_status adn_text_give(adn_text *t, char **out)
{
    if (t->failed) {
        adn_free(t->text);
        *t = (adn_text){0};
        return ADN_FAIL(ADN_NOMEM, "no memory for a report");
    }
    *out = t->text;
    return ADN_OK;
}

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void blocks_table(adn_text *t, const adn_plan *p, adn_run *r, size_t *total)
{
    adn_text_line(t, "block  units   input        emits        MMAC/img  head  params     "
                     "param+optim  activations  workspace  peak MiB  device    threads\n");
    for (int b = 0; b < p->n_block; b++) {
        block_facts f = facts_of(p, r, b);
        char units[16], in[24], to[24];
        size_t state = 2 * f.net.param_bytes + f.net.grad_bytes;
        size_t peak = state + f.net.activation_bytes + f.net.workspace_bytes;
        snprintf(units, sizeof(units), "%d-%d", f.first_unit, f.last_unit);
        snprintf(in, sizeof(in), "%dx%dx%d", f.input.h, f.input.w, f.input.c);
        snprintf(to, sizeof(to), "%dx%dx%d", f.emits.h, f.emits.w, f.emits.c);
        adn_text_line(t,
                      "%-5d  %-6s  %-11s  %-11s  %8.2f  %3.0f%%  %-9lld  %8.1f MiB  %7.1f MiB  "
                      "%5.1f MiB  %8.1f  cpu       %d\n",
                      b, units, in, b == p->n_block - 1 ? "-" : to, f.net.macs * 1e-6,
                      100 * f.net.head_macs / f.net.macs, (long long)f.net.n_param,
                      mib(2 * f.net.param_bytes), mib(f.net.activation_bytes),
                      mib(f.net.workspace_bytes), mib(peak), f.threads);
        *total += peak;
    }
}

static void edges_table(adn_text *t, const adn_plan *p, size_t *total)
{
    adn_text_line(t, "\nedge   slot          MiB/slot  slots  test slots  policy  codec   MiB\n");
    for (int e = 0; e < p->n_block; e++) {
        adn_edge_conf c = adn_plan_edge(p, NULL, e);
        char shape[40];
        size_t bytes = adn_edge_slot_bytes(&c), all = 0;
        for (adn_lane k = 0; k < ADN_N_LANE; k++) all += bytes * (size_t)adn_edge_n_slot(&c, k);
        snprintf(shape, sizeof(shape), "%dx%dx%dx%d", c.shape.n, c.shape.h, c.shape.w, c.shape.c);
        adn_text_line(t, "%-5d  %-13s %8.2f  %5d  %10d  fifo    none  %6.1f\n", e, shape,
                      mib(bytes), c.n_slot[0], c.n_slot[1], mib(all));
        *total += all;
    }
}

struct algo_lines {
    adn_text *t;
    int block;
};

static void algo_line(void *user, const char *layer, const adn_op *op)
{
    struct algo_lines *lines = user;
    if (tells_algo(op)) adn_text_line(lines->t, "%-5d  %-20s  %s\n", lines->block, layer, op->algo);
}

static void algos_table(adn_text *t, const adn_plan *p, adn_run *r)
{
    adn_text_line(t, "\nblock  layer                 algorithm\n");
    for (int b = 0; b < p->n_block; b++) {
        struct algo_lines lines = {t, b};
        adn_net_ops(adn_stage_net(adn_run_stage(r, b)), algo_line, &lines);
    }
}

static void predicted_table(adn_text *t, const adn_plan *p)
{
    int cores[1024], n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores)), slowest;
    double step_s = adn_plan_predict(p, n_core, &slowest);

    adn_text_line(t, "\nblock  units  threads  predicted ms/step\n");
    for (int j = 0; j < p->n_block; j++) {
        const adn_plan_block *b = &p->blocks[j];
        char units[16];
        snprintf(units, sizeof(units), "%d-%d", b->first_unit, b->last_unit);
        adn_text_line(t, "%-5d  %-5s  %7d  %17.2f\n", j, units, b->queue.n_thread,
                      1e3 * b->predicted_s);
    }
    if (step_s > 0)
        adn_text_line(t, "predicted: %.0f img/s; the slowest is block %d\n", p->batch / step_s,
                      slowest);
}

adn_status adn_plan_table(const adn_plan *p, adn_run *r, char **out)
{
    size_t total = 0;
    adn_text t;
    adn_status st = adn_text_begin(&t, p->type);

    if (st != ADN_OK) return st;
    adn_text_line(
        &t,
        "%s: %d training and %d test images of %dx%dx%d, %d classes; batch %d, %d steps an epoch",
        p->conf->data.name, p->n_train, p->n_test, p->image.h, p->image.w, p->image.c, p->classes,
        p->batch, p->epoch_batches);
    if (p->short_batch > 0) adn_text_line(&t, ", the last of %d", p->short_batch);
    adn_text_line(&t, "\n\n");
    blocks_table(&t, p, r, &total);
    edges_table(&t, p, &total);
    algos_table(&t, p, r);
    if (is_measured(p)) predicted_table(&t, p);
    adn_text_line(&t, "\nmemory planned: %.1f MiB\n", mib(total));
    adn_text_line(&t,
                  "speed-up bound (sum / max of block costs, by %s): %.2fx with a device for each "
                  "block\n",
                  is_measured(p) ? "measured times" : "multiply-adds", bound(p, r));
    return adn_text_give(&t, out);
}
