/* What this machine and this program say of themselves. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "adonis/train.h"
#include "core/core.h"
#include "core/json.h"
#include "core/thread.h"
#include "pipeline/text.h"

#ifndef ADN_VERSION
#define ADN_VERSION "unknown"
#endif

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
    int cores[1024];

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
    adn_json_int(&j, "cores", adn_cores_allowed(cores, (int)ADN_COUNT(cores)));
    adn_json_int(&j, "memory_mib",
                 (int64_t)sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024);
    adn_json_close(&j, '}');
    return adn_json_give(&j, out);
}
