/* The model: each record of order.bin, one after another. */
#include "order_model.h"

#include "stage/stage.h"
#include "store/order.h"
#include "suite.h"
#include "pipeline/inside.h"

void model_begin(order_model *m, const tiny_run *t)
{
    *m = (order_model){.n_source = adn_run_step(t->run)};
    ck_assert_int_le(t->plan.n_block, MODEL_BLOCKS);
    for (int j = 0; j < t->plan.n_block; j++) {
        adn_stage *s = adn_run_stage(t->run, j);
        adn_stage_clock c = adn_stage_clock_now(s);
        m->blocks[j].now = (model_clock){c.steps, c.samples, adn_stage_look(s).rereads};
        m->blocks[j].n_epoch = (int)(c.samples / t->plan.epoch_samples);
    }
}

static int size_of(const adn_plan *p, int64_t source_step)
{
    bool is_last = source_step % p->epoch_steps == p->epoch_steps - 1;
    return is_last && p->short_batch > 0 ? p->short_batch : p->batch;
}

static bool is_at_until(const adn_plan *p, const model_clock *c)
{
    adn_duration u = p->conf->until;
    if (u.unit == ADN_STEPS) return (double)c->steps >= u.value;
    return u.unit == ADN_EPOCHS && (double)c->samples >= u.value * (double)p->epoch_samples;
}

static void learn(model_block *b, const adn_plan *p, const adn_order_step *step)
{
    bool is_fresh = !b->learned[step->source_step], emits = step->out_slot >= 0;
    int64_t epoch = b->now.samples / p->epoch_samples;

    b->n_late += is_at_until(p, &b->now);
    b->learned[step->source_step] = true;
    b->updates++;
    b->now.rereads += !is_fresh;
    b->emits_fresh += is_fresh && emits;
    b->silent_fresh += is_fresh && !emits;
    b->emits_reread += !is_fresh && emits;
    b->silent_reread += !is_fresh && !emits;
    if (!is_fresh && p->conf->clock == ADN_CLOCK_FRESH) return;
    b->now.steps++;
    b->now.samples += size_of(p, step->source_step);
    if (b->now.samples / p->epoch_samples == epoch) return;
    ck_assert_int_lt(b->n_epoch + 1, MODEL_EPOCHS);
    b->ends[++b->n_epoch] = b->now;
}

void model_read(order_model *m, const adn_plan *plan, const char *dir)
{
    adn_order_reader *order;
    adn_order_step step;
    int64_t first;
    char *path;

    ck_assert_int_eq(adn_order_newest(dir, &path, &first), ADN_OK);
    ck_assert_int_eq(first, m->n_source);
    ck_assert_int_eq(adn_order_open(path, &order), ADN_OK);
    while (adn_order_next(order, &step) == ADN_OK) {
        bool is_test = step.flags & ADN_ORDER_TEST;
        m->n_record++;
        if (step.stage < 0) {
            m->n_source += !is_test;
            continue;
        }
        model_block *b = &m->blocks[step.stage];
        ck_assert_int_lt(step.source_step, MODEL_STEPS);
        if (step.act == ADN_ACT_LEARN) learn(b, plan, &step);
        b->tests += is_test;
        b->forwards += !is_test && step.act == ADN_ACT_FORWARD;
    }
    adn_order_reader_close(order);
    adn_free(path);
}

void model_check(const order_model *m, tiny_run *t)
{
    ck_assert_int_eq(adn_run_step(t->run), m->n_source);
    for (int j = 0; j < t->plan.n_block; j++) {
        const model_block *b = &m->blocks[j];
        adn_stage_clock c = adn_stage_clock_now(adn_run_stage(t->run, j));
        adn_stage_view v = adn_stage_look(adn_run_stage(t->run, j));
        ck_assert_int_eq(c.steps, b->now.steps);
        ck_assert_int_eq(c.samples, b->now.samples);
        ck_assert_int_eq(v.rereads, b->now.rereads);
        ck_assert_int_eq(b->n_late, 0);
        for (int i = 0; i < t->rows.n; i++) {
            const adn_epoch_row *r = &t->rows.rows[i];
            if (r->block != j) continue;
            bool is_over = r->epoch <= b->n_epoch;
            const model_clock *end = is_over ? &b->ends[r->epoch] : &b->now;
            if (is_over && end->steps == 0) continue; /* it had ended before this process began */
            ck_assert_int_eq(r->steps, end->steps);
            ck_assert_int_eq(r->samples, end->samples);
            ck_assert_int_eq(r->reread, end->rereads);
        }
        int open = adn_stage_open_epoch(adn_run_stage(t->run, j)); /* a stop leaves rows open */
        for (int e = 1; e <= b->n_epoch && e < open; e++)
            if (b->ends[e].steps > 0) ck_assert_ptr_nonnull(tiny_row(&t->rows, j, e));
    }
}
