// Wrong use of cuDNN is refused, and each time only it: the same call, made right, works
// afterwards.
#include "operations.h"
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>

using namespace check;

namespace
{
const Integers image = {2, 16, 8, 8}, channels = {1, 16, 1, 1};

cudnnHandle_t open_on(int device)
{
    const cudaStream_t stream = new_stream(device);
    cudnnHandle_t cudnn;

    that(cudnnCreate(&cudnn) == CUDNN_STATUS_SUCCESS &&
             cudnnSetStream(cudnn, stream) == CUDNN_STATUS_SUCCESS,
         "cuDNN opens");
    return cudnn;
}

// Refused with the status, and the program is told why in these words.
void refused(const std::string &name, Graph &g, cudnnStatus_t expected, const std::string &words)
{
    char why[1024] = "";
    const cudnnStatus_t status = g.execute();

    cudnnGetLastErrorString(why, sizeof why);
    that(status == expected && strstr(why, words.c_str()), name + " is refused",
         std::string(cudnnGetErrorString(status)) + ": " + why);
}

void refuse_addresses(cudnnHandle_t cudnn)
{
    Tensor x(image, Kind::f32), y(image, Kind::f32), w({16, 16, 3, 3}, Kind::f32);
    Tensor small(channels, Kind::f32);
    std::vector<char> host(100000);
    Graph g(cudnn);
    void *elsewhere = nullptr;

    if (!g.plan("convolution", {convolution(g.tensor(x), g.tensor(w), g.tensor(y), {1, 1, 1})}))
        return;
    const std::vector<void *> right = g.addresses;
    const auto with = [&](size_t i, void *address) {
        g.addresses = right;
        g.addresses[i] = address;
    };
    const Integers uids = g.uids;
    g.uids.pop_back(), g.addresses.pop_back();
    refused("a tensor that is not in the pack", g, CUDNN_STATUS_BAD_PARAM, "not in the variant");
    g.uids = uids, g.addresses = right;
    g.uids[0] += 1000;
    refused("a tensor under another uid", g, CUDNN_STATUS_BAD_PARAM, "not in the variant pack");
    g.uids = uids;
    with(0, nullptr);
    refused("a null address", g, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "null pointer");
    with(0, small.memory());
    refused("memory that is too small", g, CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "has 64");
    with(0, (char *)right[0] + 4);
    refused("a misaligned address", g, CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "not aligned");
    with(0, (void *)(((uintptr_t)host.data() + 15) / 16 * 16));
    refused("memory of the host", g, CUDNN_STATUS_BAD_PARAM, "in no device allocation");
    cudaSetDevice(1);
    cudaMalloc(&elsewhere, 1 << 20);
    cudaSetDevice(0);
    with(0, elsewhere);
    refused("memory of another device", g, CUDNN_STATUS_BAD_PARAM, "device 1 used on device 0");
    with(2, right[0]);
    refused("an output over an input", g, CUDNN_STATUS_BAD_PARAM, "overlaps");
    cudaFree(elsewhere);
    with(0, elsewhere);
    refused("memory that was freed", g, CUDNN_STATUS_BAD_PARAM, "in no device allocation");
    g.addresses = right;
    that(g.execute() == CUDNN_STATUS_SUCCESS, "the same convolution on the right memory is not");
}

void refuse_workspaces(cudnnHandle_t cudnn)
{
    Tensor x(image, Kind::f32), dy(image, Kind::f32), dx(image, Kind::f32);
    Tensor scale(channels, Kind::f32), mean(channels, Kind::f32), deviation(channels, Kind::f32);
    Tensor dscale(channels, Kind::f32), dbias(channels, Kind::f32);
    Graph g(cudnn);

    if (!g.plan("norm", {norm_backward({g.tensor(x), g.tensor(dy), g.tensor(dx), g.tensor(scale),
                                        g.tensor(mean), g.tensor(deviation), g.tensor(dscale),
                                        g.tensor(dbias)})}))
        return;
    void *const right = g.workspace;
    void *larger = nullptr;
    that(g.workspace_bytes > 64, "a norm's gradient needs a workspace");
    g.workspace = nullptr;
    refused("no workspace", g, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "workspace");
    g.workspace = scale.memory();
    refused("a small workspace", g, CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND, "workspace");
    cudaMalloc(&larger, (size_t)g.workspace_bytes + 4 * x.n_elements());
    const std::vector<void *> addresses = g.addresses;
    g.workspace = larger;
    g.addresses[0] = larger;
    refused("a tensor in the workspace", g, CUDNN_STATUS_BAD_PARAM, "workspace overlaps");
    g.addresses = addresses;
    that(g.execute() == CUDNN_STATUS_SUCCESS, "the same norm with a larger workspace is not");
    g.workspace = right;
    that(g.execute() == CUDNN_STATUS_SUCCESS, "nor with its own");
    cudaDeviceSynchronize();
    cudaFree(larger);
}

// One element is read before it is written in a lone pointwise operation; not in any other.
void refuse_in_place(cudnnHandle_t cudnn)
{
    Tensor x(image, Kind::f32), y(image, Kind::f32), both({4, 16, 8, 8}, Kind::f32);
    Graph g(cudnn);

    if (!g.plan("ReLU", {pointwise(CUDNN_POINTWISE_RELU_FWD, g.tensor(x), nullptr, g.tensor(y))}))
        return;
    g.addresses = {both.memory(), (char *)both.memory() + 64};
    refused("an output that is shifted against its input", g, CUDNN_STATUS_BAD_PARAM, "overlaps");
    g.addresses[1] = g.addresses[0];
    that(g.execute() == CUDNN_STATUS_SUCCESS, "a pointwise operation in place is not");
}

void refuse_handles(cudnnHandle_t cudnn)
{
    Tensor x(image, Kind::f32), y(image, Kind::f32);
    cudnnHandle_t closed;
    cudnnBackendDescriptor_t plan;

    cudnnCreate(&closed);
    cudnnDestroy(closed);
    that(cudnnSetStream(closed, nullptr) != CUDNN_STATUS_SUCCESS, "a closed handle is refused");
    that(cudnnDestroy(closed) != CUDNN_STATUS_SUCCESS, "closing a handle twice is refused");
    cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan);
    that(cudnnBackendExecute(cudnn, plan, plan) == CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
         "a plan that is not finished is refused");
    cudnnBackendDestroyDescriptor(plan);
}

// What can only be seen in the stream ends the program.
void use_stream_of_other_device()
{
    Tensor x(image, Kind::f32), y(image, Kind::f32);
    const cudnnHandle_t cudnn = open_on(0);
    Graph g(cudnn);

    cudnnSetStream(cudnn, new_stream(1));
    g.run("ReLU", {pointwise(CUDNN_POINTWISE_RELU_FWD, g.tensor(x), nullptr, g.tensor(y))});
    cudaDeviceSynchronize();
}

void use_wrong_index()
{
    const Integers half = {2, 16, 4, 4};
    Tensor dy(half, Kind::f32), dx(image, Kind::f32), index(half, Kind::i8); // of no forward
    const cudnnHandle_t cudnn = open_on(0);
    Graph g(cudnn);

    g.run("max pooling, backward", {pool_backward(pool(CUDNN_RESAMPLE_MAXPOOL, 2, 0, 2),
                                                  g.tensor(dy), g.tensor(dx), g.tensor(index))});
    cudaDeviceSynchronize();
}

void ends_the_program(const char *program, const char *mode, const std::string &name)
{
    const std::string command = std::string("exec ") + program + " " + mode + " > /dev/null";
    const int status = system(command.c_str());

    that(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 128 + SIGABRT,
         name + " ends the program");
}
} // namespace

int main(int n_arguments, char **arguments)
{
    const std::string mode = n_arguments > 1 ? arguments[1] : "";

    if (mode == "stream") use_stream_of_other_device();
    if (mode == "index") use_wrong_index();
    if (!mode.empty()) return 0;
    const cudnnHandle_t cudnn = open_on(0);
    refuse_addresses(cudnn);
    refuse_workspaces(cudnn);
    refuse_in_place(cudnn);
    refuse_handles(cudnn);
    cudnnDestroy(cudnn);
    ends_the_program(arguments[0], "stream", "a stream of another device");
    ends_the_program(arguments[0], "index", "a maximum's index outside its window");
    return status();
}
