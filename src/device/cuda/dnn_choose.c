/* From a graph to a plan: the heuristics' candidates in their order, of which the first that suits
 * is taken, or the fastest of the first ones on the GPU that is here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cuda/dnn_plan.h"
#include "device/cuda/dnn_trial.h"

/* So many plans are timed, and so few that cuDNN compiles at run time: each takes it seconds. A
 * later one is taken where it is clearly faster: the heuristics' order counts for something. */
enum { MAX_CANDIDATE = 64, MAX_NOTE = 16, MAX_KNOB = 32, MAX_TIMED = 8, MAX_COMPILED = 2 };
static const double clearly_faster = 0.97;

/* The candidates that one heuristic mode names. Each is made before the library fills it. */
typedef struct candidates {
    cudnnBackendDescriptor_t config[MAX_CANDIDATE];
    int64_t n_made, n;
} candidates;

static void candidates_clear(candidates *c)
{
    while (c->n_made > 0) cudnnBackendDestroyDescriptor(c->config[--c->n_made]);
}

/* "No candidate" is told by a failure as often as by an empty list. */
static adn_status ask(const dnn_graph *g, cudnnBackendDescriptor_t graph,
                      cudnnBackendHeurMode_t mode, candidates *out)
{
    const cuda_device *gpu = g->target.gpu;
    cudnnBackendDescriptor_t heur = NULL;
    adn_status st;

    CUDNN_TRY(st, gpu, cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heur),
              done);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph),
              done);
    CUDNN_TRY(
        st, gpu,
        cudnnBackendSetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode),
        done);
    if (g->target.props != NULL)
        CUDNN_TRY(st, gpu,
                  cudnnBackendSetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
                                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->target.props),
                  done);
    if (cudnnBackendFinalize(heur) != CUDNN_STATUS_SUCCESS) goto done;
    for (; out->n_made < MAX_CANDIDATE; out->n_made++)
        CUDNN_TRY(st, gpu,
                  cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                               &out->config[out->n_made]),
                  done);
    if (cudnnBackendGetAttribute(heur, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 MAX_CANDIDATE, &out->n, out->config) != CUDNN_STATUS_SUCCESS)
        out->n = 0;
    out->n = ADN_MIN(out->n, (int64_t)MAX_CANDIDATE);
done:
    if (heur != NULL) cudnnBackendDestroyDescriptor(heur);
    return st;
}

static bool is_compiled(cudnnBackendDescriptor_t engine)
{
    cudnnBackendBehaviorNote_t notes[MAX_NOTE];
    int64_t n = 0;
    bool is = false;

    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                 MAX_NOTE, &n, notes) != CUDNN_STATUS_SUCCESS)
        return false;
    for (int64_t k = 0; k < n && k < MAX_NOTE; k++)
        if (notes[k] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) is = true;
    return is;
}

/* An engine's settings behind its number: ", 2=1 4=3". False: cuDNN does not say. */
static bool describe_knobs(cudnnBackendDescriptor_t config, char *out, size_t room)
{
    cudnnBackendDescriptor_t knobs[MAX_KNOB] = {NULL};
    int64_t n = 0, count, value;
    size_t used = 0;
    cudnnBackendKnobType_t type;
    bool is_said = true;

    for (int k = 0; k < MAX_KNOB && is_said; k++)
        is_said = cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knobs[k]) ==
                  CUDNN_STATUS_SUCCESS;
    is_said = is_said && cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_KNOB, &n,
                                                  knobs) == CUDNN_STATUS_SUCCESS;
    is_said = is_said && n <= MAX_KNOB;
    for (int64_t k = 0; k < n && is_said; k++) {
        is_said =
            cudnnBackendGetAttribute(knobs[k], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                     CUDNN_TYPE_KNOB_TYPE, 1, &count,
                                     &type) == CUDNN_STATUS_SUCCESS &&
            cudnnBackendGetAttribute(knobs[k], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64,
                                     1, &count, &value) == CUDNN_STATUS_SUCCESS;
        if (is_said)
            used += (size_t)snprintf(out + used, room - used, "%s %d=%lld", k == 0 ? "," : "",
                                     (int)type, (long long)value);
        is_said = is_said && used < room;
    }
    for (int k = 0; k < MAX_KNOB; k++)
        if (knobs[k] != NULL) cudnnBackendDestroyDescriptor(knobs[k]);
    return is_said;
}

static bool describe(cudnnBackendDescriptor_t config, cudnnBackendDescriptor_t engine,
                     dnn_plan *out)
{
    int64_t n = 0, number = -1;

    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &n,
                                 &number) != CUDNN_STATUS_SUCCESS)
        return false;
    out->engine = (int)number;
    out->is_compiled = is_compiled(engine);
    int used = snprintf(out->choice, sizeof(out->choice), "engine %d", out->engine);
    return describe_knobs(config, out->choice + used, sizeof(out->choice) - (size_t)used);
}

static bool is_within(cudnnBackendDescriptor_t engine, const dnn_limits *limits)
{
    cudnnBackendNumericalNote_t notes[MAX_NOTE];
    int64_t n = 0;

    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, MAX_NOTE, &n,
                                 notes) != CUDNN_STATUS_SUCCESS)
        return false;
    for (int64_t k = 0; k < n && k < MAX_NOTE; k++) {
        if (notes[k] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) return false;
        if (notes[k] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && limits->no_tensor_core) return false;
    }
    return true;
}

/* Whether the limits allow the candidate's engine, which goes out with its settings. What the
 * library does not say of an engine is no reason to take it. */
static bool suits(cudnnBackendDescriptor_t config, const dnn_limits *limits, dnn_plan *out)
{
    cudnnBackendDescriptor_t engine = NULL;
    int64_t n = 0;

    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
        CUDNN_STATUS_SUCCESS)
        return false;
    bool is_fit =
        cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 1, &n, &engine) == CUDNN_STATUS_SUCCESS &&
        is_within(engine, limits) && describe(config, engine, out);
    cudnnBackendDestroyDescriptor(engine);
    return is_fit;
}

typedef struct search {
    const dnn_graph *g;
    const dnn_limits *limits;
    const char *wanted; /* NULL: any choice */
    dnn_trial *trial;   /* NULL: the first one is taken */
    int n_timed, n_compiled;
    double best_s;
    dnn_plan best; /* plan NULL: none yet */
} search;

/* ADN_END: this candidate makes no plan, or too large a one, or is not looked for. */
static adn_status make_plan(const search *s, cudnnBackendDescriptor_t config, dnn_plan *out)
{
    const cuda_device *gpu = s->g->target.gpu;
    adn_status st;
    dnn_plan p = {0};

    if (!suits(config, s->limits, &p)) return ADN_END;
    if (s->wanted != NULL && strcmp(s->wanted, p.choice) != 0) return ADN_END;
    if (p.is_compiled && s->n_compiled == MAX_COMPILED) return ADN_END;
    ADN_TRY(st, adn_dnn_plan_begin(s->g, &p), fail);
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(p.plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config),
              fail);
    ADN_TRY(st, adn_dnn_plan_finish(s->g, s->limits, &p), fail);
    *out = p;
    return ADN_OK;
fail:
    adn_dnn_plan_clear(&p);
    return st;
}

/* Takes the plan, and keeps it if it is the best so far. */
static adn_status consider(search *s, dnn_plan *p)
{
    double seconds = 0;
    adn_status st = ADN_OK;

    if (s->trial != NULL) st = adn_dnn_trial_time(s->trial, p, s->best_s, &seconds);
    if (st == ADN_OK && s->trial != NULL) {
        s->n_timed++;
        s->n_compiled += p->is_compiled;
        adn_debug("%s: %s takes %.1f us", s->g->target.gpu->name, p->choice, 1e6 * seconds);
    }
    if (st == ADN_OK && (s->best.plan == NULL || seconds < clearly_faster * s->best_s)) {
        dnn_plan other = s->best;
        s->best = *p;
        s->best_s = seconds;
        *p = other;
    }
    adn_dnn_plan_clear(p);
    return st;
}

static bool is_over(const search *s)
{
    return s->trial == NULL ? s->best.plan != NULL : s->n_timed == MAX_TIMED;
}

/* What heuristics name first is better than all that they fall back on. */
static adn_status search_all(search *s, cudnnBackendDescriptor_t graph)
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    adn_status st = ADN_OK;

    for (size_t m = 0; st == ADN_OK && s->best.plan == NULL && m < ADN_COUNT(modes); m++) {
        candidates c = {0};
        st = ask(s->g, graph, modes[m], &c);
        for (int64_t k = 0; st == ADN_OK && k < c.n && !is_over(s); k++) {
            dnn_plan p = {0};
            st = make_plan(s, c.config[k], &p);
            if (st == ADN_OK) st = consider(s, &p);
            if (st == ADN_END) st = ADN_OK; /* the next, then */
        }
        candidates_clear(&c);
    }
    return st;
}

static adn_status finish_graph(dnn_graph *g, cudnnBackendDescriptor_t *out)
{
    const cuda_device *gpu = g->target.gpu;
    cudnnBackendDescriptor_t graph = NULL;
    adn_status st;

    ADN_ASSERT(g->n_desc < DNN_MAX_DESC);
    CUDNN_TRY(st, gpu,
              cudnnBackendCreateDescriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, &graph), done);
    g->desc[g->n_desc++] = graph;
    CUDNN_TRY(st, gpu,
              cudnnBackendSetAttribute(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, g->n_op, g->ops),
              done);
    if (g->target.handle != NULL)
        CUDNN_TRY(st, gpu,
                  cudnnBackendSetAttribute(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE,
                                           CUDNN_TYPE_HANDLE, 1, &g->target.handle),
                  done);
    CUDNN_TRY(st, gpu, cudnnBackendFinalize(graph), done);
    *out = graph;
done:
    return st;
}

bool adn_dnn_is_timed(const dnn_target *target)
{
    return target->gpu->conf.times_plans && target->props == NULL;
}

adn_status adn_dnn_plan_choose(dnn_graph *g, const dnn_limits *limits, const char *wanted,
                               dnn_plan *out)
{
    cudnnBackendDescriptor_t graph = NULL;
    search s = {.g = g, .limits = limits, .wanted = wanted, .best_s = INFINITY};
    dnn_trial trial = {0};
    adn_status st = finish_graph(g, &graph);

    if (st == ADN_OK && wanted == NULL && adn_dnn_is_timed(&g->target)) {
        st = adn_dnn_trial_begin(g, &trial);
        if (st == ADN_OK) s.trial = &trial;
        if (st == ADN_END) st = ADN_OK; /* untimed, then */
    }
    if (st == ADN_OK) st = search_all(&s, graph);
    adn_dnn_trial_clear(&trial);
    if (st == ADN_OK && s.best.plan == NULL) st = ADN_END;
    if (st == ADN_OK)
        *out = s.best;
    else
        adn_dnn_plan_clear(&s.best);
    return st;
}
