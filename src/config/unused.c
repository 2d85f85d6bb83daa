/* Keys that this configuration does not read: one file serves all modes, so a key too many is a
 * warning. */
#include "config/load.h"

#include <stdio.h>
#include <string.h>

static void mark(adn_setting *s, const char *why)
{
    if (s == NULL || s->value == NULL || s->unused_in != NULL) return;
    s->unused_in = why;
    if (s->origin == ADN_FROM_FILE || s->origin == ADN_FROM_ARGUMENT)
        adn_config_warn(s->node, "'%s' is not used in %s", s->path, why);
}

static void mark_path(const adn_config *conf, const char *path, const char *why)
{
    mark(adn_config_find(conf, path), why);
}

static bool has_convs(adn_head_kind kind)
{
    return kind == ADN_HEAD_CNN || kind == ADN_HEAD_MLP_SR;
}

static bool has_hidden(adn_head_kind kind)
{
    return kind == ADN_HEAD_MLP || kind == ADN_HEAD_MLP_SR;
}

static void mark_heads(const adn_config *conf)
{
    bool any_convs = has_convs(conf->aux.kind), any_hidden = has_hidden(conf->aux.kind);
    char path[64];

    for (int i = 0; i < conf->n_block; i++) {
        adn_head_kind kind = conf->blocks[i].aux.kind;
        any_convs = any_convs || has_convs(kind);
        any_hidden = any_hidden || has_hidden(kind);
        snprintf(path, sizeof(path), "blocks[%d].aux.conv", i);
        if (!has_convs(kind)) mark_path(conf, path, "this kind of head");
        snprintf(path, sizeof(path), "blocks[%d].aux.hidden", i);
        if (!has_hidden(kind)) mark_path(conf, path, "this kind of head");
        for (adn_setting *s = conf->origins->settings; s != NULL && i == conf->n_block - 1;
             s = s->next) {
            snprintf(path, sizeof(path), "blocks[%d].aux.", i);
            if (strncmp(s->path, path, strlen(path)) == 0)
                mark(s, "the last block, which has the classifier");
        }
    }
    if (!any_convs) mark_path(conf, "aux.conv", "this kind of head");
    if (!any_hidden) mark_path(conf, "aux.hidden", "this kind of head");
}

static void mark_schedule(const adn_config *conf)
{
    static const char *const names[] = {"schedule constant", "schedule step", "schedule multistep",
                                        "schedule linear", "schedule cosine"};
    adn_sched_kind kind = conf->optim.schedule.kind;
    bool has_steps = kind == ADN_SCHED_STEP || kind == ADN_SCHED_MULTISTEP;

    if (kind != ADN_SCHED_STEP) mark_path(conf, "optim.schedule.every", names[kind]);
    if (kind != ADN_SCHED_MULTISTEP) mark_path(conf, "optim.schedule.at", names[kind]);
    if (!has_steps) mark_path(conf, "optim.schedule.factor", names[kind]);
    if (!has_steps) mark_path(conf, "optim.reset_momentum", names[kind]);
}

/* Momentum is one rule's, betas are another's. */
static void mark_rule(const adn_config *conf)
{
    static const char *const of_sgd[] = {"optim.momentum", "optim.nesterov",
                                         "optim.reset_momentum"};

    if (conf->optim.kind == ADN_OPTIM_SGD) {
        mark_path(conf, "optim.betas", "optimizer sgd");
        mark_path(conf, "optim.eps", "optimizer sgd");
        return;
    }
    for (size_t i = 0; i < ADN_COUNT(of_sgd); i++) mark_path(conf, of_sgd[i], "optimizer adamw");
}

/* Keys of modelled time, and of links in it: the machine has its own. */
static void mark_virtual(const adn_config *conf)
{
    static const char *const paths[] = {"draw", "chaos.step", "chaos.cost", "chaos.spread"};

    if (conf->schedule == ADN_SCHEDULE_VIRTUAL) return;
    for (size_t i = 0; i < ADN_COUNT(paths); i++) mark_path(conf, paths[i], "schedule threads");
    for (adn_setting *s = conf->origins->settings; s != NULL; s = s->next)
        if (strncmp(s->path, "chaos.link[", 11) == 0) mark(s, "schedule threads");
}

/* What stages and edges read without asking for the mode says what happens there. */
static void forget_unused(adn_config *conf)
{
    if (conf->mode != ADN_MODE_ASYNC) {
        conf->model.bn_reuse = ADN_BN_ONCE;
        conf->clock = ADN_CLOCK_FRESH;
        conf->after_end = ADN_AFTER_EVAL_FORWARD;
        for (int i = 0; i < conf->chaos.n_link; i++) conf->chaos.links[i].loss = 0;
    }
    if (conf->optim.kind != ADN_OPTIM_SGD) conf->optim.reset_momentum = false;
    if (conf->mode == ADN_MODE_BP) conf->chaos.n_slow = 0;
    if (conf->mode == ADN_MODE_BP || conf->schedule == ADN_SCHEDULE_THREADS) conf->chaos.n_link = 0;
}

void adn_config_mark_unused(adn_config *conf)
{
    static const char *const modes[] = {"mode bp", "mode sync", "mode greedy", "mode async"};
    const char *mode = modes[conf->mode];
    unsigned bit = 1u << conf->mode;
    bool has_blocks = conf->mode != ADN_MODE_BP || conf->n_block == 1;

    for (adn_setting *s = conf->origins->settings; s != NULL; s = s->next) {
        if (s->key == NULL || s->value == NULL) continue;
        const adn_word *w = adn_schema_word(s->key, s->value);
        bool is_other_word = w != NULL && w->modes != 0 && !(w->modes & bit);
        bool is_other_key = s->key->modes != 0 && !(s->key->modes & bit);
        if (is_other_word || is_other_key || (!has_blocks && strncmp(s->path, "blocks[", 7) == 0))
            mark(s, mode);
    }
    if (!has_blocks) conf->n_block = 0; /* entries for the blocks of other modes */
    if (conf->mode != ADN_MODE_BP) mark_heads(conf);
    mark_rule(conf);
    mark_schedule(conf);
    mark_virtual(conf);
    forget_unused(conf);
    if (conf->model.name != NULL && strncmp(conf->model.name, "resnet", 6) == 0)
        mark_path(conf, "classifier.hidden", "a ResNet");
}
