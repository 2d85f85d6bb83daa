/* Schedules of the learning rate, over a stage's own clock. */
#include <math.h>

#include "optim/optim.h"

static double position(adn_time_unit unit, adn_progress p)
{
    if (unit == ADN_SECONDS) return p.seconds;
    return unit == ADN_STEPS ? (double)p.steps : p.epochs;
}

int64_t adn_schedule_decays(const adn_sched_conf *s, adn_progress p)
{
    int64_t n = 0;

    if (s->kind == ADN_SCHED_STEP)
        return s->every.unit == ADN_NEVER
                   ? 0
                   : (int64_t)floor(position(s->every.unit, p) / s->every.value);
    if (s->kind == ADN_SCHED_MULTISTEP)
        while (n < s->n_at && position(s->at[n].unit, p) >= s->at[n].value) n++;
    return n;
}

/* Share of the way from the warm-up's end to `until` that is done. */
static double share(const adn_sched_conf *s, adn_duration until, adn_progress p)
{
    double warmup = s->warmup.unit == until.unit ? s->warmup.value : 0;
    double t = (position(until.unit, p) - warmup) / (until.value - warmup);
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

double adn_schedule_lr(const adn_optim_conf *conf, adn_duration until, adn_progress p)
{
    const double pi = 3.141592653589793;
    const adn_sched_conf *s = &conf->schedule;
    double lr = conf->lr;

    switch (s->kind) {
    case ADN_SCHED_CONSTANT:
        break;
    case ADN_SCHED_STEP:
    case ADN_SCHED_MULTISTEP:
        lr *= pow(s->factor, (double)adn_schedule_decays(s, p));
        break;
    case ADN_SCHED_LINEAR:
        lr *= 1 - share(s, until, p);
        break;
    case ADN_SCHED_COSINE:
        lr *= (1 + cos(pi * share(s, until, p))) / 2;
        break;
    }
    if (s->warmup.value > 0) { /* counted at the step's end, so that the first step moves */
        adn_progress end = {.epochs = p.epochs + p.step_epochs, .steps = p.steps + 1};
        lr *= fmin(1, position(s->warmup.unit, end) / s->warmup.value);
    }
    return lr;
}
