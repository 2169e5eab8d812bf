// SPDX-License-Identifier: Apache-2.0

/* One agent after the other: who judges, and what is left of those before. */
#define _GNU_SOURCE
#include "CKernelProgram.h"
#include "holding.h"
#include "program.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
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

/* What another generation, or a version that means something else by a map's bytes, left in the folder. */
struct retiring {
    const struct epitope_program *program;
    bool maps;                     /* maps, else programs */
    int unreadable;
};

static int retire(void *context, const char *folder, const char *name) {
    struct retiring *retiring = context;
    char path[EPITOPE_PATH];
    struct bpf_map *map;
    uint32_t generation = epitope_generation_of(name);
    if (generation == retiring->program->generation || retiring->maps != !generation) return 0;
    if (!generation)
        bpf_object__for_each_map(map, retiring->program->object)
            if (epitope_is_shared(map) && !epitope_map_path(folder, map, path) && strcmp(path + strlen(folder) + 1, name) == 0) return 0;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || length >= EPITOPE_PATH) return -ENAMETOOLONG;
    if (strncmp(name, "map-events-", 11) == 0) {
        int descriptor = bpf_obj_get(path), count = descriptor < 0 ? 0 : epitope_ring_count(descriptor);
        if (count > 0) retiring->unreadable += count;
        if (descriptor >= 0) close(descriptor);
    }
    return unlink(path) && errno != ENOENT ? -errno : 0;
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

int epitope_program_retire_others(struct epitope_program *program) {
    struct retiring retiring = {program, false, 0};
    if (!program->folder) return 0;
    /* The programs first: what only they know may still be written to. */
    int result = epitope_each_held(program->folder, &retiring, retire);
    retiring.maps = true;
    if (!result) result = epitope_each_held(program->folder, &retiring, retire);
    return result ? result : retiring.unreadable;
}

int epitope_program_leave(struct epitope_program *program) {
    struct epitope_agent agent;
    uint32_t zero = 0;
    if (bpf_map_lookup_elem(program->agents, &zero, &agent)) return -errno;
    /* The next one has begun already. */
    return agent.generation == program->generation ? set_agent(program, 0) : 0;
}

static int find_program(void *context, const char *folder, const char *name) {
    (void)context, (void)folder;
    return epitope_generation_of(name) != 0;
}

int epitope_program_detach(struct epitope_program *program) {
    char path[EPITOPE_PATH];
    struct bpf_program *each;
    int result = 0;
    if (program->folder)
        bpf_object__for_each_program(each, program->object)
            if (!epitope_link_path(program->folder, program->generation, bpf_program__name(each), path) && unlink(path) && errno != ENOENT)
                result = -errno;
    while (program->link_count) bpf_link__destroy(program->links[--program->link_count]);
    return result;
}

int epitope_program_forget(struct epitope_program *program) {
    /* They go with the last program, whosever it is. */
    if (!program->folder || epitope_each_held(program->folder, NULL, find_program)) return 0;
    return epitope_release_held(program->folder);
}
