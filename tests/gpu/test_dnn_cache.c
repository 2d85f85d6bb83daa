/* Plans on disk: made once, loaded after that, and what is on the disk is not believed. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/thread.h"
#include "device/cuda.h"
#include "device/cuda/dnn_cache.h"
#include "op_run.h"
#include "suite.h"

/* ---- a device, one operation ---- */

static op_case convolution(void)
{
    op_case c = {.desc = {.kind = ADN_OP_CONV_FWD,
                          .type = ADN_F32,
                          .src = {2, 5, 6, 8},
                          .dst = {2, 5, 6, 4}},
                 .layout_n = 2};

    c.desc.u.conv.kernel = 3;
    c.desc.u.conv.stride = c.desc.u.conv.pad = 1;
    return c;
}

static op_case bf16_gradient(void)
{
    op_case c = convolution();

    c.desc.kind = ADN_OP_CONV_GRAD_PARAM;
    c.desc.type = ADN_BF16;
    return c;
}

/* Plans and runs on a device that is opened for it. */
static void use(const op_case *c, const adn_cuda_conf *conf, op_data *data)
{
    const adn_queue_conf queue_conf = {.name = "test", .n_thread = 1};
    adn_device *dev;
    adn_queue *q;

    adn_test_log_clear();
    ck_assert_int_eq(adn_cuda_open(conf, &dev), ADN_OK);
    ck_assert_int_eq(dev->ops->queue_create(dev, &queue_conf, &q), ADN_OK);
    op_data_init(data, c, OP_SEED);
    op_run(q, c, data);
    dev->ops->queue_destroy(q);
    dev->ops->close(dev);
}

static void plan(const op_case *c, const adn_cuda_conf *conf)
{
    op_data data;

    use(c, conf, &data);
    op_data_clear(&data);
}

static bool was_said(const char *what)
{
    return strstr(adn_test_log(), what) != NULL;
}

static void must_be_made(void)
{
    ck_assert_msg(was_said("a plan is made") && !was_said("a plan is loaded"), "%s",
                  adn_test_log());
}

static void must_be_loaded(void)
{
    ck_assert_msg(was_said("a plan is loaded") && !was_said("a plan is made"), "%s",
                  adn_test_log());
}

/* ---- the folder ---- */

enum { PATH = 1024 };

static const char *fresh_cache(void)
{
    const char *dir = adn_test_dir();

    setenv("ADONIS_CACHE", dir, 1);
    return dir;
}

/* Files in dir/cudnn; the last one's path. */
static int files(const char *dir, char *path, size_t room)
{
    char folder[512];
    int n = 0;

    snprintf(folder, sizeof(folder), "%s/cudnn", dir);
    DIR *d = opendir(folder);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        if (path != NULL) snprintf(path, room, "%s/%s", folder, e->d_name);
        n++;
    }
    if (d != NULL) closedir(d);
    return n;
}

/* Plans into a fresh folder: the bytes of the file (adn_free), and its path. */
static char *planned_file(const op_case *c, char *path, size_t room, size_t *n)
{
    const char *dir = fresh_cache();
    char *bytes;

    plan(c, &(adn_cuda_conf){0});
    ck_assert_int_eq(files(dir, path, room), 1);
    ck_assert_int_eq(adn_file_read(path, 1 << 24, &bytes, n), ADN_OK);
    return bytes;
}

/* ---- tests ---- */

START_TEST(a_second_plan_of_a_graph_is_loaded_and_gives_the_same_bits)
{
    const op_case cases[] = {convolution(), bf16_gradient()};

    for (size_t k = 0; k < ADN_COUNT(cases); k++) {
        const op_case *c = &cases[k];
        adn_role role = c->desc.kind == ADN_OP_CONV_FWD ? ADN_DST : ADN_GRAD_WEIGHT;
        const char *dir = fresh_cache();
        op_data made, loaded;
        use(c, &(adn_cuda_conf){0}, &made);
        must_be_made();
        ck_assert_int_eq(files(dir, NULL, 0), 1);
        use(c, &(adn_cuda_conf){0}, &loaded);
        must_be_loaded();
        ck_assert_int_eq(files(dir, NULL, 0), 1);
        ck_assert_mem_eq(made.p[role], loaded.p[role], made.count[role] * sizeof(double));
        op_data_clear(&loaded);
        op_data_clear(&made);
    }
}
END_TEST

START_TEST(other_graphs_and_other_limits_are_planned_anew)
{
    const op_case base = convolution();
    op_case other[7];
    const char *dir = fresh_cache();
    int n = 1;

    plan(&base, &(adn_cuda_conf){0});
    for (size_t k = 0; k < ADN_COUNT(other); k++) other[k] = base;
    other[0].desc.src.n = other[0].desc.dst.n = 3;
    other[1].desc.dst.c = 5;
    other[2].desc.type = ADN_BF16;
    other[3].desc.kind = ADN_OP_CONV_GRAD_SRC;
    other[4].desc.u.conv.kernel = 5;
    other[4].desc.u.conv.pad = 2;
    other[5].desc.u.conv.stride = 2;
    other[5].desc.dst.h = other[5].desc.dst.w = 3;
    other[6].desc.u.conv.pad = 0;
    other[6].desc.dst.h = 3;
    other[6].desc.dst.w = 4;
    for (size_t k = 0; k < ADN_COUNT(other); k++, n++) {
        plan(&other[k], &(adn_cuda_conf){0});
        must_be_made();
    }
    plan(&base, &(adn_cuda_conf){.allows_tf32 = true});
    must_be_made();
    plan(&base, &(adn_cuda_conf){.workspace_limit = 1 << 30});
    must_be_made();
    ck_assert_int_eq(files(dir, NULL, 0), n + 2);
    plan(&base, &(adn_cuda_conf){0});
    must_be_loaded();
}
END_TEST

START_TEST(a_damaged_file_is_passed_over_and_replaced)
{
    const op_case c = convolution();
    char path[PATH];
    size_t n;
    char *bytes = planned_file(&c, path, sizeof(path), &n);
    const size_t shorter[] = {0, 5, n / 3, n - 1, n};

    for (size_t k = 0; k < ADN_COUNT(shorter); k++) {
        bytes[n / 2] ^= (char)(shorter[k] == n); /* whole but for a bit */
        ck_assert_int_eq(adn_file_write(path, bytes, shorter[k]), ADN_OK);
        plan(&c, &(adn_cuda_conf){0});
        ck_assert(was_said("is damaged: passed over"));
        must_be_made();
        plan(&c, &(adn_cuda_conf){0});
        must_be_loaded();
    }
    adn_free(bytes);
}
END_TEST

START_TEST(a_file_of_another_graph_is_passed_over_and_replaced)
{
    op_case c = convolution(), other = convolution();
    char path[PATH];
    size_t n, n_own;

    other.desc.src.n = other.desc.dst.n = 3;
    char *bytes = planned_file(&other, path, sizeof(path), &n);
    char *own = planned_file(&c, path, sizeof(path), &n_own);
    ck_assert_int_eq(adn_file_write(path, bytes, n), ADN_OK);
    plan(&c, &(adn_cuda_conf){0});
    ck_assert(was_said("is of another graph: passed over"));
    must_be_made();
    plan(&c, &(adn_cuda_conf){0});
    must_be_loaded();
    adn_free(own);
    adn_free(bytes);
}
END_TEST

START_TEST(a_text_that_cudnn_refuses_is_passed_over_and_replaced)
{
    static const char *const texts[] = {"", "{}", "engine 1", "engine 1\ncompiled 0\n{}",
                                        "engine 1\ncompiled 0\n{\"cudnnVersion\":1}"};
    const op_case c = convolution();
    char path[PATH];
    size_t n;
    char *key = planned_file(&c, path, sizeof(path), &n); /* with which a file begins */
    dnn_cache *cache = adn_dnn_cache_open();
    char *text = adn_dnn_cache_get(cache, key);

    text[strcspn(text, "{")] = '['; /* no JSON that cuDNN reads, but all behind it is there */
    for (size_t k = 0; k <= ADN_COUNT(texts); k++) {
        adn_dnn_cache_put(cache, key, k < ADN_COUNT(texts) ? texts[k] : text);
        plan(&c, &(adn_cuda_conf){0});
        ck_assert(was_said("a kept plan is not taken"));
        must_be_made();
        plan(&c, &(adn_cuda_conf){0});
        must_be_loaded();
    }
    adn_free(text);
    adn_dnn_cache_close(cache);
    adn_free(key);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_is_said_once_and_costs_nothing)
{
    const char *dir = adn_test_dir();
    char file[512], key[] = "key";

    snprintf(file, sizeof(file), "%s/file", dir);
    ck_assert_int_eq(adn_file_write(file, "", 0), ADN_OK);
    setenv("ADONIS_CACHE", file, 1);
    const op_case c = convolution();
    plan(&c, &(adn_cuda_conf){0});
    must_be_made();
    ck_assert(was_said("cannot be written: Not a directory"));

    dnn_cache *cache = adn_dnn_cache_open();
    adn_dnn_cache_put(cache, key, "text");
    adn_test_log_clear();
    adn_dnn_cache_put(cache, key, "text");
    ck_assert_str_eq(adn_test_log(), "");
    adn_dnn_cache_close(cache);
}
END_TEST

static bool is_in(const char *dir, const char *folder)
{
    char path[PATH];

    snprintf(path, sizeof(path), "%s/%s", dir, folder);
    return adn_path_exists(path);
}

START_TEST(the_folder_is_where_the_environment_says)
{
    const char *home = adn_test_dir(), *all = adn_test_dir(), *own = adn_test_dir();
    const op_case c = convolution();

    setenv("HOME", home, 1);
    setenv("XDG_CACHE_HOME", all, 1);
    setenv("ADONIS_CACHE", "", 1);
    plan(&c, &(adn_cuda_conf){0});
    plan(&c, &(adn_cuda_conf){0});
    must_be_made();
    ck_assert(!is_in(all, "adonis") && !is_in(home, ".cache"));
    setenv("ADONIS_CACHE", own, 1);
    plan(&c, &(adn_cuda_conf){0});
    ck_assert(is_in(own, "cudnn") && !is_in(all, "adonis") && !is_in(home, ".cache"));
    unsetenv("ADONIS_CACHE");
    plan(&c, &(adn_cuda_conf){0});
    ck_assert(is_in(all, "adonis/cudnn") && !is_in(home, ".cache"));
    unsetenv("XDG_CACHE_HOME");
    plan(&c, &(adn_cuda_conf){0});
    ck_assert(is_in(home, ".cache/adonis/cudnn"));
}
END_TEST

/* ---- several at once ---- */

enum { WRITERS = 3, PUTS = 150, LONG_TEXT = 60000 };

static adn_status put_often(void *user)
{
    dnn_cache *cache = adn_dnn_cache_open();
    char *text = adn_alloc(LONG_TEXT + 1);

    memset(text, *(const char *)user, LONG_TEXT);
    for (int k = 0; k < PUTS; k++) adn_dnn_cache_put(cache, "key", text);
    adn_free(text);
    adn_dnn_cache_close(cache);
    return ADN_OK;
}

START_TEST(who_reads_while_others_write_gets_a_whole_text)
{
    adn_thread threads[WRITERS] = {0};
    char letters[] = "abc";

    fresh_cache();
    dnn_cache *cache = adn_dnn_cache_open();
    put_often("d");
    adn_test_log_clear();
    for (int k = 0; k < WRITERS; k++)
        ck_assert_int_eq(adn_thread_start(&threads[k], "put", put_often, &letters[k]), ADN_OK);
    for (int k = 0; k < PUTS; k++) {
        char *text = adn_dnn_cache_get(cache, "key");
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_eq(strlen(text), LONG_TEXT);
        ck_assert_uint_eq(strspn(text, (char[]){text[0], 0}), LONG_TEXT);
        adn_free(text);
    }
    for (int k = 0; k < WRITERS; k++) ck_assert_int_eq(adn_thread_join(&threads[k]), ADN_OK);
    ck_assert_str_eq(adn_test_log(), "");
    adn_dnn_cache_close(cache);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dnn_cache");
    TCase *folder = tcase_create("folder"), *plans = tcase_create("plans");

    tcase_set_timeout(folder, 0);
    tcase_set_timeout(plans, 0);
    adn_log_level_set(ADN_LEVEL_DEBUG);
    suite_add_tcase(suite, folder);
    tcase_add_test(folder, who_reads_while_others_write_gets_a_whole_text);
    if (adn_cuda_count(NULL) == 0) {
        if (getenv("ADN_REQUIRE_GPU") != NULL) return 1;
        adn_test_skip("no GPU: nothing is planned");
        return adn_suite_run(suite);
    }
    suite_add_tcase(suite, plans);
    tcase_add_test(plans, a_second_plan_of_a_graph_is_loaded_and_gives_the_same_bits);
    tcase_add_test(plans, other_graphs_and_other_limits_are_planned_anew);
    tcase_add_test(plans, a_damaged_file_is_passed_over_and_replaced);
    tcase_add_test(plans, a_file_of_another_graph_is_passed_over_and_replaced);
    tcase_add_test(plans, a_text_that_cudnn_refuses_is_passed_over_and_replaced);
    tcase_add_test(plans, a_folder_that_cannot_be_written_is_said_once_and_costs_nothing);
    tcase_add_test(plans, the_folder_is_where_the_environment_says);
    return adn_suite_run(suite);
}
