/* The edges between blocks: what `auto` stands for, what each block's own edge is, and what their
 * keys say about each other. */
#include "config/load.h"

#include <stdio.h>
#include <string.h>

enum {
    OWN_SLOTS,
    OWN_POLICY,
    OWN_WHEN_FULL,
    OWN_MAX_REUSE,
    OWN_MAX_AGE,
    OWN_EMIT,
    OWN_PLACE,
    OWN_LINK,
    N_OWN
};
static const char *const names[N_OWN] = {"slots",   "policy", "when_full", "max_reuse",
                                         "max_age", "emit",   "place",     "link"};
enum { PATH_CHARS = 64 };

/* "edge.policy", or "blocks[2].edge.policy" of the edge into block 2. */
static const char *path_of(int block, int name, char path[PATH_CHARS])
{
    if (block < 0)
        snprintf(path, PATH_CHARS, "edge.%s", names[name]);
    else
        snprintf(path, PATH_CHARS, "blocks[%d].edge.%s", block, names[name]);
    return path;
}

static bool is_auto(const adn_config *conf, int block, int name)
{
    char path[PATH_CHARS];
    const adn_setting *s = adn_config_find(conf, path_of(block, name, path));
    return s != NULL && s->value != NULL && strcmp(s->value, "auto") == 0;
}

static adn_status resolve(adn_config *conf, int block, int name, const char *value)
{
    char path[PATH_CHARS];
    return adn_config_resolve(conf, path_of(block, name, path), value);
}

static adn_replay_policy auto_policy(const adn_config *conf)
{
    return conf->mode == ADN_MODE_ASYNC ? ADN_REPLAY_PRIORITY_LIFO : ADN_REPLAY_FIFO;
}

static adn_when_full auto_full(adn_replay_policy policy)
{
    return policy == ADN_REPLAY_FIFO ? ADN_FULL_BLOCK : ADN_FULL_DROP_OLDEST;
}

static adn_status resolve_policy(adn_config *conf, int block)
{
    bool is_fifo = auto_policy(conf) == ADN_REPLAY_FIFO;
    return resolve(conf, block, OWN_POLICY, is_fifo ? "fifo" : "priority-lifo");
}

static adn_status resolve_full(adn_config *conf, int block, const adn_buffer_conf *e)
{
    bool blocks = e->when_full == ADN_FULL_BLOCK;
    return resolve(conf, block, OWN_WHEN_FULL, blocks ? "block" : "drop_oldest");
}

/* Where blocks wait for each other an edge is a blocking fifo, whatever stands in the file (so no
 * check below finds fault with what only async reads); and so is the loader's in every mode. */
static adn_buffer_conf waiting(const adn_buffer_conf *e)
{
    return (adn_buffer_conf){.slots = e->slots,
                             .place = e->place,
                             .link = e->link,
                             .policy = ADN_REPLAY_FIFO,
                             .when_full = ADN_FULL_BLOCK};
}

/* The edge into block j: its own keys, then those of `edge`. */
static adn_status finish_own(adn_config *conf, int j, bool is_full_auto)
{
    adn_buffer_conf own = conf->blocks[j].edge, *e = &conf->blocks[j].edge;
    bool is_async = conf->mode == ADN_MODE_ASYNC, has[N_OWN];
    adn_status st = ADN_OK;
    char path[PATH_CHARS];

    conf->blocks[j].has_edge = false;
    for (int k = 0; k < N_OWN; k++) {
        has[k] = adn_config_is_given(conf, path_of(j, k, path));
        conf->blocks[j].has_edge = conf->blocks[j].has_edge || has[k];
    }
    *e = conf->edge;
    if (j == 0) *e = waiting(&(adn_buffer_conf){.slots = conf->edge.slots});
    if (j == 0 || !conf->blocks[j].has_edge) return ADN_OK;
    bool is_policy_auto = has[OWN_POLICY] && is_auto(conf, j, OWN_POLICY);
    if (has[OWN_WHEN_FULL]) is_full_auto = is_auto(conf, j, OWN_WHEN_FULL);
    if (has[OWN_SLOTS]) e->slots = own.slots;
    if (has[OWN_PLACE]) e->place = own.place;
    if (has[OWN_LINK]) e->link = own.link;
    if (has[OWN_POLICY]) e->policy = is_policy_auto ? auto_policy(conf) : own.policy;
    if (has[OWN_WHEN_FULL]) e->when_full = own.when_full;
    if (is_full_auto) e->when_full = auto_full(e->policy);
    if (has[OWN_MAX_REUSE]) e->max_reuse = own.max_reuse;
    if (has[OWN_MAX_AGE]) e->max_age = own.max_age;
    if (has[OWN_EMIT]) e->emit_fresh = own.emit_fresh;
    if (!is_async) *e = waiting(e);
    if (conf->mode == ADN_MODE_BP) return ADN_OK; /* auto stands for nothing: there is no edge */
    if (is_policy_auto) ADN_TRY(st, resolve_policy(conf, j), fail);
    /* Under a policy of its own, auto may be another word here than in `edge`: a dump has both. */
    if (is_full_auto && (has[OWN_WHEN_FULL] || (is_async && has[OWN_POLICY])))
        ADN_TRY(st, resolve_full(conf, j, e), fail);
fail:
    return st;
}

adn_status adn_config_finish_edges(adn_config *conf)
{
    adn_buffer_conf *e = &conf->edge;
    bool is_policy_auto = is_auto(conf, -1, OWN_POLICY);
    bool is_full_auto = is_auto(conf, -1, OWN_WHEN_FULL);
    adn_status st = ADN_OK;

    if (is_policy_auto) e->policy = auto_policy(conf);
    if (is_full_auto) e->when_full = auto_full(e->policy);
    if (conf->mode != ADN_MODE_ASYNC) *e = waiting(e);
    if (is_policy_auto && conf->mode != ADN_MODE_BP) ADN_TRY(st, resolve_policy(conf, -1), fail);
    if (is_full_auto && conf->mode != ADN_MODE_BP) ADN_TRY(st, resolve_full(conf, -1, e), fail);
    for (int j = 0; j < conf->n_block; j++) ADN_TRY(st, finish_own(conf, j, is_full_auto), fail);
fail:
    return st;
}

/* Refuses `name` beside `other`: where this edge says one of the two, and not again for each block
 * that has both from `edge`. */
static void refuse(const adn_config *conf, int block, int name, int other, const char *why)
{
    char path[PATH_CHARS];

    if (!adn_config_is_given(conf, path_of(block, name, path)) &&
        !adn_config_is_given(conf, path_of(block, other, path)))
        return;
    (void)adn_config_error(adn_config_node(conf, path), "'%s': %s", path, why);
}

static void check_edge(const adn_config *conf, int block, const adn_buffer_conf *e)
{
    bool is_fifo = e->policy == ADN_REPLAY_FIFO;

    if (e->link == ADN_LINK_NCCL && e->place != ADN_EDGE_DEVICE)
        refuse(conf, block, OWN_LINK, OWN_PLACE,
               "nccl receives into a GPU's memory: expected 'place: device' with it, or 'copy'");
    if (is_fifo && e->when_full == ADN_FULL_DROP_OLDEST)
        refuse(conf, block, OWN_WHEN_FULL, OWN_POLICY,
               "policy fifo loses nothing: expected 'when_full: block' with it, or another policy");
    if (is_fifo && e->max_reuse > 1)
        refuse(conf, block, OWN_MAX_REUSE, OWN_POLICY,
               "policy fifo reads each batch once: expected 'max_reuse' 1 or inf with it, or "
               "another policy");
    if (is_fifo && e->max_age > 0)
        refuse(conf, block, OWN_MAX_AGE, OWN_POLICY,
               "policy fifo reads each batch, however old: expected 'max_age: inf' with it, or "
               "another policy");
    else if (!is_fifo && e->when_full == ADN_FULL_BLOCK && e->max_age > 0)
        refuse(conf, block, OWN_WHEN_FULL, OWN_MAX_AGE,
               "unread batches that are too old to be read would never make room: producer and "
               "consumer would wait for each other for good; use drop_oldest or leave max_age out");
}

void adn_config_check_edges(const adn_config *conf)
{
    const adn_setting *loader = adn_config_given_in(conf, "blocks[0].edge");
    char section[PATH_CHARS];

    if (loader != NULL && adn_config_is_sure(conf, "blocks[0].edge"))
        (void)adn_config_error(loader->node,
                               "'%s': the edge into block 0 is the loader's, always a blocking "
                               "fifo: expected keys of edges from block 1 on",
                               loader->path);
    if (!adn_config_is_sure(conf, "edge")) return;
    check_edge(conf, -1, &conf->edge);
    for (int j = 1; j < conf->n_block; j++) {
        snprintf(section, sizeof(section), "blocks[%d].edge", j);
        if (conf->blocks[j].has_edge && adn_config_is_sure(conf, section))
            check_edge(conf, j, &conf->blocks[j].edge);
    }
}
