// SPDX-License-Identifier: Apache-2.0

/* What of the program outlives its agent: links and maps, under names in a folder of a bpffs.
 *
 *   map-NAME-FORMAT          shared by an agent and the next one, if both mean the same by its bytes
 *   program-GENERATION-NAME  the link that keeps a program attached
 */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether a map is shared with the next agent. */
bool epitope_is_shared(const struct bpf_map *map);
/* Raises it when shared maps come to mean something else by the same layout. */
enum { EPITOPE_FORMAT = 2, EPITOPE_PATH = 512 };
/* The name that a shared map has in the folder; 0, or -ENAMETOOLONG. */
int epitope_map_path(const char *folder, const struct bpf_map *map, char path[EPITOPE_PATH]);
int epitope_link_path(const char *folder, uint32_t generation, const char *program, char path[EPITOPE_PATH]);

/* Each name in the folder, until one returns another value than 0. */
int epitope_each_held(const char *folder, void *context, int (*each)(void *context, const char *folder, const char *name));
/* The generation of a link's name; 0: it is no link's. */
uint32_t epitope_generation_of(const char *name);
