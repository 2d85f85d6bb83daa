/* adonis devices and doctor: what this machine has for training, and what is wrong with it. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/args.h"
#include "core/json.h"
#include "core/thread.h"
#include "device/cuda.h"

typedef struct machine {
    int n_core;
    int64_t memory_mib, free_mib;
    char model[128];
} machine;

static void read_model(char *out, size_t room)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    snprintf(out, room, "unknown");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        const char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || value == NULL) continue;
        snprintf(out, room, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
        break;
    }
    if (f != NULL) fclose(f);
}

static int64_t pages_mib(int name)
{
    int64_t pages = sysconf(name), bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 ? pages * (bytes / 1024) / 1024 : 0;
}

static machine look(void)
{
    int cores[1024];
    machine m = {.n_core = adn_cores_allowed(cores, (int)ADN_COUNT(cores)),
                 .memory_mib = pages_mib(_SC_PHYS_PAGES),
                 .free_mib = pages_mib(_SC_AVPHYS_PAGES)};
    read_model(m.model, sizeof(m.model));
    return m;
}

static adn_status print_json(adn_json *j)
{
    adn_status st = j->failed ? ADN_FAIL(ADN_NOMEM, "no memory for the table") : ADN_OK;
    if (st == ADN_OK) printf("%s\n", j->text);
    adn_json_clear(j);
    return st;
}

/* --- GPUs */

static void gpu_name(char *out, size_t room, int ordinal)
{
    snprintf(out, room, "cuda:%d", ordinal);
}

/* Which GPUs copy to each other directly. */
static void print_peers(int n)
{
    char name[16];

    printf("\ncopies from, to:");
    for (int to = 0; to < n; to++) {
        gpu_name(name, sizeof(name), to);
        printf("  %7s", name);
    }
    printf("\n");
    for (int from = 0; from < n; from++) {
        gpu_name(name, sizeof(name), from);
        printf("%-16s", name);
        for (int to = 0; to < n; to++)
            printf("  %7s", from == to ? "-" : adn_cuda_reaches(from, to) ? "direct" : "host");
        printf("\n");
    }
}

/* What is known of these. */
static void print_load(const adn_cuda_load *l)
{
    if (l->temperature_c >= 0) printf(", %d C", l->temperature_c);
    if (!isnan(l->power_limit_w) && !isnan(l->power_w))
        printf(", %.0f of %.0f W", l->power_w, l->power_limit_w);
    else if (!isnan(l->power_limit_w))
        printf(", up to %.0f W", l->power_limit_w);
    if (l->busy_percent >= 0) printf(", %d%% busy", l->busy_percent);
    if (l->n_other <= 0) return;
    printf(", %d other process%s", l->n_other, l->n_other == 1 ? "" : "es");
    if (l->other_bytes > 0) printf(" with %zu MiB", l->other_bytes >> 20);
}

static void put_load(adn_json *j, const adn_cuda_load *l)
{
    char driver[96];

    if (adn_cuda_driver(driver, sizeof(driver))) adn_json_string(j, "driver", driver);
    adn_json_number(j, "power_w", l->power_w);
    adn_json_number(j, "power_limit_w", l->power_limit_w);
    if (l->temperature_c >= 0) adn_json_int(j, "temperature_c", l->temperature_c);
    if (l->busy_percent >= 0) adn_json_int(j, "busy_percent", l->busy_percent);
    if (l->n_other < 0) return;
    adn_json_int(j, "other_processes", l->n_other);
    adn_json_int(j, "other_mib", (int64_t)(l->other_bytes >> 20));
}

static adn_status print_gpus(void)
{
    adn_cuda_info g;
    adn_cuda_load load;
    const char *why;
    char name[16], versions[160], driver[96];
    int n = adn_cuda_count(&why);

    for (int k = 0; k < n; k++) {
        adn_status st = adn_cuda_look(k, &g);
        if (st != ADN_OK) return st;
        gpu_name(name, sizeof(name), k);
        printf("%-7s  %5d  %10zu  %10zu  %s, compute capability %d.%d", name, g.multiprocessors,
               g.bytes >> 20, g.free_bytes >> 20, g.model, g.major, g.minor);
        if (g.numa_node >= 0) printf(", memory node %d", g.numa_node);
        if (adn_cuda_load_look(k, &load)) print_load(&load);
        printf("\n");
    }
    if (n > 1) print_peers(n);
    adn_cuda_versions(versions, sizeof(versions));
    printf("\nGPUs by %s\n", versions);
    if (n == 0) printf("no GPU: %s\n", why);
    if (n > 0 && adn_cuda_driver(driver, sizeof(driver))) printf("driver %s, by NVML\n", driver);
    return ADN_OK;
}

static adn_status put_gpus(adn_json *j)
{
    adn_cuda_info g;
    adn_cuda_load load;
    char name[16];
    int n = adn_cuda_count(NULL);

    for (int k = 0; k < n; k++) {
        adn_status st = adn_cuda_look(k, &g);
        if (st != ADN_OK) return st;
        gpu_name(name, sizeof(name), k);
        adn_json_open(j, NULL, '{');
        adn_json_string(j, "device", name);
        adn_json_int(j, "multiprocessors", g.multiprocessors);
        adn_json_int(j, "memory_mib", (int64_t)(g.bytes >> 20));
        adn_json_int(j, "free_mib", (int64_t)(g.free_bytes >> 20));
        adn_json_string(j, "model", g.model);
        adn_json_int(j, "major", g.major);
        adn_json_int(j, "minor", g.minor);
        if (g.numa_node >= 0) adn_json_int(j, "numa_node", g.numa_node);
        if (adn_cuda_load_look(k, &load)) put_load(j, &load);
        adn_json_open(j, "direct", '[');
        for (int to = 0; to < n; to++)
            if (to != k && adn_cuda_reaches(k, to)) adn_json_int(j, NULL, to);
        adn_json_close(j, ']');
        adn_json_close(j, '}');
    }
    return ADN_OK;
}

adn_status cmd_devices(int argc, char **argv)
{
    adn_cli_args args;
    adn_json j = {0};
    adn_status st = adn_cli_read(argc, argv, 0, 0, &args);

    if (st != ADN_OK) return st;
    machine m = look();
    if (!adn_cli_has(&args, "--json")) {
        printf("%-7s  %5s  %10s  %10s  %s\n", "device", "cores", "memory MiB", "free MiB", "model");
        printf("%-7s  %5d  %10lld  %10lld  %s\n", "cpu", m.n_core, (long long)m.memory_mib,
               (long long)m.free_mib, m.model);
        return print_gpus();
    }
    adn_json_open(&j, NULL, '[');
    adn_json_open(&j, NULL, '{');
    adn_json_string(&j, "device", "cpu");
    adn_json_int(&j, "cores", m.n_core);
    adn_json_int(&j, "memory_mib", m.memory_mib);
    adn_json_int(&j, "free_mib", m.free_mib);
    adn_json_string(&j, "model", m.model);
    adn_json_close(&j, '}');
    st = put_gpus(&j);
    adn_json_close(&j, ']');
    if (st != ADN_OK) {
        adn_json_clear(&j);
        return st;
    }
    return print_json(&j);
}

/* --- doctor */

typedef struct finding {
    const char *what, *state; /* ok | low | missing | bad */
    char text[200];
} finding;

static finding check_cores(const machine *m)
{
    finding f = {.what = "cores", .state = m->n_core >= 2 ? "ok" : "low"};
    snprintf(f.text, sizeof(f.text), "%d%s", m->n_core,
             m->n_core >= 2 ? "" : ": blocks take turns on one core");
    return f;
}

static finding check_memory(const machine *m)
{
    const int64_t little_mib = 2048; /* dgl4 at batch 128 and CIFAR-10 in memory fit */
    finding f = {.what = "memory", .state = m->memory_mib >= little_mib ? "ok" : "low"};
    snprintf(f.text, sizeof(f.text),
             "%lld MiB, %lld free; `adonis plan CONFIG` says what a run needs",
             (long long)m->memory_mib, (long long)m->free_mib);
    return f;
}

static finding check_disk(void)
{
    const double little_gib = 1;
    const char *where = access("runs", F_OK) == 0 ? "runs" : ".";
    struct statvfs v;
    finding f = {.what = "disk", .state = "bad"};

    if (statvfs(where, &v) != 0 || access(where, W_OK) != 0) {
        snprintf(f.text, sizeof(f.text), "%s: cannot be written; runs go there", where);
        return f;
    }
    double gib = (double)v.f_bavail * (double)v.f_frsize / (1 << 30);
    f.state = gib >= little_gib ? "ok" : "low";
    snprintf(f.text, sizeof(f.text), "%.1f GiB free for runs/", gib);
    return f;
}

static finding check_data(void)
{
    static const char folder[] = "/usr/share/datasets/fashion-mnist";
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    finding f = {.what = "Fashion-MNIST", .state = "ok"};

    snprintf(f.text, sizeof(f.text), "%s", folder);
    for (size_t i = 0; i < ADN_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s.gz", folder, names[i]);
        if (access(path, R_OK) == 0) continue;
        f.state = "missing";
        snprintf(f.text, sizeof(f.text), "%s is not there; tools/deps data installs it", path);
        break;
    }
    return f;
}

static finding check_gpus(void)
{
    finding f = {.what = "GPUs", .state = "missing"};
    const char *why;
    int n = adn_cuda_count(&why);
    char versions[160];

    if (n == 0) {
        snprintf(f.text, sizeof(f.text), "none (%s): blocks train on the cpu", why);
        return f;
    }
    adn_cuda_versions(versions, sizeof(versions));
    f.state = "ok";
    snprintf(f.text, sizeof(f.text), "%d; %s", n, versions);
    return f;
}

static finding check_nccl(void)
{
    finding f = {.what = "NCCL", .state = "ok"};
    int version = adn_cuda_nccl();

    snprintf(f.text, sizeof(f.text), "%d.%d.%d", version / 10000, version / 100 % 100,
             version % 100);
    if (version == 0) {
        f.state = "missing";
        snprintf(f.text, sizeof(f.text),
                 "libnccl.so.2 cannot be loaded: no replicas, no edge.link: nccl (NVIDIA's package "
                 "libnccl2)");
    }
    return f;
}

static finding check_nvml(void)
{
    finding f = {.what = "NVML", .state = "ok"};
    char driver[96];

    if (adn_cuda_driver(driver, sizeof(driver))) {
        snprintf(f.text, sizeof(f.text), "driver %s", driver);
        return f;
    }
    f.state = "missing";
    snprintf(f.text, sizeof(f.text),
             "libnvidia-ml.so.1 cannot be loaded: `adonis devices` does not say how warm and how "
             "busy GPUs are (a driver's libraries have it)");
    return f;
}

adn_status cmd_doctor(int argc, char **argv)
{
    adn_cli_args args;
    adn_json j = {0};
    adn_status st = adn_cli_read(argc, argv, 0, 0, &args);

    if (st != ADN_OK) return st;
    machine m = look();
    bool is_json = adn_cli_has(&args, "--json"), is_well = true;
    finding all[7] = {check_cores(&m), check_memory(&m), check_gpus(), check_disk(), check_data()};
    size_t n = 5;
    if (adn_cuda_count(NULL) > 0) {
        all[n++] = check_nccl();
        all[n++] = check_nvml();
    }
    adn_json_open(&j, NULL, '[');
    for (size_t i = 0; i < n; i++) {
        is_well = is_well && strcmp(all[i].state, "bad") != 0;
        if (!is_json) printf("%-7s  %-13s  %s\n", all[i].state, all[i].what, all[i].text);
        adn_json_open(&j, NULL, '{');
        adn_json_string(&j, "what", all[i].what);
        adn_json_string(&j, "state", all[i].state);
        adn_json_string(&j, "text", all[i].text);
        adn_json_close(&j, '}');
    }
    adn_json_close(&j, ']');
    if (is_json) st = print_json(&j);
    adn_json_clear(&j);
    if (st == ADN_OK && !is_well)
        st = ADN_FAIL(ADN_FAILED, "doctor: training cannot work here: see `bad` in the table");
    return st;
}
