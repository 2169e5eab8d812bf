// SPDX-License-Identifier: Apache-2.0

/* Where the sample service may run what it receives. It is a service with a hole on purpose, so it refuses every
 * place where anything but the demonstration could reach it or be reached by what it runs. */
#pragma once

#include <netinet/in.h>

/* Returns 1 for loopback, 2 for a namespace of the demonstration's own; else 0, with the reason in *reason. */
int confinement_of(const struct sockaddr_in *address, const char **reason);
