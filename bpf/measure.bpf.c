/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Programs that only measure; the agent doesn't contain them.
 *
 * A security hook can't run where the kernel has none, but the path of an unmarked process through it can: `unmarked_path` is that
 * path, the same function, as a program that BPF_PROG_TEST_RUN repeats; `empty` is what the repetition itself costs. `empty_tracepoint`
 * is attached beside the agent's own tracepoint program: what the kernel counts for it is the cost of counting. */
#include "include/marks.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc") int unmarked_path(struct __sk_buff *unused) { return needs_inspection((__u64)bpf_get_current_task_btf()->mm); }
SEC("tc") int empty(struct __sk_buff *unused) { return 0; }
SEC("tp_btf/sys_enter") int BPF_PROG(empty_tracepoint) { return 0; }
