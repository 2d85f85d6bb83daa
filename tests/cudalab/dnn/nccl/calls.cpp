// The calls a program makes.
#include "group.h"

namespace
{
ncclResult_t collective(lab::Kind kind, const void *source, void *target, size_t count,
                        ncclDataType_t type, ncclRedOp_t reduction, int root, ncclComm_t comm,
                        cudaStream_t stream)
{
    return lab::issue({comm, kind, count, type, reduction, root, 0, source, target, stream, 0});
}
} // namespace

using lab::Kind;

LAB_API ncclResult_t ncclAllReduce(const void *source, void *target, size_t count,
                                   ncclDataType_t type, ncclRedOp_t reduction, ncclComm_t comm,
                                   cudaStream_t stream)
{
    return collective(Kind::all_reduce, source, target, count, type, reduction, 0, comm, stream);
}

LAB_API ncclResult_t ncclBroadcast(const void *source, void *target, size_t count,
                                   ncclDataType_t type, int root, ncclComm_t comm,
                                   cudaStream_t stream)
{
    return collective(Kind::broadcast, source, target, count, type, ncclSum, root, comm, stream);
}

LAB_API ncclResult_t ncclReduce(const void *source, void *target, size_t count, ncclDataType_t type,
                                ncclRedOp_t reduction, int root, ncclComm_t comm,
                                cudaStream_t stream)
{
    return collective(Kind::reduce, source, target, count, type, reduction, root, comm, stream);
}

LAB_API ncclResult_t ncclAllGather(const void *source, void *target, size_t count,
                                   ncclDataType_t type, ncclComm_t comm, cudaStream_t stream)
{
    return collective(Kind::all_gather, source, target, count, type, ncclSum, 0, comm, stream);
}

LAB_API ncclResult_t ncclReduceScatter(const void *source, void *target, size_t count,
                                       ncclDataType_t type, ncclRedOp_t reduction, ncclComm_t comm,
                                       cudaStream_t stream)
{
    return collective(Kind::reduce_scatter, source, target, count, type, reduction, 0, comm,
                      stream);
}

LAB_API ncclResult_t ncclSend(const void *source, size_t count, ncclDataType_t type, int peer,
                              ncclComm_t comm, cudaStream_t stream)
{
    return lab::issue(
        {comm, Kind::send, count, type, ncclSum, 0, peer, source, nullptr, stream, 0});
}

LAB_API ncclResult_t ncclRecv(void *target, size_t count, ncclDataType_t type, int peer,
                              ncclComm_t comm, cudaStream_t stream)
{
    return lab::issue(
        {comm, Kind::receive, count, type, ncclSum, 0, peer, nullptr, target, stream, 0});
}
