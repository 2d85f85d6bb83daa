/* What the keys say about each other. A key that was refused already is not looked at again. */
#include "config/load.h"

#include <stdio.h>
#include <string.h>

/* The node of the i-th item of a list's setting: what a message about it points to. */
static const adn_node *item_node(const adn_config *conf, const char *path, int i)
{
    const adn_node *node = adn_config_node(conf, path);
    const adn_item *item = node->items;
    while (item != NULL && i-- > 0) item = item->next;
    return item != NULL ? item->value : node;
}

static void check_name(adn_config *conf)
{
    const adn_node *node = adn_config_node(conf, "name");
    if (!adn_config_is_sure(conf, "name")) return;
    if (conf->name[0] == '\0' || strchr(conf->name, '/') != NULL || strcmp(conf->name, ".") == 0 ||
        strcmp(conf->name, "..") == 0)
        (void)adn_config_error(node, "'name' names a directory: it cannot be '%s'",
                               adn_show(conf->name).s);
    else if (strlen(conf->name) > 200) /* a file's name has 255 at most, and the run's are longer */
        (void)adn_config_error(node, "'name' has %zu bytes: expected at most 200",
                               strlen(conf->name));
}

static void check_data(adn_config *conf)
{
    const adn_data_conf *d = &conf->data;
    bool is_cifar = strcmp(d->name, "idx") != 0;

    if (!adn_config_is_sure(conf, "data.name")) return;
    if (strcmp(d->name, "cifar10") != 0 &&
        adn_config_find(conf, "data.root")->origin == ADN_FROM_DEFAULT)
        (void)adn_config_error(adn_config_node(conf, "data.name"),
                               "'data.root' is missing: the folder of the %s files", d->name);
    int classes = adn_schema_word(adn_schema_find("data.name"), d->name)->value;
    if (adn_config_is_sure(conf, "data.classes") && is_cifar && d->classes != 0 &&
        d->classes != classes)
        (void)adn_config_error(adn_config_node(conf, "data.classes"), "%s has %d classes, not %d",
                               d->name, classes, d->classes);
    if (!adn_config_is_sure(conf, "data.mean") || !adn_config_is_sure(conf, "data.std")) return;
    int channels = is_cifar ? 3 : 1; /* idx holds gray images */
    if (!d->auto_mean && d->n_mean != channels)
        (void)adn_config_error(adn_config_node(conf, "data.mean"),
                               "'data.mean' has %d numbers: %s has %d a pixel", d->n_mean, d->name,
                               channels);
    if (!d->auto_std && d->n_std != channels)
        (void)adn_config_error(adn_config_node(conf, "data.std"),
                               "'data.std' has %d numbers: %s has %d a pixel", d->n_std, d->name,
                               channels);
}

/* True where the unit's key was given. */
static bool unit_has(const adn_config *conf, int i, const char *key)
{
    char path[64];
    snprintf(path, sizeof(path), "model.units[%d].%s", i, key);
    return adn_config_find(conf, path) != NULL;
}

static void check_units(adn_config *conf)
{
    char path[64];
    bool is_sure =
        adn_config_is_sure(conf, "model.name") && adn_config_is_sure(conf, "model.units");

    if (is_sure && conf->model.name != NULL && adn_config_is_given(conf, "model.units"))
        (void)adn_config_error(adn_config_node(conf, "model.name"),
                               "'model.name' and 'model.units' exclude each other (units: %s)",
                               adn_config_place(conf, "model.units"));
    else if (is_sure && conf->model.name == NULL && conf->model.n_unit == 0)
        (void)adn_config_error(adn_config_node(conf, "model.units"),
                               "'model.units' is empty: expected at least one unit");
    for (int i = 0; i < conf->model.n_unit; i++) {
        snprintf(path, sizeof(path), "model.units[%d]", i);
        if (!adn_config_is_sure(conf, path)) continue;
        const adn_node *node = adn_config_node(conf, path);
        bool has_conv = unit_has(conf, i, "conv"), has_residual = unit_has(conf, i, "residual");
        if (has_conv == has_residual)
            (void)adn_config_error(node, "'%s' needs %s: 'conv' or 'residual'", path,
                                   has_conv ? "only one kind" : "a kind");
        else if (has_residual && unit_has(conf, i, "pool"))
            (void)adn_config_error(
                node, "'%s': 'pool' goes with 'conv', a residual block has 'stride'", path);
        else if (has_residual && unit_has(conf, i, "bias"))
            (void)adn_config_error(node, "'%s': 'bias' goes with 'conv', a residual block has none",
                                   path);
    }
}

static void check_cuts(adn_config *conf)
{
    const adn_model_conf *m = &conf->model;
    int n = adn_config_units(conf);

    if (m->cuts_kind == ADN_CUTS_EVERY && n > ADN_MAX_SECTIONS && conf->mode != ADN_MODE_BP)
        (void)adn_config_error(adn_config_node(conf, "model.cuts"),
                               "'model.cuts: every' makes %d blocks: at most %d", n,
                               ADN_MAX_SECTIONS);
    if (m->cuts_kind != ADN_CUTS_LIST) return;
    for (int i = 0; i < m->n_cut; i++) {
        const adn_node *node = item_node(conf, "model.cuts", i);
        const char *net = m->name != NULL ? m->name : "the net";
        if (i > 0 && m->cuts[i] <= m->cuts[i - 1])
            (void)adn_config_error(node, "'model.cuts' must ascend: %d stands after %d", m->cuts[i],
                                   m->cuts[i - 1]);
        else if (m->cuts[i] > n)
            (void)adn_config_error(
                node, "cut after unit %d: %s has %d units, so the last cut can be after unit %d",
                m->cuts[i], net, n, n - 1);
        else if (m->cuts[i] == n)
            (void)adn_config_error(
                node, "cut after unit %d, the last of %s: the last block would be empty", n, net);
    }
}

static void check_blocks(adn_config *conf)
{
    int n = adn_config_blocks(conf), n_unit = adn_config_units(conf);
    bool is_auto = conf->model.cuts_kind == ADN_CUTS_AUTO;
    char path[64];

    if (conf->mode == ADN_MODE_BP || conf->n_block == 0) return;
    if (is_auto ? conf->n_block <= n_unit : conf->n_block == n) return;
    const adn_node *node = adn_config_node(conf, "blocks");
    if (adn_config_find(conf, "blocks") ==
        NULL) { /* grown by arguments: the one that went too far */
        snprintf(path, sizeof(path), "blocks[%d]", conf->n_block - 1);
        const adn_setting *given = adn_config_given_in(conf, path);
        if (given != NULL) node = given->node;
    }
    if (is_auto)
        (void)adn_config_error(
            node, "'blocks' has %d entries: %s has %d units, so there are at most %d blocks",
            conf->n_block, conf->model.name != NULL ? conf->model.name : "the net", n_unit, n_unit);
    else
        (void)adn_config_error(node, "'blocks' has %d entries, the cuts make %d block%s",
                               conf->n_block, n, n == 1 ? "" : "s");
}

static void check_schedule(adn_config *conf)
{
    const adn_sched_conf *s = &conf->optim.schedule;
    const adn_node *kind = adn_config_node(conf, "optim.schedule.kind");

    if (s->kind == ADN_SCHED_MULTISTEP && s->n_at == 0)
        (void)adn_config_error(
            kind, "'optim.schedule.at' is missing: when multistep decays, such as [30ep, 40ep]");
    for (int i = 1; i < s->n_at; i++) {
        const adn_node *node = item_node(conf, "optim.schedule.at", i);
        if (s->at[i].unit != s->at[0].unit)
            (void)adn_config_error(node, "'optim.schedule.at' mixes units");
        else if (s->at[i].value <= s->at[i - 1].value)
            (void)adn_config_error(node, "'optim.schedule.at' must ascend");
    }
    if (!adn_config_is_sure(conf, "until")) return;
    bool is_annealed = s->kind == ADN_SCHED_LINEAR || s->kind == ADN_SCHED_COSINE;
    bool is_timed = conf->until.unit == ADN_SECONDS; /* modelled time repeats, a clock does not */
    if (is_annealed && is_timed && conf->schedule != ADN_SCHEDULE_VIRTUAL &&
        adn_config_is_sure(conf, "schedule"))
        (void)adn_config_error(
            kind, "a schedule that ends at 'until' needs it in epochs or steps, not in time");
    else if (s->warmup.value > 0 && s->warmup.unit == conf->until.unit &&
             s->warmup.value >= conf->until.value)
        (void)adn_config_error(adn_config_node(conf, "optim.schedule.warmup"),
                               "'optim.schedule.warmup' must end before 'until' does");
}

adn_status adn_config_check(adn_config *conf)
{
    const adn_optim_conf *o = &conf->optim;

    check_name(conf);
    check_data(conf);
    int before = conf->origins->n_error, n_block = 0;
    check_units(conf);
    if (conf->origins->n_error == before && adn_config_is_sure(conf, "model")) {
        check_cuts(conf);
        if (conf->origins->n_error == before && adn_config_is_sure(conf, "mode") &&
            adn_config_is_sure(conf, "blocks")) {
            check_blocks(conf);
            n_block = adn_config_blocks(conf);
        }
    }
    adn_config_check_edges(conf);
    adn_config_check_chaos(conf, n_block);
    if (adn_config_is_sure(conf, "optim.schedule")) check_schedule(conf);
    if (adn_config_is_sure(conf, "optim.nesterov") && adn_config_is_sure(conf, "optim.momentum") &&
        o->kind == ADN_OPTIM_SGD && o->nesterov && o->momentum == 0)
        (void)adn_config_error(adn_config_node(conf, "optim.nesterov"),
                               "'optim.nesterov' needs a momentum above 0");
    return ADN_OK;
}
