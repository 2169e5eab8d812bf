/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Behaviour blocking in the kernel: marks of address spaces, and what is done about the critical calls of marked ones.
 *
 * Where the kernel runs BPF LSM, security hooks deny calls. Else the tracepoint at the entry of system calls reports
 * them, and stops or kills the process. Both judge with the same body (answer.h). */
#include "include/answer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* ---- marks ---- */

/* `file`: 0 for anonymous memory. */
static __always_inline void mark_mapping(struct task_struct *task, struct file *file, __u64 protection)
{
    if (!(protection & FLAG_EXECUTE)) return;
    /* A writable private mapping of an image can be written before it runs. */
    if (file && !is_memory_file(BPF_CORE_READ(file, f_inode)) && !(protection & FLAG_WRITE)) return;
    set_mark((__u64)task->mm, EPITOPE_REASON_MAPPED);
}

/* Whether new rights make a mapping run what no image's file holds, or an image's code writable. Data becomes writable
 * all the time; code hardly ever. */
static __always_inline int opens_code(const struct seen *at, __u64 protection)
{
    if (protection & FLAG_EXECUTE) return at->backing != EPITOPE_BACKING_IMAGE || at->may_be_written || protection & FLAG_WRITE;
    return protection & FLAG_WRITE && at->protection & FLAG_EXECUTE;
}

static __always_inline void mark_protection(struct task_struct *task, __u64 start, __u64 length, __u64 protection)
{
    if (!(protection & (FLAG_EXECUTE | FLAG_WRITE))) return;
    struct seen at;
    /* Of what lies behind the first mapping only this is known: its code may be made to run. */
    if (!see_now(task, start, 0, &at) && !opens_code(&at, protection) && (start + length <= at.end || !(protection & FLAG_EXECUTE)))
        return;
    set_mark((__u64)task->mm, EPITOPE_REASON_PROTECTED);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
    __u64 from = (__u64)parent->mm, to = (__u64)child->mm;
    if (!to || from == to) return 0;
    renew_mark(to, is_marked(from), EPITOPE_REASON_INHERITED);
    return 0;
}

/* Why a program that begins is inspected from its start on: enum epitope_reason, or 0. */
static __always_inline __u32 reason_at_start(struct task_struct *task, __u32 slot, struct scratch *scratch)
{
    struct mm_struct *space = task->mm;
    struct seen *at = &scratch->seen[SEEN_CALLER];
    struct inode *program = BPF_CORE_READ(space, exe_file, f_inode);
    if (program && is_memory_file(program)) return EPITOPE_REASON_PROGRAM;
    if (task->personality & READ_IMPLIES_EXECUTE) return EPITOPE_REASON_PERSONALITY;
    /* The loader, where the program names one: it has begun, and may be anything. */
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    if (see(registers->ip, slot, SEEN_CALLER) || is_unbacked(at)) return EPITOPE_REASON_PROGRAM;
    if (see(BPF_CORE_READ(space, start_stack), slot, SEEN_CALLER) || at->protection & FLAG_EXECUTE) return EPITOPE_REASON_EXECUTABLE_STACK;
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task)
{
    __u32 slot = 0, reason = EPITOPE_REASON_PROGRAM;
    __u64 space = (__u64)task->mm;
    struct scratch *scratch = take_scratch(&slot);
    if (scratch) {
        scratch->walk.stack_pointer = 0;
        reason = reason_at_start(task, slot, scratch);
        if (reason == EPITOPE_REASON_PROGRAM) announce_program(task, slot, scratch);
        __sync_lock_test_and_set(&scratch->taken, 0);
    }
    renew_mark(space, reason != 0, reason);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
    note_end(task);
    return 0;
}

/* Marks what came before the program: one pass over all mappings of all processes. */
SEC("iter/task_vma")
int find_marks(struct bpf_iter__task_vma *context)
{
    struct task_struct *task = context->task;
    struct vm_area_struct *vma = context->vma;
    if (!task || !vma) return 0;
    struct seen at = {};
    look(task, vma, &at);
    if (at.protection & FLAG_EXECUTE && (is_unbacked(&at) || at.may_be_written)) set_mark((__u64)task->mm, EPITOPE_REASON_FOUND);
    return 0;
}

/* Carries an answer out, but for the denial, which is what is returned to a hook. */
static __always_inline int answered(int answer)
{
    if (answer == EPITOPE_ANSWER_KILLED) bpf_send_signal(9);
    else if (answer == EPITOPE_ANSWER_STOPPED) bpf_send_signal(19);
    return answer == EPITOPE_ANSWER_PASSED ? 0 : -ERROR_PERMISSION;
}

/* ---- tracepoint ---- */

SEC("tp_btf/sys_enter")
int BPF_PROG(entered, struct pt_regs *registers, long number)
{
    __u64 index = number;
    if (index >= EPITOPE_SYSCALLS) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    int narrow = (task->thread_info.status & NARROW_CALL) != 0;
    __u32 class = constants.classes[narrow][index];
    if (!class) return 0;
    __u64 space = (__u64)task->mm;
    if (class < EPITOPE_CLASS_MAP) {
        if (!needs_look(space)) return 0;
        if (class == EPITOPE_CLASS_WRITE) {
            __u32 descriptor = narrow ? registers->bx : index == 275 ? registers->dx : registers->di;
            if (!is_socket(file_of(task, descriptor))) return 0;
        }
        answered(judge(class, 0, 0));
        return 0;
    }
    __u64 first = narrow ? (__u32)registers->bx : registers->di, second = narrow ? (__u32)registers->cx : registers->si;
    __u64 third = narrow ? (__u32)registers->dx : registers->dx;
    switch (class) {
    case EPITOPE_CLASS_MAP:
        if (narrow && index == 90) set_mark(space, EPITOPE_REASON_MAPPED); /* arguments in memory: rare, so no look */
        else mark_mapping(task, (narrow ? registers->si : registers->r10) & MAP_ANONYMOUS ? 0 : file_of(task, narrow ? registers->di : registers->r8), third);
        break;
    case EPITOPE_CLASS_PROTECT:
        if (!is_marked(space)) mark_protection(task, first, second, third);
        break;
    case EPITOPE_CLASS_OPEN:
        /* open, openat: whoever opens something in /proc for writing may be about to write its own code. Paths that begin
         * elsewhere are seen by the hooks alone. */
        if (index != (narrow ? 5 : 2)) first = second, second = third;
        if (second & 3) {
            char path[7] = {};
            bpf_probe_read_user_str(path, sizeof path, (void *)first);
            if (path[0] == '/' && path[1] == 'p' && path[2] == 'r' && path[3] == 'o' && path[4] == 'c' && path[5] == '/')
                set_mark(space, EPITOPE_REASON_WRITTEN_BY_SELF);
        }
        break;
    case EPITOPE_CLASS_ATTACH:
        if (third & 0100000) set_mark(space, EPITOPE_REASON_ATTACHED); /* SHM_EXEC */
        break;
    case EPITOPE_CLASS_PERSONALITY:
        if (first != 0xffffffff && first & READ_IMPLIES_EXECUTE) set_mark(space, EPITOPE_REASON_PERSONALITY);
        break;
    }
    return 0;
}

/* ---- security hooks ---- */

/* Each body is attached in one of two ways. As a security module's hook, it may wait for user memory. Where bpf is no
 * active security module, at the kernel's own function that calls the modules, whose result it then decides
 * (BPF_MODIFY_RETURN, which the kernel allows for functions named security_*); there it may not wait. */

static __always_inline int hooked(__u32 class, const int sleepable)
{
    if (!needs_look((__u64)bpf_get_current_task_btf()->mm)) return 0;
    return answered(judge(class, sleepable, 1));
}

#define CRITICAL(hook, function, class) \
    SEC("lsm.s/" #hook) int BPF_PROG(hook_##hook) { return hooked(class, 1); } \
    SEC("fmod_ret/security_" #function) int BPF_PROG(function_##hook) { return hooked(class, 0); }

CRITICAL(socket_sendmsg, socket_sendmsg, EPITOPE_CLASS_SEND)
CRITICAL(socket_connect, socket_connect, EPITOPE_CLASS_CONNECT)
CRITICAL(socket_bind, socket_bind, EPITOPE_CLASS_SERVE)
CRITICAL(socket_listen, socket_listen, EPITOPE_CLASS_SERVE)
CRITICAL(socket_accept, socket_accept, EPITOPE_CLASS_SERVE)
CRITICAL(bprm_check_security, bprm_check, EPITOPE_CLASS_EXEC)

/* Before Linux 6.5, sendfile and splice reach a socket without its send hook. Every read and write comes by here, so the
 * call's number is looked at first. Loaded only where it is needed. */
static __always_inline int page_sent(struct file *file, int mask)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!(mask & 2)) return 0;           /* MAY_WRITE */
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    unsigned long number = registers->orig_ax;
    if (task->thread_info.status & NARROW_CALL ? number != 187 && number != 239 && number != 313 : number != 40 && number != 275)
        return 0;
    if (!task->mm || !is_marked((__u64)task->mm) || !is_socket(file)) return 0;
    return answered(judge(EPITOPE_CLASS_WRITE, 0, 1));
}

SEC("lsm/file_permission")
int BPF_PROG(hook_page, struct file *file, int mask) { return page_sent(file, mask); }
SEC("fmod_ret/security_file_permission")
int BPF_PROG(function_page, struct file *file, int mask) { return page_sent(file, mask); }

SEC("lsm/mmap_file")
int BPF_PROG(hook_map, struct file *file, unsigned long asked, unsigned long protection)
{
    mark_mapping(bpf_get_current_task_btf(), file, protection);
    return 0;
}
SEC("fentry/security_mmap_file")
int BPF_PROG(function_map, struct file *file, unsigned long asked)
{
    /* What READ_IMPLIES_EXEC adds is not in it yet: such a process is marked for its personality. */
    mark_mapping(bpf_get_current_task_btf(), file, asked);
    return 0;
}

/* Who may attach to a process may write its code: a debugger, /proc/PID/mem, process_vm_writev. */
static __always_inline int accessed(struct task_struct *child, unsigned int mode)
{
    if (mode & ACCESS_ATTACH) set_mark((__u64)child->mm, EPITOPE_REASON_WRITTEN_BY_OTHER);
    return 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(hook_access, struct task_struct *child, unsigned int mode) { return accessed(child, mode); }
SEC("fentry/security_ptrace_access_check")
int BPF_PROG(function_access, struct task_struct *child, unsigned int mode) { return accessed(child, mode); }

/* A process's own /proc/self/mem needs no leave. */
static __always_inline int opened(struct file *file)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!(BPF_CORE_READ(file, f_mode) & MODE_WRITE)) return 0;
    if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != MAGIC_PROC) return 0;
    char name[4] = {};
    const unsigned char *from = BPF_CORE_READ(file, f_path.dentry, d_name.name);
    bpf_probe_read_kernel_str(name, sizeof name, from);
    if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && task->mm) set_mark((__u64)task->mm, EPITOPE_REASON_WRITTEN_BY_SELF);
    return 0;
}

SEC("lsm/file_open")
int BPF_PROG(hook_open, struct file *file) { return opened(file); }
SEC("fentry/security_file_open")
int BPF_PROG(function_open, struct file *file) { return opened(file); }

static __always_inline int protected(struct vm_area_struct *vma, unsigned long protection)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct seen at = {};
    look(task, vma, &at);
    if (opens_code(&at, protection)) set_mark((__u64)task->mm, EPITOPE_REASON_PROTECTED);
    return 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(hook_protect, struct vm_area_struct *vma, unsigned long asked, unsigned long protection) { return protected(vma, protection); }
SEC("fentry/security_file_mprotect")
int BPF_PROG(function_protect, struct vm_area_struct *vma, unsigned long asked, unsigned long protection) { return protected(vma, protection); }

/* Loaded alone, to see whether a kernel allows the second way. */
SEC("?fmod_ret/security_socket_listen")
int BPF_PROG(function_probe) { return 0; }
