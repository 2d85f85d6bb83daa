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
#include "device/cuda.h"
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

/* The models of all GPUs, in their order: "NVIDIA H100 80GB HBM3, NVIDIA H100 80GB HBM3". */
static void gpu_models(char *out, size_t room)
{
    adn_cuda_info info;
    size_t n = 0;

    out[0] = '\0';
    for (int k = 0; k < adn_cuda_count(NULL) && n < room; k++)
        if (adn_cuda_look(k, &info) == ADN_OK)
            n += (size_t)snprintf(out + n, room - n, "%s%s", k == 0 ? "" : ", ", info.model);
}

adn_status adn_env_json(char **out)
{
    adn_json j = {0};
    struct utsname u = {0};
    char model[200], gpus[1024], cuda[160];
    const char *isa = NULL;
    int cores[1024];
    adn_status st = adn_cpu_isa_name(&isa, NULL);

    if (st != ADN_OK) return st;
    uname(&u);
    cpu_model(model, sizeof(model));
    gpu_models(gpus, sizeof(gpus));
    adn_cuda_versions(cuda, sizeof(cuda));
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "adonis", ADN_VERSION);
    adn_json_string(&j, "compiler", __VERSION__);
    adn_json_string(&j, "system", u.sysname);
    adn_json_string(&j, "release", u.release);
    adn_json_string(&j, "machine", u.machine);
    adn_json_string(&j, "host", u.nodename);
    adn_json_string(&j, "cpu", model);
    adn_json_string(&j, "isa", isa);
    adn_json_string(&j, "gpus", gpus);
    adn_json_string(&j, "cuda", cuda);
    adn_json_int(&j, "cores", adn_cores_allowed(cores, (int)ADN_COUNT(cores)));
    adn_json_int(&j, "memory_mib",
                 (int64_t)sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024);
    adn_json_close(&j, '}');
    return adn_json_give(&j, out);
}

static void warn_of_isa(const char *run_dir, const json_t *env, const char *isa)
{
    const char *began = json_string_value(json_object_get(env, "isa"));

    if (began != NULL && strcmp(began, isa) != 0)
        adn_warn("%s: began with processor code %s, and this is %s: results will differ in "
                 "rounding; ADONIS_ISA=%s keeps them",
                 run_dir, began, isa, began);
}

static void warn_of_gpus(const char *run_dir, const json_t *env)
{
    char gpus[1024], cuda[160];
    const char *was = json_string_value(json_object_get(env, "gpus"));
    const char *by = json_string_value(json_object_get(env, "cuda"));

    gpu_models(gpus, sizeof(gpus));
    adn_cuda_versions(cuda, sizeof(cuda));
    if (was != NULL && by != NULL && (strcmp(was, gpus) != 0 || strcmp(by, cuda) != 0))
        adn_warn("%s: began on GPUs %s by %s, and these are %s by %s: results may differ in "
                 "rounding",
                 run_dir, was, by, gpus, cuda);
}

adn_status adn_env_compare(const char *run_dir, const adn_plan *p)
{
    adn_status st;
    const char *isa = NULL;
    char *text = NULL, *path = adn_path_join(run_dir, "env.json");
    size_t n;

    if (path == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory", run_dir);
    ADN_TRY(st, adn_cpu_isa_name(&isa, NULL), done);
    if (!adn_path_exists(path)) goto done;
    ADN_TRY(st, adn_file_read(path, MAX_ENV, &text, &n), done);
    json_t *env = json_loadb(text, n, 0, NULL);
    if (p->blocks[0].gpu != ADN_ON_CPU)
        warn_of_gpus(run_dir, env);
    else
        warn_of_isa(run_dir, env, isa);
    json_decref(env);
done:
    adn_free(text);
    adn_free(path);
    return st;
}
