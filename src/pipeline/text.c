/* What a plan and a machine say of themselves. */
#include "pipeline/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/json.h"
#include "core/thread.h"

#ifndef ADN_VERSION
#define ADN_VERSION "unknown"
#endif

const char *adn_version(void)
{
    return ADN_VERSION;
}

static adn_status give(adn_json *j, char **out)
{
    if (j->failed) {
        adn_json_clear(j);
        return ADN_FAIL(ADN_NOMEM, "no memory for a report");
    }
    *out = j->text;
    return ADN_OK;
}

static void cpu_model(char *out, size_t room)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    snprintf(out, room, "unknown");
    if (f == NULL) return;
    while (fgets(line, sizeof(line), f) != NULL) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
        value[strcspn(value, "\n")] = '\0';
        snprintf(out, room, "%s", value + 2);
        break;
    }
    fclose(f);
}

adn_status adn_env_json(char **out)
{
    adn_json j = {0};
    struct utsname u = {0};
    char model[200];
    int cores[1024];

    uname(&u);
    cpu_model(model, sizeof(model));
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "adonis", ADN_VERSION);
    adn_json_string(&j, "compiler", __VERSION__);
    adn_json_string(&j, "system", u.sysname);
    adn_json_string(&j, "release", u.release);
    adn_json_string(&j, "machine", u.machine);
    adn_json_string(&j, "host", u.nodename);
    adn_json_string(&j, "cpu", model);
    adn_json_int(&j, "cores", adn_cores_allowed(cores, (int)ADN_COUNT(cores)));
    adn_json_int(&j, "memory_mib",
                 (int64_t)sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024);
    adn_json_close(&j, '}');
    return give(&j, out);
}

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

static double sum_of(const block_facts *f)
{
    return f->net.macs;
}

/* Speed-up of the pipeline over its stages one after another, by multiply-adds: sum / max. */
static double bound(const adn_plan *p, adn_run *r)
{
    double sum = 0, max = 0;
    for (int j = 0; j < p->n_block; j++) {
        block_facts f = facts_of(p, r, j);
        sum += sum_of(&f);
        max = ADN_MAX(max, sum_of(&f));
    }
    return max > 0 ? sum / max : 1;
}

static void put_algo(void *user, const char *layer, const adn_op *op)
{
    if (op->desc.kind == ADN_OP_CONV_FWD || op->desc.kind == ADN_OP_LINEAR_FWD)
        adn_json_string(user, layer, op->algo);
}

adn_status adn_plan_json(const adn_plan *p, adn_run *r, char **out)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    adn_json_int(&j, "version", 1);
    adn_json_int(&j, "samples", p->n_train);
    adn_json_int(&j, "test_samples", p->n_test);
    adn_json_int(&j, "classes", p->classes);
    adn_json_int(&j, "batch", p->batch);
    adn_json_int(&j, "epoch_steps", p->epoch_batches);
    adn_json_int(&j, "short_batch", p->short_batch);
    adn_json_number(&j, "bound", bound(p, r));
    adn_json_open(&j, "blocks", '[');
    for (int b = 0; b < p->n_block; b++) {
        block_facts f = facts_of(p, r, b);
        adn_json_newline(&j);
        adn_json_open(&j, NULL, '{');
        adn_json_int(&j, "block", b);
        adn_json_int(&j, "first_unit", f.first_unit);
        adn_json_int(&j, "last_unit", f.last_unit);
        adn_json_string(&j, "device", "cpu");
        adn_json_int(&j, "threads", f.threads);
        adn_json_number(&j, "macs", f.net.macs);
        adn_json_number(&j, "head_macs", f.net.head_macs);
        adn_json_int(&j, "parameters", f.net.n_param);
        adn_json_int(&j, "parameter_bytes", (int64_t)f.net.param_bytes);
        adn_json_int(&j, "optimizer_bytes", (int64_t)f.net.param_bytes);
        adn_json_int(&j, "gradient_bytes", (int64_t)f.net.grad_bytes);
        adn_json_int(&j, "activation_bytes", (int64_t)f.net.activation_bytes);
        adn_json_int(&j, "workspace_bytes", (int64_t)f.net.workspace_bytes);
        adn_json_open(&j, "algorithms", '{');
        adn_net_ops(adn_stage_net(adn_run_stage(r, b)), put_algo, &j);
        adn_json_close(&j, '}');
        adn_json_close(&j, '}');
    }
    adn_json_close(&j, ']');
    adn_json_open(&j, "edges", '[');
    for (int e = 0; e < p->n_block; e++) {
        adn_edge_conf c = adn_plan_edge(p, NULL, e);
        adn_json_newline(&j);
        adn_json_open(&j, NULL, '{');
        adn_json_int(&j, "edge", e);
        adn_json_int(&j, "slots", c.n_slot[ADN_LANE_TRAIN]);
        adn_json_int(&j, "test_slots", c.n_slot[ADN_LANE_TEST]);
        adn_json_int(&j, "slot_bytes", (int64_t)adn_edge_slot_bytes(&c));
        adn_json_string(&j, "policy", "fifo");
        adn_json_close(&j, '}');
    }
    adn_json_close(&j, ']');
    adn_json_close(&j, '}');
    return give(&j, out);
}

void adn_text_line(adn_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->text + t->n, sizeof(t->text) - t->n, fmt, args);
    va_end(args);
    if (n > 0) t->n = ADN_MIN(t->n + (size_t)n, sizeof(t->text) - 1);
}

adn_status adn_text_give(adn_text *t, char **out)
{
    char *text = adn_strdup(t->text);
    adn_free(t);
    if (text == NULL) return ADN_FAIL(ADN_NOMEM, "no memory for a report");
    *out = text;
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

adn_status adn_plan_table(const adn_plan *p, adn_run *r, char **out)
{
    size_t total = 0;
    adn_text *t = adn_alloc(sizeof(*t));

    if (t == NULL) return ADN_FAIL(ADN_NOMEM, "no memory for a report");
    adn_text_line(
        t,
        "%s: %d training and %d test images of %dx%dx%d, %d classes; batch %d, %d steps an epoch",
        p->conf->data.name, p->n_train, p->n_test, p->image.h, p->image.w, p->image.c, p->classes,
        p->batch, p->epoch_batches);
    if (p->short_batch > 0) adn_text_line(t, ", the last of %d", p->short_batch);
    adn_text_line(t, "\n\n");
    blocks_table(t, p, r, &total);
    adn_text_line(t, "\nedge   slot          MiB/slot  slots  test slots  policy  codec   MiB\n");
    for (int e = 0; e < p->n_block; e++) {
        adn_edge_conf c = adn_plan_edge(p, NULL, e);
        char shape[40];
        size_t bytes = adn_edge_slot_bytes(&c), all = bytes * (size_t)(c.n_slot[0] + c.n_slot[1]);
        snprintf(shape, sizeof(shape), "%dx%dx%dx%d", c.shape.n, c.shape.h, c.shape.w, c.shape.c);
        adn_text_line(t, "%-5d  %-13s %8.2f  %5d  %10d  fifo    none  %6.1f\n", e, shape,
                      mib(bytes), c.n_slot[0], c.n_slot[1], mib(all));
        total += all;
    }
    adn_text_line(t, "\nmemory planned: %.1f MiB\n", mib(total));
    adn_text_line(t,
                  "speed-up bound (sum / max of block costs, by multiply-adds): %.2fx with a "
                  "device for each block\n",
                  bound(p, r));
    return adn_text_give(t, out);
}
