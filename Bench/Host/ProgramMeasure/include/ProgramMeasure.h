// SPDX-License-Identifier: Apache-2.0

/* Loads a measuring eBPF object (bpf/measure.bpf.c) and times its programs. Functions return a negative errno on failure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct epitope_measure;

/* NULL: it could not be loaded. */
struct epitope_measure *epitope_measure_load(const void *object, size_t length);
void epitope_measure_unload(struct epitope_measure *measure);
/* Attaches a program; it stays until the object is unloaded. */
int epitope_measure_attach(struct epitope_measure *measure, const char *name);
/* The cost of an attached program so far, by the kernel's count. */
int epitope_measure_cost(struct epitope_measure *measure, const char *name, uint64_t *runs, uint64_t *nanoseconds);
/* Runs a program `count` times (BPF_PROG_TEST_RUN). `nanoseconds` is the mean. */
int epitope_measure_repeat(struct epitope_measure *measure, const char *name, uint32_t count, uint32_t *nanoseconds);
/* A program's instructions as the kernel runs them. Returns how many there are. */
int epitope_measure_instructions(struct epitope_measure *measure, const char *name, uint64_t *instructions, uint32_t room);
