/* Status texts, asserts, counted memory, the clock. */
#define _DEFAULT_SOURCE /* madvise, mallopt */
#include "core/core.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static const struct {
    const char *name;
    int exit_code;
    const char *text;
} statuses[] = {
#define X(name, exit_code, text) {#name, exit_code, text},
    ADN_STATUSES(X)
#undef X
};

const char *adn_status_name(adn_status st)
{
    return (size_t)st < ADN_COUNT(statuses) ? statuses[st].name : "?";
}

const char *adn_status_text(adn_status st)
{
    return (size_t)st < ADN_COUNT(statuses) ? statuses[st].text : "unknown status";
}

int adn_status_exit(adn_status st)
{
    return (size_t)st < ADN_COUNT(statuses) ? statuses[st].exit_code : 1;
}

void adn_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "adonis: bug: %s does not hold (%s:%d)\n", cond, file, line);
    abort();
}

static atomic_uint_fast64_t n_calls;
static atomic_int_fast64_t n_live;
static atomic_int_fast64_t fail_at;

enum {
    ALIGN = 64, /* a cache line, and the widest vector */
    HUGE_PAGE = 2 << 20,
    HUGE_LEAST = 4 << 20 /* memory that is rounded up to huge pages: at most half as much again */
};

/* Large memory is walked in strides over many pages: huge ones spare the processor's page tables.
 * Only memory that was never touched gets them, so it is mapped anew each time; glibc of itself
 * raises that threshold when a large piece is freed, and takes the next one from the heap. Where
 * huge pages are refused, small ones do. */
static void *alloc_large(size_t bytes)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, HUGE_LEAST);
#endif
    void *p = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
#ifdef MADV_HUGEPAGE
    if (p != NULL) madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return p;
}

void *adn_alloc(size_t bytes)
{
    atomic_fetch_add_explicit(&n_calls, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fail_at, memory_order_relaxed) > 0 &&
        atomic_fetch_sub_explicit(&fail_at, 1, memory_order_relaxed) == 1)
        return NULL;
    if (bytes > SIZE_MAX - HUGE_PAGE) return NULL;
    size_t whole = bytes == 0 ? ALIGN : (bytes + ALIGN - 1) / ALIGN * ALIGN;
    void *p = whole >= HUGE_LEAST ? alloc_large(whole) : aligned_alloc(ALIGN, whole);
    if (p == NULL) return NULL;
    memset(p, 0, whole);
    atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    return p;
}

void adn_free(void *p)
{
    if (p == NULL) return;
    atomic_fetch_sub_explicit(&n_live, 1, memory_order_relaxed);
    free(p);
}

char *adn_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = adn_alloc(n);
    if (copy != NULL) memcpy(copy, s, n);
    return copy;
}

char *adn_format(const char *fmt, ...)
{
    va_list args, again;
    char *text = NULL;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0) text = adn_alloc((size_t)n + 1);
    if (text != NULL) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

uint64_t adn_alloc_calls(void)
{
    return atomic_load(&n_calls);
}

int64_t adn_alloc_live(void)
{
    return atomic_load(&n_live);
}

void adn_alloc_fail_at(int64_t n)
{
    atomic_store(&fail_at, n);
}

double adn_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double adn_clock_now(const adn_clock *clock)
{
    return clock != NULL ? clock->now(clock->user) : adn_now();
}
