#pragma once

/// pidfd_open(2), Linux 5.3: a descriptor for a process; -1 with errno.
int epitope_process_descriptor(int process);

/// pidfd_getfd(2), Linux 5.6: a copy of another process's descriptor; -1 with errno. Needs the right to trace it.
int epitope_pidfd_getfd(int pidfd, int descriptor);
