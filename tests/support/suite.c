/* The test programs' frame. */
#define _GNU_SOURCE
#include "suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"

static char log_text[1 << 16];
static size_t n_log;
static int n_skipped;
static char dirs[256][256];
static int n_dirs;

static void keep_line(void *user, adn_level level, const char *text)
{
    (void)user;
    (void)level;
    int n = snprintf(log_text + n_log, sizeof(log_text) - n_log, "%s\n", text);
    if (n > 0) n_log = ADN_MIN(n_log + (size_t)n, sizeof(log_text) - 1);
}

const char *adn_test_log(void)
{
    return log_text;
}

void adn_test_log_clear(void)
{
    log_text[0] = '\0';
    n_log = 0;
}

void adn_test_skip(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("skipped: ");
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
    n_skipped++;
}

const char *adn_test_data(const char *name)
{
    static char path[1024];
    const char *root = getenv("ADONIS_DATA");

    if (root != NULL) {
        snprintf(path, sizeof(path), "%s/%s", root, name);
        if (access(path, R_OK) == 0) return path;
    }
    snprintf(path, sizeof(path), "%s/../shared/data/%s", ADN_SOURCE_DIR, name);
    return access(path, R_OK) == 0 ? path : NULL;
}

const char *adn_test_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    ADN_ASSERT(n_dirs < (int)ADN_COUNT(dirs));
    char *dir = dirs[n_dirs];
    snprintf(dir, sizeof(dirs[0]), "%s/adonis-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ADN_ASSERT(mkdtemp(dir) != NULL);
    n_dirs++;
    return dir;
}

int adn_suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    adn_log_sink_set(keep_line, NULL);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int n_run = srunner_ntests_run(runner), n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    adn_log_sink_set(NULL, NULL);
    if (n_failed > 0)
        fprintf(stderr, "the log's end:\n%s", log_text + (n_log > 2000 ? n_log - 2000 : 0));
    for (int i = 0; i < n_dirs; i++)
        if (adn_dir_remove(dirs[i]) != ADN_OK) n_failed++;
    if (n_skipped > 0) printf("%d of %d skipped\n", n_skipped, n_run);
    return n_failed > 0 ? 1 : n_skipped == n_run ? 77 : 0;
}
