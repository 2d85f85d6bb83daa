/* What a program built without CUDA says of GPUs. */
#include "device/cuda.h"

#include <stdio.h>

static const char why_none[] = "this program was built without CUDA";

int adn_cuda_count(const char **why)
{
    if (why != NULL) *why = why_none;
    return 0;
}

adn_status adn_cuda_look(int ordinal, adn_cuda_info *out)
{
    (void)out;
    return ADN_FAIL(ADN_DEVICE, "cuda:%d: %s", ordinal, why_none);
}

bool adn_cuda_reaches(int from, int to)
{
    (void)from;
    (void)to;
    return false;
}

void adn_cuda_versions(char *out, size_t room)
{
    snprintf(out, room, "none: %s", why_none);
}

bool adn_cuda_load_look(int ordinal, adn_cuda_load *out)
{
    (void)ordinal;
    (void)out;
    return false;
}

bool adn_cuda_driver(char *out, size_t room)
{
    (void)out;
    (void)room;
    return false;
}

int adn_cuda_nccl(void)
{
    return 0;
}

adn_choices *adn_cuda_choices_of(const adn_device *dev)
{
    (void)dev;
    return NULL;
}

adn_status adn_cuda_reach(adn_device *a, adn_device *b)
{
    (void)a;
    (void)b;
    return ADN_FAIL(ADN_DEVICE, "%s", why_none);
}

const adn_cuda_model *adn_cuda_model_get(int i)
{
    (void)i;
    return NULL;
}

adn_status adn_cuda_plan_open(const adn_cuda_conf *conf, const adn_cuda_model *model,
                              adn_device **out)
{
    (void)model;
    (void)out;
    return ADN_FAIL(ADN_DEVICE, "cuda:%d: %s", conf->ordinal, why_none);
}

adn_cuda_planned adn_cuda_planned_of(const adn_device *dev)
{
    (void)dev;
    return (adn_cuda_planned){0};
}

adn_status adn_cuda_open(const adn_cuda_conf *conf, adn_device **out)
{
    (void)out;
    return ADN_FAIL(ADN_DEVICE, "cuda:%d: %s", conf->ordinal, why_none);
}
