// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CPrivileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Landlock (landlock(7)). Debian 12's headers are of 6.1; the ABI's numbers and the kernels are in that page. ---- */

struct landlock_rules {
    uint64_t handled_files;
    uint64_t handled_network; /* ABI 4, Linux 6.7 */
    uint64_t scoped;          /* ABI 6, Linux 6.12 */
};
struct landlock_path_rule {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };
enum { FILES_READ = 1 << 2, FILES_REFER = 1 << 13, FILES_TRUNCATE = 1 << 14, FILES_DEVICE_IOCTL = 1 << 15 };
enum { NETWORK_BIND = 1 << 0, NETWORK_CONNECT = 1 << 1, SCOPE_ABSTRACT_SOCKETS = 1 << 0, SCOPE_SIGNALS = 1 << 1 };

int epitope_landlock_version(void) {
    int version = (int)syscall(CREATE_RULESET, NULL, 0, CREATE_VERSION);
    return version < 0 ? -errno : version;
}

static int make_rules(const struct landlock_rules *rules, int version) {
    size_t size = version >= 6 ? sizeof *rules : version >= 4 ? offsetof(struct landlock_rules, scoped) : sizeof rules->handled_files;
    int ruleset = (int)syscall(CREATE_RULESET, rules, size, 0);
    if (ruleset < 0) return -errno;
    (void)fcntl(ruleset, F_SETFD, FD_CLOEXEC);
    return ruleset;
}

static int enter(int ruleset) {
    int result = syscall(RESTRICT_SELF, ruleset, 0) == 0 ? 0 : -errno;
    close(ruleset);
    return result;
}

int epitope_give_up_files(void) {
    int version = epitope_landlock_version();
    if (version < 0) return version;
    struct landlock_rules rules = {
        /* All rights of ABI 1, and what the later ones added; nothing is allowed. */
        .handled_files = (FILES_REFER - 1) | (version >= 2 ? FILES_REFER : 0) | (version >= 3 ? FILES_TRUNCATE : 0)
            | (version >= 5 ? FILES_DEVICE_IOCTL : 0),
        .handled_network = version >= 4 ? NETWORK_BIND | NETWORK_CONNECT : 0,
        .scoped = version >= 6 ? SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS : 0,
    };
    int ruleset = make_rules(&rules, version);
    return ruleset < 0 ? ruleset : enter(ruleset);
}

int epitope_read_only_beneath(const char *const *paths, size_t count) {
    int version = epitope_landlock_version();
    if (version < 0) return version;
    const uint64_t rights = FILES_READ | (version >= 2 ? FILES_REFER : 0);
    struct landlock_rules rules = {.handled_files = rights, .scoped = version >= 6 ? SCOPE_SIGNALS : 0};
    int ruleset = make_rules(&rules, version);
    if (ruleset < 0) return ruleset;
    for (size_t index = 0; index < count; index++) {
        struct landlock_path_rule rule = {.allowed = rights, .folder = open(paths[index], O_PATH | O_NOFOLLOW | O_CLOEXEC)};
        /* One that has gone since, or that this user can't reach, needs no rule. */
        if (rule.folder < 0) continue;
        struct stat status;
        int failure = fstat(rule.folder, &status) == 0 ? 0 : errno;
        /* A file has no files beneath it. */
        if (failure == 0 && !S_ISDIR(status.st_mode)) rule.allowed = FILES_READ;
        /* A symbolic link needs none either: what it leads to is looked at where it lies. */
        if (failure == 0 && !S_ISLNK(status.st_mode) && syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0) failure = errno;
        close(rule.folder);
        /* EBADFD: a file system that the kernel keeps for itself. */
        if (failure != 0 && failure != EBADFD) {
            close(ruleset);
            return -failure;
        }
    }
    return enter(ruleset);
}

/* ---- A filter of system calls ---- */

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which architecture's system calls are these?"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define PERMIT BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), PERMIT
/* The low half of the third argument, which is all of an int, on these little-endian machines. */
#define CALL_WITHOUT(name, bit) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD(args[2]), \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bit, 0, 1), REFUSE, PERMIT

/* What a process with open sockets needs that computes, waits, tells the time and prints. Nothing opens, connects, executes,
 * starts or reaches another process; no memory becomes executable. */
static struct sock_filter signing_calls[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    CALL(recvfrom), CALL(sendto), CALL(recvmsg), CALL(sendmsg), CALL(read), CALL(write), CALL(writev),
    CALL(accept), CALL(accept4), CALL(ppoll), CALL(setsockopt), CALL(getsockopt), CALL(shutdown), CALL(close),
#ifdef __NR_poll
    CALL(poll),
#endif
    CALL(futex), CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk),
    CALL_WITHOUT(mmap, PROT_EXEC), CALL_WITHOUT(mprotect, PROT_EXEC),
    CALL(clock_gettime), CALL(gettimeofday), CALL(clock_nanosleep), CALL(nanosleep), CALL(getrandom), CALL(sched_yield),
    CALL(getpid), CALL(gettid), CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(restart_syscall),
    CALL(exit), CALL(exit_group), CALL(lseek),
#ifdef __NR_fstat
    CALL(fstat),
#endif
    REFUSE,
};

int epitope_permit_signing_calls(void) {
    struct sock_fprog program = {.len = sizeof signing_calls / sizeof *signing_calls, .filter = signing_calls};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : -errno;
}

int epitope_end_with_parent(int signal, int parent) {
    if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)) return -errno;
    /* It may have ended before. */
    return getppid() == parent ? 0 : -ESRCH;
}
