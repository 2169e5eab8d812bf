// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* 5.19 */
#endif

_Static_assert(sizeof(struct epitope_filter_instruction) == sizeof(struct sock_filter), "same layout");

/* Of linux/landlock.h, Linux 6.12. */
struct landlock_scopes {
    uint64_t handled_files, handled_network, scoped;
};
enum { SYS_LANDLOCK_CREATE_RULESET = 444, SYS_LANDLOCK_RESTRICT_SELF = 446, LANDLOCK_VERSION = 1, SCOPE_SIGNAL = 2, FIRST_WITH_SCOPES = 6 };

struct progress {
    int failure;
    int error;
    int listener;
};

/* Installs the filter. With CAP_SYS_ADMIN no_new_privs isn't needed, and set-user-ID programs keep working. */
static int install(const struct epitope_command *command) {
    struct sock_fprog program = {.len = command->filter_length, .filter = (struct sock_filter *)command->filter};
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    for (;;) {
        int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        if (listener >= 0) return listener;
        if (errno == EACCES && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0) {
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
        } else if (errno == EINVAL && (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)) {
            flags &= ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        } else {
            return -errno;
        }
    }
}

/* A domain of its own: a process in it reaches no process outside by ptrace or what asks for the same right (process_vm_writev,
 * /proc/PID/mem, pidfd_getfd), whatever path it takes, and sends none a signal. A ruleset must restrict something besides the domain
 * itself; of files it must not, since that would forbid to mount. */
static int confine(void) {
    struct landlock_scopes rules = {.scoped = SCOPE_SIGNAL};
    int ruleset = (int)syscall(SYS_LANDLOCK_CREATE_RULESET, &rules, sizeof rules, 0);
    if (ruleset < 0) return -errno;
    int result = syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0 ? 0 : -errno;
    close(ruleset);
    return result;
}

bool epitope_can_confine(void) {
    return syscall(SYS_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION) >= FIRST_WITH_SCOPES;
}

/* Becomes another user, by system calls: the C library's functions would wait for threads that are only the parent's. */
static int become(const struct epitope_user *user) {
    if (syscall(SYS_setgroups, user->group_count, user->groups) != 0) return -errno;
    if (syscall(SYS_setresgid, user->group, user->group, user->group) != 0) return -errno;
    return syscall(SYS_setresuid, user->user, user->user, user->user) == 0 ? 0 : -errno;
}

int epitope_guard_self(void) {
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -errno;
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

static void report(int descriptor, int failure, int error, int listener) {
    struct progress progress = {.failure = failure, .error = error, .listener = listener};
    while (write(descriptor, &progress, sizeof progress) < 0 && errno == EINTR) continue;
}

static int move_descriptor(int from, int to) {
    if (from < 0) return 0;
    if (from == to) return fcntl(to, F_SETFD, 0) < 0 ? -errno : 0;
    return dup2(from, to) < 0 ? -errno : 0;
}

/* The descriptors that this program was started with and that its own commands inherit; those it opens itself (a connection to
 * a center, the spool) are no command's. Read before anything is opened. */
enum { MAX_INHERITED = 1024 };
static unsigned char is_inherited[MAX_INHERITED];

/* The signals of output that is lost, and whether this program was started with them ignored. */
static const int output_signals[] = {SIGPIPE, SIGXFSZ};
enum { OUTPUT_SIGNALS = sizeof output_signals / sizeof *output_signals };
static unsigned char was_ignored[OUTPUT_SIGNALS];

/* The limits that this program raises for itself, as it was started with them. */
static const __rlimit_resource_t raised_limits[] = {RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CPU};
enum { RAISED_LIMITS = sizeof raised_limits / sizeof *raised_limits };
static struct rlimit limits_at_start[RAISED_LIMITS];
static unsigned char is_raised[RAISED_LIMITS];

__attribute__((constructor)) static void note_inherited(void) {
    /* A standard stream that is closed would become the next file's number, and what is printed would go into that file. */
    for (int number = 0; number < 3; number++)
        if (fcntl(number, F_GETFD) < 0) (void)open("/dev/null", O_RDWR);
    for (int index = 0; index < OUTPUT_SIGNALS; index++) {
        struct sigaction now;
        was_ignored[index] = sigaction(output_signals[index], NULL, &now) == 0 && now.sa_handler == SIG_IGN;
    }
    for (int index = 0; index < RAISED_LIMITS; index++) (void)getrlimit(raised_limits[index], &limits_at_start[index]);
    for (int number = 3; number < MAX_INHERITED; number++) {
        int flags = fcntl(number, F_GETFD);
        is_inherited[number] = flags >= 0 && !(flags & FD_CLOEXEC);
    }
}

static int close_on_exec(unsigned first, unsigned last) {
    if (first > last) return 0;
    enum { CLOSE_ON_EXEC = 1 << 2 }; /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */
    if (syscall(SYS_close_range, first, last, CLOSE_ON_EXEC) == 0) return 0;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
    for (unsigned number = first; number <= last && number < limit.rlim_max; number++) {
        int flags = fcntl((int)number, F_GETFD);
        if (flags >= 0 && fcntl((int)number, F_SETFD, flags | FD_CLOEXEC) != 0) return -errno;
    }
    return 0;
}

/* Has every descriptor closed at exec that this program opened itself. */
static int keep_own_descriptors(void) {
    unsigned first = 3;
    for (unsigned number = 3; number < MAX_INHERITED; number++) {
        if (!is_inherited[number]) continue;
        int error = close_on_exec(first, number - 1);
        if (error != 0) return error;
        first = number + 1;
    }
    return close_on_exec(first, ~0u);
}

void epitope_outlive_output(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (int index = 0; index < OUTPUT_SIGNALS; index++) (void)sigaction(output_signals[index], &ignore, NULL);
}

void epitope_raise_limits(void) {
    for (int index = 0; index < RAISED_LIMITS; index++) {
        struct rlimit limit;
        const __rlimit_resource_t resource = raised_limits[index];
        if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == limit.rlim_max) continue;
        limit.rlim_cur = limit.rlim_max;
        is_raised[index] = setrlimit(resource, &limit) == 0;
    }
}

/* Gives the command the soft limits with which this program was started. A hard one that was lowered since bounds them. */
static void restore_limits(void) {
    for (int index = 0; index < RAISED_LIMITS; index++) {
        struct rlimit limit;
        const __rlimit_resource_t resource = raised_limits[index];
        if (!is_raised[index] || getrlimit(resource, &limit) != 0) continue;
        limit.rlim_cur = limits_at_start[index].rlim_cur < limit.rlim_max ? limits_at_start[index].rlim_cur : limit.rlim_max;
        (void)setrlimit(resource, &limit);
    }
}

/* Whether the command is to ignore a signal that is ignored here: if it was so before this program's own choice. */
static int stays_ignored(int number) {
    for (int index = 0; index < OUTPUT_SIGNALS; index++)
        if (output_signals[index] == number) return was_ignored[index];
    return 1;
}

/* Runs in the child. The parent has many threads, any of which may have held any lock: system calls only. */
static _Noreturn void child(const struct epitope_command *command, int progress, char **shell_arguments) {
    for (int number = 1; number < NSIG; number++) {
        struct sigaction old;
        if (sigaction(number, NULL, &old) != 0) continue;
        /* The parent's handlers must not run here. */
        if (old.sa_handler == SIG_IGN && stays_ignored(number)) continue;
        struct sigaction initial = {.sa_handler = SIG_DFL};
        sigaction(number, &initial, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    int listener = install(command);
    if (listener < 0) {
        report(progress, EPITOPE_LAUNCH_FILTER, -listener, -1);
        _exit(127);
    }
    /* The listener is in the descriptor table shared with the parent; from here on this process has its own. */
    if (unshare(CLONE_FILES) != 0) {
        report(progress, EPITOPE_LAUNCH_DESCRIPTORS, errno, -1);
        _exit(127);
    }
    report(progress, EPITOPE_LAUNCH_OK, 0, listener);
    close(listener);
    int error = move_descriptor(command->standard_input, 0);
    if (error == 0) error = move_descriptor(command->standard_output, 1);
    if (error == 0) error = move_descriptor(command->standard_error, 2);
    if (error == 0) error = keep_own_descriptors();
    if (error != 0) {
        report(progress, EPITOPE_LAUNCH_DESCRIPTORS, -error, -1);
        _exit(127);
    }
    if (command->confined && (error = confine()) != 0) {
        report(progress, EPITOPE_LAUNCH_CONFINEMENT, -error, -1);
        _exit(127);
    }
    if (command->user && (error = become(command->user)) != 0) {
        report(progress, EPITOPE_LAUNCH_USER, -error, -1);
        _exit(127);
    }
    /* This copy of a parent that guards itself must be inspected as it executes the command. As another user it is root's who
     * inspects, and the copy stays closed to that user. */
    if (!command->user) (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    restore_limits();
    execve(command->path, command->arguments, command->environment);
    error = errno;
    if (error == ENOEXEC) { /* a script without an interpreter line is run by the shell, as in execvp(3) */
        execve("/bin/sh", shell_arguments, command->environment);
    }
    report(progress, EPITOPE_LAUNCH_EXEC, error, -1);
    _exit(127);
}

static int receive(int descriptor, struct progress *progress) {
    ssize_t count;
    do count = read(descriptor, progress, sizeof *progress);
    while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof *progress ? 1 : count == 0 ? 0 : -1;
}

/* Waits until there is something to read, or the child has ended. Whether there is something to read. */
static int await_progress(int descriptor, pid_t pid) {
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    for (;;) {
        if (poll(&readable, 1, 100) > 0) return 1;
        siginfo_t ended = {.si_pid = 0};
        if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == pid)
            return poll(&readable, 1, 0) > 0;
    }
}

enum epitope_launch_failure epitope_launch_start(const struct epitope_command *command, struct epitope_child *result,
                                                 int *error) {
    size_t count = 0;
    while (command->arguments[count]) count++;
    char **shell_arguments = calloc(count + 3, sizeof *shell_arguments);
    int ends[2] = {-1, -1};
    if (!shell_arguments || pipe2(ends, O_CLOEXEC) != 0) {
        *error = errno;
        free(shell_arguments);
        return EPITOPE_LAUNCH_RESOURCES;
    }
    shell_arguments[0] = "sh";
    shell_arguments[1] = (char *)command->path;
    for (size_t index = 1; index < count; index++) shell_arguments[index + 1] = command->arguments[index];

    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) child(command, ends[1], shell_arguments);
    int failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(shell_arguments);
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        *error = failure;
        return EPITOPE_LAUNCH_RESOURCES;
    }

    /* The descriptor table is shared until the child's first report: only then is it safe to close the write end. If the child dies
     * before that, there is no end of file to read, so await_progress also checks whether the child is alive. */
    struct progress progress = {.failure = EPITOPE_LAUNCH_RESOURCES, .error = ECHILD, .listener = -1};
    if (await_progress(ends[0], pid)) (void)receive(ends[0], &progress);
    close(ends[1]);
    if (progress.failure != EPITOPE_LAUNCH_OK) {
        close(ends[0]);
        (void)epitope_wait(pid);
        *error = progress.error;
        return (enum epitope_launch_failure)progress.failure;
    }
    *result = (struct epitope_child){.pid = pid, .listener = progress.listener, .progress = ends[0]};
    return EPITOPE_LAUNCH_OK;
}

enum epitope_launch_failure epitope_launch_finish(struct epitope_child *child, int *error) {
    struct progress progress = {.failure = EPITOPE_LAUNCH_OK};
    int received = receive(child->progress, &progress);
    close(child->progress);
    child->progress = -1;
    if (received <= 0) return EPITOPE_LAUNCH_OK; /* closed by the exec; epitope_wait returns how the command ends */
    (void)epitope_wait(child->pid);
    *error = progress.error;
    return (enum epitope_launch_failure)progress.failure;
}

char *const *epitope_environment(void) {
    return environ;
}

/* A child that asks to be traced (PTRACE_TRACEME) makes its parent the tracer, and each of its stops an event that nobody asked for. */
pid_t epitope_ended_child(void) {
    for (;;) {
        siginfo_t event = {.si_pid = 0};
        if (waitid(P_ALL, 0, &event, WEXITED | WNOWAIT) == 0) {
            if (event.si_code != CLD_STOPPED && event.si_code != CLD_TRAPPED) return event.si_pid;
            (void)waitid(P_PID, (id_t)event.si_pid, &event, WSTOPPED | WNOHANG);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

int epitope_wait(pid_t pid) {
    int status;
    pid_t ended;
    do ended = waitpid(pid, &status, 0);
    while (ended < 0 ? errno == EINTR : WIFSTOPPED(status));
    if (ended < 0) return -errno;
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}
