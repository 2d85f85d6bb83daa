/* Which devices a plan's blocks come to, whatever this machine has. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "tiny.h"

static const char *const config = "data: {name: cifar10, root: nowhere, batch: 8}\n"
                                  "model: {units: [{conv: 8}, {conv: 8}, {conv: 8}, {conv: 8}, "
                                  "{conv: 8}, {conv: 8}], cuts: every}\n"
                                  "aux: {kind: linear}\n";

enum { N_BLOCK = 6 };
static adn_dataset_pair data;

static void setup(void)
{
    tiny_data(&data, 32, 8, 8, 8, 3, 4);
}

static void teardown(void)
{
    tiny_data_clear(&data);
}

/* Devices of the blocks, parted by commas; more overrides, parted by spaces. */
static adn_config *config_of(const char *devices, const char *more)
{
    char text[600] = "", list[400], *rest = NULL;

    snprintf(list, sizeof(list), "%s", devices);
    for (char *d = strtok_r(list, ",", &rest); d != NULL; d = strtok_r(NULL, ",", &rest)) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n, "%s{device: %s}", n == 0 ? "blocks=[" : ", ", d);
    }
    if (text[0] != '\0') strcat(text, "]");
    const char *overrides[8] = {NULL};
    char others[100];
    int n = 0;
    snprintf(others, sizeof(others), "%s", more != NULL ? more : "");
    if (text[0] != '\0') overrides[n++] = text;
    for (char *o = strtok_r(others, " ", &rest); o != NULL; o = strtok_r(NULL, " ", &rest))
        overrides[n++] = o;
    return tiny_config(config, overrides);
}

/* gpu: of the last replica's blocks. */
static adn_status plan(const char *devices, const char *more, int n_gpu, int *gpu)
{
    adn_config *conf = config_of(devices, more);
    const adn_gpus gpus = {n_gpu, "none is here"};
    adn_plan p;
    adn_status st;

    adn_test_log_clear();
    st = adn_plan_create_cut(conf, &data, NULL, &gpus, &p);
    if (st == ADN_OK) {
        ck_assert_int_eq(p.n_block, N_BLOCK);
        for (int j = 0; j < N_BLOCK; j++) {
            gpu[j] = adn_plan_gpu(&p, p.n_column - 1, j);
            ck_assert(gpu[j] == ADN_ON_CPU || p.blocks[j].queue.n_thread == 1);
        }
        adn_plan_clear_all(&p);
    }
    adn_config_free(conf);
    return st;
}

START_TEST(blocks_come_to_where_they_are_put_or_in_runs_to_all_gpus)
{
    static const struct {
        const char *devices, *more;
        int n_gpu, gpu[N_BLOCK];
    } cases[] = {
        {"", NULL, 0, {-1, -1, -1, -1, -1, -1}},
        {"", NULL, 1, {0, 0, 0, 0, 0, 0}},
        {"", NULL, 2, {0, 0, 0, 1, 1, 1}},
        {"", NULL, 3, {0, 0, 1, 1, 2, 2}},
        {"", NULL, 6, {0, 1, 2, 3, 4, 5}},
        {"", NULL, 16, {0, 1, 2, 3, 4, 5}},
        {"cpu,cpu,cpu,cpu,cpu,cpu", NULL, 2, {-1, -1, -1, -1, -1, -1}},
        {"auto,auto,cpu,auto,auto,auto", NULL, 2, {-1, -1, -1, -1, -1, -1}},
        {"cuda:1,cuda:0,cuda:1,cuda:0,cuda:1,cuda:0", NULL, 2, {1, 0, 1, 0, 1, 0}},
        {"auto,auto,auto,auto,auto,cuda:0", NULL, 2, {0, 0, 0, 1, 1, 0}},
        {"", "schedule=virtual", 3, {0, 0, 0, 0, 0, 0}},
        {"auto,cuda:2,auto,auto,auto,auto", "schedule=virtual", 3, {2, 2, 2, 2, 2, 2}},
        {"", "mode=greedy", 2, {0, 0, 0, 1, 1, 1}},
        {"", "precision=tf32", 1, {0, 0, 0, 0, 0, 0}},
        {"", "replicas=3", 0, {-1, -1, -1, -1, -1, -1}},
        {"", "replicas=2", 2, {1, 1, 1, 1, 1, 1}},
        {"", "replicas=2", 5, {2, 2, 2, 3, 3, 3}},
        {"", "replicas=3", 6, {4, 4, 4, 5, 5, 5}},
        {"", "replicas=2", 16, {6, 7, 8, 9, 10, 11}}, /* one GPU a block is enough */
        {"cuda:0,cuda:0,cuda:0,cuda:1,cuda:1,cuda:1", "replicas=3", 8, {4, 4, 4, 5, 5, 5}},
        {"cuda:0,cuda:0,cuda:0,cuda:0,cuda:0,cuda:0", "replicas=2", 8, {1, 1, 1, 1, 1, 1}},
        {"auto,auto,auto,auto,auto,cuda:2", "replicas=2", 6, {3, 3, 4, 4, 5, 5}},
    };

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        int gpu[N_BLOCK];
        ck_assert_int_eq(plan(cases[i].devices, cases[i].more, cases[i].n_gpu, gpu), ADN_OK);
        for (int j = 0; j < N_BLOCK; j++)
            ck_assert_msg(gpu[j] == cases[i].gpu[j], "case %zu: block %d is on %d, not on %d", i, j,
                          gpu[j], cases[i].gpu[j]);
    }
}
END_TEST

START_TEST(what_a_device_is_not_or_has_not_is_refused)
{
    static const struct {
        const char *devices, *more;
        int n_gpu;
        adn_status st;
        const char *says;
    } cases[] = {
        {"cuda:0,auto,auto,auto,auto,auto", NULL, 0, ADN_DEVICE,
         "blocks[0].device: cuda:0: none is here"},
        {"auto,auto,cuda:2,auto,auto,auto", NULL, 2, ADN_DEVICE,
         "blocks[2].device: cuda:2: this process may use 2 GPUs, from cuda:0"},
        {"cuda:1,auto,auto,auto,auto,auto", NULL, 1, ADN_DEVICE, "may use 1 GPU, from cuda:0"},
        {"cpu,auto,auto,cuda:0,auto,auto", NULL, 1, ADN_BADCONF,
         "blocks[3].device: cuda:0, but blocks[0].device: cpu"},
        {"", "precision=tf32", 0, ADN_BADCONF, "argument 'precision=tf32': tf32 is of GPUs"},
        {"cpu,auto,auto,auto,auto,auto", "precision=tf32", 1, ADN_BADCONF, "tf32 is of GPUs"},
        {"", "model.conv=direct", 1, ADN_BADCONF,
         "argument 'model.conv=direct': of the cpu; on GPUs cuDNN chooses: auto"},
        {"auto,auto,auto,auto,auto,auto", "blocks[1].threads=2", 1, ADN_BADCONF,
         "blocks[1].threads: a GPU has no team of threads"},
        {"cuda:0,auto,auto,cuda:1,auto,auto", "schedule=virtual", 2, ADN_BADCONF,
         "blocks[3].device: cuda:1, but block 0 is on cuda:0: in schedule virtual"},
        {"", "edge.link=nccl", 0, ADN_BADCONF,
         "argument 'edge.link=nccl': nccl is of GPUs, and the blocks are on the cpu: auto"},
        {"", "replicas=2", 1, ADN_DEVICE,
         "argument 'replicas=2': 2 replicas, each on 1 GPU of its own: this process may use 1"},
        {"auto,auto,auto,auto,auto,cuda:2", "replicas=2", 5, ADN_DEVICE,
         "argument 'replicas=2': 2 replicas, each on 3 GPUs of its own: this process may use 5"},
        {"", "replicas=2 schedule=virtual", 4, ADN_BADCONF,
         "in schedule virtual all blocks are on one device"},
    };

    for (size_t i = 0; i < ADN_COUNT(cases); i++) {
        int gpu[N_BLOCK];
        ck_assert_int_eq(plan(cases[i].devices, cases[i].more, cases[i].n_gpu, gpu), cases[i].st);
        ck_assert_msg(strstr(adn_test_log(), cases[i].says) != NULL, "case %zu: %s", i,
                      adn_test_log());
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("place");
    TCase *tc = tcase_create("place");

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_add_test(tc, blocks_come_to_where_they_are_put_or_in_runs_to_all_gpus);
    tcase_add_test(tc, what_a_device_is_not_or_has_not_is_refused);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
