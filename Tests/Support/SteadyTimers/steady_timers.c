// SPDX-License-Identifier: Apache-2.0

// libfaketime counts every timer of timerfd_settime(2) by the clock that it moves, also those of clocks that it leaves alone: a timer of
// the time since the boot would be set for before the boot, which the kernel refuses, and what waits for it waits for ever. A program
// that is to have another wall clock and the machine's own durations loads this library first: its timers go to the kernel as they are.

#include "steady_timers.h"

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int timerfd_settime(int descriptor, int flags, const struct itimerspec *new_value, struct itimerspec *old_value) {
    return (int)syscall(SYS_timerfd_settime, descriptor, flags, new_value, old_value);
}
