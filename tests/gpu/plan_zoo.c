/* Plans the zoo's convolutions for GPU models that are not here: cuDNN needs their properties
 * alone. Prints a table for people, or tries a sample for ctest. Where a convolution has no plan,
 * it fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rng.h"
#include "device/cuda/conv_plan.h"
#include "zoo_convs.h"

enum { MAX_GPUS = 16 };

typedef struct gpu_model {
    const char *name; /* "h100" */
    adn_device *dev;  /* planned for, not here */
} gpu_model;

typedef struct result {
    bool is_planned, is_compiled, adds_bias, is_filled_up;
    size_t workspace_bytes;
} result;

typedef struct plans {
    zoo_convs zoo;
    gpu_model model[MAX_GPUS];
    int n_model;
    result *results; /* [model][conv] */
    int n_without;
} plans;

static adn_status open_models(plans *p)
{
    adn_status st = ADN_OK;
    const adn_cuda_model *m;

    while (st == ADN_OK && (m = adn_cuda_model_get(p->n_model)) != NULL) {
        ADN_ASSERT(p->n_model < MAX_GPUS);
        const adn_cuda_conf conf = {.ordinal = p->n_model};
        p->model[p->n_model].name = m->name;
        st = adn_cuda_plan_open(&conf, m, &p->model[p->n_model++].dev);
    }
    return st;
}

/* ---- planning ---- */

static const char *conv_text(const adn_op_desc *d)
{
    static char text[160];

    snprintf(text, sizeof(text), "%s %s%s, %dx%d, stride %d, %d to %d channels, on %dx%d, batch %d",
             d->type == ADN_BF16 ? "bf16" : "fp32", adn_op_infos[d->kind].name,
             d->u.conv.has_bias ? " with bias" : "", d->u.conv.kernel, d->u.conv.kernel,
             d->u.conv.stride, d->src.c, d->dst.c, d->src.h, d->src.w, d->src.n);
    return text;
}

static result *result_of(const plans *p, int g, int k)
{
    return &p->results[(size_t)g * (size_t)p->zoo.n + (size_t)k];
}

static adn_status plan_one(plans *p, int g, int k)
{
    const adn_op_desc *d = &p->zoo.conv[k].desc;
    const cuda_device *gpu = (const cuda_device *)p->model[g].dev;
    const dnn_target target = {.gpu = gpu, .props = gpu->props, .cache = gpu->plans};
    const dnn_limits limits = adn_conv_limits(d, &gpu->conf);
    conv_plan *plan = adn_alloc(sizeof(*plan));
    adn_status st;

    if (plan == NULL) return ADN_FAIL(ADN_NOMEM, "no memory for a plan");
    st = adn_conv_plan_create(d, &target, &limits, plan);
    if (st == ADN_OK)
        *result_of(p, g, k) =
            (result){.is_planned = true,
                     .is_compiled = plan->plan.is_compiled,
                     .adds_bias = plan->adds_bias,
                     .is_filled_up = plan->src_c != d->src.c || plan->dst_c != d->dst.c,
                     .workspace_bytes = plan->plan.workspace_bytes};
    if (st == ADN_END) {
        printf("%s: no plan for %s\n", p->model[g].name, conv_text(d));
        p->n_without++;
    }
    adn_conv_plan_clear(plan);
    adn_free(plan);
    return st == ADN_END ? ADN_OK : st;
}

static adn_status plan_all(plans *p)
{
    adn_status st = ADN_OK;

    for (int g = 0; g < p->n_model; g++)
        for (int k = 0; st == ADN_OK && k < p->zoo.n; k++) {
            if (k % 100 == 0) fprintf(stderr, "%s: %d of %d\n", p->model[g].name, k, p->zoo.n);
            st = plan_one(p, g, k);
        }
    return st;
}

/* Of all graphs on all models `n`, drawn by the seed, as far as the seconds reach. */
static adn_status plan_sample(plans *p, int n, uint64_t seed, double seconds)
{
    adn_status st = ADN_OK;
    double start = adn_now();
    int k = 0;

    for (; st == ADN_OK && k < n && adn_now() - start < seconds; k++) {
        adn_draw d = adn_rng_draw(seed, ADN_RNG_TEST, 0, (uint64_t)k);
        st = plan_one(p, (int)adn_rng_below(d.u[0], (uint32_t)p->n_model),
                      (int)adn_rng_below(d.u[1], (uint32_t)p->zoo.n));
    }
    printf("%d of %d graphs planned in %.1f s, %d without a plan\n", k, n, adn_now() - start,
           p->n_without);
    return st;
}

/* ---- the table ---- */

static void print_row(const plans *p, int net, adn_type type, int batch, int g)
{
    int n = 0, n_planned = 0, n_compiled = 0, n_bias = 0, n_filled = 0;
    size_t most = 0;

    for (int k = 0; k < p->zoo.n; k++) {
        const zoo_conv *c = &p->zoo.conv[k];
        const result *r = result_of(p, g, k);
        if ((c->nets >> net & 1) == 0 || c->desc.type != type || c->desc.src.n != batch) continue;
        n++;
        n_planned += r->is_planned;
        n_compiled += r->is_compiled;
        n_bias += c->desc.u.conv.has_bias && !r->adds_bias;
        n_filled += r->is_filled_up;
        most = ADN_MAX(most, r->workspace_bytes);
    }
    printf("| %s | %s | %d | %s | %d | %d | %d | %.1f | %d | %d |\n", p->zoo.net[net],
           type == ADN_BF16 ? "bf16" : "fp32", batch, p->model[g].name, n, n_planned, n_compiled,
           (double)most / 0x1p20, n_bias, n_filled);
}

static void print_table(const plans *p)
{
    printf("| net | type | batch | GPU | graphs | with a plan | compiled at run time | largest "
           "workspace, MiB | bias by our kernel | filled up by our kernel |\n"
           "|---|---|---|---|---|---|---|---|---|---|\n");
    for (int net = 0; net < p->zoo.n_net; net++)
        for (size_t t = 0; t < ADN_COUNT(zoo_types); t++)
            for (size_t b = 0; b < ADN_COUNT(zoo_batches); b++)
                for (int g = 0; g < p->n_model; g++)
                    print_row(p, net, zoo_types[t], zoo_batches[b], g);
}

/* Convolutions to which the graph that fits best does not apply, each with the GPUs. */
static void print_without(const plans *p)
{
    printf(
        "\n## What has no graph of its own\n\n| convolution | GPUs | instead |\n|---|---|---|\n");
    for (int k = 0; k < p->zoo.n; k++) {
        const zoo_conv *c = &p->zoo.conv[k];
        const char *instead = NULL;
        char gpus[MAX_GPUS * 24] = "";
        for (int g = 0; g < p->n_model; g++) {
            const result *r = result_of(p, g, k);
            const char *why = !r->is_planned ? "nothing: planning fails"
                              : c->desc.u.conv.has_bias && !r->adds_bias
                                  ? "no bias in the graph: adn_k_add_bias behind it"
                              : r->is_filled_up
                                  ? "channels in eights: adn_k_fit_rows before and behind it"
                                  : NULL;
            if (why == NULL) continue;
            instead = why;
            snprintf(gpus + strlen(gpus), sizeof(gpus) - strlen(gpus), "%s%s",
                     gpus[0] != '\0' ? ", " : "", p->model[g].name);
        }
        if (instead != NULL) printf("| %s | %s | %s |\n", conv_text(&c->desc), gpus, instead);
    }
}

static void print_all(const plans *p)
{
    char date[16];
    time_t now = time(NULL);

    strftime(date, sizeof(date), "%Y-%m-%d", gmtime(&now));
    printf(
        "# cuDNN's plans for the zoo's convolutions\n\n"
        "Made by `tools/gpu_plans` on %s with cuDNN %zu, on a machine without these GPUs: nothing "
        "was executed. Images are 32x32x3, nets are cut behind each unit, heads are mlp-sr and "
        "cnn; no limit on the workspace; fp32 without TF32. %d graphs for each of %d GPU models, "
        "%d without a plan; one that several nets have counts for each in the table.\n\n",
        date, cudnnGetVersion(), p->zoo.n, p->n_model, p->n_without);
    print_table(p);
    print_without(p);
}

/* ---- the program ---- */

static int usage(void)
{
    fprintf(stderr, "usage: gpu_plan_zoo [--sample N --seed S --budget SECONDS]\n");
    return 2;
}

static void clear(plans *p)
{
    for (int g = 0; g < p->n_model; g++)
        if (p->model[g].dev != NULL) p->model[g].dev->ops->close(p->model[g].dev);
    adn_free(p->results);
    zoo_convs_clear(&p->zoo);
}

int main(int argc, char **argv)
{
    static plans p;
    bool is_sample = argc == 7 && strcmp(argv[1], "--sample") == 0 &&
                     strcmp(argv[3], "--seed") == 0 && strcmp(argv[5], "--budget") == 0;
    adn_status st;

    if (argc != 1 && !is_sample) return usage();
    ADN_TRY(st, zoo_convs_create(&p.zoo), done);
    ADN_TRY(st, open_models(&p), done);
    p.results = adn_alloc((size_t)p.n_model * (size_t)p.zoo.n * sizeof(*p.results));
    st = p.results != NULL ? ADN_OK : ADN_FAIL(ADN_NOMEM, "no memory for the results");
    if (st != ADN_OK) goto done;
    if (is_sample)
        st = plan_sample(&p, atoi(argv[2]), strtoull(argv[4], NULL, 10), atof(argv[6]));
    else
        st = plan_all(&p);
    if (st == ADN_OK && !is_sample) print_all(&p);
done:
    clear(&p);
    return st == ADN_OK && p.n_without == 0 ? 0 : 1;
}
