/* Which device each block is on: as the config says, or shared out. */
#include <string.h>

#include "pipeline/balance.h"
#include "pipeline/inside.h"

static const adn_block_conf *given_of(const adn_plan *p, int block)
{
    return p->conf->n_block > 0 ? &p->conf->blocks[block] : NULL;
}

/* Of the first block that is given such a place; -1: none is. */
static int first_given(const adn_config *conf, adn_block_place place)
{
    for (int j = 0; j < conf->n_block; j++)
        if (conf->blocks[j].place == place) return j;
    return -1;
}

bool adn_place_on_gpus(const adn_config *conf, const adn_gpus *gpus)
{
    return first_given(conf, ADN_PLACE_GPU) >= 0 ||
           (gpus->n > 0 && first_given(conf, ADN_PLACE_CPU) < 0);
}

adn_status adn_place_check(const adn_config *conf, const adn_gpus *gpus)
{
    for (int j = 0; j < conf->n_block; j++) {
        const adn_block_conf *b = &conf->blocks[j];
        if (b->place != ADN_PLACE_GPU || b->gpu < gpus->n) continue;
        if (gpus->n == 0)
            return ADN_FAIL(ADN_DEVICE, "blocks[%d].device: %s: %s", j, b->device, gpus->why);
        return ADN_FAIL(ADN_DEVICE,
                        "blocks[%d].device: %s: this process may use %d GPU%s, from cuda:0", j,
                        b->device, gpus->n, gpus->n == 1 ? "" : "s");
    }
    return ADN_OK;
}

/* What only one kind of device has. */
static adn_status check_kind(const adn_plan *p, bool on_gpus)
{
    const adn_config *conf = p->conf;
    int cpu = first_given(conf, ADN_PLACE_CPU), gpu = first_given(conf, ADN_PLACE_GPU);

    if (cpu >= 0 && gpu >= 0)
        return ADN_FAIL(ADN_BADCONF,
                        "blocks[%d].device: %s, but blocks[%d].device: %s: the blocks of a run are "
                        "all on GPUs or all on the cpu",
                        gpu, conf->blocks[gpu].device, cpu, conf->blocks[cpu].device);
    if (!on_gpus && conf->precision == ADN_PRECISION_TF32)
        return ADN_FAIL(ADN_BADCONF,
                        "%s: tf32 is of GPUs, and the blocks are on the cpu: fp32 or bf16",
                        adn_config_place(conf, "precision"));
    if (on_gpus && conf->model.conv != ADN_CONV_AUTO)
        return ADN_FAIL(ADN_BADCONF, "%s: of the cpu; on GPUs cuDNN chooses: auto",
                        adn_config_place(conf, "model.conv"));
    for (int j = 1; !on_gpus && j < p->n_block; j++)
        if (p->blocks[j].edge.link == ADN_LINK_NCCL)
            return ADN_FAIL(ADN_BADCONF, "%s: nccl is of GPUs, and the blocks are on the cpu: auto",
                            adn_config_place(conf, "edge.link"));
    for (int j = 0; on_gpus && j < conf->n_block; j++)
        if (conf->blocks[j].threads > 0)
            return ADN_FAIL(ADN_BADCONF, "blocks[%d].threads: a GPU has no team of threads: auto",
                            j);
    return ADN_OK;
}

/* The virtual schedule has one queue for all blocks. */
static adn_status place_together(adn_plan *p)
{
    int first = first_given(p->conf, ADN_PLACE_GPU),
        gpu = first < 0 ? 0 : p->conf->blocks[first].gpu;

    for (int j = 0; j < p->n_block; j++) {
        const adn_block_conf *b = given_of(p, j);
        if (b != NULL && b->place == ADN_PLACE_GPU && b->gpu != gpu)
            return ADN_FAIL(
                ADN_BADCONF,
                "blocks[%d].device: %s, but block %d is on cuda:%d: in schedule virtual "
                "all blocks are on one device",
                j, b->device, first, gpu);
        p->blocks[j].gpu = gpu;
    }
    return ADN_OK;
}

/* Runs of blocks, one a GPU, so that the busiest has least to do. */
static adn_status share_out(adn_plan *p, const double *cost, int n_gpu)
{
    adn_status st = ADN_NOMEM;
    int n_part = ADN_MIN(n_gpu, p->n_block), end[ADN_MAX_BLOCKS];
    size_t n = (size_t)p->n_block;
    double *zero = adn_alloc(n * sizeof(*zero)), *speed = adn_alloc(n * sizeof(*speed));
    double *bytes = adn_alloc(n * n * sizeof(*bytes));

    if (zero == NULL || speed == NULL || bytes == NULL) {
        st = ADN_FAIL(ADN_NOMEM, "plan: no memory");
        goto done;
    }
    for (int k = 0; k < n_part; k++) speed[k] = 1;
    adn_balance b = {.n_unit = p->n_block,
                     .n_block = n_part,
                     .first = cost,
                     .inner = cost,
                     .head = zero,
                     .speed = speed,
                     .bytes = bytes,
                     .limit_bytes = 1};
    ADN_TRY(st, adn_balance_cut(&b, end), done);
    for (int j = 0, part = 0; j < p->n_block; j++) {
        const adn_block_conf *given = given_of(p, j);
        if (j == end[part]) part++;
        p->blocks[j].gpu = given != NULL && given->place == ADN_PLACE_GPU ? given->gpu : part;
    }
done:
    adn_free(zero);
    adn_free(speed);
    adn_free(bytes);
    return st;
}

/* Columns are on GPUs of their own: the first on those that `blocks` names, and where it names none
 * on its share of all. */
static adn_status share_columns(adn_plan *p, const adn_gpus *gpus)
{
    for (int j = 0; j < p->n_block; j++) {
        const adn_block_conf *b = given_of(p, j);
        bool is_given = b != NULL && b->place == ADN_PLACE_GPU;
        int n = is_given ? b->gpu + 1 : ADN_MIN(gpus->n / p->n_column, p->n_block);
        p->column_gpus = ADN_MAX(p->column_gpus, n);
    }
    if (p->conf->schedule == ADN_SCHEDULE_VIRTUAL)
        return ADN_FAIL(
            ADN_BADCONF,
            "%s: %d replicas: on GPUs each has its own, and in schedule virtual all blocks are "
            "on one device",
            adn_config_place(p->conf, "replicas"), p->n_column);
    if (p->column_gpus == 0 || p->column_gpus * p->n_column > gpus->n)
        return ADN_FAIL(ADN_DEVICE,
                        "%s: %d replicas, each on %d GPU%s of its own: this process may use %d",
                        adn_config_place(p->conf, "replicas"), p->n_column,
                        ADN_MAX(1, p->column_gpus), p->column_gpus > 1 ? "s" : "", gpus->n);
    return ADN_OK;
}

adn_status adn_plan_place(adn_plan *p, const double *cost, const adn_gpus *gpus)
{
    bool on_gpus = adn_place_on_gpus(p->conf, gpus);
    adn_status st;

    for (int j = 0; j < p->n_block; j++) p->blocks[j].gpu = ADN_ON_CPU;
    ADN_TRY(st, check_kind(p, on_gpus), done);
    ADN_TRY(st, adn_place_check(p->conf, gpus), done);
    if (!on_gpus) goto done;
    if (p->n_column > 1) ADN_TRY(st, share_columns(p, gpus), done);
    if (p->conf->schedule == ADN_SCHEDULE_VIRTUAL)
        st = place_together(p);
    else
        st = share_out(p, cost, p->n_column > 1 ? p->column_gpus : gpus->n);
done:
    return st;
}
