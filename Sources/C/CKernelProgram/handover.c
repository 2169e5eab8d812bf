// SPDX-License-Identifier: Apache-2.0

/* From one agent to the next: which one judges calls, and what earlier ones left. */
#define _GNU_SOURCE
#include "CKernelProgram.h"
#include "pinning.h"
#include "program.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int set_agent(const struct epitope_program *program, uint32_t process) {
    struct timespec now;
    uint32_t zero = 0;
    clock_gettime(CLOCK_BOOTTIME, &now);
    struct epitope_agent agent = {process, program->generation, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec};
    return bpf_map_update_elem(program->agents, &zero, &agent, BPF_ANY) ? -errno : 0;
}

int epitope_program_begin(struct epitope_program *program, struct epitope_agent *before) {
    uint32_t zero = 0;
    if (bpf_map_lookup_elem(program->agents, &zero, before)) return -errno;
    return set_agent(program, (uint32_t)getpid());
}

int epitope_program_undo_begin(struct epitope_program *program, const struct epitope_agent *before) {
    uint32_t zero = 0;
    return bpf_map_update_elem(program->agents, &zero, before, BPF_ANY) ? -errno : 0;
}

struct retirement {
    const struct epitope_program *program;
    int unreadable;                /* reports in formats of other versions */
};

static int unpin(const char *path) { return unlink(path) && errno != ENOENT ? -errno : 0; }

/* Removes the link of another generation. */
static int retire_program(void *context, const char *folder, const char *name) {
    struct retirement *retirement = context;
    char path[EPITOPE_MAX_PATH];
    uint32_t generation = epitope_generation_of(name);
    if (!generation || generation == retirement->program->generation) return 0;
    int result = epitope_pin_path(folder, name, path);
    return result ? result : unpin(path);
}

/* Removes a map of another version, which has another format. */
static int retire_map(void *context, const char *folder, const char *name) {
    struct retirement *retirement = context;
    char path[EPITOPE_MAX_PATH];
    if (epitope_generation_of(name) || epitope_map_pinned_as(retirement->program->object, folder, name)) return 0;
    int result = epitope_pin_path(folder, name, path);
    if (result) return result;
    if (epitope_is_pin_of(name, "events")) {
        int descriptor = bpf_obj_get(path), count = descriptor < 0 ? 0 : epitope_ring_buffer_count(descriptor);
        if (count > 0) retirement->unreadable += count;
        if (descriptor >= 0) close(descriptor);
    }
    return unpin(path);
}

int epitope_program_retire_others(struct epitope_program *program) {
    struct retirement retirement = {program, 0};
    if (!program->folder) return 0;
    /* The programs first: they may still write to the maps. */
    int result = epitope_each_pinned(program->folder, &retirement, retire_program);
    if (!result) result = epitope_each_pinned(program->folder, &retirement, retire_map);
    return result ? result : retirement.unreadable;
}

int epitope_program_leave(struct epitope_program *program) {
    struct epitope_agent agent;
    uint32_t zero = 0;
    if (bpf_map_lookup_elem(program->agents, &zero, &agent)) return -errno;
    /* Another generation: the next agent has begun already. */
    return agent.generation == program->generation ? set_agent(program, 0) : 0;
}

int epitope_program_detach(struct epitope_program *program) {
    char path[EPITOPE_MAX_PATH];
    struct bpf_program *each;
    int result = 0;
    if (program->folder) {
        bpf_object__for_each_program(each, program->object) {
            if (epitope_link_path(program->folder, program->generation, bpf_program__name(each), path)) continue;
            int failure = unpin(path);
            if (failure) result = failure;
        }
    }
    while (program->link_count) bpf_link__destroy(program->links[--program->link_count]);
    return result;
}

static int is_program(void *context, const char *folder, const char *name) {
    (void)context, (void)folder;
    return epitope_generation_of(name) != 0;
}

int epitope_program_remove_pins(struct epitope_program *program) {
    /* The maps are removed with the last program, whichever agent's it is. */
    if (!program->folder || epitope_each_pinned(program->folder, NULL, is_program)) return 0;
    return epitope_release_pinned(program->folder);
}
