/* Softmax cross entropy, computed in double: PyTorch's CrossEntropyLoss with label smoothing, over
 * labels of two classes and a weight. */
#include <math.h>

#include "device/cpu/ref.h"

/* The probability that the label and smoothing ask of class c. */
static double target(const adn_op_desc *d, adn_label l, int c)
{
    double of_label = (c == l.a ? l.weight_a : 0.0) + (c == l.b ? 1.0 - l.weight_a : 0.0);
    return (1 - d->u.loss.smoothing) * of_label + d->u.loss.smoothing / d->src.c;
}

static int first_largest(const real *score, int n)
{
    int best = 0;
    for (int c = 1; c < n; c++)
        if (score[c] > score[best]) best = c;
    return best;
}

/* Loss of one sample; its gradient divided by the batch size into grad unless NULL. */
static double sample_loss(const adn_op_desc *d, const real *score, adn_label l, real *grad)
{
    int n_class = d->src.c;
    double largest = score[first_largest(score, n_class)], sum = 0, loss = 0;

    for (int c = 0; c < n_class; c++) sum += exp(score[c] - largest);
    for (int c = 0; c < n_class; c++) {
        double log_prob = score[c] - largest - log(sum), wanted = target(d, l, c);
        if (wanted != 0)
            loss -= wanted * log_prob; /* a class of no weight may have probability 0 */
        if (grad != NULL) grad[c] = (real)((exp(log_prob) - wanted) / d->src.n);
    }
    return loss;
}

void REF(adn_ref_loss)(const adn_op_desc *d, const adn_op_args *args)
{
    const real *src = args->p[ADN_SRC];
    const adn_label *labels = args->p[ADN_LABELS];
    real *grad_src = args->p[ADN_GRAD_SRC];
    adn_loss_result *result = args->p[ADN_RESULT];
    int32_t *halt = args->p[ADN_HALT];
    size_t n_class = (size_t)d->src.c;
    double loss_sum = 0;
    int64_t hits = 0;

    for (size_t n = 0; n < (size_t)d->src.n; n++) {
        const real *score = src + n * n_class;
        loss_sum +=
            sample_loss(d, score, labels[n], grad_src != NULL ? grad_src + n * n_class : NULL);
        hits += first_largest(score, d->src.c) == labels[n].a;
    }
    *result = (adn_loss_result){loss_sum, hits, d->src.n};
    if (!isfinite(loss_sum)) *halt = 1;
}
