/* What `adonis bench net` measured (bench.c), and how it is shown (bench_report.c). Private to
 * src/pipeline. */
#ifndef ADN_PIPELINE_BENCH_H
#define ADN_PIPELINE_BENCH_H

#include "pipeline/pipeline.h"

enum { ADN_BENCH_COPY = ADN_N_OP }; /* the kind of a block's copies and fills, all in one row */

/* An operation in all its runs; or a sum of such. */
typedef struct adn_bench_row {
    const char *layer, *algo; /* "" where there is none. The run's */
    int kind;                 /* adn_op_kind | ADN_BENCH_COPY */
    int64_t runs;
    double seconds, macs, bytes;
    double
        floor_s; /* its algorithm's multiply-adds or its bytes at the block's rates: the longer */
} adn_bench_row;
void adn_bench_add(adn_bench_row *sum, const adn_bench_row *row);

typedef struct adn_bench_block {
    int n_thread;
    adn_rates rates;     /* of a team of the block's size */
    adn_bench_row *rows; /* what was run, in the order of a step, the copies last */
    int n_row;
    adn_bench_row sum;
    double wait_s;  /* of its worker */
    int64_t n_step; /* that it made; async: re-reads too */
} adn_bench_block;

typedef struct adn_bench {
    const adn_plan *plan;      /* borrowed */
    int n_step, batch, n_core; /* n_step: of the source */
    int64_t n_learned;         /* images; async: that the slowest block learned, each once */
    adn_bench_block *blocks;
    int n_block;
    double seconds; /* of the steps, from an empty pipeline to an empty pipeline */
    double cpu_s;   /* of all cores, by this process meanwhile */
    double data_wait_s, peak_rss_mib;
} adn_bench;

adn_status adn_bench_json(const adn_bench *b, char **out) ADN_MUST_USE;  /* gives (adn_free) */
adn_status adn_bench_table(const adn_bench *b, char **out) ADN_MUST_USE; /* gives (adn_free) */

#endif
