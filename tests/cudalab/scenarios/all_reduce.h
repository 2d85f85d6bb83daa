// What an all-reduce between GPUs of one process is to their streams: a task in each that waits for
// the others' and then has the sum. Compiled with ThreadSanitizer, so that the ordering between the
// ranks is seen.
#pragma once
#include <condition_variable>
#include <mutex>
#include <vector>

#include <cuda_runtime.h>

class AllReduce
{
  public:
    explicit AllReduce(int n_rank) : n_rank(n_rank)
    {
    }
    // Once for each rank, in its stream; the floats at data become the sum of all ranks'.
    cudaError_t enqueue(float *data, size_t n, cudaStream_t stream)
    {
        return cudaLaunchHostFunc(stream, run, new Rank{this, data, n}); // run deletes it
    }

  private:
    struct Rank {
        AllReduce *group;
        float *data;
        size_t n;
    };
    static void run(void *rank_of_task);
    void reduce(const Rank &rank);

    const int n_rank;
    std::mutex mutex;
    std::condition_variable all_are_in;
    int n_in = 0;
    std::vector<float> sum;
};

inline void AllReduce::run(void *rank_of_task)
{
    auto *rank = static_cast<Rank *>(rank_of_task);
    rank->group->reduce(*rank);
    delete rank;
}

inline void AllReduce::reduce(const Rank &rank)
{
    std::unique_lock<std::mutex> lock(mutex);
    sum.resize(rank.n);
    for (size_t i = 0; i < rank.n; i++) sum[i] += rank.data[i];
    if (++n_in == n_rank) all_are_in.notify_all();
    all_are_in.wait(lock, [this] { return n_in == n_rank; });
    for (size_t i = 0; i < rank.n; i++) rank.data[i] = sum[i];
}
