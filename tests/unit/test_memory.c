/* Free memory, from the files that Linux shows: made-up ones, and this machine's. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/memory.h"
#include "suite.h"

enum { MIB = 1 << 20 };

static const char *root;

static void put(const char *name, const char *text)
{
    char path[500];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(adn_dir_make(path), ADN_OK);
    snprintf(path, sizeof(path), "%s/%s", root, name);
    ck_assert_int_eq(adn_file_write(path, text, strlen(text)), ADN_OK);
}

static void fresh_root(void)
{
    root = adn_test_dir();
    put("proc/meminfo", "MemTotal:       24683656 kB\nMemFree:         1000000 kB\n"
                        "MemAvailable:      65536 kB\nBuffers:            8120 kB\n");
}

static void check_mib(size_t expected)
{
    size_t bytes = adn_memory_free_at(root);
    ck_assert_msg(bytes == expected * MIB, "%zu bytes, not %zu MiB", bytes, expected);
}

START_TEST(what_the_machine_has_is_free_where_no_group_says_less)
{
    fresh_root();
    check_mib(64);
    put("proc/self/cgroup", "9:name=systemd:/\n4:memory:/\n0::/\n");
    check_mib(64);
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n");
    check_mib(64);
    put("sys/fs/cgroup/memory.max", "max\n");
    put("sys/fs/cgroup/memory.current", "1048576\n");
    check_mib(64);
}
END_TEST

/* Files' pages that nobody used lately are given up first: they count as free. */
START_TEST(a_group_leaves_its_limit_without_what_it_uses)
{
    fresh_root();
    put("proc/self/cgroup", "0::/user/run\n");
    put("sys/fs/cgroup/user/run/memory.max", "33554432\n");
    put("sys/fs/cgroup/user/run/memory.current", "12582912\n");
    check_mib(20);
    put("sys/fs/cgroup/user/run/memory.stat", "anon 5\ninactive_file 2097152\nactive_file 9\n");
    check_mib(22);
    put("sys/fs/cgroup/user/run/memory.current", "99554432\n"); /* it may be over its limit */
    check_mib(0);

    fresh_root();
    put("proc/self/cgroup", "5:devices:/user/run\n4:memory:/user/run\n");
    put("sys/fs/cgroup/memory/user/run/memory.limit_in_bytes", "33554432\n");
    put("sys/fs/cgroup/memory/user/run/memory.usage_in_bytes", "12582912\n");
    put("sys/fs/cgroup/memory/user/run/memory.stat",
        "inactive_file 1\ntotal_inactive_file 3145728\n");
    check_mib(23);
}
END_TEST

START_TEST(the_tightest_group_around_counts)
{
    fresh_root();
    put("proc/self/cgroup", "0::/user/run\n");
    put("sys/fs/cgroup/user/run/memory.max", "33554432\n");
    put("sys/fs/cgroup/user/run/memory.current", "0\n");
    put("sys/fs/cgroup/user/memory.max", "25165824\n");
    put("sys/fs/cgroup/user/memory.current", "4194304\n");
    check_mib(20);
    put("sys/fs/cgroup/memory.max", "8388608\n"); /* as a container sees its own */
    put("sys/fs/cgroup/memory.current", "1048576\n");
    check_mib(7);
}
END_TEST

START_TEST(where_no_file_says_anything_there_is_no_limit)
{
    root = adn_test_dir();
    ck_assert_uint_eq(adn_memory_free_at(root), SIZE_MAX);
    put("proc/meminfo", "MemTotal: 5 kB\nMemAvailable: much\n");
    put("proc/self/cgroup", "no line of a group\n3:memory\n");
    ck_assert_uint_eq(adn_memory_free_at(root), SIZE_MAX);
}
END_TEST

START_TEST(this_machine_has_some)
{
    if (!adn_path_exists("/proc/meminfo")) {
        adn_test_skip("there is no /proc/meminfo");
        return;
    }
    size_t bytes = adn_memory_free();
    ck_assert_uint_gt(bytes, 0);
    ck_assert_uint_lt(bytes, SIZE_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("memory");
    tcase_add_test(tc, what_the_machine_has_is_free_where_no_group_says_less);
    tcase_add_test(tc, a_group_leaves_its_limit_without_what_it_uses);
    tcase_add_test(tc, the_tightest_group_around_counts);
    tcase_add_test(tc, where_no_file_says_anything_there_is_no_limit);
    tcase_add_test(tc, this_machine_has_some);
    suite_add_tcase(suite, tc);
    return adn_suite_run(suite);
}
