// SPDX-License-Identifier: Apache-2.0

/* What is pinned in a folder, without loading a program. */
#include "CKernelProgram.h"
#include "counters.h"
#include "pinning.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct inspection {
    struct epitope_pinned *pinned;
    struct bpf_object *object;
    bool has_agent;
};

static int read_map(struct inspection *inspection, const char *folder, const char *name) {
    struct epitope_pinned *pinned = inspection->pinned;
    uint32_t zero = 0;
    char path[EPITOPE_MAX_PATH];
    const struct bpf_map *map = epitope_map_pinned_as(inspection->object, folder, name);
    bool has_events = epitope_is_pin_of(name, "events");
    if (!map && !has_events) return 0;
    int result = epitope_pin_path(folder, name, path);
    if (result) return result;
    int descriptor = bpf_obj_get(path);
    if (descriptor < 0) return errno == ENOENT ? 0 : -errno;
    if (has_events) {
        int count = epitope_ring_buffer_count(descriptor);
        if (count > 0) *(map ? &pinned->unread : &pinned->unreadable) += (uint32_t)count;
    } else if (epitope_is_pin_of(name, "agents")) {
        inspection->has_agent = bpf_map_lookup_elem(descriptor, &zero, &pinned->agent) == 0;
    } else if (epitope_is_pin_of(name, "counters")) {
        pinned->has_counters = epitope_sum_counters(descriptor, pinned->counters) == 0;
    }
    close(descriptor);
    return 0;
}

static int inspect_map(void *context, const char *folder, const char *name) {
    return epitope_generation_of(name) ? 0 : read_map(context, folder, name);
}

static int count_program(void *context, const char *folder, const char *name) {
    (void)folder;
    struct inspection *inspection = context;
    uint32_t generation = epitope_generation_of(name);
    /* The program of an agent that never began stands by: it protects nothing. */
    if (generation && (!inspection->has_agent || generation == inspection->pinned->agent.generation)) inspection->pinned->programs++;
    return 0;
}

int epitope_inspect_pinned(const char *folder, const void *bytes, size_t length, struct epitope_pinned *pinned) {
    memset(pinned, 0, sizeof *pinned);
    struct inspection inspection = {pinned, bpf_object__open_mem(bytes, length, NULL), false};
    if (!inspection.object) return -errno;
    /* The maps first: they tell which programs judge calls. */
    int result = epitope_each_pinned(folder, &inspection, inspect_map);
    if (!result) result = epitope_each_pinned(folder, &inspection, count_program);
    bpf_object__close(inspection.object);
    return result == -ENOENT ? 0 : result;
}
