#include "CProcessFiles.h"

#include <sys/syscall.h>
#include <unistd.h>

// The numbers are the same on every architecture.
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

int epitope_process_descriptor(int process) {
    return (int)syscall(SYS_pidfd_open, process, 0);
}

int epitope_pidfd_getfd(int pidfd, int descriptor) {
    return (int)syscall(SYS_pidfd_getfd, pidfd, descriptor, 0);
}
