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

adn_status adn_teams_given(const adn_config *conf, int block, adn_queue_conf *q)
{
    int allowed[1024], n_allowed = adn_cores_allowed(allowed, (int)ADN_COUNT(allowed));
    const adn_block_conf *given = conf->n_block > 0 ? &conf->blocks[block] : NULL;

    if (given == NULL) return ADN_OK;
    if (given->first_core >= 0) {
        adn_status st = use_cores(q, given, block, allowed, n_allowed);
        if (st != ADN_OK) return st;
        q->n_thread = q->n_core;
    }
    if (given->threads > 0) q->n_thread = given->threads;
    return ADN_OK;
}

static bool runs_one_by_one(const adn_plan *p)
{
    return p->conf->mode == ADN_MODE_BP || p->conf->mode == ADN_MODE_GREEDY ||
           p->conf->schedule == ADN_SCHEDULE_VIRTUAL;
}

/* All cores where blocks run one after another. A GPU's queue is one stream. */
static void share_cores(const adn_plan *p, const double *cost, int n_core, int *team)
{
    if (p->blocks[0].gpu == ADN_ON_CPU && !runs_one_by_one(p)) {
        adn_teams_share(cost, p->n_block, n_core, team);
        return;
    }
    for (int j = 0; j < p->n_block; j++) team[j] = p->blocks[j].gpu == ADN_ON_CPU ? n_core : 1;
}

adn_status adn_plan_teams(adn_plan *p, const double *cost, const adn_cuts *cuts)
{
    static const char *const names[] = {"block0", "block1", "block2", "block3",
                                        "block4", "block5", "block6", "block7"};
    adn_status st = ADN_OK;
    int allowed[1024], n_allowed = adn_cores_allowed(allowed, (int)ADN_COUNT(allowed));
    int *team = adn_alloc((size_t)p->n_block * sizeof(*team));

    if (team == NULL) return ADN_FAIL(ADN_NOMEM, "plan: no memory");
    bool is_one_queue = p->conf->schedule == ADN_SCHEDULE_VIRTUAL; /* of all columns */
    int n_core = is_one_queue ? n_allowed : ADN_MAX(1, n_allowed / p->n_column);
    share_cores(p, cost, n_core, team);
    for (int j = 0; j < p->n_block; j++) {
        adn_plan_block *b = &p->blocks[j];
        b->queue.name = j < (int)ADN_COUNT(names) ? names[j] : "block";
        ADN_TRY(st, adn_teams_given(p->conf, j, &b->queue), done);
        bool is_given = b->queue.n_thread > 0; /* measured as it is */
        if (!is_given) b->queue.n_thread = team[j];
        if (!adn_cuts_are_measured(cuts)) continue;
        b->predicted_s = cuts->seconds[j];
        if (!is_given && b->gpu == ADN_ON_CPU) b->predicted_s *= (double)cuts->n_thread / team[j];
    }
done:
    adn_free(team);
    return st;
}

/* Seconds that a step of all blocks keeps the device of block j busy. */
static double device_s(const adn_plan *p, int j, int n_core)
{
    double sum = 0;
    int gpu = p->blocks[j].gpu;

    for (int k = 0; k < p->n_block; k++)
        if (p->blocks[k].gpu == gpu) sum += p->blocks[k].predicted_s * p->blocks[k].queue.n_thread;
    return gpu == ADN_ON_CPU ? sum * p->n_column / n_core : sum;
}

double adn_plan_predict(const adn_plan *p, int n_core, int *slowest)
{
    double most = 0;
    int at = 0;

    for (int j = 0; j < p->n_block; j++) {
        if (p->blocks[j].predicted_s > p->blocks[at].predicted_s) at = j;
        most = ADN_MAX(most, device_s(p, j, n_core));
    }
    if (slowest != NULL) *slowest = at;
    return runs_one_by_one(p) ? 0 : ADN_MAX(p->blocks[at].predicted_s, most);
}
