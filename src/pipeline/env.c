/* What this machine and this program say of themselves: env.json, and whether a run began under
 * others. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/file.h"
#include "core/json.h"
#include "core/thread.h"
#include "pipeline/text.h"

#ifndef ADN_VERSION
#define ADN_VERSION "unknown"
#endif

enum { MAX_ENV = 1 << 20 };

const char *adn_version(void)
{
    return ADN_VERSION;
}

static void cpu_model(char *out, size_t room)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    snprintf(out, room, "unknown");
    if (f == NULL) return;
    while (fgets(line, sizeof(line), f) != NULL) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
        value[strcspn(value, "\n")] = '\0';
        snprintf(out, room, "%s", value + 2);
        break;
    }
    fclose(f);
}

adn_status adn_env_json(char **out)
{
    adn_json j = {0};
    struct utsname u = {0};
    char model[200];
    const char *isa = NULL;
    int cores[1024];
    adn_status st = adn_cpu_isa_name(&isa, NULL);

    if (st != ADN_OK) return st;
    uname(&u);
    cpu_model(model, sizeof(model));
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "adonis", ADN_VERSION);
    adn_json_string(&j, "compiler", __VERSION__);
    adn_json_string(&j, "system", u.sysname);
    adn_json_string(&j, "release", u.release);
    adn_json_string(&j, "machine", u.machine);
    adn_json_string(&j, "host", u.nodename);
    adn_json_string(&j, "cpu", model);
    adn_json_string(&j, "isa", isa);
    adn_json_int(&j, "cores", adn_cores_allowed(cores, (int)ADN_COUNT(cores)));
    adn_json_int(&j, "memory_mib",
                 (int64_t)sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024);
    adn_json_close(&j, '}');
    return adn_json_give(&j, out);
}

adn_status adn_env_compare(const char *run_dir)
{
    adn_status st;
    const char *isa = NULL;
    char *text = NULL, *path = adn_path_join(run_dir, "env.json");
    size_t n;

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run_dir);
    ADN_TRY(st, adn_cpu_isa_name(&isa, NULL), done);
    if (!adn_path_exists(path)) goto done;
    ADN_TRY(st, adn_file_read(path, MAX_ENV, &text, &n), done);
    json_t *root = json_loadb(text, n, 0, NULL);
    const char *began = json_string_value(json_object_get(root, "isa"));
    if (began != NULL && strcmp(began, isa) != 0)
        adn_warn("%s: began with processor code %s, and this is %s: results will differ in "
                 "rounding; ADONIS_ISA=%s keeps them",
                 run_dir, began, isa, began);
    json_decref(root);
done:
    adn_free(text);
    adn_free(path);
    return st;
}
