/* How weights lie: [o][kernel][kernel][i], linear [o][h][w][i] (the loops' order, which is cuDNN's
 * KRSC), in fp32 whatever the activations are. */
#include "device/cuda/cuda.h"

static size_t side(const adn_layout *l, int linear)
{
    return (size_t)(l->kernel != 0 ? l->kernel : linear);
}

static size_t count(const adn_layout *l)
{
    return (size_t)l->o * side(l, l->h) * side(l, l->w) * (size_t)l->i;
}

adn_status adn_cuda_layout_create(adn_queue *q, const adn_op_desc *fwd, adn_layout **out)
{
    adn_layout *l = adn_alloc(sizeof(*l));

    if (l == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory for a layout");
    *l = (adn_layout){.dev = q->dev,
                      .type = ADN_F32,
                      .o = fwd->dst.c,
                      .i = fwd->src.c,
                      .kernel = fwd->kind == ADN_OP_CONV_FWD ? fwd->u.conv.kernel : 0,
                      .h = fwd->src.h,
                      .w = fwd->src.w,
                      .algo = "krsc"};
    l->bytes = count(l) * sizeof(float);
    *out = l;
    return ADN_OK;
}

void adn_cuda_layout_destroy(adn_layout *l)
{
    adn_free(l);
}

/* Where PyTorch's k-th element, of [o][i][h][w], lies. */
static size_t place_of(const adn_layout *l, size_t k)
{
    size_t h = side(l, l->h), w = side(l, l->w), i = (size_t)l->i;
    size_t x = k % w, y = k / w % h, c = k / w / h % i, o = k / w / h / i;
    return ((o * h + y) * w + x) * i + c;
}

adn_status adn_cuda_param_import(adn_queue *q, const adn_layout *l, void *dst, const double *src)
{
    adn_status st = ADN_NOMEM;
    size_t n = count(l);
    float *host = adn_alloc(l->bytes);

    if (host == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory to import a weight");
    for (size_t k = 0; k < n; k++) host[place_of(l, k)] = (float)src[k];
    ADN_TRY(st, adn_cuda_copy(q, dst, host, l->bytes), done);
    st = adn_cuda_queue_sync(q);
done:
    adn_free(host);
    return st;
}

adn_status adn_cuda_param_export(adn_queue *q, const adn_layout *l, double *dst, const void *src)
{
    adn_status st = ADN_NOMEM;
    size_t n = count(l);
    float *host = adn_alloc(l->bytes);

    if (host == NULL) return ADN_FAIL(ADN_NOMEM, "cuda: no memory to export a weight");
    ADN_TRY(st, adn_cuda_copy(q, host, src, l->bytes), done);
    ADN_TRY(st, adn_cuda_queue_sync(q), done);
    for (size_t k = 0; k < n; k++) dst[k] = (double)host[place_of(l, k)];
done:
    adn_free(host);
    return st;
}
