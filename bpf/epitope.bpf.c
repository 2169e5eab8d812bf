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
    struct inode *inode = file ? BPF_CORE_READ(file, f_inode) : 0;
    /* A writable private mapping of an image can be written before it runs. */
    if (inode && is_regular(inode) && !may_become_memory_file(inode) && !(protection & FLAG_WRITE)) return;
    set_mark((__u64)task->mm, EPITOPE_REASON_MAPPED);
}

/* Whether new rights make a mapping run what no image's file holds, or an image's code writable. Data becomes writable
 * all the time; code hardly ever. */
static __always_inline int opens_code(const struct seen *at, __u64 protection)
{
    if (protection & FLAG_EXECUTE)
        return at->backing != EPITOPE_BACKING_IMAGE || at->may_be_written || at->may_lose_name || protection & FLAG_WRITE;
    return protection & FLAG_WRITE && at->protection & FLAG_EXECUTE;
}

/* By the arguments of mprotect. Not inlined: the verifier counts the stack of whatever is called within one another. */
__attribute__((noinline)) int mark_protection(__u64 start, __u64 length, __u64 protection)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!(protection & (FLAG_EXECUTE | FLAG_WRITE))) return 0;
    struct look_up up;
    /* Of what lies behind the first mapping only this is known: its code may be made to run. */
    if (!see_now(task, start, 0, &up) && !opens_code(&up.seen, protection) &&
        (start + length <= up.seen.end || !(protection & FLAG_EXECUTE)))
        return 0;
    set_mark((__u64)task->mm, EPITOPE_REASON_PROTECTED);
    return 0;
}

/* A personality may let whatever is readable be run. */
static __always_inline int changed_personality(__u32 personality)
{
    if (personality != 0xffffffff && personality & READ_IMPLIES_EXECUTE)
        set_mark((__u64)bpf_get_current_task_btf()->mm, EPITOPE_REASON_PERSONALITY);
    return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
    __u64 from = (__u64)parent->mm, to = (__u64)child->mm;
    if (!to) return 0;
    if (from == to) {
        if (is_marked(from)) note_starter(bpf_get_current_task_btf(), child);
        return 0;
    }
    renew_mark(to, is_marked(from), EPITOPE_REASON_INHERITED);
    return 0;
}

/* Whether what the kernel has just mapped at an address for a new program can be run and is no image that stays as it is.
 * Not static, like others: it is verified once. */
__attribute__((noinline)) int is_open_code(__u64 address)
{
    struct look_up up;
    struct seen *at = &up.seen;
    if (see_now(bpf_get_current_task_btf(), address, 0, &up)) return 1;
    return at->protection & FLAG_EXECUTE && (is_unbacked(at) || at->may_lose_name || at->protection & FLAG_WRITE);
}

/* Why a program that begins is inspected from its start on: enum epitope_reason, or 0. */
static __always_inline __u32 reason_at_start(struct task_struct *task)
{
    struct mm_struct *space = task->mm;
    struct inode *program = BPF_CORE_READ(space, exe_file, f_inode);
    if (program && is_memory_file(program)) return EPITOPE_REASON_PROGRAM;
    if (task->personality & READ_IMPLIES_EXECUTE) return EPITOPE_REASON_PERSONALITY;
    /* The loader, where the program names one: it has begun, and may be anything. */
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    if (is_open_code(registers->ip)) return EPITOPE_REASON_PROGRAM;
    if (is_open_code(BPF_CORE_READ(space, start_stack))) return EPITOPE_REASON_EXECUTABLE_STACK;
    if (is_open_code(BPF_CORE_READ(space, start_code)) || is_open_code(BPF_CORE_READ(space, end_code) - 1)) return EPITOPE_REASON_EXECUTED;
    /* Who traces it may write it, and needs no leave any more. */
    return task->ptrace ? EPITOPE_REASON_WRITTEN_BY_OTHER : 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task)
{
    __u32 slot = 0, reason = reason_at_start(task);
    __u64 space = (__u64)task->mm;
    if (reason == EPITOPE_REASON_PROGRAM) {
        struct scratch *scratch = take_scratch(&slot);
        if (scratch) {
            announce_program(task, slot, scratch);
            __sync_lock_test_and_set(&scratch->taken, 0);
        }
    }
    renew_mark(space, reason != 0, reason);
    bpf_map_delete_elem(&submitters, &space);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
    note_end(task);
    return 0;
}

/* Marks what came before the program: one pass over all mappings of all processes, */
SEC("iter/task_vma")
int find_marks(struct bpf_iter__task_vma *context)
{
    struct task_struct *task = context->task;
    struct vm_area_struct *vma = context->vma;
    if (!task || !vma) return 0;
    struct seen at = {};
    look(task, vma, &at);
    if (at.protection & FLAG_EXECUTE && (is_unbacked(&at) || at.may_be_written || at.may_lose_name || at.protection & FLAG_WRITE))
        set_mark((__u64)task->mm, EPITOPE_REASON_FOUND);
    if (task->ptrace) set_mark((__u64)task->mm, EPITOPE_REASON_WRITTEN_BY_OTHER);
    return 0;
}

/* and one over all open files, for those by which memory can be written. */
SEC("iter/task_file")
int find_open_memory(struct bpf_iter__task_file *context)
{
    struct file *file = context->file;
    if (context->task && file) set_mark(space_of_file(file), EPITOPE_REASON_FOUND);
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

/* What may make unbacked executable memory, or write code: the caller's own, or another's. Returns the class of a critical
 * call that it is besides, else 0. */
static __always_inline __u32 mark_by_call(struct task_struct *task, struct pt_regs *registers, __u32 class, __u64 index, int narrow)
{
    __u64 space = (__u64)task->mm;
    __u64 first = narrow ? (__u32)registers->bx : registers->di, second = narrow ? (__u32)registers->cx : registers->si;
    __u64 third = narrow ? (__u32)registers->dx : registers->dx;
    switch (class) {
    case EPITOPE_CLASS_MAP:
        if (narrow && index == 90) set_mark(space, EPITOPE_REASON_MAPPED); /* arguments in memory: rare, so no look */
        else mark_mapping(task, (narrow ? registers->si : registers->r10) & MAP_ANONYMOUS ? 0 : file_of(task, narrow ? registers->di : registers->r8), third);
        break;
    case EPITOPE_CLASS_PROTECT:
        if (!is_marked(space)) mark_protection(first, second, third);
        break;
    case EPITOPE_CLASS_ATTACH:
        if (third & SEGMENT_EXECUTE) set_mark(space, EPITOPE_REASON_ATTACHED);
        break;
    case EPITOPE_CLASS_IPC:
        if ((first & 0xffff) == 21 && third & SEGMENT_EXECUTE) set_mark(space, EPITOPE_REASON_ATTACHED); /* SHMAT */
        break;
    case EPITOPE_CLASS_PERSONALITY:
        changed_personality(first);
        break;
    case EPITOPE_CLASS_TRACE:
        if (first == 4 || first == 5) mark_written(task, space_of(second)); /* PTRACE_POKETEXT, PTRACE_POKEDATA */
        break;
    case EPITOPE_CLASS_WRITE_OTHER:
        mark_written(task, space_of(first));
        break;
    case EPITOPE_CLASS_SEEK:
        if (narrow && index == 140) second = second << 32 | third, third = (__u32)registers->di;
        if (third ? third == 1 && second : may_be_address(second)) mark_written(task, space_of_file(file_of(task, first)));
        break;
    case EPITOPE_CLASS_WRITE_AT:
        third = narrow ? (__u64)registers->di << 32 | (__u32)registers->si : registers->r10;
        if (third == -1ul && (index == 328 || index == 379)) return EPITOPE_CLASS_WRITE; /* pwritev2 without a position */
        if (may_be_address(third)) mark_written(task, space_of_file(file_of(task, first)));
        break;
    }
    return 0;
}

/* Whether a critical call is one after all, by its arguments. */
static __always_inline int is_critical(struct task_struct *task, struct pt_regs *registers, __u32 class, __u64 index, int narrow)
{
    __u64 second = narrow ? (__u32)registers->cx : registers->si, third = narrow ? (__u32)registers->dx : registers->dx;
    if (class == EPITOPE_CLASS_WRITE)
        return is_socket(file_of(task, narrow ? registers->bx : index == 275 ? registers->dx : registers->di));
    if (class == EPITOPE_CLASS_SUBMIT) return submits_to_socket(task, second, third, narrow);
    if (class == EPITOPE_CLASS_RING && index == 425) {
        __u32 flags = 0;                 /* of struct io_uring_params */
        bpf_probe_read_user(&flags, sizeof flags, (void *)(second + 8));
        return (flags & POLLED) != 0;
    }
    return 1;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(entered, struct pt_regs *registers, long number)
{
    __u64 index = number;
    if (index >= EPITOPE_SYSCALLS) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    int narrow = (task->thread_info.status & NARROW_CALL) != 0;
    __u32 class = constants.classes[narrow][index];
    if (!class) return 0;
    /* A critical call of an unmarked process is what comes most: its way is in one piece, and the rest behind it. */
    if (__builtin_expect(class >= EPITOPE_CLASS_MAP, 0)) {
        class = mark_by_call(task, registers, class, index, narrow);
        if (!class) return 0;
    }
    if (__builtin_expect(!needs_look((__u64)task->mm), 1) || !is_critical(task, registers, class, index, narrow)) return 0;
    answered(judge(class, 0, 0, (struct asked){}));
    return 0;
}

/* ---- rings ---- */

/* A request is handed over. Beside hooks: who does is kept for when it is carried out. Alone: what a thread of the kernel's
 * takes by itself is judged here; the rest was at the entry of io_uring_enter. Either way a process's memory can be written
 * by a request. */
static __always_inline int submitted(struct io_kiocb *request, const int beside_hooks)
{
    __u32 class = class_of_request(BPF_CORE_READ(request, opcode));
    if (!class) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 space = (__u64)task->mm;
    int polled = (task->flags & WORKER_THREAD) != 0;
    struct file *file = 0;
    if (class == EPITOPE_CLASS_WRITE) {
        file = file_of_request(task, request);
        mark_written(task, space_of_file(file));
    }
    if (!space || !is_marked(space) || polled == beside_hooks) return 0;
    if (!file) file = file_of_request(task, request);
    if (!is_socket(file)) return 0;
    if (beside_hooks) note_submitter(task);
    else answered(judge(class, 0, 0, (struct asked){.socket = (__u64)BPF_CORE_READ(file, private_data)}));
    return 0;
}

/* The tracepoint has had its name since Linux 6.2. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(entered_request_before, struct io_kiocb *request) { return submitted(request, 0); }
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(entered_request, struct io_kiocb *request) { return submitted(request, 0); }
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(noted_request_before, struct io_kiocb *request) { return submitted(request, 1); }
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(noted_request, struct io_kiocb *request) { return submitted(request, 1); }

/* ---- security hooks ---- */

/* Each body is attached in one of two ways. As a security module's hook, it may wait for user memory. Where bpf is no
 * active security module, at the kernel's own function that calls the modules, whose result it then decides
 * (BPF_MODIFY_RETURN, which the kernel allows for functions named security_*); there it may not wait. */

static __always_inline int hooked(__u32 class, const int sleepable, __u64 socket, __u64 address, __u64 length)
{
    if (!needs_look((__u64)bpf_get_current_task_btf()->mm)) return 0;
    return answered(judge(class, sleepable, 1, (struct asked){socket, address, length}));
}

#define CRITICAL(hook, function, class, socket, address, length) \
    SEC("lsm.s/" #hook) int BPF_PROG(hook_##hook) { return hooked(class, 1, socket, address, length); } \
    SEC("fmod_ret/security_" #function) int BPF_PROG(function_##hook) { return hooked(class, 0, socket, address, length); }

CRITICAL(socket_sendmsg, socket_sendmsg, EPITOPE_CLASS_SEND, ctx[0], ctx[1], 0)
CRITICAL(socket_connect, socket_connect, EPITOPE_CLASS_CONNECT, ctx[0], ctx[1], ctx[2])
CRITICAL(socket_bind, socket_bind, EPITOPE_CLASS_SERVE, ctx[0], ctx[1], ctx[2])
CRITICAL(socket_listen, socket_listen, EPITOPE_CLASS_SERVE, ctx[0], 0, 0)
CRITICAL(socket_accept, socket_accept, EPITOPE_CLASS_SERVE, ctx[0], 0, 0)
CRITICAL(bprm_check_security, bprm_check, EPITOPE_CLASS_EXEC, 0, 0, 0)

/* A ring that a thread of the kernel's polls: no call hands its requests over. */
SEC("lsm/uring_sqpoll")
int BPF_PROG(hook_poll) { return hooked(EPITOPE_CLASS_RING, 0, 0, 0, 0); }
SEC("fmod_ret/security_uring_sqpoll")
int BPF_PROG(function_poll) { return hooked(EPITOPE_CLASS_RING, 0, 0, 0, 0); }

/* Before Linux 6.5, sendfile and splice reach a socket without its send hook. Every read and write comes by here, so the
 * call's number is looked at first. Loaded only where it is needed. */
static __always_inline int page_sent(struct file *file, int mask)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!(mask & 2)) return 0;           /* MAY_WRITE */
    struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
    unsigned long number = registers->orig_ax;
    int narrow = (task->thread_info.status & NARROW_CALL) != 0;
    if (!(task->flags & WORKER_THREAD) && number != RING_NUMBER &&
        (narrow ? number != 187 && number != 239 && number != 313 : number != 40 && number != 275))
        return 0;
    if (!task->mm || !is_marked((__u64)task->mm) || !is_socket(file)) return 0;
    return answered(judge(EPITOPE_CLASS_WRITE, 0, 1, (struct asked){.socket = (__u64)BPF_CORE_READ(file, private_data)}));
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
    /* What READ_IMPLIES_EXEC adds is not in it yet: such a process is marked for its personality, at exec and below. */
    mark_mapping(bpf_get_current_task_btf(), file, asked);
    return 0;
}

/* No hook is asked about a personality, nor about the heap that grows under it. */
SEC("fentry/__x64_sys_personality")
int BPF_PROG(noted_personality, struct pt_regs *registers) { return changed_personality(registers->di); }
SEC("fentry/__ia32_sys_personality")
int BPF_PROG(noted_personality_narrow, struct pt_regs *registers) { return changed_personality(registers->bx); }

/* Who may attach to a process may write its code: a debugger, /proc/PID/mem, process_vm_writev. */
static __always_inline int accessed(struct task_struct *child, unsigned int mode)
{
    if (mode & ACCESS_ATTACH) set_mark((__u64)child->mm, EPITOPE_REASON_WRITTEN_BY_OTHER);
    return 0;
}

/* A tracer by the traced one's own wish. */
SEC("lsm/ptrace_traceme")
int BPF_PROG(hook_traceme) { return accessed(bpf_get_current_task_btf(), ACCESS_ATTACH); }
SEC("fentry/security_ptrace_traceme")
int BPF_PROG(function_traceme) { return accessed(bpf_get_current_task_btf(), ACCESS_ATTACH); }

SEC("lsm/ptrace_access_check")
int BPF_PROG(hook_access, struct task_struct *child, unsigned int mode) { return accessed(child, mode); }
SEC("fentry/security_ptrace_access_check")
int BPF_PROG(function_access, struct task_struct *child, unsigned int mode) { return accessed(child, mode); }

/* A process's own /proc/self/mem needs no leave. */
static __always_inline int opened(struct file *file)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (is_writable_memory(file)) set_mark((__u64)task->mm, EPITOPE_REASON_WRITTEN_BY_SELF);
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
