/* Which cores a block's queue may use, and how many threads its team has. */
#include "core/thread.h"
#include "pipeline/pipeline.h"

/* Blocks may wait for the slowest so much longer than if all cores were always busy. */
static const double bearable = 1.15;

static int slowest(const double *cost, int n_block, const int *team)
{
    int at = 0;
    for (int j = 1; j < n_block; j++)
        if (cost[j] / team[j] > cost[at] / team[at]) at = j;
    return at;
}

void adn_teams_share(const double *cost, int n_block, int n_core, int *team)
{
    double sum = 0;

    for (int j = 0; j < n_block; j++) {
        sum += cost[j];
        team[j] = 1;
    }
    for (int left = n_core - n_block; left > 0; left--) team[slowest(cost, n_block, team)]++;
    int last = slowest(cost, n_block, team);
    if (cost[last] / team[last] <= bearable * sum / n_core) return;
    for (int j = 0; j < n_block; j++) team[j] = n_core;
}

static adn_status use_cores(adn_queue_conf *q, const adn_block_conf *given, int block,
                            const int *allowed, int n_allowed)
{
    for (int c = given->first_core; c <= given->last_core; c++) {
        bool is_allowed = false;
        for (int k = 0; k < n_allowed; k++) is_allowed |= allowed[k] == c;
        if (!is_allowed)
            return ADN_FAIL(
                ADN_DEVICE,
                "blocks[%d].device: core %d is not one of the %d that this process may use", block,
                c, n_allowed);
        if (q->n_core == (int)ADN_COUNT(q->cores))
            return ADN_FAIL(ADN_BADCONF, "blocks[%d].device: more than %zu cores", block,
                            ADN_COUNT(q->cores));
        q->cores[q->n_core++] = c;
    }
    return ADN_OK;
}

/* All cores where blocks run one after another. */
static adn_status share_cores(const adn_plan *p, int n_core, int *team)
{
    adn_status st = ADN_OK;
    bool one_by_one = p->conf->mode == ADN_MODE_BP || p->conf->mode == ADN_MODE_GREEDY ||
                      p->conf->schedule == ADN_SCHEDULE_VIRTUAL;
    double *cost = adn_alloc((size_t)p->n_block * sizeof(*cost));

    if (cost == NULL) return ADN_FAIL(ADN_NOMEM, "plan: no memory");
    for (int j = 0; j < p->n_block; j++) {
        team[j] = n_core;
        ADN_TRY(st, adn_net_spec_macs(&p->blocks[j].spec, &cost[j]), done);
    }
    if (!one_by_one) adn_teams_share(cost, p->n_block, n_core, team);
done:
    adn_free(cost);
    return st;
}

adn_status adn_plan_teams(adn_plan *p)
{
    static const char *const names[] = {"block0", "block1", "block2", "block3",
                                        "block4", "block5", "block6", "block7"};
    adn_status st = ADN_OK;
    int allowed[1024], n_allowed = adn_cores_allowed(allowed, (int)ADN_COUNT(allowed));
    int *team = adn_alloc((size_t)p->n_block * sizeof(*team));

    if (team == NULL) return ADN_FAIL(ADN_NOMEM, "plan: no memory");
    ADN_TRY(st, share_cores(p, n_allowed, team), done);
    for (int j = 0; j < p->n_block; j++) {
        const adn_block_conf *given = p->conf->n_block > 0 ? &p->conf->blocks[j] : NULL;
        adn_queue_conf *q = &p->blocks[j].queue;
        q->name = j < (int)ADN_COUNT(names) ? names[j] : "block";
        if (given != NULL && given->first_core >= 0)
            ADN_TRY(st, use_cores(q, given, j, allowed, n_allowed), done);
        q->n_thread = given != NULL && given->threads > 0 ? given->threads
                      : q->n_core > 0                     ? q->n_core
                                                          : team[j];
    }
done:
    adn_free(team);
    return st;
}
