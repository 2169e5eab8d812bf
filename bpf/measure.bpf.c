/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What only measures: never part of the agent.
 *
 * A security hook can't run where the kernel has none, but the way of an unmarked process through it can: `gate` is that
 * way, the same function, as a program that BPF_PROG_TEST_RUN repeats; `empty` is what that costs by itself. `nothing` is
 * attached beside the agent's own tracepoint program: what the kernel counts for it is the counting. */
#include "include/marks.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc") int gate(struct __sk_buff *unused) { return needs_look((__u64)bpf_get_current_task_btf()->mm); }
SEC("tc") int empty(struct __sk_buff *unused) { return 0; }
SEC("tp_btf/sys_enter") int BPF_PROG(nothing) { return 0; }
