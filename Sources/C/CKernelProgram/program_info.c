// SPDX-License-Identifier: Apache-2.0

/* What the kernel reports about a loaded program. */
#include "CKernelProgram.h"
#include "program.h"

#include <bpf/bpf.h>
#include <errno.h>

static int info_of(struct epitope_program *program, const char *name, struct bpf_prog_info *info) {
    struct bpf_program *found = bpf_object__find_program_by_name(program->object, name);
    if (!found || bpf_program__fd(found) < 0) return -ENOENT;
    uint32_t length = sizeof *info;
    return bpf_obj_get_info_by_fd(bpf_program__fd(found), info, &length) ? -errno : 0;
}

int epitope_program_instructions(struct epitope_program *program, const char *name, uint64_t *instructions, uint32_t capacity) {
    struct bpf_prog_info info = {.xlated_prog_insns = (uintptr_t)instructions, .xlated_prog_len = capacity * 8};
    int result = info_of(program, name, &info);
    return result ? result : (int)(info.xlated_prog_len / 8);
}

int epitope_program_cost(struct epitope_program *program, const char *name, uint64_t *runs, uint64_t *nanoseconds,
                         uint32_t *instructions) {
    struct bpf_prog_info info = {0};
    int result = info_of(program, name, &info);
    if (result) return result;
    *runs = info.run_cnt;
    *nanoseconds = info.run_time_ns;
    *instructions = info.xlated_prog_len / 8;
    return 0;
}
