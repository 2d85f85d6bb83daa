/* What a plan says of itself. */
#include "pipeline/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"
#include "core/thread.h"

typedef struct cell {
    char s[24];
} cell;

typedef struct block_facts {
    adn_net_sizes net;
    size_t optim_bytes; /* of the optimizer's states */
    adn_shape input, emits;
    int first_unit, last_unit;
} block_facts;

static block_facts facts_of(const adn_plan *p, adn_run *r, int j)
{
    const adn_plan_block *b = &p->blocks[j];
    adn_net_sizes net = adn_net_size(adn_stage_net(adn_run_stage(r, j), 0));
    size_t n_state = (size_t)adn_optim_n_state(&p->conf->optim);
    return (block_facts){.net = net,
                         .optim_bytes = n_state * net.param_bytes,
                         .input = b->spec.input,
                         .emits = b->emits,
                         .first_unit = b->first_unit,
                         .last_unit = b->last_unit};
}

/* A GPU has none. */
static cell threads_of(const adn_plan_block *b)
{
    cell c = {"-"};
    if (b->gpu == ADN_ON_CPU) snprintf(c.s, sizeof(c.s), "%d", b->queue.n_thread);
    return c;
}

static bool is_measured(const adn_plan *p)
{
    return p->blocks[0].predicted_s > 0;
}

static bool is_virtual(const adn_plan *p)
{
    return p->conf->schedule == ADN_SCHEDULE_VIRTUAL;
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

/* The same by the modelled times of steps. */
static double modelled_bound(const adn_plan *p)
{
    double sum = 0, max = 0;
    for (int j = 0; j < p->n_block; j++) {
        sum += p->blocks[j].step_s;
        max = ADN_MAX(max, p->blocks[j].step_s);
    }
    return sum / max;
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

static void put_columns(adn_json *j, const adn_plan *p, int b)
{
    adn_json_open(j, "replicas", '[');
    for (int k = 0; k < p->n_column; k++) adn_json_string(j, NULL, adn_plan_device(p, k, b).s);
    adn_json_close(j, ']');
}

static void put_block(adn_json *j, const adn_plan *p, adn_run *r, int b)
{
    block_facts f = facts_of(p, r, b);

    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "block", b);
    adn_json_int(j, "first_unit", f.first_unit);
    adn_json_int(j, "last_unit", f.last_unit);
    adn_json_string(j, "device", adn_plan_device(p, 0, b).s);
    if (p->n_column > 1) put_columns(j, p, b);
    if (p->blocks[b].gpu == ADN_ON_CPU) adn_json_int(j, "threads", p->blocks[b].queue.n_thread);
    if (is_measured(p)) adn_json_number(j, "predicted_ms", 1e3 * p->blocks[b].predicted_s);
    adn_json_number(j, "macs", f.net.macs);
    adn_json_number(j, "head_macs", f.net.head_macs);
    adn_json_int(j, "parameters", f.net.n_param);
    adn_json_int(j, "parameter_bytes", (int64_t)f.net.param_bytes);
    adn_json_int(j, "optimizer_bytes", (int64_t)f.optim_bytes);
    adn_json_int(j, "gradient_bytes", (int64_t)f.net.grad_bytes);
    adn_json_int(j, "activation_bytes", (int64_t)f.net.activation_bytes);
    adn_json_int(j, "workspace_bytes", (int64_t)f.net.workspace_bytes);
    if (is_virtual(p)) adn_json_number(j, "step_s", p->blocks[b].step_s);
    adn_json_open(j, "algorithms", '{');
    adn_net_ops(adn_stage_net(adn_run_stage(r, b), 0), put_algo, j);
    adn_json_close(j, '}');
    if (p->blocks[b].gpu != ADN_ON_CPU) adn_put_convs(j, r, b);
    adn_json_close(j, '}');
}

static const char *policy_of(const adn_edge_conf *c)
{
    return adn_config_word("edge.policy", (int)c->replay.policy);
}

static const char *when_full_of(const adn_edge_conf *c)
{
    return adn_config_word("edge.when_full", (int)c->replay.when_full);
}

/* Slots beside those of the config: in use while others are written and read, or on a modelled
 * link. */
static int n_spare(const adn_edge_conf *c)
{
    return adn_edge_n_slot(c, ADN_LANE_TRAIN) - c->n_slot[ADN_LANE_TRAIN];
}

static size_t edge_bytes(const adn_edge_conf *c)
{
    size_t n = 0;
    for (adn_lane k = 0; k < ADN_N_LANE; k++) n += (size_t)adn_edge_n_slot(c, k);
    return n * adn_edge_slot_bytes(c);
}

/* Of reads of a slot: fifo never reads twice. */
static int64_t max_reuse_of(const adn_edge_conf *c)
{
    return c->replay.policy == ADN_REPLAY_FIFO ? 1 : c->replay.max_reuse;
}

static void put_limit(adn_json *j, const char *key, int64_t limit)
{
    if (limit > 0)
        adn_json_int(j, key, limit);
    else
        adn_json_string(j, key, "inf");
}

static void put_link(adn_json *j, const adn_plan *p, int e)
{
    const adn_link_conf *l = &p->blocks[e].link;

    adn_json_number(j, "delay_s", l->delay_s);
    adn_json_number(j, "bandwidth_bit_s", l->bandwidth > 0 ? l->bandwidth : NAN);
    adn_json_number(j, "transfer_s", adn_plan_transfer_s(p, e));
    adn_json_number(j, "loss", l->loss);
}

static void put_edge(adn_json *j, const adn_plan *p, int e)
{
    adn_edge_conf c = adn_plan_edge(p, e);

    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "edge", e);
    adn_json_int(j, "slots", c.n_slot[ADN_LANE_TRAIN]);
    adn_json_int(j, "spare_slots", n_spare(&c));
    adn_json_int(j, "test_slots", c.n_slot[ADN_LANE_TEST]);
    adn_json_int(j, "slot_bytes", (int64_t)adn_edge_slot_bytes(&c));
    adn_json_int(j, "bytes", (int64_t)edge_bytes(&c));
    adn_json_string(j, "place", adn_config_word("edge.place", (int)c.place));
    if (e > 0)
        adn_json_string(j, "link", adn_config_word("edge.link", (int)p->blocks[e].edge.link));
    adn_json_string(j, "policy", policy_of(&c));
    adn_json_string(j, "when_full", when_full_of(&c));
    put_limit(j, "max_reuse", max_reuse_of(&c));
    put_limit(j, "max_age", c.replay.max_age);
    adn_json_string(j, "emit", adn_config_word("edge.emit", e > 0 && p->blocks[e].edge.emit_fresh));
    if (is_virtual(p) && e > 0) put_link(j, p, e);
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
    adn_json_int(&j, "replicas", p->n_column);
    adn_json_int(&j, "epoch_steps", p->epoch_steps);
    adn_json_int(&j, "short_batch", p->short_batch);
    adn_json_int(&j, "resident_bytes", adn_run_is_resident(r) ? (int64_t)adn_resident_bytes(p) : 0);
    adn_json_string(&j, "isa", isa);
    adn_json_string(&j, "precision", adn_text_precision(p));
    adn_json_string(&j, "mode", adn_config_word("mode", (int)p->conf->mode));
    adn_json_string(&j, "schedule", adn_config_word("schedule", (int)p->conf->schedule));
    adn_json_number(&j, "bound", bound(p, r));
    if (is_virtual(p)) adn_json_number(&j, "modelled_bound", modelled_bound(p));
    if (p->gpu_model != NULL) adn_put_planned(&j, p, r);
    adn_json_open(&j, "blocks", '[');
    for (int b = 0; b < p->n_block; b++) put_block(&j, p, r, b);
    adn_json_close(&j, ']');
    adn_json_open(&j, "edges", '[');
    for (int e = 0; e < p->n_block; e++) put_edge(&j, p, e);
    adn_json_close(&j, ']');
    if (p->blocks[0].gpu != ADN_ON_CPU) adn_put_choices(&j, r);
    adn_json_close(&j, '}');
    return adn_json_give(&j, out);
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
        size_t state = f.net.param_bytes + f.optim_bytes + f.net.grad_bytes;
        size_t peak = state + f.net.activation_bytes + f.net.workspace_bytes;
        snprintf(units, sizeof(units), "%d-%d", f.first_unit, f.last_unit);
        snprintf(in, sizeof(in), "%dx%dx%d", f.input.h, f.input.w, f.input.c);
        snprintf(to, sizeof(to), "%dx%dx%d", f.emits.h, f.emits.w, f.emits.c);
        adn_text_line(t,
                      "%-5d  %-6s  %-11s  %-11s  %8.2f  %3.0f%%  %-9lld  %8.1f MiB  %7.1f MiB  "
                      "%5.1f MiB  %8.1f  %-8s  %s\n",
                      b, units, in, b == p->n_block - 1 ? "-" : to, f.net.macs * 1e-6,
                      100 * f.net.head_macs / f.net.macs, (long long)f.net.n_param,
                      mib(f.net.param_bytes + f.optim_bytes), mib(f.net.activation_bytes),
                      mib(f.net.workspace_bytes), mib(peak), adn_plan_device(p, 0, b).s,
                      threads_of(&p->blocks[b]).s);
        *total += peak;
    }
}

static cell limit(int64_t n)
{
    cell c = {"inf"};
    if (n > 0) snprintf(c.s, sizeof(c.s), "%lld", (long long)n);
    return c;
}

static void edges_table(adn_text *t, const adn_plan *p, size_t *total)
{
    adn_text_line(t, "\nedge   slot          MiB/slot  slots  spare  test  policy               "
                     "when_full    max_reuse  max_age  codec  place       MiB\n");
    for (int e = 0; e < p->n_block; e++) {
        adn_edge_conf c = adn_plan_edge(p, e);
        char shape[40];
        size_t all = edge_bytes(&c);
        snprintf(shape, sizeof(shape), "%dx%dx%dx%d", c.shape.n, c.shape.h, c.shape.w, c.shape.c);
        adn_text_line(
            t, "%-5d  %-13s %8.2f  %5d  %5d  %4d  %-19s  %-11s  %9s  %7s  none   %-6s  %7.1f\n", e,
            shape, mib(adn_edge_slot_bytes(&c)), c.n_slot[ADN_LANE_TRAIN], n_spare(&c),
            c.n_slot[ADN_LANE_TEST], policy_of(&c), when_full_of(&c), limit(max_reuse_of(&c)).s,
            limit(c.replay.max_age).s, adn_config_word("edge.place", (int)c.place), mib(all));
        if (c.place != ADN_EDGE_FILE) *total += all;
    }
}

/* What the virtual schedule takes for the time that steps and links need. */
static void times_table(adn_text *t, const adn_plan *p)
{
    const adn_chaos_conf *c = &p->conf->chaos;

    adn_text_line(t,
                  "\nmodelled time (schedule virtual, draw %s): seconds of a model, not measured\n"
                  "block  step s      the link into it: delay s  Mbit/s      transfer s  loss\n",
                  adn_config_word("draw", (int)p->conf->draw));
    for (int b = 0; b < p->n_block; b++) {
        const adn_link_conf *l = &p->blocks[b].link;
        cell rate = {"inf"};
        adn_text_line(t, "%-5d  %-10.4g", b, p->blocks[b].step_s);
        if (l->bandwidth > 0) snprintf(rate.s, sizeof(rate.s), "%.4g", l->bandwidth * 1e-6);
        if (b > 0)
            adn_text_line(t, "  %-25.4g  %-10s  %-10.4g  %.4g", l->delay_s, rate.s,
                          adn_plan_transfer_s(p, b), l->loss);
        adn_text_line(t, "\n");
    }
    if (c->spread > 0)
        adn_text_line(t, "a step takes from %.4g to %.4g of its time, drawn\n", 1 - c->spread,
                      1 + c->spread);
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
        adn_net_ops(adn_stage_net(adn_run_stage(r, b), 0), algo_line, &lines);
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
        adn_text_line(t, "%-5d  %-5s  %7s  %17.2f\n", j, units, threads_of(b).s,
                      1e3 * b->predicted_s);
    }
    if (step_s > 0)
        adn_text_line(t, "predicted: %.0f img/s; the slowest is block %d\n",
                      p->batch * p->n_column / step_s, slowest);
}

static void columns_table(adn_text *t, const adn_plan *p)
{
    adn_text_line(t, "%d replicas, %d images a step; what follows is of one\n", p->n_column,
                  p->n_column * p->batch);
    for (int k = 1; k < p->n_column && p->blocks[0].gpu != ADN_ON_CPU; k++) {
        adn_text_line(t, "replica %d:", k);
        for (int b = 0; b < p->n_block; b++)
            adn_text_line(t, " block %d on %s%s", b, adn_plan_device(p, k, b).s,
                          b == p->n_block - 1 ? "\n" : ",");
    }
}

adn_status adn_plan_table(const adn_plan *p, adn_run *r, char **out)
{
    size_t total = 0;
    adn_text t;
    adn_status st = adn_text_begin(&t, p);

    if (st != ADN_OK) return st;
    adn_text_line(
        &t,
        "%s: %d training and %d test images of %dx%dx%d, %d classes; batch %d, %d steps an epoch",
        p->conf->data.name, p->n_train, p->n_test, p->image.h, p->image.w, p->image.c, p->classes,
        p->batch, p->epoch_steps);
    if (p->short_batch > 0) adn_text_line(&t, ", the last of %d", p->short_batch);
    adn_text_line(&t, "\n");
    if (p->n_column > 1) columns_table(&t, p);
    adn_text_line(&t, "\n");
    blocks_table(&t, p, r, &total);
    edges_table(&t, p, &total);
    if (adn_run_is_resident(r)) {
        total += adn_resident_bytes(p);
        adn_text_line(&t,
                      "\nresident: the data set is in the memory of block 0's GPU, %.1f MiB%s\n",
                      mib(adn_resident_bytes(p)), p->n_column > 1 ? " a replica" : "");
    }
    if (is_virtual(p)) times_table(&t, p);
    if (p->blocks[0].gpu == ADN_ON_CPU)
        algos_table(&t, p, r);
    else
        adn_text_convs(&t, p, r);
    if (is_measured(p)) predicted_table(&t, p);
    adn_text_line(&t, "\nmemory planned: %.1f MiB", mib(total) * p->n_column);
    if (p->n_column > 1) adn_text_line(&t, ", %.1f MiB a replica", mib(total));
    adn_text_line(&t, "\n");
    adn_text_line(&t,
                  "speed-up bound (sum / max of block costs, by %s): %.2fx with a device for each "
                  "block\n",
                  is_measured(p) ? "measured times" : "multiply-adds", bound(p, r));
    if (is_virtual(p))
        adn_text_line(&t, "speed-up bound by modelled step times: %.2fx\n", modelled_bound(p));
    if (p->gpu_model != NULL) adn_text_planned(&t, p, r);
    return adn_text_give(&t, out);
}
