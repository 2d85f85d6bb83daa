/* Saves on the way: blocks meet a marker one after another, and many may be under way at once. */
#include "pipeline/inside.h"
#include "suite.h"
#include "tiny.h"

static const char *const config = "data: {name: cifar10, root: nowhere, batch: 4}\n"
                                  "model: {units: [{conv: 2}, {conv: 2}, {conv: 2}], cuts: every}\n"
                                  "aux: {kind: linear}\n"
                                  "checkpoint: {every: 1st, keep: {last: 100, best: 0}}\n";

/* Every edge full of markers, each block with one in hand: the first block is so far ahead. */
START_TEST(there_is_room_for_as_many_saves_as_markers_have_places)
{
    adn_dataset_pair data;
    adn_config *conf = tiny_config(config, NULL);
    const char *dir = adn_test_dir();
    tiny_run t;
    int n, n_open;
    adn_ckpt_info *list;

    tiny_data(&data, 8, 4, 4, 4, 3, 2);
    tiny_open(&t, conf, &data, &(tiny_options){.dir = dir});
    n_open = (t.plan.n_block - 1) * ADN_EDGE_MARKERS + t.plan.n_block;
    for (int k = 1; k <= n_open; k++) ck_assert_int_eq(adn_saver_block(t.run->saver, 0, k), ADN_OK);
    ck_assert_int_eq(adn_ckpt_list(dir, &list, &n), ADN_OK);
    ck_assert_int_eq(n, 0); /* none is whole */
    adn_free(list);
    for (int k = 1; k <= 2; k++)
        for (int j = 1; j < t.plan.n_block; j++)
            ck_assert_int_eq(adn_saver_block(t.run->saver, j, k), ADN_OK);
    ck_assert_int_eq(t.n_save, 2);
    ck_assert_int_eq(adn_saver_block(t.run->saver, 0, n_open + 1), ADN_OK); /* in a free place */
    tiny_close(&t);
    ck_assert_int_eq(adn_ckpt_list(dir, &list, &n), ADN_OK);
    ck_assert_int_eq(n, 2);
    adn_free(list);
    adn_config_free(conf);
    tiny_data_clear(&data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("save");
    TCase *tc = tcase_create("save");
    tcase_add_test(tc, there_is_room_for_as_many_saves_as_markers_have_places);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
