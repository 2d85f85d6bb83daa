/* `adonis bench net`: the whole pipeline for some steps, then each kind of operation beside its
 * floor. */
#include <sys/resource.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/json.h"
#include "pipeline/inside.h"
#include "pipeline/text.h"

typedef struct bench {
    const adn_bench_options *options;
    adn_dataset_pair data;
    adn_plan plan;
    adn_device *dev;
    double seconds;        /* of the measured steps, from an empty pipeline to an empty pipeline */
    adn_profile *profiles; /* [n_block] */
    adn_rates *rates;      /* [n_block]: of a team of the block's size */
    double data_wait_s;
} bench;

static adn_status run_steps(bench *b, int n, bool is_measured)
{
    adn_status st;
    adn_run *r = NULL;
    adn_run_conf rc = {
        .plan = &b->plan, .data = &b->data, .dev = b->dev, .type = ADN_F32, .max_steps = n};
    const adn_device_ops *ops = b->dev->ops;

    ADN_TRY(st, adn_run_create(&rc, &r), done);
    for (int j = 0; j < b->plan.n_block; j++)
        ADN_TRY(st, ops->queue_profile(adn_stage_queue(adn_run_stage(r, j)), NULL), done);
    double start = adn_now();
    ADN_TRY(st, adn_run_threads(r), done);
    if (!is_measured) goto done;
    b->seconds = adn_now() - start;
    b->data_wait_s = adn_run_look(r).data_wait_s;
    for (int j = 0; j < b->plan.n_block; j++) {
        adn_queue *q = adn_stage_queue(adn_run_stage(r, j));
        ADN_TRY(st, ops->queue_profile(q, &b->profiles[j]), done);
        ADN_TRY(st, ops->queue_rates(q, &b->rates[j]), done);
    }
done:
    adn_run_destroy(r);
    return st;
}

static double busy(const adn_profile *p)
{
    double sum = 0;
    for (int k = 0; k < ADN_N_OP; k++) sum += p->seconds[k];
    return sum;
}

/* The least time that this work could take: its multiply-adds or its bytes, whichever is longer. */
static double floor_s(const adn_profile *p, const adn_rates *r, int kind)
{
    return ADN_MAX(p->macs[kind] / r->macs_s, p->bytes[kind] / r->copy_bytes_s);
}

static double img_s(const bench *b)
{
    return (double)b->options->n_step * b->plan.batch / b->seconds;
}

static double peak_rss_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static void put_block(adn_json *j, const bench *b, int block)
{
    const adn_profile *p = &b->profiles[block];

    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "block", block);
    adn_json_int(j, "threads", b->plan.blocks[block].queue.n_thread);
    adn_json_number(j, "busy_s", busy(p));
    adn_json_number(j, "img_s", (double)b->options->n_step * b->plan.batch / busy(p));
    adn_json_number(j, "best_gflop_s", 2e-9 * b->rates[block].macs_s);
    adn_json_number(j, "copy_gb_s", 1e-9 * b->rates[block].copy_bytes_s);
    adn_json_open(j, "kinds", '[');
    for (int k = 0; k < ADN_N_OP; k++) {
        if (p->runs[k] == 0) continue;
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "kind", adn_op_infos[k].name);
        adn_json_number(j, "seconds", p->seconds[k]);
        adn_json_number(j, "gflop_s", 2e-9 * p->macs[k] / p->seconds[k]);
        adn_json_number(j, "gb_s", 1e-9 * p->bytes[k] / p->seconds[k]);
        adn_json_number(j, "floor_s", floor_s(p, &b->rates[block], k));
        adn_json_close(j, '}');
    }
    adn_json_close(j, ']');
    adn_json_close(j, '}');
}

static adn_status give_json(const bench *b, char **out)
{
    adn_json j = {0};

    adn_json_open(&j, NULL, '{');
    adn_json_number(&j, "img_s", img_s(b));
    adn_json_number(&j, "peak_rss_mib", peak_rss_mib());
    adn_json_int(&j, "steps", b->options->n_step);
    adn_json_int(&j, "batch", b->plan.batch);
    adn_json_number(&j, "seconds", b->seconds);
    adn_json_number(&j, "data_wait", b->data_wait_s / b->seconds);
    adn_json_open(&j, "blocks", '[');
    for (int k = 0; k < b->plan.n_block; k++) put_block(&j, b, k);
    adn_json_close(&j, ']');
    adn_json_close(&j, '}');
    if (j.failed) {
        adn_json_clear(&j);
        return ADN_FAIL(ADN_NOMEM, "bench: no memory for its report");
    }
    *out = j.text;
    return ADN_OK;
}

static adn_status give_table(const bench *b, char **out)
{
    adn_text *t = adn_alloc(sizeof(*t));
    double all = 0, floors = 0;

    if (t == NULL) return ADN_FAIL(ADN_NOMEM, "bench: no memory for its report");
    adn_text_line(
        t, "%d steps of %d in %.2f s: %.0f img/s in all; data wait %.1f%%; peak RSS %.0f MiB\n\n",
        b->options->n_step, b->plan.batch, b->seconds, img_s(b), 100 * b->data_wait_s / b->seconds,
        peak_rss_mib());
    adn_text_line(t, "block  threads  busy ms/step  img/s alone  best GFLOP/s  copy GB/s\n");
    for (int k = 0; k < b->plan.n_block; k++) {
        double s = busy(&b->profiles[k]);
        adn_text_line(t, "%-5d  %7d  %12.2f  %11.0f  %12.1f  %9.1f\n", k,
                      b->plan.blocks[k].queue.n_thread, 1e3 * s / b->options->n_step,
                      (double)b->options->n_step * b->plan.batch / s, 2e-9 * b->rates[k].macs_s,
                      1e-9 * b->rates[k].copy_bytes_s);
        all += s;
    }
    adn_text_line(
        t,
        "\noperation          share  ms/step  GFLOP/s    GB/s  floor ms/step  times the floor\n");
    for (int k = 0; k < ADN_N_OP; k++) {
        double s = 0, macs = 0, bytes = 0, least = 0;
        for (int j = 0; j < b->plan.n_block; j++) {
            s += b->profiles[j].seconds[k];
            macs += b->profiles[j].macs[k];
            bytes += b->profiles[j].bytes[k];
            least += floor_s(&b->profiles[j], &b->rates[j], k);
        }
        if (s <= 0) continue;
        floors += least;
        adn_text_line(t, "%-17s  %4.1f%%  %7.2f  %7.1f  %6.1f  %13.2f  %15.2f\n",
                      adn_op_infos[k].name, 100 * s / all, 1e3 * s / b->options->n_step,
                      2e-9 * macs / s, 1e-9 * bytes / s, 1e3 * least / b->options->n_step,
                      s / least);
    }
    adn_text_line(t, "%-17s  100.0%%  %7.2f                   %13.2f  %15.2f\n", "sum",
                  1e3 * all / b->options->n_step, 1e3 * floors / b->options->n_step, all / floors);
    return adn_text_give(t, out);
}

adn_status adn_bench_net(adn_config *conf, const adn_bench_options *options, char **out)
{
    adn_status st;
    bench b = {.options = options};

    ADN_TRY(st, adn_dataset_open(&conf->data, &b.data), done);
    ADN_TRY(st, adn_plan_create(conf, &b.data, &b.plan), done);
    ADN_TRY(st, adn_cpu_open(&b.dev), done);
    b.profiles = adn_alloc((size_t)b.plan.n_block * sizeof(*b.profiles));
    b.rates = adn_alloc((size_t)b.plan.n_block * sizeof(*b.rates));
    if (b.profiles == NULL || b.rates == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "bench: no memory");
        goto done;
    }
    if (options->n_warmup > 0) ADN_TRY(st, run_steps(&b, options->n_warmup, false), done);
    ADN_TRY(st, run_steps(&b, options->n_step, true), done);
    st = options->as_json ? give_json(&b, out) : give_table(&b, out);
done:
    adn_free(b.profiles);
    adn_free(b.rates);
    if (b.dev != NULL) b.dev->ops->close(b.dev);
    adn_plan_clear_all(&b.plan);
    adn_dataset_close(&b.data);
    return st;
}
