// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSeccomp.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>

static _Atomic pid_t forward_to;
static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { FORWARDED = sizeof forwarded / sizeof *forwarded };
static struct sigaction before_forwarding[FORWARDED];

static void forward(int number, siginfo_t *information, void *context) {
    (void)context;
    int saved = errno;
    pid_t pid = atomic_load(&forward_to);
    if (pid > 0 && information->si_code != SI_KERNEL) kill(pid, number);
    errno = saved;
}

void epitope_forward_signals(pid_t pid) {
    pid_t previous = atomic_exchange(&forward_to, pid);
    for (int index = 0; index < FORWARDED; index++) {
        if (pid > 0 && previous == 0) {
            struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
            sigfillset(&action.sa_mask);
            sigaction(forwarded[index], &action, &before_forwarding[index]);
        } else if (pid == 0 && previous > 0) {
            sigaction(forwarded[index], &before_forwarding[index], NULL);
        }
    }
}
