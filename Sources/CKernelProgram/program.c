#define _GNU_SOURCE
#include "CKernelProgram.h"
#include "members.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LINKS = 32, MOST_SCANS = 4 };

/* The program that tries whether a kernel lets the result of its security functions be decided. */
static const char PROBE[] = "function_probe";

struct epitope_program {
    struct bpf_object *object;
    struct bpf_link *links[MOST_LINKS];
    int link_count;
    struct bpf_link *scans[MOST_SCANS];
    int scan_count;
    struct ring_buffer *ring;
    int policies, excuses, counters, frames;
    void *context;
    void (*take)(void *context, const struct epitope_event *event);
    struct epitope_event event;
};

/* What libbpf says while a program is loaded, its end kept. One thread loads at a time. */
static __thread char *log_room;
static __thread size_t log_size, log_used;

static int keep_log(enum libbpf_print_level level, const char *format, va_list arguments) {
    if (level == LIBBPF_DEBUG || !log_room) return 0;
    char *line = NULL;
    int count = vasprintf(&line, format, arguments);
    if (count < 0) return 0;
    /* The end is what tells. */
    size_t length = (size_t)count < log_size ? (size_t)count : log_size - 1;
    const char *end = line + count - length;
    if (log_used + length + 1 > log_size) {
        size_t drop = log_used + length + 1 - log_size;
        memmove(log_room, log_room + drop, log_used - drop);
        log_used -= drop;
    }
    memcpy(log_room + log_used, end, length);
    log_used += length;
    log_room[log_used] = 0;
    free(line);
    return 0;
}

/* Whether the kernel has a member of a structure. */
static bool kernel_has(const char *type, const char *member) {
    struct btf *types = btf__load_vmlinux_btf();
    bool found = types && epitope_member(types, type, member);
    btf__free(types);
    return found;
}

/* Whether the kernel has a function, or a tracepoint under that name. */
static bool kernel_names(const char *name, uint32_t kind) {
    struct btf *types = btf__load_vmlinux_btf();
    bool found = types && btf__find_by_name_kind(types, name, kind) > 0;
    btf__free(types);
    return found;
}

/* Of what not every kernel has, as it is configured or of its version. */
static bool is_there(const char *section) {
    if (strstr(section, "file_permission")) return kernel_has("proto_ops", "sendpage"); /* gone in 6.5 */
    if (strncmp(section, "fentry/__", 9) == 0) return kernel_names(section + strlen("fentry/"), BTF_KIND_FUNC);
    if (strstr(section, "uring_sqpoll")) return kernel_names("security_uring_sqpoll", BTF_KIND_FUNC);
    if (strcmp(section, "tp_btf/io_uring_submit_req") == 0) return kernel_names("btf_trace_io_uring_submit_req", BTF_KIND_TYPEDEF);
    /* Since 6.0 it is given the request. */
    if (strcmp(section, "tp_btf/io_uring_submit_sqe") == 0)
        return kernel_names("io_cmd_data", BTF_KIND_STRUCT) && kernel_names("btf_trace_io_uring_submit_sqe", BTF_KIND_TYPEDEF);
    return true;
}

static bool belongs(const struct bpf_program *program, enum epitope_level level) {
    const char *section = bpf_program__section_name(program);
    const char *name = bpf_program__name(program);
    if (strcmp(name, PROBE) == 0) return false;
    if (!is_there(section)) return false;
    if (strncmp(name, "hook_", 5) == 0) return level == EPITOPE_LEVEL_HOOKS;
    if (strncmp(name, "function_", 9) == 0) return level == EPITOPE_LEVEL_FUNCTIONS;
    if (strncmp(name, "noted_", 6) == 0) return level != EPITOPE_LEVEL_TRACEPOINTS;
    if (strncmp(name, "entered", 7) == 0) return level == EPITOPE_LEVEL_TRACEPOINTS;
    return true;
}

bool epitope_kernel_lets_functions_be_decided(const void *bytes, size_t length) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "epitope");
    libbpf_set_print(keep_log);
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

static int receive(void *context, void *data, size_t length) {
    struct epitope_program *program = context;
    if (length < offsetof(struct epitope_event, payload) || !program->take) return 0;
    /* A record ends with what is used of the payload; whoever reads it may look at the whole. */
    memcpy(&program->event, data, length < sizeof program->event ? length : sizeof program->event);
    program->take(program->context, &program->event);
    return 0;
}

static int map_named(const struct epitope_program *program, const char *name) {
    return bpf_object__find_map_fd_by_name(program->object, name);
}

static int load(struct epitope_program *program, const void *bytes, size_t length, enum epitope_level level,
                const uint8_t *wide, const uint8_t *narrow, const struct epitope_policy *policy) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "epitope");
    struct bpf_program *each;
    struct bpf_map *map;
    program->object = bpf_object__open_mem(bytes, length, &options);
    if (!program->object) return -errno;
    bpf_object__for_each_program(each, program->object) bpf_program__set_autoload(each, belongs(each, level));
    bpf_object__for_each_map(map, program->object) {
        size_t size = 0;
        if (!strstr(bpf_map__name(map), ".rodata")) continue;
        uint8_t *constants = (uint8_t *)bpf_map__initial_value(map, &size);
        /* The two tables are all of it. */
        if (!constants || size != 2 * EPITOPE_SYSCALLS) return -EINVAL;
        memcpy(constants, wide, EPITOPE_SYSCALLS);
        memcpy(constants + EPITOPE_SYSCALLS, narrow, EPITOPE_SYSCALLS);
    }
    int result = bpf_object__load(program->object);
    if (result) return result;

    program->policies = map_named(program, "policies");
    program->excuses = map_named(program, "excuses");
    program->counters = map_named(program, "counters");
    program->frames = map_named(program, "frames");
    result = epitope_program_set_policy(program, policy);
    if (result) return result;
    program->ring = ring_buffer__new(map_named(program, "events"), receive, program, NULL);
    if (!program->ring) return -errno;
    bpf_object__for_each_program(each, program->object) {
        if (!bpf_program__autoload(each)) continue;
        struct bpf_link *link = bpf_program__attach(each);
        if (!link) return -errno;
        if (strncmp(bpf_program__section_name(each), "iter", 4) == 0 && program->scan_count < MOST_SCANS)
            program->scans[program->scan_count++] = link;
        else if (program->link_count < MOST_LINKS) program->links[program->link_count++] = link;
    }
    return 0;
}

struct epitope_program *epitope_program_load(const void *object, size_t length, enum epitope_level level,
                                             const uint8_t *wide_classes, const uint8_t *narrow_classes,
                                             const struct epitope_policy *policy, char *log, size_t log_length, int *error) {
    struct epitope_program *program = calloc(1, sizeof *program);
    if (!program) {
        *error = -ENOMEM;
        return NULL;
    }
    log_room = log, log_size = log_length, log_used = 0;
    if (log_length) log[0] = 0;
    libbpf_set_print(keep_log);
    *error = load(program, object, length, level, wide_classes, narrow_classes, policy);
    log_room = NULL;
    if (*error) {
        epitope_program_unload(program);
        return NULL;
    }
    return program;
}

void epitope_program_unload(struct epitope_program *program) {
    for (int index = 0; index < program->link_count; index++) bpf_link__destroy(program->links[index]);
    for (int index = 0; index < program->scan_count; index++) bpf_link__destroy(program->scans[index]);
    if (program->ring) ring_buffer__free(program->ring);
    if (program->object) bpf_object__close(program->object);
    free(program);
}

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

int epitope_program_find_marks(struct epitope_program *program) {
    int result = 0;
    for (int index = 0; !result && index < program->scan_count; index++) result = scan(program->scans[index]);
    return result;
}

int epitope_program_set_policy(struct epitope_program *program, const struct epitope_policy *policy) {
    uint32_t zero = 0;
    return bpf_map_update_elem(program->policies, &zero, policy, BPF_ANY) ? -errno : 0;
}

int epitope_program_excuse(struct epitope_program *program, const struct epitope_excuse_key *key, uint32_t kinds) {
    int result = kinds ? bpf_map_update_elem(program->excuses, key, &kinds, BPF_ANY) : bpf_map_delete_elem(program->excuses, key);
    return result ? -errno : 0;
}

int epitope_program_set_frame(struct epitope_program *program, const struct epitope_site *site, uint32_t size) {
    return bpf_map_update_elem(program->frames, site, &size, BPF_ANY) ? -errno : 0;
}

int epitope_program_counters(struct epitope_program *program, uint64_t *counters) {
    int processors = libbpf_num_possible_cpus();
    if (processors < 0) return processors;
    uint64_t *values = calloc((size_t)processors, sizeof *values);
    if (!values) return -ENOMEM;
    for (uint32_t counter = 0; counter < EPITOPE_COUNTERS; counter++) {
        counters[counter] = 0;
        if (bpf_map_lookup_elem(program->counters, &counter, values)) continue;
        for (int index = 0; index < processors; index++) counters[counter] += values[index];
    }
    free(values);
    return 0;
}

int epitope_program_poll(struct epitope_program *program, int milliseconds, void *context,
                         void (*take)(void *context, const struct epitope_event *event)) {
    program->context = context;
    program->take = take;
    return ring_buffer__poll(program->ring, milliseconds);
}

int epitope_program_cost(struct epitope_program *program, const char *name, uint64_t *runs, uint64_t *nanoseconds,
                         uint32_t *instructions) {
    struct bpf_program *found = bpf_object__find_program_by_name(program->object, name);
    if (!found || bpf_program__fd(found) < 0) return -ENOENT;
    struct bpf_prog_info info = {0};
    uint32_t length = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(found), &info, &length)) return -errno;
    *runs = info.run_cnt;
    *nanoseconds = info.run_time_ns;
    *instructions = info.xlated_prog_len / 8;
    return 0;
}
