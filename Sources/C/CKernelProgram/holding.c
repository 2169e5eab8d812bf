// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "holding.h"
#include "CKernelProgram.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The maps that an agent leaves to the next, and the structure that is in them. The others are made anew: what is in them
 * comes from the agent's own files and settings. */
static const struct {
    const char *map, *type;
} shared[] = {
    {"agents", "epitope_agent"}, {"events", "epitope_event"}, {"said", "epitope_said"},
    {"marks", "epitope_mark"},   {"mark_filters", ""},      {"counters", ""},
};
enum { SHARED = sizeof shared / sizeof shared[0] };

static int place_of(const char *map) {
    for (int index = 0; index < SHARED; index++)
        if (strcmp(shared[index].map, map) == 0) return index;
    return -1;
}

bool epitope_is_shared(const struct bpf_map *map) { return place_of(bpf_map__name(map)) >= 0; }

/* FNV-1a. */
static uint32_t mix(uint32_t hash, const void *bytes, size_t length) {
    for (size_t index = 0; index < length; index++) hash = (hash ^ ((const uint8_t *)bytes)[index]) * 16777619u;
    return hash;
}

/* Tells one meaning of a map's bytes from another: its kind and sizes, and where each member of its structure lies. */
static uint32_t format_of(const struct bpf_map *map) {
    const char *type = shared[place_of(bpf_map__name(map))].type, *each, *member;
    const uint32_t facts[] = {EPITOPE_FORMAT, bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map), bpf_map__max_entries(map)};
    struct epitope_layout layout;
    uint32_t hash = mix(2166136261u, facts, sizeof facts);
    for (size_t index = 0; epitope_own_layout(index, &each, &member, &layout); index++) {
        /* An event is made of other structures. */
        if (strcmp(each, type) != 0 && (strcmp(type, "epitope_event") != 0 || (strcmp(each, "epitope_region") != 0 && strcmp(each, "epitope_socket_state") != 0)))
            continue;
        hash = mix(hash, member, strlen(member));
        hash = mix(hash, &layout, sizeof layout);
    }
    return hash;
}

static int fits(int length) { return length > 0 && length < EPITOPE_PATH ? 0 : -ENAMETOOLONG; }

int epitope_map_path(const char *folder, const struct bpf_map *map, char path[EPITOPE_PATH]) {
    return fits(snprintf(path, EPITOPE_PATH, "%s/map-%s-%08x", folder, bpf_map__name(map), format_of(map)));
}

int epitope_link_path(const char *folder, uint32_t generation, const char *program, char path[EPITOPE_PATH]) {
    return fits(snprintf(path, EPITOPE_PATH, "%s/program-%u-%s", folder, generation, program));
}

uint32_t epitope_generation_of(const char *name) {
    unsigned generation = 0;
    return sscanf(name, "program-%u-", &generation) == 1 ? generation : 0;
}

int epitope_each_held(const char *folder, void *context, int (*each)(void *, const char *, const char *)) {
    DIR *directory = opendir(folder);
    if (!directory) return -errno;
    int result = 0;
    for (struct dirent *entry; !result && (entry = readdir(directory));)
        if (strncmp(entry->d_name, "map-", 4) == 0 || strncmp(entry->d_name, "program-", 8) == 0) result = each(context, folder, entry->d_name);
    closedir(directory);
    return result;
}

bool epitope_is_bpf_folder(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 && status.f_type == 0xcafe4a11; /* BPF_FS_MAGIC */
}

/* ---- what is held, without a program of one's own ---- */

struct looking {
    struct epitope_held *held;
    struct bpf_object *object;
    bool programs;                 /* programs, else maps */
    bool has_agent;
};

/* The map of a name in the folder, if it has this program's format. */
static const struct bpf_map *known(struct bpf_object *object, const char *folder, const char *name) {
    char path[EPITOPE_PATH];
    struct bpf_map *map;
    bpf_object__for_each_map(map, object)
        if (epitope_is_shared(map) && !epitope_map_path(folder, map, path) && strcmp(strrchr(path, '/') + 1, name) == 0) return map;
    return NULL;
}

static int look(void *context, const char *folder, const char *name) {
    struct looking *looking = context;
    struct epitope_held *held = looking->held;
    uint32_t generation = epitope_generation_of(name), zero = 0;
    char path[EPITOPE_PATH];
    if (looking->programs != (generation != 0)) return 0;
    if (generation) {
        /* One that stands by, of an agent that never began, protects nobody. */
        if (!looking->has_agent || generation == held->agent.generation) held->programs++;
        return 0;
    }
    const struct bpf_map *map = known(looking->object, folder, name);
    bool is_ring = strncmp(name, "map-events-", 11) == 0;
    if (!map && !is_ring) return 0;
    if (fits(snprintf(path, sizeof path, "%s/%s", folder, name))) return -ENAMETOOLONG;
    int descriptor = bpf_obj_get(path);
    if (descriptor < 0) return errno == ENOENT ? 0 : -errno;
    if (is_ring) {
        int count = epitope_ring_count(descriptor);
        if (count > 0) *(map ? &held->unread : &held->unreadable) += (uint32_t)count;
    } else if (strncmp(name, "map-agents-", 11) == 0) {
        looking->has_agent = bpf_map_lookup_elem(descriptor, &zero, &held->agent) == 0;
    } else if (strncmp(name, "map-counters-", 13) == 0) {
        held->has_counters = epitope_sum_counters(descriptor, held->counters) == 0;
    }
    close(descriptor);
    return 0;
}

int epitope_look_at_held(const char *folder, const void *bytes, size_t length, struct epitope_held *held) {
    memset(held, 0, sizeof *held);
    struct looking looking = {held, bpf_object__open_mem(bytes, length, NULL), false, false};
    if (!looking.object) return -errno;
    int result = epitope_each_held(folder, &looking, look);
    looking.programs = true;
    if (!result) result = epitope_each_held(folder, &looking, look);
    bpf_object__close(looking.object);
    return result == -ENOENT ? 0 : result;
}

static int drop(void *context, const char *folder, const char *name) {
    (void)context;
    char path[EPITOPE_PATH];
    if (fits(snprintf(path, sizeof path, "%s/%s", folder, name))) return -ENAMETOOLONG;
    return unlink(path) && errno != ENOENT ? -errno : 0;
}

int epitope_release_held(const char *folder) {
    int result = epitope_each_held(folder, NULL, drop);
    /* What others put there is theirs. */
    if (!result && rmdir(folder) && errno != ENOTEMPTY) result = -errno;
    return result == -ENOENT ? 0 : result;
}
