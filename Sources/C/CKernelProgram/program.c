// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CKernelProgram.h"
#include "kernel_features.h"
#include "log.h"
#include "pinning.h"
#include "program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int map_named(const struct epitope_program *program, const char *name) {
    return bpf_object__find_map_fd_by_name(program->object, name);
}

/* Uses the map that an earlier agent pinned, if there is one. */
static int adopt_map(const struct epitope_program *program, struct bpf_map *map) {
    char path[EPITOPE_MAX_PATH];
    int result = epitope_map_path(program->folder, map, path);
    if (result) return result;
    int descriptor = bpf_obj_get(path);
    if (descriptor < 0) return errno == ENOENT ? 0 : -errno;
    result = bpf_map__reuse_fd(map, descriptor);
    close(descriptor);
    return result;
}

/* Pins the shared maps. */
static int pin_maps(const struct epitope_program *program) {
    char path[EPITOPE_MAX_PATH];
    struct bpf_map *map;
    bpf_object__for_each_map(map, program->object) {
        if (!epitope_is_shared(map)) continue;
        int result = epitope_map_path(program->folder, map, path);
        if (result) return result;
        if (bpf_obj_pin(bpf_map__fd(map), path) && errno != EEXIST) return -errno;
    }
    return 0;
}

static int find_newest(void *newest, const char *folder, const char *name) {
    (void)folder;
    uint32_t generation = epitope_generation_of(name);
    if (generation > *(uint32_t *)newest) *(uint32_t *)newest = generation;
    return 0;
}

/* The generation is higher than any other. */
static int choose_generation(struct epitope_program *program, const struct bpf_map *agents) {
    struct epitope_agent agent = {0};
    uint32_t newest = 0, zero = 0;
    int result = epitope_each_pinned(program->folder, &newest, find_newest);
    if (!result && bpf_map__fd(agents) >= 0) bpf_map_lookup_elem(bpf_map__fd(agents), &zero, &agent);
    program->generation = (newest > agent.generation ? newest : agent.generation) + 1;
    return result;
}

static int fill_randomly(void *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t count = getrandom((char *)bytes + done, length - done, 0);
        if (count < 0 && errno != EINTR) return -errno;
        if (count > 0) done += (size_t)count;
    }
    return 0;
}

/* Fills in the constants that the program is compiled against. */
static int set_constants(struct epitope_program *program, const uint8_t *classes_64bit, const uint8_t *classes_32bit) {
    struct bpf_map *map;
    bpf_object__for_each_map(map, program->object) {
        size_t size = 0;
        struct epitope_constants *constants = (void *)bpf_map__initial_value(map, &size);
        if (!constants || !strstr(bpf_map__name(map), ".rodata")) continue;
        /* No other constant may be in this section. */
        if (size != sizeof *constants) return -EINVAL;
        memcpy(constants->classes[0], classes_64bit, EPITOPE_SYSCALLS);
        memcpy(constants->classes[1], classes_32bit, EPITOPE_SYSCALLS);
        constants->generation = program->generation;
        /* Of this program alone: answers that an earlier agent left don't apply, and are asked for again. */
        int result = fill_randomly(constants->content_keys, sizeof constants->content_keys);
        if (result) return result;
        /* It is not mapped to user space: without the flag it is in the kernel's direct mapping (see EPITOPE_FILTER_SLOTS). */
        result = bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~(uint32_t)BPF_F_MMAPABLE);
        if (result) return result;
    }
    return 0;
}

static int set_places(const struct epitope_program *program, const char *name, uint32_t places) {
    struct bpf_map *map = bpf_object__find_map_by_name(program->object, name);
    if (!map) return -EINVAL;
    return places ? bpf_map__set_max_entries(map, places) : 0;
}

static int set_limits(const struct epitope_program *program, const struct epitope_limits *limits) {
    int result = set_places(program, "marks", limits->marks);
    if (!result) result = set_places(program, "submitters", limits->submitters);
    return result ? result : set_places(program, "starters", limits->starters);
}

static int prepare_maps(struct epitope_program *program, const uint8_t *classes_64bit, const uint8_t *classes_32bit) {
    struct bpf_map *map, *agents = bpf_object__find_map_by_name(program->object, "agents");
    int result = 0;
    if (!agents) return -EINVAL;
    program->generation = 1;
    if (program->folder) {
        bpf_object__for_each_map(map, program->object)
            if (!result && epitope_is_shared(map)) result = adopt_map(program, map);
        if (!result) result = choose_generation(program, agents);
    }
    return result ? result : set_constants(program, classes_64bit, classes_32bit);
}

static int attach(struct epitope_program *program) {
    char path[EPITOPE_MAX_PATH];
    struct bpf_program *each;
    bpf_object__for_each_program(each, program->object) {
        /* Programs of this type are run by the agent. */
        if (!bpf_program__autoload(each) || bpf_program__type(each) == BPF_PROG_TYPE_SYSCALL) continue;
        struct bpf_link *link = bpf_program__attach(each);
        if (!link) return -errno;
        if (strncmp(bpf_program__section_name(each), "iter", 4) == 0) {
            if (program->scan_count == MAX_SCANS) return -E2BIG;
            program->scans[program->scan_count++] = link;
            continue;
        }
        if (program->link_count == MAX_LINKS) return -E2BIG;
        program->links[program->link_count++] = link;
        if (!program->folder) continue;
        int result = epitope_link_path(program->folder, program->generation, bpf_program__name(each), path);
        if (!result) result = bpf_link__pin(link, path);
        if (result) return result;
    }
    return 0;
}

static int load(struct epitope_program *program, const void *bytes, size_t length, enum epitope_level level,
                const uint8_t *classes_64bit, const uint8_t *classes_32bit, const struct epitope_policy *policy,
                const struct epitope_limits *limits) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "epitope");
    struct bpf_program *each;
    program->object = bpf_object__open_mem(bytes, length, &options);
    if (!program->object) return -errno;
    bpf_object__for_each_program(each, program->object) bpf_program__set_autoload(each, epitope_is_loaded_at(each, level));
    int result = set_limits(program, limits);
    if (!result) result = prepare_maps(program, classes_64bit, classes_32bit);
    if (!result) result = bpf_object__load(program->object);
    if (!result && program->folder) result = pin_maps(program);
    if (result) return result;

    program->policies = map_named(program, "policies");
    program->exclusions = map_named(program, "exclusions");
    program->counters = map_named(program, "counters");
    program->frames = map_named(program, "frames");
    program->jumps = map_named(program, "jumps");
    program->marks = map_named(program, "marks");
    program->copies = map_named(program, "copies");
    program->agents = map_named(program, "agents");
    program->events = map_named(program, "events");
    program->answers = map_named(program, "answers");
    program->questions = map_named(program, "questions");
    result = epitope_program_set_policy(program, policy);
    return result ? result : attach(program);
}

struct epitope_program *epitope_program_load(const void *object, size_t length, enum epitope_level level,
                                             const uint8_t *classes_64bit, const uint8_t *classes_32bit,
                                             const struct epitope_policy *policy, const struct epitope_limits *limits,
                                             const char *folder, char *log, size_t log_length, int *error) {
    struct epitope_program *program = calloc(1, sizeof *program);
    if (program && folder) program->folder = strdup(folder);
    if (!program || (folder && !program->folder)) {
        free(program);
        *error = -ENOMEM;
        return NULL;
    }
    epitope_log_to(log, log_length);
    *error = load(program, object, length, level, classes_64bit, classes_32bit, policy, limits);
    epitope_log_to(NULL, 0);
    if (*error) {
        if (program->object) {
            epitope_program_detach(program);
            epitope_program_remove_pins(program);
        }
        epitope_program_unload(program);
        return NULL;
    }
    return program;
}

void epitope_program_unload(struct epitope_program *program) {
    while (program->link_count) bpf_link__destroy(program->links[--program->link_count]);
    for (int index = 0; index < program->scan_count; index++) bpf_link__destroy(program->scans[index]);
    if (program->object) bpf_object__close(program->object);
    free(program->folder);
    free(program);
}

/* Runs an iterator program over all that it iterates. */
static int scan(struct bpf_link *link) {
    char unused[256];
    int iterator = bpf_iter_create(bpf_link__fd(link));
    if (iterator < 0) return -errno;
    ssize_t count;
    while ((count = read(iterator, unused, sizeof unused)) > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) continue;
    int result = count < 0 ? -errno : 0;
    close(iterator);
    return result;
}

int epitope_program_scan_processes(struct epitope_program *program) {
    int result = 0;
    for (int index = 0; !result && index < program->scan_count; index++) result = scan(program->scans[index]);
    return result;
}

/* Runs a program of the agent's own. */
static int run_program(struct epitope_program *program, const char *name) {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    struct bpf_program *found = bpf_object__find_program_by_name(program->object, name);
    if (!found) return -ENOENT;
    return bpf_prog_test_run_opts(bpf_program__fd(found), &options) ? -errno : 0;
}

int epitope_program_recover_marks(struct epitope_program *program) {
    int result = run_program(program, "begin_turn");
    if (!result) result = epitope_program_scan_processes(program);
    return result ? result : run_program(program, "end_turn");
}
