/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Behaviour blocking in the kernel: marks address spaces that hold unbacked executable memory, and handles the critical calls of marked
 * ones.
 *
 * The same code runs at one of three levels, by the prefix of a program's name (Sources/C/CKernelProgram/program.c):
 *
 *   lsm_         hooks of the BPF security module deny calls
 *   fmod_ret_    where that module isn't active: programs at the functions that call the security modules deny them
 *   with_hooks_  both of these
 *   tracepoint_  neither: programs at tracepoints report calls, and stop or kill the process
 *
 * All others are loaded at every level. */
#include "programs/processes.h"
#include "programs/tracepoints.h"
#include "programs/io_uring_tracepoints.h"
#include "programs/critical_call_hooks.h"
#include "programs/mark_hooks.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
