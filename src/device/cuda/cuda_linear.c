/* Linear layers by cuBLAS. Its matrices are column-major, so that a row-major [rows, c] is its
 * [c, rows]; with x [n, i], w [o, i], y [n, o]:
 *   y^T = w x^T,  gx^T = w^T gy^T,  gw^T = x^T gy.
 * Over bf16 a weight is narrowed into the workspace before it is multiplied; gradients of weights
 * come out in fp32. */
#include "device/cuda/cuda.h"

static cudaDataType data_type(adn_type t)
{
    return t == ADN_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* fp32 stays fp32 on tensor cores unless the config asks for TF32. */
static cublasComputeType_t compute_type(const cuda_queue *q, adn_type factor)
{
    if (factor == ADN_BF16) return CUBLAS_COMPUTE_32F;
    return q->gpu->conf.allows_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

adn_status adn_cuda_multiply(cuda_queue *q, const cuda_product *p, const void *a, const void *b,
                             void *c)
{
    static const float one = 1, zero = 0;
    adn_status st;
    int lda = p->op_a == CUBLAS_OP_N ? p->m : p->k, ldb = p->op_b == CUBLAS_OP_N ? p->k : p->n;

    if (p->m == 0 || p->n == 0) return ADN_OK;
    CUBLAS_TRY(st, q->gpu,
               cublasGemmEx(q->blas, p->op_a, p->op_b, p->m, p->n, p->k, &one, a,
                            data_type(p->factor), lda, b, data_type(p->factor), ldb, &zero, c,
                            data_type(p->result), p->m, compute_type(q, p->factor),
                            CUBLAS_GEMM_DEFAULT),
               done);
done:
    return st;
}

enum { ALIGNMENT = 256 };

typedef struct linear {
    cuda_product product;
    int n, in, out;
    size_t n_weight;
    size_t wide_at; /* in the workspace, in bytes: dst before it is rounded */
} linear;

/* The weight as it is multiplied: itself, or narrowed into the workspace. */
static adn_status factor_of(const cuda_op *op, const adn_op_args *a, const void **out)
{
    const linear *l = op->impl;
    adn_status st = ADN_OK;

    *out = a->p[ADN_WEIGHT];
    if (op->base.desc.type != ADN_BF16) return ADN_OK;
    *out = a->p[ADN_WORKSPACE];
    CUDA_TRY(st, op->q->gpu,
             adn_k_narrow(a->p[ADN_WEIGHT], a->p[ADN_WORKSPACE], l->n_weight, op->q->stream), done);
done:
    return st;
}

/* Over bf16 a bias is added before the sum is rounded: in fp32, in the workspace. */
static adn_status run_fwd(const cuda_op *op, const adn_op_args *a)
{
    const linear *l = op->impl;
    const cuda_device *gpu = op->q->gpu;
    size_t n = (size_t)l->n, out = (size_t)l->out;
    bool is_wide = l->product.result != op->base.desc.type;
    void *dst = is_wide ? (char *)a->p[ADN_WORKSPACE] + l->wide_at : a->p[ADN_DST];
    const void *weight;
    adn_status st;

    ADN_TRY(st, factor_of(op, a, &weight), done);
    ADN_TRY(st, adn_cuda_multiply(op->q, &l->product, weight, a->p[ADN_SRC], dst), done);
    if (a->p[ADN_BIAS] != NULL)
        CUDA_TRY(st, gpu,
                 adn_k_add_bias(adn_cuda_k_type(l->product.result), dst, a->p[ADN_BIAS], n, out,
                                op->q->stream),
                 done);
    if (is_wide) CUDA_TRY(st, gpu, adn_k_narrow(dst, a->p[ADN_DST], n * out, op->q->stream), done);
done:
    return st;
}

static adn_status run_grad_src(const cuda_op *op, const adn_op_args *a)
{
    const linear *l = op->impl;
    const void *weight;
    adn_status st;

    ADN_TRY(st, factor_of(op, a, &weight), done);
    st = adn_cuda_multiply(op->q, &l->product, weight, a->p[ADN_GRAD_DST], a->p[ADN_GRAD_SRC]);
done:
    return st;
}

static adn_status run_grad_param(const cuda_op *op, const adn_op_args *a)
{
    const linear *l = op->impl;
    adn_status st;

    if (l->n > 0)
        ADN_TRY(st,
                adn_cuda_multiply(op->q, &l->product, a->p[ADN_SRC], a->p[ADN_GRAD_DST],
                                  a->p[ADN_GRAD_WEIGHT]),
                done);
    else
        CUDA_TRY(
            st, op->q->gpu,
            cudaMemsetAsync(a->p[ADN_GRAD_WEIGHT], 0, l->n_weight * sizeof(float), op->q->stream),
            done);
    if (a->p[ADN_GRAD_BIAS] == NULL) goto done;
    CUDA_TRY(st, op->q->gpu,
             adn_k_column_sums(adn_cuda_k_type(op->base.desc.type), a->p[ADN_GRAD_DST],
                               (size_t)l->n, (size_t)l->out, a->p[ADN_GRAD_BIAS],
                               a->p[ADN_WORKSPACE], op->q->stream),
             done);
done:
    return st;
}

adn_status adn_cuda_plan_linear(cuda_op *op)
{
    const adn_op_desc *d = &op->base.desc;
    adn_status st = adn_cuda_queue_blas(op->q);
    if (st != ADN_OK) return st;
    linear *l = adn_alloc(sizeof(*l));

    if (l == NULL) return ADN_FAIL(ADN_NOMEM, "%s: no memory for a plan", op->q->gpu->name);
    op->impl = l;
    op->impl_free = adn_free;
    op->base.algo = d->type == ADN_BF16 ? "cublas bf16" : "cublas";
    l->n = d->src.n;
    l->in = d->src.h * d->src.w * d->src.c;
    l->out = d->dst.c;
    l->n_weight = (size_t)l->in * (size_t)l->out;
    l->product.factor = l->product.result = d->type;
    if (d->kind != ADN_OP_LINEAR_GRAD_PARAM && d->type == ADN_BF16)
        op->base.workspace_bytes = l->n_weight * adn_type_bytes(ADN_BF16);
    switch (d->kind) {
    case ADN_OP_LINEAR_FWD:
        op->run = run_fwd;
        if (d->type == ADN_BF16 && d->u.conv.has_bias) {
            l->product.result = ADN_F32;
            l->wide_at = (op->base.workspace_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            op->base.workspace_bytes = l->wide_at + (size_t)l->n * (size_t)l->out * sizeof(float);
        }
        l->product.op_a = CUBLAS_OP_T;
        l->product.op_b = CUBLAS_OP_N;
        l->product.m = l->out;
        l->product.n = l->n;
        l->product.k = l->in;
        break;
    case ADN_OP_LINEAR_GRAD_SRC:
        op->run = run_grad_src;
        l->product.op_a = l->product.op_b = CUBLAS_OP_N;
        l->product.m = l->in;
        l->product.n = l->n;
        l->product.k = l->out;
        break;
    default:
        op->run = run_grad_param;
        l->product.op_a = CUBLAS_OP_N;
        l->product.op_b = CUBLAS_OP_T;
        l->product.m = l->in;
        l->product.n = l->out;
        l->product.k = l->n;
        l->product.result = ADN_F32;
        op->base.workspace_bytes = adn_k_column_sums_workspace((size_t)l->n, (size_t)l->out);
    }
    return ADN_OK;
}
