/* Evaluation of a checkpoint, and `plan`: pipelines that are built but do not train. */
#include <string.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/file.h"
#include "device/cuda.h"
#include "pipeline/setup.h"
#include "pipeline/text.h"
#include "store/store.h"

struct eval_call {
    void (*on_row)(void *user, const adn_epoch_row *row);
    void *user;
};

static adn_status pass_row(void *user, const adn_epoch_row *row)
{
    struct eval_call *call = user;
    call->on_row(call->user, row);
    return ADN_OK;
}

adn_status adn_eval(const char *run_dir, const char *which,
                    void (*on_row)(void *user, const adn_epoch_row *row), void *user)
{
    adn_status st = ADN_NOMEM;
    adn_config *conf = NULL;
    adn_standing s = {0};
    struct eval_call call = {on_row, user};
    adn_run_conf rc = {.on_row = pass_row, .user = &call};
    char *dir = NULL, *path = adn_path_join(run_dir, "config.resolved.yaml");

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "eval: no memory");
    if (!adn_path_exists(path)) {
        st = ADN_FAIL(ADN_USAGE, "%s: is no run directory (config.resolved.yaml is not there)",
                      run_dir);
        goto done;
    }
    ADN_TRY(st, adn_config_load(path, NULL, 0, &conf), done);
    for (int j = 0; j < conf->n_block; j++) /* on what is here, wherever it was trained */
        if (conf->blocks[j].place == ADN_PLACE_GPU) conf->blocks[j].place = ADN_PLACE_AUTO;
    for (int j = 0; j < conf->n_block; j++) conf->blocks[j].edge.link = ADN_LINK_COPY;
    conf->edge.link = ADN_LINK_COPY; /* one batch after another: nobody waits for them */
    conf->replicas = 1;              /* all of them have the same weights */
    conf->data.resident = ADN_RESIDENT_AUTO;
    if (conf->precision == ADN_PRECISION_TF32 && adn_cuda_count(NULL) == 0)
        conf->precision = ADN_PRECISION_FP32; /* the cpu's products are not rounded */
    ADN_TRY(st, adn_ckpt_path(run_dir, which, &dir), done);
    ADN_TRY(st, adn_dataset_open(&conf->data, &s.data), done);
    ADN_TRY(st, adn_devices_init(&s.devices, conf), done);
    ADN_TRY(st, adn_devices_recall(&s.devices, run_dir), done);
    ADN_TRY(st, adn_stand(&s, conf, &rc), done);
    ADN_TRY(st, adn_env_compare(run_dir, &s.plan), done);
    ADN_TRY(st, adn_run_load(s.run, dir, 0, false), done);
    st = adn_run_test(s.run);
done:
    adn_stand_clear(&s);
    adn_config_free(conf);
    adn_free(dir);
    adn_free(path);
    return st;
}

/* gpu: NULL, or a model that need not be here. */
static adn_status plan_text(const adn_config *conf, const char *gpu, bool as_json, char **out)
{
    adn_status st;
    adn_standing s = {0};
    adn_run_conf rc = {.is_bare = true};

    if (gpu == NULL)
        ADN_TRY(st, adn_devices_init(&s.devices, conf), done);
    else
        ADN_TRY(st, adn_devices_init_model(&s.devices, conf, gpu), done);
    ADN_TRY(st, adn_dataset_open(&conf->data, &s.data), done);
    ADN_TRY(st, adn_stand(&s, conf, &rc), done);
    st = as_json ? adn_plan_json(&s.plan, s.run, out) : adn_plan_table(&s.plan, s.run, out);
    if (st == ADN_OK && gpu != NULL) st = adn_planned_check(&s.plan, s.run);
done:
    adn_stand_clear(&s);
    return st;
}

adn_status adn_plan_text(adn_config *conf, bool as_json, char **out)
{
    return plan_text(conf, NULL, as_json, out);
}

adn_status adn_plan_text_for(const adn_config *conf, const char *gpu, bool as_json, char **out)
{
    return plan_text(conf, gpu, as_json, out);
}
