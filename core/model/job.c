#include "model/job.h"

const char *job_origin_name(enum job_origin origin)
{
    return origin == JOB_FROM_PLUGIN ? "plugin" : "config";
}

const char *job_work_name(enum job_work work)
{
    return work == JOB_REFRESH ? "refresh" : "command";
}
