// SPDX-License-Identifier: Apache-2.0

#include "ProgramMeasure.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

struct epitope_measure {
    struct bpf_object *object;
    struct bpf_link *link;
};

struct epitope_measure *epitope_measure_load(const void *bytes, size_t length) {
    struct epitope_measure *measure = calloc(1, sizeof *measure);
    if (!measure) return NULL;
    measure->object = bpf_object__open_mem(bytes, length, NULL);
    if (measure->object && bpf_object__load(measure->object) == 0) return measure;
    epitope_measure_unload(measure);
    return NULL;
}

void epitope_measure_unload(struct epitope_measure *measure) {
    if (measure->link) bpf_link__destroy(measure->link);
    if (measure->object) bpf_object__close(measure->object);
    free(measure);
}

int epitope_measure_attach(struct epitope_measure *measure, const char *name) {
    struct bpf_program *program = bpf_object__find_program_by_name(measure->object, name);
    if (!program) return -ENOENT;
    measure->link = bpf_program__attach(program);
    return measure->link ? 0 : -errno;
}

static int describe(struct epitope_measure *measure, const char *name, struct bpf_prog_info *info) {
    struct bpf_program *program = bpf_object__find_program_by_name(measure->object, name);
    uint32_t length = sizeof *info;
    if (!program) return -ENOENT;
    return bpf_obj_get_info_by_fd(bpf_program__fd(program), info, &length) ? -errno : 0;
}

int epitope_measure_cost(struct epitope_measure *measure, const char *name, uint64_t *runs, uint64_t *nanoseconds) {
    struct bpf_prog_info info = {0};
    int result = describe(measure, name, &info);
    *runs = info.run_cnt;
    *nanoseconds = info.run_time_ns;
    return result;
}

int epitope_measure_repeat(struct epitope_measure *measure, const char *name, uint32_t count, uint32_t *nanoseconds) {
    struct bpf_program *program = bpf_object__find_program_by_name(measure->object, name);
    if (!program) return -ENOENT;
    unsigned char frame[64] = {0};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof frame, .repeat = (int)count);
    int result = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
    *nanoseconds = options.duration;
    return result;
}

int epitope_measure_instructions(struct epitope_measure *measure, const char *name, uint64_t *instructions, uint32_t room) {
    struct bpf_prog_info info = {.xlated_prog_insns = (uintptr_t)instructions, .xlated_prog_len = room * 8};
    int result = describe(measure, name, &info);
    return result ? result : (int)(info.xlated_prog_len / 8);
}
