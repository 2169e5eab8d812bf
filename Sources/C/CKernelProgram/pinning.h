// SPDX-License-Identifier: Apache-2.0

/* What of the program outlives its agent: links and maps, pinned in a folder of a bpffs.
 *
 *   map-NAME-FORMAT          shared by an agent and the next one, if both use the same format
 *   program-GENERATION-NAME  the link that keeps a program attached
 */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

/* EPITOPE_FORMAT is raised when shared maps change their meaning but not their layout. */
enum { EPITOPE_FORMAT = 2, EPITOPE_MAX_PATH = 512 };

/* Whether a map is shared with the next agent. */
bool epitope_is_shared(const struct bpf_map *map);
/* The path that a shared map is pinned at; 0, or -ENAMETOOLONG. */
int epitope_map_path(const char *folder, const struct bpf_map *map, char path[EPITOPE_MAX_PATH]);
int epitope_link_path(const char *folder, uint32_t generation, const char *program, char path[EPITOPE_MAX_PATH]);
/* The path of a name in the folder; 0, or -ENAMETOOLONG. */
int epitope_pin_path(const char *folder, const char *name, char path[EPITOPE_MAX_PATH]);
/* The shared map of a program that would be pinned by a name; NULL: the name is of another map or format. */
const struct bpf_map *epitope_map_pinned_as(const struct bpf_object *object, const char *folder, const char *name);

/* Whether a name is that of a pinned map, of any format. */
bool epitope_is_pin_of(const char *name, const char *map);
/* Calls `each` for every name in the folder, until it returns another value than 0. */
int epitope_each_pinned(const char *folder, void *context, int (*each)(void *context, const char *folder, const char *name));
/* The generation in a link's name; 0: it is not a link's. */
uint32_t epitope_generation_of(const char *name);
