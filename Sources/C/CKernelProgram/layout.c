// SPDX-License-Identifier: Apache-2.0

#include "CKernelProgram.h"
#include "members.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>

#define MEMBER(type, member) \
    {#type, #member, {offsetof(struct type, member), sizeof(((struct type *)0)->member)}}

static const struct {
    const char *type, *member;
    struct epitope_layout layout;
} members[] = {
    MEMBER(epitope_event, time), MEMBER(epitope_event, start_time), MEMBER(epitope_event, cgroup),
    MEMBER(epitope_event, instruction_pointer), MEMBER(epitope_event, stack_pointer), MEMBER(epitope_event, callers_address),
    MEMBER(epitope_event, deeper_address),
    MEMBER(epitope_event, arguments), MEMBER(epitope_event, registers), MEMBER(epitope_event, code_start),
    MEMBER(epitope_event, payload_length), MEMBER(epitope_event, process),
    MEMBER(epitope_event, thread), MEMBER(epitope_event, user), MEMBER(epitope_event, call_class),
    MEMBER(epitope_event, call_number), MEMBER(epitope_event, is_32bit_call), MEMBER(epitope_event, is_32bit_code),
    MEMBER(epitope_event, finding), MEMBER(epitope_event, answer), MEMBER(epitope_event, code_length),
    MEMBER(epitope_event, piece_count), MEMBER(epitope_event, address_length), MEMBER(epitope_event, stack_count),
    MEMBER(epitope_event, is_hook), MEMBER(epitope_event, subcall), MEMBER(epitope_event, excluded), MEMBER(epitope_event, defect),
    MEMBER(epitope_event, marked_for), MEMBER(epitope_event, is_repeated),
    MEMBER(epitope_event, region),
    MEMBER(epitope_event, library), MEMBER(epitope_event, command), MEMBER(epitope_event, address),
    MEMBER(epitope_event, path), MEMBER(epitope_event, pieces), MEMBER(epitope_event, stack), MEMBER(epitope_event, code),
    MEMBER(epitope_event, payload), MEMBER(epitope_piece, address), MEMBER(epitope_piece, length), MEMBER(epitope_piece, payload_offset),
    MEMBER(epitope_piece, copied_length), MEMBER(epitope_piece, message),
    MEMBER(epitope_event, socket), MEMBER(epitope_socket_state, family), MEMBER(epitope_socket_state, type),
    MEMBER(epitope_socket_state, local_port), MEMBER(epitope_socket_state, peer_port), MEMBER(epitope_socket_state, local),
    MEMBER(epitope_socket_state, peer),
    MEMBER(epitope_region, start), MEMBER(epitope_region, end), MEMBER(epitope_region, inode), MEMBER(epitope_region, device),
    MEMBER(epitope_region, protection), MEMBER(epitope_region, backing), MEMBER(epitope_region, may_be_written),
    MEMBER(epitope_region, is_loader), MEMBER(epitope_region, generation), MEMBER(epitope_region, is_unpacked), MEMBER(epitope_region, answer),
    MEMBER(epitope_event, question), MEMBER(epitope_question, callers_address), MEMBER(epitope_question, content),
    MEMBER(epitope_question, start_time), MEMBER(epitope_question, executions), MEMBER(epitope_question, inode),
    MEMBER(epitope_question, offset), MEMBER(epitope_question, process), MEMBER(epitope_question, device),
    MEMBER(epitope_question, length), MEMBER(epitope_question, generation), MEMBER(epitope_question, kind),
    MEMBER(epitope_event, program), MEMBER(epitope_event, program_path), MEMBER(epitope_event, stack_code),
    MEMBER(epitope_running_program, inode), MEMBER(epitope_running_program, changed_seconds),
    MEMBER(epitope_running_program, start_code), MEMBER(epitope_running_program, start_stack),
    MEMBER(epitope_running_program, changed_nanoseconds), MEMBER(epitope_running_program, device),
    MEMBER(epitope_running_program, generation), MEMBER(epitope_running_program, links),
    MEMBER(epitope_running_program, path_length), MEMBER(epitope_running_program, may_be_replaced),
    MEMBER(epitope_event, region_file), MEMBER(epitope_event, region_path), MEMBER(epitope_region_file, offset),
    MEMBER(epitope_region_file, changed_seconds), MEMBER(epitope_region_file, changed_nanoseconds), MEMBER(epitope_region_file, path_length),
    MEMBER(epitope_stack_code, start), MEMBER(epitope_stack_code, end), MEMBER(epitope_stack_code, is_searched),
    MEMBER(epitope_site, generation), MEMBER(epitope_asked, start_time), MEMBER(epitope_asked, question), MEMBER(epitope_asked, time),
    MEMBER(epitope_file, inode), MEMBER(epitope_file, device), MEMBER(epitope_file, generation),
    MEMBER(epitope_rule, act_on), MEMBER(epitope_rule, report_on), MEMBER(epitope_rule, answer),
    MEMBER(epitope_rule, answer_without_agent), MEMBER(epitope_rule, cuts), MEMBER(epitope_rule, is_on), MEMBER(epitope_policy, rules),
    MEMBER(epitope_policy, boot_time),
    MEMBER(epitope_exclusion, changed_seconds), MEMBER(epitope_exclusion, changed_nanoseconds), MEMBER(epitope_exclusion, kinds),
    MEMBER(epitope_constants, classes), MEMBER(epitope_constants, generation),
    MEMBER(epitope_constants, content_keys),
    MEMBER(epitope_agent, process), MEMBER(epitope_agent, generation), MEMBER(epitope_agent, since),
    MEMBER(epitope_exclusion_key, first), MEMBER(epitope_exclusion_key, second), MEMBER(epitope_exclusion_key, subject),
    MEMBER(epitope_reported_call, start_time), MEMBER(epitope_reported_call, callers_address), MEMBER(epitope_reported_call, process),
    MEMBER(epitope_reported_call, call_number), MEMBER(epitope_reported_call, code),
    MEMBER(epitope_site, inode), MEMBER(epitope_site, offset), MEMBER(epitope_site, device),
    MEMBER(epitope_frame, size), MEMBER(epitope_frame, function), MEMBER(epitope_frame, saved),
    MEMBER(epitope_frame, is_from_frame_pointer), MEMBER(epitope_frame, frame_pointer_is_lost), MEMBER(epitope_frame, is_pointed_at),
    MEMBER(epitope_frame, call_number),
    MEMBER(epitope_jump, inode), MEMBER(epitope_jump, from), MEMBER(epitope_jump, to), MEMBER(epitope_jump, device),
    MEMBER(epitope_mark, marked), MEMBER(epitope_mark, reasons), MEMBER(epitope_mark, lost), MEMBER(epitope_mark, time),
};

bool epitope_own_layout(size_t index, const char **type, const char **member, struct epitope_layout *layout) {
    if (index >= sizeof members / sizeof members[0]) return false;
    *type = members[index].type;
    *member = members[index].member;
    *layout = members[index].layout;
    return true;
}

const struct btf_member *epitope_member(const struct btf *types, const char *type, const char *member) {
    int id = btf__find_by_name_kind(types, type, BTF_KIND_STRUCT);
    const struct btf_type *structure = id > 0 ? btf__type_by_id(types, (uint32_t)id) : NULL;
    for (int index = 0; structure && index < btf_vlen(structure); index++) {
        const struct btf_member *each = btf_members(structure) + index;
        if (strcmp(btf__name_by_offset(types, each->name_off), member) == 0) return each;
    }
    return NULL;
}

bool epitope_kernel_layout(const void *bytes, size_t length, const char *type, const char *member, struct epitope_layout *found) {
    struct bpf_object *object = bpf_object__open_mem(bytes, length, NULL);
    if (!object) return false;
    const struct btf *types = bpf_object__btf(object);
    const struct btf_member *each = epitope_member(types, type, member);
    if (each) {
        /* No shared member is a bit field. */
        found->offset = each->offset / 8;
        found->size = (uint32_t)btf__resolve_size(types, each->type);
    }
    bpf_object__close(object);
    return each != NULL;
}
