/* What a benchmark says: each operation beside its floor, their sums beside the step, and where the
 * rest of the step went. */
#include <math.h>
#include <stdio.h>

#include "core/json.h"
#include "pipeline/bench.h"
#include "pipeline/text.h"

/* Where the cores' time went, in seconds of one core: all of it in four parts. */
typedef struct account {
    double all;    /* the cores this process may use, for as long as the steps took */
    double floor;  /* of the operations, copies included */
    double above;  /* what they took beyond it */
    double beside; /* what else this process did: loader, host threads, queues, teams that spin */
    double idle;   /* nobody's, or other programs' */
} account;

static account account_of(const adn_bench *b)
{
    account a = {.all = b->n_core * b->seconds};
    double work = 0;

    for (int k = 0; k < b->n_block; k++) {
        const adn_bench_block *block = &b->blocks[k];
        work += block->n_thread * block->sum.seconds;
        a.floor += block->n_thread * block->sum.floor_s;
    }
    a.above = work - a.floor;
    a.beside = ADN_MAX(0, b->cpu_s - work);
    a.idle = ADN_MAX(0, a.all - work - a.beside);
    return a;
}

static bool is_on_cpu(const adn_bench *b)
{
    return b->plan->blocks[0].gpu == ADN_ON_CPU;
}

static const char *kind_name(int kind)
{
    return kind == ADN_BENCH_COPY ? "copy" : adn_op_infos[kind].name;
}

/* Adds a block's rows to kinds: [ADN_BENCH_COPY + 1]. */
static void add_kinds(const adn_bench_block *b, adn_bench_row *kinds)
{
    for (int i = 0; i < b->n_row; i++) {
        adn_bench_row *kind = &kinds[b->rows[i].kind];
        kind->kind = b->rows[i].kind;
        adn_bench_add(kind, &b->rows[i]);
    }
}

/* Per second, or times; 0 of a block that had no work (greedy's later ones). */
static double over(double amount, double by)
{
    return by > 0 ? amount / by : 0;
}

static double img_s(const adn_bench *b)
{
    return over((double)b->n_learned, b->seconds);
}

static double img_s_alone(const adn_bench *b, const adn_bench_block *block)
{
    return over((double)block->n_step * b->batch, block->sum.seconds);
}

/* --- JSON */

static void put_rates(adn_json *j, const adn_bench_row *r)
{
    adn_json_int(j, "runs", r->runs);
    adn_json_number(j, "seconds", r->seconds);
    adn_json_number(j, "gflop_s", 2e-9 * over(r->macs, r->seconds));
    adn_json_number(j, "gb_s", 1e-9 * over(r->bytes, r->seconds));
    adn_json_number(j, "floor_s", r->floor_s);
}

static void put_ops(adn_json *j, const adn_bench_block *b)
{
    adn_json_open(j, "ops", '[');
    for (int i = 0; i < b->n_row; i++) {
        adn_json_newline(j);
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "layer", b->rows[i].layer);
        adn_json_string(j, "kind", kind_name(b->rows[i].kind));
        adn_json_string(j, "algo", b->rows[i].algo);
        put_rates(j, &b->rows[i]);
        adn_json_close(j, '}');
    }
    adn_json_close(j, ']');
}

static void put_kinds(adn_json *j, const adn_bench_block *b)
{
    adn_bench_row kinds[ADN_BENCH_COPY + 1] = {0};

    add_kinds(b, kinds);
    adn_json_open(j, "kinds", '[');
    for (int k = 0; k <= ADN_BENCH_COPY; k++) {
        if (kinds[k].runs == 0) continue;
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "kind", kind_name(k));
        put_rates(j, &kinds[k]);
        adn_json_close(j, '}');
    }
    adn_json_close(j, ']');
}

/* Of factors of the type that activations have. */
static double best_gflop_s(const adn_bench *b, const adn_bench_block *block)
{
    return 2e-9 * (b->plan->type == ADN_BF16 ? block->rates.macs_bf16_s : block->rates.macs_s);
}

static void put_block(adn_json *j, const adn_bench *b, int k)
{
    const adn_bench_block *block = &b->blocks[k];

    adn_json_newline(j);
    adn_json_open(j, NULL, '{');
    adn_json_int(j, "block", k);
    adn_json_string(j, "device", adn_plan_device(b->plan, 0, k).s);
    adn_json_int(j, "threads", block->n_thread);
    adn_json_number(j, "busy_s", block->sum.seconds);
    adn_json_number(j, "floor_s", block->sum.floor_s);
    adn_json_number(j, "wait_s", block->wait_s);
    adn_json_number(j, "img_s", img_s_alone(b, block));
    adn_json_number(j, "best_gflop_s", best_gflop_s(b, block));
    adn_json_number(j, "copy_gb_s", 1e-9 * block->rates.copy_bytes_s);
    put_ops(j, block);
    put_kinds(j, block);
    adn_json_close(j, '}');
}

static void put_account(adn_json *j, const adn_bench *b)
{
    account a = account_of(b);

    adn_json_open(j, "core_s", '{');
    adn_json_number(j, "all", a.all);
    adn_json_number(j, "floor", a.floor);
    adn_json_number(j, "above_floor", a.above);
    adn_json_number(j, "beside", a.beside);
    adn_json_number(j, "idle", a.idle);
    adn_json_close(j, '}');
}

adn_status adn_bench_json(const adn_bench *b, char **out)
{
    adn_json j = {0};
    const char *isa = NULL;
    adn_status st = adn_cpu_isa_name(&isa, NULL);

    if (st != ADN_OK) return st;
    adn_json_open(&j, NULL, '{');
    adn_json_number(&j, "img_s", img_s(b));
    adn_json_number(&j, "peak_rss_mib", b->peak_rss_mib);
    adn_json_string(&j, "isa", isa);
    adn_json_int(&j, "cores", b->n_core);
    adn_json_int(&j, "steps", b->n_step);
    adn_json_int(&j, "batch", b->batch);
    adn_json_number(&j, "seconds", b->seconds);
    adn_json_number(&j, "data_wait", b->data_wait_s / b->seconds);
    if (is_on_cpu(b)) put_account(&j, b);
    adn_json_open(&j, "blocks", '[');
    for (int k = 0; k < b->n_block; k++) put_block(&j, b, k);
    adn_json_close(&j, ']');
    adn_json_close(&j, '}');
    return adn_json_give(&j, out);
}

/* --- tables */

static double ms(const adn_bench *b, double seconds)
{
    return 1e3 * seconds / b->n_step;
}

/* Time, rates, floor; no rate of multiply-adds where there are none. */
static void rates_text(adn_text *t, const adn_bench *b, const adn_bench_row *r)
{
    char gflop_s[16] = "";

    if (r->macs > 0) snprintf(gflop_s, sizeof(gflop_s), "%.1f", 2e-9 * over(r->macs, r->seconds));
    adn_text_line(t, "%9.3f  %7s  %6.1f  %9.3f  %6.2f", ms(b, r->seconds), gflop_s,
                  1e-9 * over(r->bytes, r->seconds), ms(b, r->floor_s),
                  over(r->seconds, r->floor_s));
}

static void ops_table(adn_text *t, const adn_bench *b)
{
    adn_text_line(t, "block  layer                 operation          algorithm    ms/step  GFLOP/s"
                     "    GB/s   floor ms   times\n");
    for (int k = 0; k < b->n_block; k++)
        for (int i = 0; i < b->blocks[k].n_row; i++) {
            const adn_bench_row *r = &b->blocks[k].rows[i];
            adn_text_line(t, "%-5d  %-20s  %-17s  %-9s  ", k, r->layer, kind_name(r->kind),
                          r->algo);
            rates_text(t, b, r);
            adn_text_line(t, "\n");
        }
}

static void waits_text(adn_text *t, const adn_bench *b, const adn_bench_block *block)
{
    double other = ADN_MAX(0, b->seconds - block->sum.seconds - block->wait_s);

    adn_text_line(t, "  %8.2f  %8.2f", ms(b, block->wait_s), ms(b, other));
}

static void blocks_table(adn_text *t, const adn_bench *b)
{
    adn_text_line(t, "\nblock  threads    ms/step  GFLOP/s    GB/s   floor ms   times  waits ms"
                     "  other ms  img/s alone  best GFLOP/s  copy GB/s\n");
    for (int k = 0; k < b->n_block; k++) {
        const adn_bench_block *block = &b->blocks[k];
        adn_text_line(t, "%-5d  %7d  ", k, block->n_thread);
        rates_text(t, b, &block->sum);
        waits_text(t, b, block);
        adn_text_line(t, "  %11.0f  %12.1f  %9.1f\n", img_s_alone(b, block), best_gflop_s(b, block),
                      1e-9 * block->rates.copy_bytes_s);
    }
    adn_text_line(t, is_on_cpu(b)
                         ? "waits: of the block's worker, for batches, slots and its host; other: "
                           "it had no core, or its queue's own work\n"
                         : "waits: of the block's stream, for batches, slots and its host; other: "
                           "between operations\n");
}

static void kinds_table(adn_text *t, const adn_bench *b)
{
    adn_bench_row kinds[ADN_BENCH_COPY + 1] = {0}, sum = {0};

    for (int k = 0; k < b->n_block; k++) {
        add_kinds(&b->blocks[k], kinds);
        adn_bench_add(&sum, &b->blocks[k].sum);
    }
    adn_text_line(t, "\noperation           share    ms/step  GFLOP/s    GB/s   floor ms   times"
                     "  above it ms\n");
    for (int k = 0; k <= ADN_BENCH_COPY; k++) {
        if (kinds[k].runs == 0) continue;
        adn_text_line(t, "%-17s  %5.1f%%  ", kind_name(k), 100 * kinds[k].seconds / sum.seconds);
        rates_text(t, b, &kinds[k]);
        adn_text_line(t, "  %11.3f\n", ms(b, kinds[k].seconds - kinds[k].floor_s));
    }
    adn_text_line(t, "%-17s  100.0%%  ", "sum");
    rates_text(t, b, &sum);
    adn_text_line(t, "  %11.3f\n", ms(b, sum.seconds - sum.floor_s));
}

static void account_table(adn_text *t, const adn_bench *b)
{
    account a = account_of(b);
    int n_thread = 0;
    const struct {
        const char *what;
        double s;
    } rows[] = {{"operations, at their floors", a.floor},
                {"operations, above their floors", a.above},
                {"beside them: loader, hosts, queues", a.beside},
                {"idle, or lent to other programs", a.idle}};

    for (int k = 0; k < b->n_block; k++) n_thread += b->blocks[k].n_thread;
    adn_text_line(t,
                  "\nworkers: %d, with %d threads in all. A step took %.2f ms; of the %.2f ms that "
                  "the cores had (%d):\n",
                  b->n_block, n_thread, ms(b, b->seconds), ms(b, a.all), b->n_core);
    for (size_t i = 0; i < ADN_COUNT(rows); i++)
        adn_text_line(t, "%-34s  %5.1f%%  %8.2f ms\n", rows[i].what, 100 * rows[i].s / a.all,
                      ms(b, rows[i].s));
}

adn_status adn_bench_table(const adn_bench *b, char **out)
{
    adn_text t;
    adn_status st = adn_text_begin(&t, b->plan);

    if (st != ADN_OK) return st;
    adn_text_line(
        &t, "%d steps of %d in %.2f s: %.0f img/s in all; data wait %.1f%%; peak RSS %.0f MiB\n\n",
        b->n_step, b->batch, b->seconds, img_s(b), 100 * b->data_wait_s / b->seconds,
        b->peak_rss_mib);
    ops_table(&t, b);
    blocks_table(&t, b);
    kinds_table(&t, b);
    if (is_on_cpu(b)) account_table(&t, b);
    return adn_text_give(&t, out);
}
