/* Slow blocks and bad links: whether those that are named are there, and once. */
#include "config/load.h"

#include <stdio.h>

enum { PATH_CHARS = 64 };

/* Where to point for an entry's key; for a key that is missing, at the entry. */
static const adn_node *node_of(const adn_config *conf, const char *entry, const char *key)
{
    char path[PATH_CHARS + 16];
    const adn_setting *s;

    snprintf(path, sizeof(path), "%s.%s", entry, key);
    if ((s = adn_config_find(conf, path)) != NULL) return s->node;
    if ((s = adn_config_find(conf, entry)) != NULL) return s->node;
    if ((s = adn_config_given_in(conf, entry)) != NULL) return s->node; /* grown by arguments */
    return adn_config_node(conf, entry);
}

static bool has(const adn_config *conf, const char *entry, const char *key)
{
    char path[PATH_CHARS + 16];
    snprintf(path, sizeof(path), "%s.%s", entry, key);
    return adn_config_find(conf, path) != NULL;
}

static void check_slow(const adn_config *conf, int i, int n_block)
{
    const adn_slow_conf *all = conf->chaos.slow, *slow = &all[i];
    char entry[PATH_CHARS];
    int first = 0;

    snprintf(entry, sizeof(entry), "chaos.slow[%d]", i);
    if (!adn_config_is_sure(conf, entry)) return;
    if (!has(conf, entry, "block") || !has(conf, entry, "factor")) {
        const char *missing = has(conf, entry, "block") ? "factor" : "block";
        (void)adn_config_error(node_of(conf, entry, missing),
                               "'%s' needs a block and a factor, such as {block: 2, factor: 1.5}",
                               entry);
        return;
    }
    while (all[first].block != slow->block) first++;
    if (n_block > 0 && slow->block >= n_block)
        (void)adn_config_error(node_of(conf, entry, "block"),
                               "'%s.block' is %d: expected at most %d, there are %d block%s", entry,
                               slow->block, n_block - 1, n_block, n_block == 1 ? "" : "s");
    else if (first < i)
        (void)adn_config_error(node_of(conf, entry, "block"),
                               "'%s.block' is %d, like that of 'chaos.slow[%d]': expected each "
                               "block once",
                               entry, slow->block, first);
    if (conf->schedule == ADN_SCHEDULE_THREADS && adn_config_is_sure(conf, "schedule") &&
        slow->factor < 1)
        (void)adn_config_error(node_of(conf, entry, "factor"),
                               "'%s.factor' is %g: expected at least 1 in schedule threads, which "
                               "can make a block wait but not hurry; schedule virtual takes it",
                               entry, slow->factor);
}

/* What never comes must not be waited for. */
static void check_loss(const adn_config *conf, const char *entry, const adn_link_conf *link)
{
    bool goes_on = conf->after_end == ADN_AFTER_EVAL_FORWARD && conf->until.unit != ADN_SECONDS;

    if (link->loss == 1 && goes_on && conf->mode == ADN_MODE_ASYNC)
        (void)adn_config_error(node_of(conf, entry, "loss"),
                               "'%s.loss' is 1: no batch ever comes to block %d, so the run has no "
                               "end; expected less, or an 'until' in time, or 'after_end: stop'",
                               entry, link->edge);
}

static void check_link(const adn_config *conf, int i, int n_block)
{
    const adn_link_conf *all = conf->chaos.links, *link = &all[i];
    char entry[PATH_CHARS];
    int first = 0;

    snprintf(entry, sizeof(entry), "chaos.link[%d]", i);
    if (!adn_config_is_sure(conf, entry)) return;
    if (!has(conf, entry, "edge")) {
        (void)adn_config_error(node_of(conf, entry, "edge"),
                               "'%s' needs an edge, such as {edge: 1, delay: 5ms}", entry);
        return;
    }
    while (all[first].edge != link->edge) first++;
    if (n_block == 1)
        (void)adn_config_error(node_of(conf, entry, "edge"),
                               "'%s.edge' is %d: there is one block, and no edge", entry,
                               link->edge);
    else if (n_block > 0 && link->edge >= n_block)
        (void)adn_config_error(node_of(conf, entry, "edge"),
                               "'%s.edge' is %d: expected at most %d, there are %d blocks", entry,
                               link->edge, n_block - 1, n_block);
    else if (first < i)
        (void)adn_config_error(node_of(conf, entry, "edge"),
                               "'%s.edge' is %d, like that of 'chaos.link[%d]': expected each edge "
                               "once",
                               entry, link->edge, first);
    check_loss(conf, entry, link);
}

void adn_config_check_chaos(const adn_config *conf, int n_block)
{
    if (conf->mode == ADN_MODE_BP) return; /* one block: the entries are of other modes */
    for (int i = 0; i < conf->chaos.n_slow; i++) check_slow(conf, i, n_block);
    if (conf->schedule == ADN_SCHEDULE_THREADS) return; /* links are not read there */
    for (int i = 0; i < conf->chaos.n_link; i++) check_link(conf, i, n_block);
}
