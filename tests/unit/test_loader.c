/* The loader: what it gives depends on nothing but (seed, epoch, sample). */
#include "suite.h"

#include <sched.h>
#include <string.h>

#include "data/data.h"

enum { H = 7, W = 6, C = 3, IMAGE = H * W * C, MOST = 64 };

/* A set whose pixels tell the sample and the place. */
static adn_dataset make_set(int n)
{
    uint8_t *block = adn_alloc((size_t)n * (IMAGE + 1));
    uint8_t *labels = block + (size_t)n * IMAGE;

    for (int i = 0; i < n; i++) {
        labels[i] = (uint8_t)(i % 10);
        for (int j = 0; j < IMAGE; j++)
            block[i * IMAGE + j] = (uint8_t)(1 + (i * 31 + j * 7) % 255);
    }
    return (adn_dataset){n, H, W, C, 10, block, labels, block};
}

static const adn_aug_conf all_kinds[] = {{ADN_AUG_CROP, 2}, {ADN_AUG_FLIP, 0}, {ADN_AUG_CUTOUT, 3}};
static const double mean[] = {.5, .75, .2};

static adn_loader_conf make_conf(const adn_dataset *set)
{
    return (adn_loader_conf){.set = set,
                             .augment = all_kinds,
                             .n_augment = 3,
                             .mean = mean,
                             .seed = 9,
                             .batch = 8,
                             .n_thread = 2,
                             .n_ahead = 3,
                             .epoch = 1};
}

typedef struct taken {
    uint8_t pixels[MOST * IMAGE];
    int32_t labels[MOST];
    uint32_t samples[MOST];
    int n, epoch, index;
} taken;

static adn_status take(adn_loader *l, taken *t)
{
    adn_batch dst = {.pixels = t->pixels, .labels = t->labels, .samples = t->samples};
    adn_status st = adn_loader_next(l, &dst, &t->epoch, &t->index);

    t->n = dst.n_valid;
    return st;
}

static void assert_same(const taken *a, const taken *b)
{
    size_t n = (size_t)a->n;

    ck_assert_int_eq(a->n, b->n);
    ck_assert_int_eq(a->epoch, b->epoch);
    ck_assert_int_eq(a->index, b->index);
    ck_assert_mem_eq(a->samples, b->samples, n * sizeof(*a->samples));
    ck_assert_mem_eq(a->labels, b->labels, n * sizeof(*a->labels));
    ck_assert_mem_eq(a->pixels, b->pixels, n * IMAGE);
}

START_TEST(batches_of_an_epoch_are_counted)
{
    ck_assert_int_eq(adn_loader_batches(50000, 128, false, false), 391);
    ck_assert_int_eq(adn_loader_batches(50000, 128, true, false), 390);
    ck_assert_int_eq(adn_loader_batches(129, 128, false, false),
                     1); /* a last one of a single sample */
    ck_assert_int_eq(adn_loader_batches(129, 128, false, true), 2);
    ck_assert_int_eq(adn_loader_batches(130, 128, false, false), 2);
    ck_assert_int_eq(adn_loader_batches(128, 128, false, false), 1);
    ck_assert_int_eq(adn_loader_batches(127, 128, true, false), 0);
    ck_assert_int_eq(adn_loader_batches(5, 1, false, false), 5);
}
END_TEST

/* What the loader must give, by the definitions and nothing else. */
static void expected_batch(const adn_loader_conf *conf, int epoch, int index, taken *t)
{
    const adn_dataset *set = conf->set;
    uint32_t order[1000];
    const uint8_t fill[] = {128, 191, 51}; /* round(255 mean) */

    adn_order_epoch(conf->seed, epoch, set->n, order);
    t->epoch = epoch;
    t->index = index;
    t->n = ADN_MIN(conf->batch, set->n - index * conf->batch);
    for (int i = 0; i < t->n; i++) {
        int at = index * conf->batch + i;
        uint32_t sample = conf->is_ordered ? (uint32_t)at : order[at];
        t->samples[i] = sample;
        t->labels[i] = set->labels[sample];
        adn_augment(conf->augment, conf->n_augment, conf->seed, epoch, sample, H, W, C, fill,
                    set->pixels + sample * IMAGE, t->pixels + i * IMAGE);
    }
}

START_TEST(batches_are_the_same_whatever_the_readers_and_the_ring)
{
    static taken got, expected;
    static const int rings[][2] = {{1, 1}, {1, 4}, {2, 1}, {2, 3}, {5, 2}, {5, 16}};
    adn_dataset set = make_set(30); /* 3 whole batches and one of 6: rings span several epochs */
    adn_loader_conf conf = make_conf(&set);

    for (size_t k = 0; k < ADN_COUNT(rings); k++) {
        adn_loader *l = NULL;
        conf.n_thread = rings[k][0];
        conf.n_ahead = rings[k][1];
        ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
        for (int epoch = 1; epoch <= 4; epoch++)
            for (int index = 0; index < 4; index++) {
                ck_assert_int_eq(take(l, &got), ADN_OK);
                expected_batch(&conf, epoch, index, &expected);
                assert_same(&got, &expected);
            }
        adn_loader_destroy(l);
    }
    adn_free(set.owned);
}
END_TEST

START_TEST(a_loader_started_anywhere_gives_what_one_that_came_there_gives)
{
    static taken got, expected;
    adn_dataset set = make_set(30);
    adn_loader_conf conf = make_conf(&set);

    for (int start = 0; start <= 4; start++) { /* 4: behind the last batch */
        adn_loader *l = NULL;
        conf.epoch = 3;
        conf.first_batch = start;
        conf.n_thread = 1 + start % 3;
        ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
        for (int i = start; i < start + 6; i++) {
            ck_assert_int_eq(take(l, &got), ADN_OK);
            expected_batch(&conf, 3 + i / 4, i % 4, &expected);
            assert_same(&got, &expected);
        }
        adn_loader_destroy(l);
    }
    adn_free(set.owned);
}
END_TEST

static void assert_sizes(const adn_loader_conf *conf, const int *sizes, int n_batch)
{
    static taken got;
    adn_loader *l = NULL;

    ck_assert_int_eq(adn_loader_create(conf, &l), ADN_OK);
    for (int epoch = 1; epoch <= 2; epoch++)
        for (int index = 0; index < n_batch; index++) {
            ck_assert_int_eq(take(l, &got), ADN_OK);
            ck_assert_int_eq(got.epoch, epoch);
            ck_assert_int_eq(got.index, index);
            ck_assert_int_eq(got.n, sizes[index]);
        }
    adn_loader_destroy(l);
}

START_TEST(the_last_batch_is_short_or_left_out)
{
    adn_dataset set = make_set(19);
    adn_loader_conf conf = make_conf(&set);

    assert_sizes(&conf, (int[]){8, 8, 3}, 3);
    conf.drop_last = true;
    assert_sizes(&conf, (int[]){8, 8}, 2);
    conf.drop_last = false;
    conf.batch = 9;
    assert_sizes(&conf, (int[]){9, 9}, 2); /* one sample left: batch norm cannot learn from it */
    conf.is_ordered = true;
    conf.n_augment = 0;
    assert_sizes(&conf, (int[]){9, 9, 1}, 3);
    adn_free(set.owned);
}
END_TEST

START_TEST(an_ordered_loader_gives_the_set_as_it_is)
{
    static taken got;
    adn_dataset set = make_set(19);
    adn_loader_conf conf = make_conf(&set);
    adn_loader *l = NULL;

    conf.is_ordered = true;
    conf.n_augment = 0;
    conf.mean = NULL;
    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
    for (int pass = 0; pass < 2; pass++)
        for (int at = 0; at < 19; at += got.n) {
            ck_assert_int_eq(take(l, &got), ADN_OK);
            ck_assert_uint_eq(got.samples[0], (uint32_t)at);
            ck_assert_mem_eq(got.pixels, set.pixels + at * IMAGE, (size_t)got.n * IMAGE);
        }
    adn_loader_destroy(l);
    adn_free(set.owned);
}
END_TEST

START_TEST(the_set_is_visited_once_an_epoch)
{
    static taken got;
    adn_dataset set = make_set(30);
    adn_loader_conf conf = make_conf(&set);
    adn_loader *l = NULL;
    int seen[30] = {0};

    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(take(l, &got), ADN_OK);
        for (int j = 0; j < got.n; j++) seen[got.samples[j]]++;
    }
    for (int i = 0; i < 30; i++) ck_assert_int_eq(seen[i], 1);
    adn_loader_destroy(l);
    adn_free(set.owned);
}
END_TEST

START_TEST(a_hundred_batches_allocate_nothing)
{
    static taken got;
    adn_dataset set = make_set(30);
    adn_loader_conf conf = make_conf(&set);
    adn_loader *l = NULL;

    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
    uint64_t calls = adn_alloc_calls();
    for (int i = 0; i < 100; i++) ck_assert_int_eq(take(l, &got), ADN_OK);
    ck_assert_uint_eq(adn_alloc_calls(), calls);
    adn_loader_destroy(l);
    adn_free(set.owned);
}
END_TEST

/* The same samples and labels, and of each what would be done to it; a set without pixels will do.
 */
START_TEST(a_loader_that_gives_moves_reads_no_pixels)
{
    static taken got, expected;
    adn_dataset set = make_set(30), bare = set;
    adn_loader_conf conf = make_conf(&set);
    adn_move moves[MOST * 3], wanted[3];
    adn_loader *l = NULL;

    bare.pixels = NULL;
    conf.set = &bare;
    conf.gives_moves = true;
    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
    conf.set = &set;
    for (int i = 0; i < 9; i++) {
        adn_batch b = {.labels = got.labels, .samples = got.samples, .moves = moves};
        ck_assert_int_eq(adn_loader_next(l, &b, &got.epoch, &got.index), ADN_OK);
        got.n = b.n_valid;
        expected_batch(&conf, 1 + i / 4, i % 4, &expected);
        memcpy(got.pixels, expected.pixels, sizeof(got.pixels));
        assert_same(&got, &expected);
        for (int k = 0; k < got.n; k++) {
            adn_augment_draw(all_kinds, 3, conf.seed, got.epoch, got.samples[k], H, W, wanted);
            ck_assert_mem_eq(moves + 3 * k, wanted, sizeof(wanted));
        }
    }
    adn_loader_destroy(l);
    adn_free(set.owned);
}
END_TEST

START_TEST(a_loader_ends_while_its_readers_are_busy)
{
    static taken got;
    adn_dataset set = make_set(30);
    adn_loader_conf conf = make_conf(&set);
    int64_t live = adn_alloc_live();

    conf.n_thread = 5;
    for (int i = 0; i < 200; i++) {
        adn_loader *l = NULL;
        conf.n_ahead = 1 + i % 9;
        ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
        for (int j = 0; j < i % 4; j++) ck_assert_int_eq(take(l, &got), ADN_OK);
        adn_loader_destroy(l);
    }
    adn_loader_destroy(NULL);
    ck_assert_int_eq(adn_alloc_live(), live);
    adn_free(set.owned);
}
END_TEST

START_TEST(a_readers_error_comes_out_at_its_batch_and_stays)
{
    static taken got;
    adn_dataset set = make_set(30);
    adn_loader_conf conf = make_conf(&set);
    uint8_t *labels = (uint8_t *)set.owned + 30 * IMAGE;

    labels[17] = 10; /* batch 2, ordered */
    conf.is_ordered = true;
    for (int round = 0; round < 30; round++) {
        adn_loader *l = NULL;
        conf.n_thread = 1 + round % 3 * 2;
        conf.n_ahead = 20; /* several epochs */
        adn_test_log_clear();
        ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_OK);
        for (int i = 0; i < 2; i++) ck_assert_int_eq(take(l, &got), ADN_OK);
        for (int i = 0; i < 200; i++) {
            ck_assert_int_eq(take(l, &got), ADN_BADDATA);
            sched_yield(); /* a reader may go on, and must not say it again */
        }
        ck_assert_int_eq(got.index, 1); /* untouched */
        adn_loader_destroy(l);
        const char *said = strstr(adn_test_log(), "sample 17 has label 10, expected 0..9");
        ck_assert_ptr_nonnull(said);
        if (conf.n_thread == 1) ck_assert_ptr_null(strstr(said + 1, "sample 17"));
    }
    adn_free(set.owned);
}
END_TEST

START_TEST(a_loader_without_a_batch_or_beyond_its_epoch_is_refused)
{
    adn_dataset set = make_set(7), one = {1, H, W, C, 10, set.pixels, set.labels, NULL};
    adn_loader_conf conf = make_conf(&set);
    adn_loader *l = NULL;
    int64_t live = adn_alloc_live();

    conf.drop_last = true;
    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_BADDATA);
    conf.drop_last = false;
    conf.first_batch = 2;
    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_BADDATA);
    conf.first_batch = 0;
    conf.set = &one;
    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_BADDATA);
    conf.set = &set;
    conf.n_augment = ADN_MAX_AUGMENT + 1;
    ck_assert_int_eq(adn_loader_create(&conf, &l), ADN_BADCONF);
    ck_assert_ptr_null(l);
    ck_assert_int_eq(adn_alloc_live(), live);
    adn_free(set.owned);
}
END_TEST

START_TEST(every_failing_allocation_of_create_is_reported)
{
    adn_dataset set = make_set(30);
    adn_loader_conf conf = make_conf(&set);
    int64_t live = adn_alloc_live();
    adn_status st = ADN_NOMEM;
    int n = 0;

    while (st != ADN_OK) {
        adn_loader *l = NULL;
        adn_alloc_fail_at(++n);
        st = adn_loader_create(&conf, &l);
        adn_alloc_fail_at(0);
        if (st == ADN_OK) {
            adn_loader_destroy(l);
        } else {
            ck_assert_int_eq(st, ADN_NOMEM);
            ck_assert_ptr_null(l);
        }
        ck_assert_int_eq(adn_alloc_live(), live);
    }
    ck_assert_int_eq(n, 1 + 4 + 3 * conf.n_ahead);
    adn_free(set.owned);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader");
    TCase *loader = tcase_create("loader");

    tcase_add_test(loader, batches_of_an_epoch_are_counted);
    tcase_add_test(loader, batches_are_the_same_whatever_the_readers_and_the_ring);
    tcase_add_test(loader, a_loader_started_anywhere_gives_what_one_that_came_there_gives);
    tcase_add_test(loader, the_last_batch_is_short_or_left_out);
    tcase_add_test(loader, an_ordered_loader_gives_the_set_as_it_is);
    tcase_add_test(loader, the_set_is_visited_once_an_epoch);
    tcase_add_test(loader, a_hundred_batches_allocate_nothing);
    tcase_add_test(loader, a_loader_that_gives_moves_reads_no_pixels);
    tcase_add_test(loader, a_loader_ends_while_its_readers_are_busy);
    tcase_add_test(loader, a_readers_error_comes_out_at_its_batch_and_stays);
    tcase_add_test(loader, a_loader_without_a_batch_or_beyond_its_epoch_is_refused);
    tcase_add_test(loader, every_failing_allocation_of_create_is_reported);
    suite_add_tcase(suite, loader);
    return adn_suite_run(suite);
}
