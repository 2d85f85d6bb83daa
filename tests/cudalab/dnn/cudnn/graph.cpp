#include "graph.h"
#include "operations.h"
#include <algorithm>
#include <set>

namespace lab
{
namespace
{
struct Kind {
    cudnnBackendDescriptorType_t type;
    void (*run)(Execution &execution, const ShadowPtr &operation);
    const char *(*why_not)(const ShadowPtr &operation); // null: always emulated
    std::vector<int> outputs;
};

const std::vector<Kind> &kinds()
{
    static const std::vector<Kind> *const all = new std::vector<Kind>{
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
         run_convolution_forward,
         why_no_convolution,
         {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y}},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
         run_convolution_backward_data,
         why_no_convolution,
         {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX}},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
         run_convolution_backward_filter,
         why_no_convolution,
         {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW}},
        {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
         run_pointwise,
         why_no_pointwise,
         {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_ATTR_OPERATION_POINTWISE_DXDESC}},
        {CUDNN_BACKEND_OPERATION_GEN_STATS_DESCRIPTOR,
         run_statistics,
         nullptr,
         {CUDNN_ATTR_OPERATION_GENSTATS_SUMDESC, CUDNN_ATTR_OPERATION_GENSTATS_SQSUMDESC}},
        {CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR,
         run_norm_forward,
         why_no_norm,
         {CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC,
          CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC,
          CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_MEAN_DESC,
          CUDNN_ATTR_OPERATION_NORM_FWD_OUTPUT_RUNNING_VAR_DESC}},
        {CUDNN_BACKEND_OPERATION_NORM_BACKWARD_DESCRIPTOR,
         run_norm_backward,
         why_no_norm,
         {CUDNN_ATTR_OPERATION_NORM_BWD_DXDESC, CUDNN_ATTR_OPERATION_NORM_BWD_DSCALE_DESC,
          CUDNN_ATTR_OPERATION_NORM_BWD_DBIAS_DESC}},
        {CUDNN_BACKEND_OPERATION_BN_FINALIZE_STATISTICS_DESCRIPTOR,
         run_norm_finalize,
         nullptr,
         {CUDNN_ATTR_OPERATION_BN_FINALIZE_SAVED_MEAN_DESC,
          CUDNN_ATTR_OPERATION_BN_FINALIZE_SAVED_INV_STD_DESC,
          CUDNN_ATTR_OPERATION_BN_FINALIZE_EQ_SCALE_DESC,
          CUDNN_ATTR_OPERATION_BN_FINALIZE_EQ_BIAS_DESC,
          CUDNN_ATTR_OPERATION_BN_FINALIZE_UPDATED_RUNNING_MEAN_DESC,
          CUDNN_ATTR_OPERATION_BN_FINALIZE_UPDATED_RUNNING_VAR_DESC}},
        {CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR,
         run_resample_forward,
         why_no_resample,
         {CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC}},
        {CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR,
         run_resample_backward,
         why_no_resample,
         {CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC}},
        {CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
         run_reduction,
         nullptr,
         {CUDNN_ATTR_OPERATION_REDUCTION_YDESC}},
        {CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
         run_matmul,
         why_no_matmul,
         {CUDNN_ATTR_OPERATION_MATMUL_CDESC}},
    };
    return *all;
}

const Kind *kind_of(const ShadowPtr &operation)
{
    for (const Kind &kind : kinds())
        if (kind.type == operation->type) return &kind;
    return nullptr;
}

// An inference reads the statistics that a training step writes.
bool reads_statistics(const ShadowPtr &operation, int attribute)
{
    const bool is_statistic = attribute == CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC ||
                              attribute == CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC;

    return is_statistic && value_of(operation, CUDNN_ATTR_OPERATION_NORM_FWD_PHASE,
                                    CUDNN_NORM_FWD_TRAINING) == CUDNN_NORM_FWD_INFERENCE;
}

void insert_outputs(const ShadowPtr &operation, std::set<int64_t> &uids)
{
    for_each_tensor(operation, [&](int attribute, const ShadowPtr &tensor) {
        if (is_output(operation, attribute)) uids.insert(tensor_of(tensor).uid);
    });
}

bool reads_any(const ShadowPtr &operation, const std::set<int64_t> &uids)
{
    bool any = false;

    for_each_tensor(operation, [&](int attribute, const ShadowPtr &tensor) {
        any |= !is_output(operation, attribute) && uids.count(tensor_of(tensor).uid) > 0;
    });
    return any;
}
} // namespace

bool is_output(const ShadowPtr &operation, int attribute)
{
    const Kind *kind = kind_of(operation);

    if (!kind || reads_statistics(operation, attribute)) return false;
    return std::count(kind->outputs.begin(), kind->outputs.end(), attribute) > 0;
}

const char *why_not_emulated(const ShadowPtr &operation)
{
    const Kind *kind = kind_of(operation);

    if (!kind) return "an operation of this type";
    return kind->why_not ? kind->why_not(operation) : nullptr;
}

std::vector<ShadowPtr> operations_in_order(const ShadowPtr &graph)
{
    std::vector<ShadowPtr> waiting = graph->links[CUDNN_ATTR_OPERATIONGRAPH_OPS];
    std::vector<ShadowPtr> ordered;

    while (!waiting.empty()) {
        std::set<int64_t> to_come;
        for (const ShadowPtr &operation : waiting) insert_outputs(operation, to_come);
        const auto ready =
            std::find_if(waiting.begin(), waiting.end(), [&](const ShadowPtr &operation) {
                return !reads_any(operation, to_come);
            });
        if (ready == waiting.end()) return {};
        ordered.push_back(*ready);
        waiting.erase(ready);
    }
    return ordered;
}

void run_operation(Execution &execution, const ShadowPtr &operation)
{
    kind_of(operation)->run(execution, operation);
}
} // namespace lab
