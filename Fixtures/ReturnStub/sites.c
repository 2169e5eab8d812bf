// SPDX-License-Identifier: Apache-2.0

/* Places in this program's image that a stub names as its return address. What stands before each is what a reader of the
 * stack finds; none of the calls is ever made. Each place returns at once. */
#include "return_stub.h"

#include <sys/socket.h>
#include <unistd.h>

/* SITE: what stands before it. */
#define PLACE(name, before) \
    __asm__(".pushsection .text\n.globl " #name "\n.balign 16\n.type of_" #name ", @function\nof_" #name ":\n.cfi_startproc\n" before \
            "\n" #name ": ret\n.cfi_endproc\n.size of_" #name ", . - of_" #name "\n.popsection\n")

PLACE(site_without_call, "nop; nop; nop; nop; nop; nop; nop; nop");
PLACE(site_of_other_call, "call getppid@plt");
PLACE(site_of_other_import, "call *getppid@GOTPCREL(%rip)");
PLACE(site_of_register_call, "nop; nop; nop; nop; nop; nop; call *%rax");
PLACE(site_of_memory_call, "call *pointer_of_program(%rip)");
/* A frame that is measured from a register. */
PLACE(site_of_framed_call, ".cfi_def_cfa %rbp, 16; nop; nop; nop; nop; nop; nop; call *%rax");
PLACE(site_of_connect, "call connect@plt");
PLACE(site_of_sendto, "call sendto@plt");
PLACE(site_of_sendmsg, "call sendmsg@plt");
PLACE(site_of_execve, "call execve@plt");
PLACE(site_of_write, "call write@plt");
PLACE(framed_site_of_connect, ".cfi_def_cfa %rbp, 16; call connect@plt");
PLACE(framed_site_of_sendto, ".cfi_def_cfa %rbp, 16; call sendto@plt");
PLACE(framed_site_of_sendmsg, ".cfi_def_cfa %rbp, 16; call sendmsg@plt");
PLACE(framed_site_of_execve, ".cfi_def_cfa %rbp, 16; call execve@plt");
PLACE(framed_site_of_write, ".cfi_def_cfa %rbp, 16; call write@plt");
__asm__(".pushsection .bss\n.balign 8\npointer_of_program: .skip 8\n.popsection\n");

long relay(const struct order *order) {
    const long *a = order->arguments;
    long result = ((long (*)(long, long, long, long, long, long))order->function)(a[0], a[1], a[2], a[3], a[4], a[5]);
    __asm__ volatile("" : "+r"(result)); /* no jump in place of the call */
    return result;
}

long relay_directly(const struct order *order, long name) {
    const long *a = order->arguments;
    long result;
    switch (name) {
    case 'c': result = connect((int)a[0], (void *)a[1], (socklen_t)a[2]); break;
    case 't': result = sendto((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3], (void *)a[4], (socklen_t)a[5]); break;
    case 'm': result = sendmsg((int)a[0], (void *)a[1], (int)a[2]); break;
    case 'e': result = execve((void *)a[0], (void *)a[1], (void *)a[2]); break;
    default: result = write((int)a[0], (void *)a[1], (size_t)a[2]); break;
    }
    __asm__ volatile("" : "+r"(result));
    return result;
}
