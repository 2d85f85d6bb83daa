/* The processors that the cpu device's hot files are compiled for: which one a device gets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/cpu.h"
#include "devices.h"
#include "suite.h"

static char given[64]; /* ADONIS_ISA as this program found it; empty: none */

static void setup(void)
{
    const char *env = getenv("ADONIS_ISA");
    snprintf(given, sizeof(given), "%s", env == NULL ? "" : env);
    adn_test_log_clear();
}

static void teardown(void)
{
    setenv("ADONIS_ISA", given, 1);
}

static const adn_cpu_isa *isa_of(const char *wish)
{
    adn_device *dev = NULL;
    adn_queue *q;

    if (wish != NULL)
        setenv("ADONIS_ISA", wish, 1);
    else
        unsetenv("ADONIS_ISA");
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_create(dev, &(adn_queue_conf){.n_thread = 1}, &q), ADN_OK);
    const adn_cpu_isa *isa = adn_cpu_queue_isa(q);
    dev->ops->queue_destroy(q);
    dev->ops->close(dev);
    return isa;
}

START_TEST(a_name_chooses_its_processor_and_none_the_best)
{
    ck_assert_ptr_eq(isa_of(NULL), adn_cpu_isa_at(0));
    ck_assert_ptr_eq(isa_of(""), adn_cpu_isa_at(0));
    for (int k = 0; adn_cpu_isa_at(k) != NULL; k++)
        ck_assert_ptr_eq(isa_of(adn_cpu_isa_at(k)->name), adn_cpu_isa_at(k));
    ck_assert_str_eq(isa_of("portable")->name, "portable"); /* everywhere */
}
END_TEST

START_TEST(a_name_that_is_not_here_is_refused_with_those_that_are)
{
    adn_device *dev = (adn_device *)&dev;

    setenv("ADONIS_ISA", "v5", 1);
    ck_assert_int_eq(adn_cpu_open(&dev), ADN_BADCONF);
    ck_assert_ptr_eq(dev, (adn_device *)&dev);
    ck_assert_ptr_nonnull(strstr(adn_test_log(), "ADONIS_ISA=v5"));
    for (int k = 0; adn_cpu_isa_at(k) != NULL; k++)
        ck_assert_ptr_nonnull(strstr(adn_test_log(), adn_cpu_isa_at(k)->name));
}
END_TEST

START_TEST(each_is_compiled_for_its_vectors_and_the_best_comes_first)
{
    static const struct {
        const char *name;
        int lanes;
    } known[] = {{"amx", 16}, {"v4", 16}, {"v3", 8}};
    int lanes_before = 16;

    for (int k = 0; adn_cpu_isa_at(k) != NULL; k++) {
        const adn_cpu_isa *isa = adn_cpu_isa_at(k);
        ck_assert_int_le(isa->lanes, lanes_before);
        lanes_before = isa->lanes;
        for (size_t i = 0; i < ADN_COUNT(known); i++)
            if (strcmp(known[i].name, isa->name) == 0) ck_assert_int_eq(isa->lanes, known[i].lanes);
    }
}
END_TEST

START_TEST(over_floats_a_processor_with_tiles_is_one_without)
{
    const adn_cpu_isa *amx = adn_cpu_isa_at(0), *v4 = adn_cpu_isa_at(1);

    if (strcmp(amx->name, "amx") != 0) return;
    ck_assert_str_eq(v4->name, "v4");
    ck_assert_ptr_eq(amx->ways, v4->ways);
    ck_assert_ptr_ne(amx->ways_bf16, v4->ways_bf16);
}
END_TEST

START_TEST(tests_loop_over_every_processor_once)
{
    devices all;
    int n = 0;

    setenv("ADONIS_ISA", adn_cpu_isa_at(0)->name, 1);
    devices_open(&all);
    ck_assert_str_eq(getenv("ADONIS_ISA"), adn_cpu_isa_at(0)->name);
    for (; adn_cpu_isa_at(n) != NULL; n++) {
        ck_assert_int_lt(n, all.n);
        for (int k = 0; k < all.one[n].n_queue; k++)
            ck_assert_ptr_eq(adn_cpu_queue_isa(all.one[n].queues[k]), adn_cpu_isa_at(n));
    }
    ck_assert_int_eq(all.n, n);
    devices_close(&all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("isa");
    TCase *tc = tcase_create("isa");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_name_chooses_its_processor_and_none_the_best);
    tcase_add_test(tc, a_name_that_is_not_here_is_refused_with_those_that_are);
    tcase_add_test(tc, each_is_compiled_for_its_vectors_and_the_best_comes_first);
    tcase_add_test(tc, over_floats_a_processor_with_tiles_is_one_without);
    tcase_add_test(tc, tests_loop_over_every_processor_once);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
