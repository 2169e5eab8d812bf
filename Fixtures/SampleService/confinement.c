// SPDX-License-Identifier: Apache-2.0

#include "confinement.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The demonstration's own addresses: 10.77.0.0/16. */
static const uint32_t demo_network = 0x0a4d0000, demo_mask = 0xffff0000;

/* Linux 6.18 and later give the machine's own namespaces fixed numbers (enum init_ns_ino in linux/nsfs.h), below those of all others. */
static int has_number_of_another_namespace(const char *name) {
    const unsigned first_of_others = 0xf0000000;
    struct utsname kernel;
    unsigned major, minor, number;
    if (uname(&kernel) || sscanf(kernel.release, "%u.%u", &major, &minor) != 2 || sscanf(name, "net:[%u]", &number) != 1) return 0;
    return (major > 6 || (major == 6 && minor >= 18)) && number >= first_of_others;
}

/* Process 1 stands for the machine (or container): a network namespace like its own is not a confined one. Where process 1 has rights that
 * this one lacks, its namespace can't be read. */
static int in_own_network_namespace(void) {
    char mine[PATH_MAX], first[PATH_MAX];
    ssize_t m = readlink("/proc/self/ns/net", mine, sizeof mine - 1);
    ssize_t f = readlink("/proc/1/ns/net", first, sizeof first - 1);
    if (m <= 0) return 0;
    mine[m] = 0;
    if (f <= 0) return has_number_of_another_namespace(mine);
    first[f] = 0;
    return strcmp(mine, first) != 0;
}

/* Every IPv4 route stays inside the demonstration's network: no default route, no gateway elsewhere. */
static int ipv4_routes_are_confined(void) {
    FILE *routes = fopen("/proc/self/net/route", "r");
    if (!routes) return 0;
    char line[512], device[64];
    unsigned destination, gateway, flags, mask;
    int confined = 1;
    if (!fgets(line, sizeof line, routes)) confined = 1; /* no header: a namespace without any route */
    while (fgets(line, sizeof line, routes)) {
        if (sscanf(line, "%63s %x %x %x %*s %*s %*s %x", device, &destination, &gateway, &flags, &mask) != 5
            || (ntohl(destination) & demo_mask) != demo_network || (ntohl(mask) & demo_mask) != demo_mask || gateway != 0)
            confined = 0;
    }
    fclose(routes);
    return confined;
}

/* No IPv6 route but loopback's and the kernel's own reject, link-local and multicast entries. */
static int ipv6_routes_are_confined(void) {
    FILE *routes = fopen("/proc/self/net/ipv6_route", "r");
    if (!routes) return 1; /* a kernel without IPv6 */
    char line[512], destination[33], device[64];
    int confined = 1;
    while (fgets(line, sizeof line, routes)) {
        if (sscanf(line, "%32s %*s %*s %*s %*s %*s %*s %*s %*s %63s", destination, device) != 2) confined = 0;
        else if (strcmp(device, "lo") && strncmp(destination, "fe8", 3) && strncmp(destination, "ff0", 3)) confined = 0;
    }
    fclose(routes);
    return confined;
}

int confinement_of(const struct sockaddr_in *address, const char **reason) {
    uint32_t ipv4 = ntohl(address->sin_addr.s_addr);
    if (ipv4 >> 24 == 127) return 1;
    if ((ipv4 & demo_mask) != demo_network)
        *reason = "the address is neither on loopback nor in 10.77.0.0/16";
    else if (!in_own_network_namespace())
        *reason = "this is the machine's own network namespace, or nothing here tells it from others (/proc/1/ns/net can't be read)";
    else if (!ipv4_routes_are_confined() || !ipv6_routes_are_confined())
        *reason = "the namespace has a route that leads out of 10.77.0.0/16";
    else
        return 2;
    return 0;
}
