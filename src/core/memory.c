/* Free memory, as Linux tells it. A file that is not there limits nothing. */
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 }; /* Linux' longest path */

/* The number behind `key` where a line begins with it; behind nothing in a file of one number. */
static bool read_number(const char *path, const char *key, size_t *out)
{
    char line[256], *end;
    bool is_found = false;
    FILE *f = fopen(path, "re");

    if (f == NULL) return false;
    while (!is_found && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        const char *digits = line + strlen(key);
        size_t number = strtoull(digits, &end, 10);
        is_found = end != digits; /* "max": no limit */
        if (is_found) *out = number;
    }
    fclose(f);
    return is_found;
}

static size_t machine_free(const char *root)
{
    char path[ROOM];
    size_t kib = 0;

    snprintf(path, sizeof(path), "%s/proc/meminfo", root);
    return read_number(path, "MemAvailable:", &kib) ? kib * 1024 : SIZE_MAX;
}

/* The files of a version of control groups. */
typedef struct version {
    const char *mount, *limit, *used, *cached; /* cached: pages of files, given up before others */
} version;
static const version versions[] = {
    {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
    {"", "memory.max", "memory.current", "inactive_file "}};

static size_t group_free(const version *v, const char *dir)
{
    char path[ROOM + 64];
    size_t limit = 0, used = 0, cached = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, v->limit);
    if (!read_number(path, "", &limit)) return SIZE_MAX;
    snprintf(path, sizeof(path), "%s/%s", dir, v->used);
    if (!read_number(path, "", &used)) return SIZE_MAX;
    snprintf(path, sizeof(path), "%s/memory.stat", dir);
    if (read_number(path, v->cached, &cached)) used -= ADN_MIN(used, cached);
    return limit - ADN_MIN(limit, used);
}

/* Of the group and all around it. In a container its path may not be there: its mount is. */
static size_t groups_free(const char *root, const version *v, const char *group)
{
    char dir[ROOM];
    size_t least = SIZE_MAX;

    int n_mount = snprintf(dir, sizeof(dir), "%s/sys/fs/cgroup/%s", root, v->mount);
    if (n_mount >= (int)sizeof(dir)) return least;
    snprintf(dir + n_mount, sizeof(dir) - (size_t)n_mount, "%s", group);
    for (;;) {
        size_t left = group_free(v, dir);
        least = ADN_MIN(least, left);
        char *slash = strrchr(dir + n_mount, '/');
        if (slash == NULL) return least;
        *slash = '\0';
    }
}

/* "4:memory:/a/b" is of version 1, "0::/a/b" of version 2. */
static const version *version_of(char *line, const char **group)
{
    char *kinds = strchr(line, ':'), *path = kinds == NULL ? NULL : strchr(kinds + 1, ':');

    if (path == NULL) return NULL;
    line[strcspn(line, "\n")] = '\0';
    *path = '\0';
    *group = path + 1;
    if (kinds[1] == '\0') return &versions[1];
    return strcmp(kinds + 1, "memory") == 0 ? &versions[0] : NULL;
}

size_t adn_memory_free_at(const char *root)
{
    char line[ROOM];
    size_t least = machine_free(root);

    snprintf(line, sizeof(line), "%s/proc/self/cgroup", root);
    FILE *f = fopen(line, "re");
    if (f == NULL) return least;
    while (fgets(line, sizeof(line), f) != NULL) {
        const char *group = NULL;
        const version *v = version_of(line, &group);
        if (v == NULL) continue;
        size_t left = groups_free(root, v, group);
        least = ADN_MIN(least, left);
    }
    fclose(f);
    return least;
}

size_t adn_memory_free(void)
{
    return adn_memory_free_at("");
}
