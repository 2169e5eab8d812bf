// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "pinning.h"
#include "CKernelProgram.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The maps that an agent leaves to the next, and their structure. The others are created anew: their content comes from the agent's
 * own files and settings. */
static const struct {
    const char *map, *type;
} shared[] = {
    {"agents", "epitope_agent"}, {"events", "epitope_event"}, {"reported_calls", "epitope_reported_call"},
    {"marks", "epitope_mark"},   {"mark_filters", ""},        {"counters", ""},
};
enum { SHARED = sizeof shared / sizeof shared[0] };

static int index_of(const char *map) {
    for (int index = 0; index < SHARED; index++)
        if (strcmp(shared[index].map, map) == 0) return index;
    return -1;
}

bool epitope_is_shared(const struct bpf_map *map) { return index_of(bpf_map__name(map)) >= 0; }

/* FNV-1a (Fowler, Noll, Vo), 32 bits: the offset basis and the prime. */
enum { FNV_PRIME = 16777619 };
static const uint32_t FNV_BASIS = 2166136261u;

static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t length) {
    for (size_t index = 0; index < length; index++) hash = (hash ^ ((const uint8_t *)bytes)[index]) * FNV_PRIME;
    return hash;
}

/* Events contain these structures. */
static bool contains(const char *type, const char *other) {
    if (strcmp(type, other) == 0) return true;
    if (strcmp(type, "epitope_event") != 0) return false;
    return strcmp(other, "epitope_region") == 0 || strcmp(other, "epitope_region_file") == 0 || strcmp(other, "epitope_question") == 0 ||
        strcmp(other, "epitope_socket_state") == 0 || strcmp(other, "epitope_running_program") == 0 ||
        strcmp(other, "epitope_stack_code") == 0;
}

/* Identifies the format of a map: its kind and sizes, and the layout of its structure. */
static uint32_t format_of(const struct bpf_map *map) {
    const char *type = shared[index_of(bpf_map__name(map))].type, *each, *member;
    const uint32_t facts[] = {EPITOPE_FORMAT, bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
                              bpf_map__max_entries(map)};
    struct epitope_layout layout;
    uint32_t hash = hash_bytes(FNV_BASIS, facts, sizeof facts);
    for (size_t index = 0; epitope_own_layout(index, &each, &member, &layout); index++) {
        if (!contains(type, each)) continue;
        hash = hash_bytes(hash, member, strlen(member));
        hash = hash_bytes(hash, &layout, sizeof layout);
    }
    return hash;
}

static int check_length(int length) { return length > 0 && length < EPITOPE_MAX_PATH ? 0 : -ENAMETOOLONG; }

int epitope_map_path(const char *folder, const struct bpf_map *map, char path[EPITOPE_MAX_PATH]) {
    return check_length(snprintf(path, EPITOPE_MAX_PATH, "%s/map-%s-%08x", folder, bpf_map__name(map), format_of(map)));
}

int epitope_link_path(const char *folder, uint32_t generation, const char *program, char path[EPITOPE_MAX_PATH]) {
    return check_length(snprintf(path, EPITOPE_MAX_PATH, "%s/program-%u-%s", folder, generation, program));
}

int epitope_pin_path(const char *folder, const char *name, char path[EPITOPE_MAX_PATH]) {
    return check_length(snprintf(path, EPITOPE_MAX_PATH, "%s/%s", folder, name));
}

const struct bpf_map *epitope_map_pinned_as(const struct bpf_object *object, const char *folder, const char *name) {
    char path[EPITOPE_MAX_PATH];
    struct bpf_map *map;
    bpf_object__for_each_map(map, object)
        if (epitope_is_shared(map) && !epitope_map_path(folder, map, path) && strcmp(strrchr(path, '/') + 1, name) == 0) return map;
    return NULL;
}

bool epitope_is_pin_of(const char *name, const char *map) {
    size_t length = strlen(map);
    return strncmp(name, "map-", 4) == 0 && strncmp(name + 4, map, length) == 0 && name[4 + length] == '-';
}

uint32_t epitope_generation_of(const char *name) {
    unsigned generation = 0;
    return sscanf(name, "program-%u-", &generation) == 1 ? generation : 0;
}

int epitope_each_pinned(const char *folder, void *context, int (*each)(void *, const char *, const char *)) {
    DIR *directory = opendir(folder);
    if (!directory) return -errno;
    int result = 0;
    for (struct dirent *entry; !result && (entry = readdir(directory));)
        if (strncmp(entry->d_name, "map-", 4) == 0 || strncmp(entry->d_name, "program-", 8) == 0)
            result = each(context, folder, entry->d_name);
    closedir(directory);
    return result;
}

bool epitope_is_bpf_folder(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 && status.f_type == 0xcafe4a11; /* BPF_FS_MAGIC */
}

static int unpin(void *context, const char *folder, const char *name) {
    (void)context;
    char path[EPITOPE_MAX_PATH];
    int result = epitope_pin_path(folder, name, path);
    if (result) return result;
    return unlink(path) && errno != ENOENT ? -errno : 0;
}

int epitope_release_pinned(const char *folder) {
    int result = epitope_each_pinned(folder, NULL, unpin);
    /* Files of others are kept. */
    if (!result && rmdir(folder) && errno != ENOTEMPTY) result = -errno;
    return result == -ENOENT ? 0 : result;
}
