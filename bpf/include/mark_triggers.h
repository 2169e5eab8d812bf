/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Which changes of an address space mark it, whichever way they are seen. */
#pragma once

#include "mapping_lookup.h"
#include "marks.h"

/* A new mapping. `file`: 0 for anonymous memory. */
static __always_inline void mark_mapping(struct task_struct *task, struct file *file, __u64 protection)
{
    if (!(protection & VM_EXEC)) return;
    struct inode *inode = file ? BPF_CORE_READ(file, f_inode) : 0;
    /* A writable private mapping of an image can be written before it runs. */
    if (inode && is_regular(inode) && !(protection & VM_WRITE) && !is_changeable(inode)) return;
    set_mark((__u64)task->mm, EPITOPE_REASON_MAPPED);
}

/* Whether a new protection makes unbacked memory executable, or an image's code writable. Data often becomes writable, code hardly
 * ever. */
static __always_inline int exposes_code(const struct mapping *mapping, __u64 protection)
{
    if (protection & VM_EXEC)
        return mapping->backing != EPITOPE_BACKING_IMAGE || mapping->may_be_written || may_change(mapping) || protection & VM_WRITE;
    return protection & VM_WRITE && mapping->protection & VM_EXEC;
}

/* A new protection, by the arguments of mprotect. Not inlined: the verifier adds up the stacks of all functions on a call path. */
__attribute__((noinline)) int mark_protection(__u64 start, __u64 length, __u64 protection)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!(protection & (VM_EXEC | VM_WRITE))) return 0;
    struct mapping_lookup lookup;
    /* Of what follows the first mapping nothing is known: assume that its code is exposed, if it becomes executable. */
    if (!find_mapping(task, start, 0, &lookup) && !exposes_code(&lookup.mapping, protection) &&
        (start + length <= lookup.mapping.end || !(protection & VM_EXEC)))
        return 0;
    set_mark((__u64)task->mm, EPITOPE_REASON_PROTECTED);
    return 0;
}

/* prctl: a process may put another file in the place of its program, an unprivileged one in a user namespace of its own. */
static __always_inline void on_process_control(__u64 option, __u64 request)
{
    if (option == PR_SET_MM && (request == PR_SET_MM_EXE_FILE || request == PR_SET_MM_MAP))
        set_program_replaced((__u64)bpf_get_current_task_btf()->mm);
}

/* A new personality: with READ_IMPLIES_EXEC all that is readable is executable. 0xffffffff only asks for the current one. */
static __always_inline int on_personality(__u32 personality)
{
    if (personality != 0xffffffff && personality & READ_IMPLIES_EXEC)
        set_mark((__u64)bpf_get_current_task_btf()->mm, EPITOPE_REASON_PERSONALITY);
    return 0;
}
