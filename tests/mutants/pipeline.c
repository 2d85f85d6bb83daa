/* What a mutant is tried on: three blocks, one slot an edge, a few steps with delays; the same with
 * two replicas, and with slots that GPUs reach by copies. */
#include "suite.h"
#include "tiny.h"

static const char *const config =
    "mode: sync\nuntil: 2ep\n"
    "data: {name: cifar10, root: nowhere, batch: 8, augment: [flip]}\n"
    "model: {units: [{conv: 4}, {conv: 6}, {residual: 6}], cuts: every}\n"
    "aux: {kind: linear}\nclassifier: {hidden: 0}\nedge: {slots: 1}\n";

static adn_status train(const adn_dataset_pair *data, const char *overrides)
{
    adn_config *conf = tiny_config_of(config, overrides);
    adn_status st = ADN_OK;

    for (uint64_t jitter = 0; jitter < 3 && st == ADN_OK; jitter++) {
        tiny_run t;
        tiny_open(&t, conf, data, &(tiny_options){.jitter = jitter, .bucket_bytes = 500});
        st = adn_run_train(t.run);
        tiny_close(&t);
    }
    adn_config_free(conf);
    return st;
}

int main(void)
{
    adn_dataset_pair data;

    tiny_data(&data, 64, 16, 8, 8, 3, 4);
    adn_status st = train(&data, "");
    if (st == ADN_OK) st = train(&data, "replicas=2");
    if (st == ADN_OK) st = train(&data, "edge.place=pinned");
    tiny_data_clear(&data);
    return st == ADN_OK ? 0 : 1;
}
