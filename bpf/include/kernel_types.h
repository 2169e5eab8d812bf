/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The kernel's types as far as the program uses them. libbpf finds the offset of each field in the running kernel (CO-RE). */
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

struct qstr { const unsigned char *name; };
struct dentry { struct dentry *d_parent; struct qstr d_name; };
struct vfsmount { struct dentry *mnt_root; };
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct super_block { __u32 s_dev; unsigned long s_magic; };
typedef struct { int counter; } atomic_t;
struct inode {
    __u16 i_mode;
    struct super_block *i_sb;
    unsigned long i_ino;
    unsigned int i_nlink;
    __u32 i_generation;
    atomic_t i_writecount;
};
struct file { unsigned int f_mode; struct inode *f_inode; struct path f_path; void *private_data; };
struct in6_addr { __u8 bytes[16]; } __attribute__((aligned(4)));
struct sock_common {
    unsigned short skc_family;
    __u32 skc_daddr, skc_rcv_saddr;
    __u16 skc_dport, skc_num;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct sock { struct sock_common __sk_common; };
struct msghdr { void *msg_name; int msg_namelen; };
struct socket { short type; struct sock *sk; };
struct anon_vma { int unused; } __attribute__((aligned(8)));

typedef struct { void *vdso; } mm_context_t;
/* Where the kernel puts single instructions of probed programs (uprobes). */
struct xol_area { unsigned long vaddr; };
struct uprobes_state { struct xol_area *xol_area; };
struct page { unsigned long compound_head; void *mapping; };
/* The tree of mappings (Linux 6.1 and later) and its two kinds of nodes: ranges, and ranges with gaps. */
struct maple_tree { void *ma_root; };
struct maple_range_64 { unsigned long pivot[15]; void *slot[16]; };
struct maple_arange_64 { unsigned long pivot[9]; void *slot[10]; };
struct mm_struct {
    atomic_t mm_users;
    struct maple_tree mm_mt;
    unsigned long *pgd;
    struct file *exe_file;
    unsigned long start_code, end_code, start_stack, start_brk, brk;
    mm_context_t context;
    struct uprobes_state uprobes_state;
};

struct vm_area_struct {
    unsigned long vm_start, vm_end, vm_flags, vm_pgoff;
    struct mm_struct *vm_mm;
    struct anon_vma *anon_vma;
    const void *vm_ops;
    struct file *vm_file;
};

struct fdtable { unsigned int max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; };

struct thread_info { __u32 status; };
typedef struct { __u32 val; } kuid_t;
struct cred { kuid_t euid; };
struct signal_struct { atomic_t live; };
typedef struct { unsigned long sig[1]; } sigset_t;

/* A process ID in each namespace, and the process that has it. */
struct hlist_node { struct hlist_node *next; };
struct hlist_head { struct hlist_node *first; };
struct xarray { void *xa_head; };
struct xa_node { unsigned char shift; void *slots[64]; };
struct idr { struct xarray idr_rt; };
struct pid_namespace { struct idr idr; };
struct upid { int nr; struct pid_namespace *ns; };
struct pid {
    unsigned int level;
    struct hlist_head tasks[4];
    struct upid numbers[1];
};

struct task_struct {
    struct thread_info thread_info;
    void *stack;
    struct mm_struct *mm;
    struct task_struct *real_parent, *group_leader;
    struct files_struct *files;
    struct cred *cred;
    struct signal_struct *signal;
    unsigned int flags, personality, ptrace;
    int pid, tgid;
    struct pid *thread_pid;
    struct hlist_node pid_links[4];
    struct completion *vfork_done;
    __u64 start_time, start_boottime, self_exec_id;
    sigset_t blocked;
};

/* An io_uring request, and the ring's files that requests name by index: `files` before Linux 6.13, `data` since then. */
struct io_fixed_file { unsigned long file_ptr; };
struct io_rsrc_node { unsigned long file_ptr; };
struct io_rsrc_data { unsigned int nr; struct io_rsrc_node **nodes; };
struct io_file_table { struct io_fixed_file *files; struct io_rsrc_data data; };
struct io_ring_ctx { unsigned int nr_user_files; struct io_file_table file_table; };
struct io_cqe { int fd; };
struct io_kiocb { __u8 opcode; unsigned int flags; struct io_cqe cqe; struct io_ring_ctx *ctx; };

struct bpf_iter_meta { struct seq_file *seq; };
struct bpf_iter__task_vma {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    struct vm_area_struct *vma;
};
struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    __u32 fd;
    struct file *file;
};

#pragma clang attribute pop

struct sockaddr;
struct linux_binprm;
