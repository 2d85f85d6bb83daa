/* Kernels of the CUDA device: what each launcher computes. Plain C; device/device.h has the
 * operations that they serve, and the plain loops of the cpu device the exact answers.
 *
 * A launcher enqueues on `stream` and returns what the launch gave. It never allocates, waits or
 * chooses a policy. Nothing to do is success; sums over no rows are zero. Pointers are the device's
 * unless called a host's. Activations are [n, h, w, c] or [rows, c] of `type`, aligned to their
 * elements: to 16 bytes, and c whole in 16 bytes, they move by 16 bytes. Memory may be shared only
 * where that is said. Sums have one order, whatever the GPU: the same call gives the same bits. */
#ifndef ADN_KERNELS_H
#define ADN_KERNELS_H

#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum adn_k_type { ADN_K_F32, ADN_K_BF16 } adn_k_type;

/* ---- reduce.cu ---- */

/* sums[c]: over the rows of src [rows, c]. */
cudaError_t adn_k_column_sums(adn_k_type type, const void *src, size_t rows, size_t c, float *sums,
                              void *workspace, cudaStream_t stream);
size_t adn_k_column_sums_workspace(size_t rows, size_t c); /* bytes, 8-byte aligned */

/* ---- norm.cu ---- */

/* sums [2][c]: of src [rows, c], of its squares. */
cudaError_t adn_k_moments(adn_k_type type, const void *src, size_t rows, size_t c, double *sums,
                          void *workspace, cudaStream_t stream);
size_t adn_k_moments_workspace(size_t rows, size_t c); /* bytes, 8-byte aligned */

/* From sums over `rows` places: mean and inv_std [c], and run_mean and run_var moved by `momentum`
 * unless moves_stats is 0. */
cudaError_t adn_k_norm_statistics(const double *sums, size_t rows, size_t c, double eps,
                                  double momentum, int moves_stats, float *mean, float *inv_std,
                                  float *run_mean, float *run_var, cudaStream_t stream);
/* inv_std [c] of var: 1 / sqrt(var + eps). */
cudaError_t adn_k_norm_inv_std(const float *var, size_t c, double eps, float *inv_std,
                               cudaStream_t stream);

/* (src - mean) * inv_std * weight + bias, then ReLU; all that is written may be NULL. */
typedef struct adn_k_norm {
    adn_k_type type;
    int n, h, w, c; /* n h w: less than 2^31 */
    int relu;
    int avg_h, avg_w;                            /* of the map of averages, whose windows tile */
    const float *mean, *inv_std, *weight, *bias; /* [c] */
    const void *src;                             /* [n, h, w, c] */
    void *dst;                                   /* like src */
    void *dst_max;                               /* [n, h / 2, w / 2, c], h and w even */
    unsigned char *index;                        /* like dst_max: 2 y + x within its 2x2 */
    void *dst_avg;                               /* [n, avg_h, avg_w, c] */
} adn_k_norm;
cudaError_t adn_k_norm_apply(const adn_k_norm *a, cudaStream_t stream);

/* The gradient of all that. grad_src may be grad_dst or src. Any of the three gradients that come
 * in may be NULL. */
typedef struct adn_k_norm_grad {
    adn_k_type type;
    int n, h, w, c;
    int relu;
    int avg_h, avg_w;
    const float *mean, *inv_std, *weight, *bias;
    const void *src, *grad_dst, *grad_max, *grad_avg;
    const unsigned char *index; /* of grad_max */
    void *grad_src;
    float *grad_weight, *grad_bias;
} adn_k_norm_grad;
cudaError_t adn_k_norm_backward(const adn_k_norm_grad *a, void *workspace, cudaStream_t stream);
size_t adn_k_norm_backward_workspace(size_t rows, size_t c); /* bytes, 8-byte aligned */

/* ---- elem.cu: n elements ---- */

cudaError_t adn_k_relu(adn_k_type type, const void *src, void *dst, size_t n, cudaStream_t stream);
/* grad_src may be grad_dst. */
cudaError_t adn_k_relu_grad(adn_k_type type, const void *dst, const void *grad_dst, void *grad_src,
                            size_t n, cudaStream_t stream);
/* dst = a + b, then ReLU if `relu`. dst may be a. */
cudaError_t adn_k_add(adn_k_type type, const void *a, const void *b, void *dst, int relu, size_t n,
                      cudaStream_t stream);
/* dst [rows, c] += bias [c]. */
cudaError_t adn_k_add_bias(adn_k_type type, void *dst, const float *bias, size_t rows, size_t c,
                           cudaStream_t stream);
/* Between fp32 and bf16: to the nearest, of two the even one. */
cudaError_t adn_k_narrow(const float *src, void *dst, size_t n, cudaStream_t stream);
cudaError_t adn_k_widen(const void *src, float *dst, size_t n, cudaStream_t stream);
/* Bytes [n, c] to (byte / 255 - mean) / std; c is 1 to 4. mean, std: the host's. */
enum { ADN_K_PIXEL_CHANNELS = 4 };
cudaError_t adn_k_normalise(adn_k_type type, const unsigned char *src, void *dst, size_t n, int c,
                            const float *mean, const float *std, cudaStream_t stream);

/* ---- augment.cu ---- */

/* Transforms of images of bytes [h, w, c], in their order; c is 1 to 4, an image at most 2^30
 * bytes. Of each image its moves, as device/device.h says of adn_move. */
typedef enum adn_k_transform { ADN_K_CROP, ADN_K_FLIP, ADN_K_CUTOUT } adn_k_transform;
typedef struct adn_k_move {
    int32_t y, x;
} adn_k_move;
enum { ADN_K_MAX_TRANSFORM = 16 };
typedef struct adn_k_augment {
    int h, w, c;
    int n_transform;
    unsigned char kind[ADN_K_MAX_TRANSFORM]; /* adn_k_transform */
    int size[ADN_K_MAX_TRANSFORM];           /* of a cutout's square */
    uint32_t fill;                           /* of cutouts: a byte a channel, the lowest first */
} adn_k_augment;
/* dst [n, h, w, c]: images picks[n] of src, by moves [n][n_transform]. */
cudaError_t adn_k_augment_images(const adn_k_augment *how, const unsigned char *src,
                                 const uint32_t *picks, const adn_k_move *moves, unsigned char *dst,
                                 size_t n, cudaStream_t stream);

/* ---- rows.cu ---- */

/* dst [rows, dst_c] from src [rows, src_c]: the channels that both have; the rest are zeros. */
cudaError_t adn_k_fit_rows(adn_k_type type, const void *src, size_t src_c, void *dst, size_t dst_c,
                           size_t rows, cudaStream_t stream);

/* ---- pool.cu ---- */

typedef enum adn_k_pool_kind {
    ADN_K_POOL_MAX,
    ADN_K_POOL_AVG,
    ADN_K_POOL_ADAPTIVE
} adn_k_pool_kind;
typedef struct adn_k_pool {
    adn_k_type type;
    adn_k_pool_kind kind;
    int n, c, src_h, src_w, dst_h, dst_w; /* n h w: less than 2^31, of src and of dst */
    int kernel, stride;                   /* not of adaptive pools; kernel at most 16 */
} adn_k_pool;
/* index: of maxima: kernel y + x within the window; may be NULL. */
cudaError_t adn_k_pool_forward(const adn_k_pool *p, const void *src, void *dst,
                               unsigned char *index, cudaStream_t stream);
cudaError_t adn_k_pool_backward(const adn_k_pool *p, const void *grad_dst,
                                const unsigned char *index, void *grad_src, cudaStream_t stream);

/* ---- loss.cu ---- */

typedef struct adn_k_label {
    int32_t a, b;
    float weight_a;
} adn_k_label;
typedef struct adn_k_loss_result {
    double loss_sum;
    int64_t hits, n;
} adn_k_loss_result;
/* scores and grad (may be NULL) [n, c]. halt becomes 1 if the sum is not finite. */
cudaError_t adn_k_loss(adn_k_type type, const void *scores, const adn_k_label *labels, size_t n,
                       size_t c, double smoothing, void *grad, adn_k_loss_result *result,
                       int32_t *halt, void *workspace, cudaStream_t stream);
size_t adn_k_loss_workspace(size_t n); /* bytes, 8-byte aligned */

/* ---- sgd.cu ---- */

typedef struct adn_k_sgd {
    float lr, momentum, decay;
    int nesterov;
    int is_first; /* the momentum array is taken for zeros */
} adn_k_sgd;
cudaError_t adn_k_sgd_step(const adn_k_sgd *how, float *weight, float *momentum, const float *grad,
                           const int32_t *halt, size_t n, cudaStream_t stream);

/* ---- adamw.cu ---- */

typedef struct adn_k_adamw {
    float keep;     /* of the weight: 1 - lr decay */
    float b1, new1; /* of the gradients' moment, of a gradient: 1 - b1 */
    float b2, new2; /* of their squares */
    float rate, scale, eps;
} adn_k_adamw;
cudaError_t adn_k_adamw_step(const adn_k_adamw *how, float *weight, float *momentum, float *moment2,
                             const float *grad, const int32_t *halt, size_t n, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
