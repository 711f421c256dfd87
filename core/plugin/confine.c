/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "plugin/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "plugin/plugins.h"

#define CPU_SECONDS 5
#define MEMORY_BYTES ((rlim_t)1 << 30)
#define DESCRIPTORS 64 /* the dynamic linker opens each library that a plugin needs */

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef HAS_ADDRESS_SANITIZER
#define HAS_ADDRESS_SANITIZER 0
#endif

/* --- limits ------------------------------------------------------------------------------------------------------- */

struct limit {
    __rlimit_resource_t resource;
    rlim_t value;
};

/* RLIMIT_NPROC is of this process alone, though it counts the user's processes: it takes away our own right to start
 * another, and nobody else's. (The kernel does not hold root to it.) The shadow memory of a sanitizer needs terabytes
 * of addresses. */
static const struct limit limits[] = {
    {RLIMIT_CPU, CPU_SECONDS},    {RLIMIT_CORE, 0},  {RLIMIT_FSIZE, 0},
    {RLIMIT_NOFILE, DESCRIPTORS}, {RLIMIT_NPROC, 0}, {RLIMIT_AS, HAS_ADDRESS_SANITIZER ? RLIM_INFINITY : MEMORY_BYTES},
};

static bool limit_lower(const struct limit *limit)
{
    struct rlimit now;
    if (getrlimit(limit->resource, &now) != 0) {
        return false;
    }
    rlim_t value = limit->value < now.rlim_max ? limit->value : now.rlim_max;
    return setrlimit(limit->resource, &(struct rlimit){value, value}) == 0;
}

/* --- system calls ------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(__LP64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__LP64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#endif

#ifdef MACHINE

/* Those whose arguments do not matter. mmap writes to no file: none is open for it. */
static const unsigned free_calls[] = {
    __NR_read,
    __NR_pread64,
    __NR_lseek,
    __NR_close,
    __NR_fstat,
    __NR_newfstatat,
    __NR_statx,
    __NR_faccessat,
    __NR_readlinkat,
    __NR_getcwd,
    __NR_getdents64,
    __NR_mmap,
    __NR_munmap,
    __NR_mremap,
    __NR_mprotect,
    __NR_madvise,
    __NR_brk,
    __NR_futex,
    __NR_getrandom,
    __NR_clock_gettime,
    __NR_clock_getres,
    __NR_gettimeofday,
    __NR_nanosleep,
    __NR_ppoll,
    __NR_clock_nanosleep,
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_sigaltstack,
    __NR_restart_syscall,
    __NR_sched_yield,
    __NR_sched_getaffinity,
    __NR_getcpu,
    __NR_getpid,
    __NR_getppid,
    __NR_gettid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_uname,
    __NR_sysinfo,
    __NR_getrusage,
    __NR_exit,
    __NR_exit_group,
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
#ifdef __NR_getrlimit
    __NR_getrlimit,
#endif
#ifdef __x86_64__ /* what newer machines do not have */
    __NR_stat,
    __NR_lstat,
    __NR_access,
    __NR_readlink,
    __NR_pause,
    __NR_time,
#endif
};

/* Those of which one argument decides. Its lower half: the kernel takes all of them for an int. */
struct bound_call {
    unsigned number;
    unsigned argument;
    unsigned short test; /* BPF_JSET: none of these bits; BPF_JGT: at most this; BPF_JEQ: just this */
    unsigned value;
};

#define OPENS_FOR_MORE_THAN_READING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

#define FILTER_LENGTH_MAX 256

struct filter {
    struct sock_filter steps[FILTER_LENGTH_MAX];
    unsigned short length;
};

static void add(struct filter *filter, unsigned code, unsigned value, unsigned char when_true, unsigned char when_false)
{
    if (filter->length == FILTER_LENGTH_MAX) {
        fatal("the filter of system calls is longer than %d steps", FILTER_LENGTH_MAX);
    }
    filter->steps[filter->length++] = (struct sock_filter){(unsigned short)code, when_true, when_false, value};
}

static void add_free_call(struct filter *filter, unsigned number)
{
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static void add_bound_call(struct filter *filter, const struct bound_call *call)
{
    bool must_hold = call->test == BPF_JEQ;
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 4);
    add(filter, BPF_LD | BPF_W | BPF_ABS, (unsigned)(offsetof(struct seccomp_data, args) + 8 * call->argument), 0, 0);
    add(filter, BPF_JMP | call->test | BPF_K, call->value, must_hold ? 0 : 1, must_hold ? 1 : 0);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    add(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static void add_bound_calls(struct filter *filter)
{
    const struct bound_call calls[] = {
        {__NR_openat, 2, BPF_JSET, OPENS_FOR_MORE_THAN_READING},
#ifdef __NR_open
        {__NR_open, 1, BPF_JSET, OPENS_FOR_MORE_THAN_READING},
#endif
        {__NR_write, 0, BPF_JGT, PLUGIN_HOST_OUT},
        {__NR_writev, 0, BPF_JGT, PLUGIN_HOST_OUT},
        {__NR_tgkill, 0, BPF_JEQ, (unsigned)getpid()}, /* abort() */
        {__NR_prlimit64, 0, BPF_JEQ, 0},               /* getrlimit() */
    };
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        add_bound_call(filter, &calls[i]);
    }
}

static bool filter_calls(void)
{
    struct filter filter = {.length = 0};
    add(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    add(&filter, BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
    add(&filter, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0); /* the numbers would be those of other calls */
    add(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    for (size_t i = 0; i < COUNT_OF(free_calls); i++) {
        add_free_call(&filter, free_calls[i]);
    }
    add_bound_calls(&filter);
    add(&filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    const struct sock_fprog program = {.len = filter.length, .filter = filter.steps};
    return prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, &program) == 0;
}

#endif

bool confine(struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        if (!limit_lower(&limits[i])) {
            return error_set(err, ERROR_CONFIG, "cannot limit the plugin host: %s", strerror(errno));
        }
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0) {
        return error_set(err, ERROR_CONFIG, "cannot confine the plugin host: %s", strerror(errno));
    }
#ifdef MACHINE
    if (!filter_calls()) {
        error_set(err, ERROR_CONFIG, "cannot filter the system calls of the plugin host: %s", strerror(errno));
        return error_hint(err,
                          "the kernel needs CONFIG_SECCOMP_FILTER, and a container has to allow prctl(PR_SET_SECCOMP)");
    }
#endif
    return true;
}
