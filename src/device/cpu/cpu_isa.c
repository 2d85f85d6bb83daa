/* The processors that the hot files are compiled for (cpu.cmake), best first, and the choice. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "device/cpu/cpu.h"

#if defined(ADN_HAS_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern const adn_cpu_isa adn_cpu_isa_portable;
#if defined(__x86_64__) && !defined(ADN_TSAN)
#define HAS_X86_LEVELS
extern const adn_cpu_isa adn_cpu_isa_v3, adn_cpu_isa_v4;

/* The levels of the x86-64 psABI, as far as what we use of them goes. */
static bool has_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool has_v4(void)
{
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

#if defined(ADN_HAS_AMX)
extern const adn_cpu_isa adn_cpu_isa_amx;

/* Linux lends a process the tiles' registers when it asks, once for all its threads. */
static bool may_use_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static bool has_amx(void)
{
    enum { AVX512_BF16 = 1 << 5, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
    unsigned a = 0, b, c, d = 0, sub = 0;

    if (!has_v4() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if ((d & AMX_BF16) == 0 || (d & AMX_TILE) == 0) return false;
    if (!__get_cpuid_count(7, 1, &sub, &b, &c, &d) || (sub & AVX512_BF16) == 0) return false;
    return may_use_tiles();
}
#endif
#endif

static bool has_all(void)
{
    return true;
}

static const struct {
    const adn_cpu_isa *isa;
    bool (*is_here)(void);
} list[] = {
#ifdef HAS_X86_LEVELS
#if defined(ADN_HAS_AMX)
    {&adn_cpu_isa_amx, has_amx},
#endif
    {&adn_cpu_isa_v4, has_v4},
    {&adn_cpu_isa_v3, has_v3},
#endif
    {&adn_cpu_isa_portable, has_all},
};

const adn_cpu_isa *adn_cpu_isa_at(int k)
{
    int seen = 0;

    for (size_t i = 0; i < ADN_COUNT(list); i++)
        if (list[i].is_here() && seen++ == k) return list[i].isa;
    return NULL;
}

adn_status adn_cpu_isa_choose(const adn_cpu_isa **out)
{
    const char *wish = getenv("ADONIS_ISA");
    char here[64] = "";

    if (wish == NULL || *wish == '\0') {
        *out = adn_cpu_isa_at(0);
        return ADN_OK;
    }
    for (int k = 0; adn_cpu_isa_at(k) != NULL; k++) {
        const char *name = adn_cpu_isa_at(k)->name;
        if (strcmp(name, wish) == 0) {
            *out = adn_cpu_isa_at(k);
            return ADN_OK;
        }
        if (k > 0) strcat(here, " | ");
        strcat(here, name);
    }
    return ADN_FAIL(ADN_BADCONF, "ADONIS_ISA=%s: this machine runs %s", wish, here);
}

adn_status adn_cpu_isa_name(const char **out, int *out_lanes)
{
    const adn_cpu_isa *isa = NULL;
    adn_status st = adn_cpu_isa_choose(&isa);

    if (st != ADN_OK) return st;
    *out = isa->name;
    if (out_lanes != NULL) *out_lanes = isa->lanes;
    return ADN_OK;
}
