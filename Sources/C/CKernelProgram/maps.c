// SPDX-License-Identifier: Apache-2.0

/* The maps by which a loaded program is configured, and what it counts. */
#include "CKernelProgram.h"
#include "counters.h"
#include "program.h"

#include <bpf/bpf.h>
#include <errno.h>

int epitope_program_set_policy(struct epitope_program *program, const struct epitope_policy *policy) {
    uint32_t zero = 0;
    return bpf_map_update_elem(program->policies, &zero, policy, BPF_ANY) ? -errno : 0;
}

int epitope_program_set_exclusion(struct epitope_program *program, const struct epitope_exclusion_key *key,
                                  const struct epitope_exclusion *exclusion) {
    int result = exclusion ? bpf_map_update_elem(program->exclusions, key, exclusion, BPF_ANY)
                           : bpf_map_delete_elem(program->exclusions, key);
    return result ? -errno : 0;
}

int epitope_program_add_copy(struct epitope_program *program, const struct epitope_file *file) {
    uint32_t present = 1;
    return bpf_map_update_elem(program->copies, file, &present, BPF_ANY) ? -errno : 0;
}

int epitope_program_set_frame(struct epitope_program *program, const struct epitope_site *site, const struct epitope_frame *frame) {
    return bpf_map_update_elem(program->frames, site, frame, BPF_ANY) ? -errno : 0;
}

int epitope_program_set_jump(struct epitope_program *program, const struct epitope_jump *jump) {
    uint8_t present = 1;
    return bpf_map_update_elem(program->jumps, jump, &present, BPF_ANY) ? -errno : 0;
}

int epitope_program_answer(struct epitope_program *program, uint32_t process, const struct epitope_question *question, uint32_t origin) {
    int result = origin && bpf_map_update_elem(program->answers, question, &origin, BPF_ANY) ? -errno : 0;
    /* From now on the process may ask something else. */
    if (bpf_map_delete_elem(program->questions, &process) && errno != ENOENT && !result) result = -errno;
    return result;
}

bool epitope_program_has_room_for_marks(struct epitope_program *program) {
    /* No address space has this address. */
    uint64_t nowhere = 0;
    struct epitope_mark mark = {0};
    if (bpf_map_update_elem(program->marks, &nowhere, &mark, BPF_ANY)) return false;
    bpf_map_delete_elem(program->marks, &nowhere);
    return true;
}

int epitope_program_counters(struct epitope_program *program, uint64_t *counters) {
    return epitope_sum_counters(program->counters, counters);
}

int epitope_program_events(const struct epitope_program *program) { return program->events; }
