/* `adonis bench net`: the whole pipeline for some steps, and what each operation took of them. */
#include "pipeline/bench.h"

#include <sys/resource.h>
#include <time.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/thread.h"
#include "pipeline/devices.h"

typedef struct bench {
    adn_dataset_pair data;
    adn_plan plan;
    adn_devices devices;
    adn_run *run; /* the measured one */
    adn_bench result;
} bench;

void adn_bench_add(adn_bench_row *sum, const adn_bench_row *row)
{
    sum->runs += row->runs;
    sum->seconds += row->seconds;
    sum->macs += row->macs;
    sum->bytes += row->bytes;
    sum->floor_s += row->floor_s;
}

static void put_row(adn_bench_block *b, const adn_bench_row *row)
{
    if (row->runs == 0) return;
    b->rows[b->n_row++] = *row;
    adn_bench_add(&b->sum, row);
}

static void count_op(void *user, const char *layer, const adn_op *op)
{
    (void)layer;
    (void)op;
    ++*(size_t *)user;
}

static void take_op(void *user, const char *layer, const adn_op *op)
{
    adn_bench_block *b = user;
    double runs = (double)op->tally.runs, bytes = runs * adn_op_bytes(&op->desc);
    double macs_s = op->factor == ADN_BF16 ? b->rates.macs_bf16_s : b->rates.macs_s;
    adn_bench_row row = {.layer = layer,
                         .algo = op->algo,
                         .kind = (int)op->desc.kind,
                         .runs = op->tally.runs,
                         .seconds = op->tally.seconds,
                         .macs = runs * adn_op_macs(&op->desc),
                         .bytes = bytes,
                         .floor_s =
                             ADN_MAX(runs * op->macs / macs_s, bytes / b->rates.copy_bytes_s)};
    put_row(b, &row);
}

/* What stage s did between two looks at its queue. Its operations are counted from its creation. */
static adn_status take_rows(const adn_stage *s, const adn_profile *then, const adn_profile *now,
                            adn_bench_block *b)
{
    size_t n = 1;
    adn_bench_row copies = {.layer = "",
                            .algo = "",
                            .kind = ADN_BENCH_COPY,
                            .runs = now->copies.runs - then->copies.runs,
                            .seconds = now->copies.seconds - then->copies.seconds,
                            .bytes = now->copy_bytes - then->copy_bytes};

    adn_stage_ops(s, count_op, &n);
    b->rows = adn_alloc(n * sizeof(*b->rows));
    if (b->rows == NULL) return ADN_FAIL(ADN_NOMEM, "bench: no memory");
    adn_stage_ops(s, take_op, b);
    copies.floor_s = copies.bytes / b->rates.copy_bytes_s;
    put_row(b, &copies);
    b->wait_s = now->wait_s - then->wait_s;
    return ADN_OK;
}

static adn_status look(const bench *b, adn_profile *out)
{
    adn_status st = ADN_OK;
    for (int j = 0; j < b->plan.n_block && st == ADN_OK; j++) {
        adn_queue *q = adn_stage_queues(adn_run_stage(b->run, j))[0];
        st = q->dev->ops->queue_profile(q, &out[j]);
    }
    return st;
}

static double process_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_rss_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static adn_status create_run(bench *b, int n_step)
{
    for (int j = 0; j < b->plan.n_block; j++) b->plan.blocks[j].queue.is_timed = true;
    adn_run_conf rc = {
        .plan = &b->plan, .data = &b->data, .devs = b->devices.of_block, .max_steps = n_step};
    return adn_run_create(&rc, &b->run);
}

static adn_status warm_up(bench *b, int n_step)
{
    adn_status st = create_run(b, n_step);
    if (st == ADN_OK) st = adn_run_train(b->run);
    adn_run_destroy(b->run);
    b->run = NULL;
    return st;
}

/* then, now: [n_block], of the blocks' queues before and after. */
static adn_status run_measured(bench *b, adn_profile *then, adn_profile *now)
{
    adn_status st;
    adn_bench *r = &b->result;

    ADN_TRY(st, look(b, then), done);
    double start = adn_now(), start_cpu = process_s();
    ADN_TRY(st, adn_run_train(b->run), done);
    r->seconds = adn_now() - start;
    r->cpu_s = process_s() - start_cpu;
    ADN_TRY(st, look(b, now), done);
    r->n_step = (int)adn_run_step(b->run); /* the config's `until` may have come before */
    r->n_learned = (int64_t)r->n_step * b->plan.batch;
    for (int j = 0; j < b->plan.n_block; j++) {
        adn_stage_view v = adn_stage_look(adn_run_stage(b->run, j));
        r->blocks[j].n_step = v.steps + v.rereads;
        if (b->plan.conf->mode == ADN_MODE_ASYNC) r->n_learned = ADN_MIN(r->n_learned, v.samples);
    }
    r->data_wait_s = adn_run_look(b->run).data_wait_s;
    r->peak_rss_mib = peak_rss_mib(); /* before the rates are measured, with memory of their own */
done:
    return st;
}

static adn_status measure(bench *b, int n_step)
{
    adn_status st;
    adn_bench *r = &b->result;
    size_t n = (size_t)b->plan.n_block;
    adn_profile *then = adn_alloc(n * sizeof(*then)), *now = adn_alloc(n * sizeof(*now));
    int cores[1024];

    r->blocks = adn_alloc(n * sizeof(*r->blocks));
    if (then == NULL || now == NULL || r->blocks == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "bench: no memory");
        goto done;
    }
    r->n_block = b->plan.n_block;
    r->batch = b->plan.batch;
    r->plan = &b->plan;
    r->n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores));
    ADN_TRY(st, create_run(b, n_step), done);
    ADN_TRY(st, run_measured(b, then, now), done);
    for (int j = 0; j < r->n_block; j++) {
        adn_stage *s = adn_run_stage(b->run, j);
        adn_queue *q = adn_stage_queues(s)[0];
        adn_bench_block *block = &r->blocks[j];
        block->n_thread = q->conf.n_thread;
        ADN_TRY(st, q->dev->ops->queue_rates(q, &block->rates), done);
        ADN_TRY(st, take_rows(s, &then[j], &now[j], block), done);
    }
done:
    adn_free(then);
    adn_free(now);
    return st;
}

static void bench_clear(bench *b)
{
    for (int j = 0; j < b->result.n_block; j++) adn_free(b->result.blocks[j].rows);
    adn_free(b->result.blocks);
    adn_run_destroy(b->run);
    adn_devices_close(&b->devices);
    adn_plan_clear_all(&b->plan);
    adn_dataset_close(&b->data);
}

adn_status adn_bench_net(adn_config *conf, const adn_bench_options *options, char **out)
{
    adn_status st;
    bench b = {0};
    adn_cuts cuts = {0};

    if (conf->replicas > 1)
        return ADN_FAIL(ADN_BADCONF, "%s: bench net measures one replica, not %d",
                        adn_config_place(conf, "replicas"), conf->replicas);
    conf->data.drop_last = true; /* each step is one of a full batch, and counts as such */
    ADN_TRY(st, adn_dataset_open(&conf->data, &b.data), done);
    ADN_TRY(st, adn_devices_init(&b.devices, conf), done);
    ADN_TRY(st, adn_devices_cut(&b.devices, conf, &b.data, &cuts), done);
    ADN_TRY(st, adn_plan_create_cut(conf, &b.data, &cuts, &b.devices.gpus, &b.plan), done);
    ADN_TRY(st, adn_devices_open(&b.devices, &b.plan), done);
    if (options->n_warmup > 0) ADN_TRY(st, warm_up(&b, options->n_warmup), done);
    ADN_TRY(st, measure(&b, options->n_step), done);
    st = options->as_json ? adn_bench_json(&b.result, out) : adn_bench_table(&b.result, out);
done:
    bench_clear(&b);
    return st;
}
