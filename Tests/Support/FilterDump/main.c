// SPDX-License-Identifier: Apache-2.0

/* Prints the seccomp filter that a process is under, as the kernel has it: a line for each instruction with its code, its two
 * jumps and its operand. The process is stopped for a moment. Needs root.
 *
 *   filter-dump PID
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

int main(int count, char **arguments) {
    if (count != 2) return 97;
    pid_t process = (pid_t)atol(arguments[1]);
    if (ptrace(PTRACE_SEIZE, process, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, process, 0, 0) != 0) {
        perror("filter-dump: seize");
        return 1;
    }
    if (waitpid(process, NULL, __WALL) < 0) return 1;
    static struct sock_filter filter[BPF_MAXINSNS];
    /* The filter that was installed last. */
    long length = ptrace(PTRACE_SECCOMP_GET_FILTER, process, 0, filter);
    if (length < 0) perror("filter-dump: filter");
    for (long index = 0; index < length; index++)
        printf("%u %u %u %u\n", filter[index].code, filter[index].jt, filter[index].jf, filter[index].k);
    ptrace(PTRACE_DETACH, process, 0, 0);
    return length > 0 ? 0 : 1;
}
