/* Configurations of tests. */
#include "config_case.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

static char file_path[512];

/* Without the sync of adn_file_write: there are hundreds of them. */
static void write_bytes(const char *bytes, size_t n)
{
    if (file_path[0] == '\0') snprintf(file_path, sizeof(file_path), "%s/exp.yaml", adn_test_dir());
    FILE *f = fopen(file_path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

const char *config_file(const char *text)
{
    write_bytes(text, strlen(text));
    return file_path;
}

const char *config_file_path(void)
{
    return file_path;
}

adn_config *config_good(const char *text, const char *const *arguments, int n)
{
    adn_config *conf = NULL;
    adn_test_log_clear();
    adn_status st = adn_config_load(text == NULL ? NULL : config_file(text), arguments, n, &conf);
    ck_assert_msg(st == ADN_OK, "refused: %s\n%s", text == NULL ? "no file" : text, adn_test_log());
    return conf;
}

static void refuse(const char *path, const char *argument)
{
    adn_config *conf = NULL;
    int64_t live = adn_alloc_live();

    adn_test_log_clear();
    adn_status st = adn_config_load(path, &argument, argument != NULL, &conf);
    ck_assert_msg(st == ADN_BADCONF, "%s with %s", adn_status_name(st), argument);
    ck_assert_ptr_null(conf);
    ck_assert_int_eq(adn_alloc_live(), live);
}

void config_refuse(const char *text, const char *argument)
{
    refuse(text == NULL ? NULL : config_file(text), argument);
}

void config_refuse_bytes(const char *bytes, size_t n)
{
    write_bytes(bytes, n);
    refuse(file_path, NULL);
    ck_says("exp.yaml");
}

void ck_says(const char *fragment)
{
    ck_assert_msg(strstr(adn_test_log(), fragment) != NULL, "not said: %s\nbut: %s", fragment,
                  adn_test_log());
}

void ck_silent_about(const char *fragment)
{
    ck_assert_msg(strstr(adn_test_log(), fragment) == NULL, "said: %s\nin: %s", fragment,
                  adn_test_log());
}
