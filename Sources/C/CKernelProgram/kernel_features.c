// SPDX-License-Identifier: Apache-2.0

/* Which programs the running kernel can attach. */
#include "kernel_features.h"
#include "log.h"
#include "members.h"

#include <bpf/btf.h>
#include <string.h>

/* The program that tests whether a kernel supports fmod_ret. */
static const char PROBE[] = "fmod_ret_probe";

/* Whether the kernel has a member of a structure. */
static bool kernel_has_member(const char *type, const char *member) {
    struct btf *types = btf__load_vmlinux_btf();
    bool found = types && epitope_member(types, type, member);
    btf__free(types);
    return found;
}

/* Whether the kernel has a function, a structure, or a tracepoint of that name. */
static bool kernel_has(const char *name, uint32_t kind) {
    struct btf *types = btf__load_vmlinux_btf();
    bool found = types && btf__find_by_name_kind(types, name, kind) > 0;
    btf__free(types);
    return found;
}

/* Some attachment points depend on the kernel's version or configuration. */
static bool can_be_attached(const char *section) {
    if (strstr(section, "file_permission")) return kernel_has_member("proto_ops", "sendpage"); /* removed in 6.5 */
    if (strncmp(section, "fentry/__", strlen("fentry/__")) == 0) return kernel_has(section + strlen("fentry/"), BTF_KIND_FUNC);
    if (strcmp(section, "tp_btf/exit_mmap") == 0) return kernel_has("btf_trace_exit_mmap", BTF_KIND_TYPEDEF); /* since 6.1 */
    if (strstr(section, "uring_sqpoll")) return kernel_has("security_uring_sqpoll", BTF_KIND_FUNC);
    if (strcmp(section, "tp_btf/io_uring_submit_req") == 0) return kernel_has("btf_trace_io_uring_submit_req", BTF_KIND_TYPEDEF);
    /* Its argument is the request since 6.0. */
    if (strcmp(section, "tp_btf/io_uring_submit_sqe") == 0)
        return kernel_has("io_cmd_data", BTF_KIND_STRUCT) && kernel_has("btf_trace_io_uring_submit_sqe", BTF_KIND_TYPEDEF);
    return true;
}

static bool begins(const char *name, const char *prefix) { return strncmp(name, prefix, strlen(prefix)) == 0; }

bool epitope_is_loaded_at(const struct bpf_program *program, enum epitope_level level) {
    const char *name = bpf_program__name(program);
    if (strcmp(name, PROBE) == 0) return false;
    if (!can_be_attached(bpf_program__section_name(program))) return false;
    if (begins(name, "lsm_")) return level == EPITOPE_LEVEL_HOOKS;
    if (begins(name, "fmod_ret_")) return level == EPITOPE_LEVEL_FMOD_RET;
    if (begins(name, "with_hooks_")) return level != EPITOPE_LEVEL_TRACEPOINTS;
    if (begins(name, "tracepoint_")) return level == EPITOPE_LEVEL_TRACEPOINTS;
    return true;
}

bool epitope_supports_fmod_ret(const void *bytes, size_t length) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "epitope");
    epitope_log_to(NULL, 0);
    struct bpf_object *object = bpf_object__open_mem(bytes, length, &options);
    if (!object) return false;
    struct bpf_program *each, *probe = NULL;
    struct bpf_map *map;
    bpf_object__for_each_program(each, object) {
        bool is_probe = strcmp(bpf_program__name(each), PROBE) == 0;
        bpf_program__set_autoload(each, is_probe);
        if (is_probe) probe = each;
    }
    bpf_object__for_each_map(map, object) bpf_map__set_autocreate(map, false);
    struct bpf_link *link = probe && bpf_object__load(object) == 0 ? bpf_program__attach(probe) : NULL;
    if (link) bpf_link__destroy(link);
    bpf_object__close(object);
    return link != NULL;
}
