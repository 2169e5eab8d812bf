/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Whether one page of an image was written, by the process's page tables. */
#pragma once

#include "mapping.h"
#include "page_entries.h"

/* Where the kernel maps physical memory and keeps its struct pages (x86-64; randomised, so they are variables). */
extern const void page_offset_base __ksym __weak;
extern const void vmemmap_base __ksym __weak;
extern const void __pgtable_l5_enabled __ksym __weak;

#define PAGE_PRESENT 1ul
#define PAGE_LARGE 0x80ul
#define PAGE_PROT_NONE 0x100ul           /* of an entry that isn't present: its page is, and only access is withheld (NUMA) */
#define PAGE_FRAME_MASK 0x000ffffffffff000ul

/* Whether the page at an address is anonymous: a page of an image's private mapping that was written. 1, 0, or -1 where it
 * can't be determined. The tables may change meanwhile; what is read then is the old state or the new one, and the call itself
 * might have met either. */
__attribute__((noinline)) int page_was_written(__u64 address)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if (!&page_offset_base || !&vmemmap_base) return -1;
    __u64 direct = 0, pages = 0, entry = 0, table = (__u64)BPF_CORE_READ(task, mm, pgd);
    __u32 has_five_levels = 0;
    bpf_probe_read_kernel(&direct, sizeof direct, &page_offset_base);
    bpf_probe_read_kernel(&pages, sizeof pages, &vmemmap_base);
    if (&__pgtable_l5_enabled) bpf_probe_read_kernel(&has_five_levels, sizeof has_five_levels, &__pgtable_l5_enabled);
    for (int shift = 48; shift >= 12; shift -= 9) {
        if (shift == 48 && !has_five_levels) continue;
        if (bpf_probe_read_kernel(&entry, sizeof entry, (void *)(table + 8 * (address >> shift & 511)))) return -1;
        if (!(entry & (PAGE_PRESENT | PAGE_PROT_NONE))) return epitope_written_without_page(entry, shift);
        /* The frame is stored inverted in an entry that isn't present, so that no processor speculates on it (L1TF). */
        if (!(entry & PAGE_PRESENT)) entry ^= PAGE_FRAME_MASK;
        if (shift > 12 && entry & PAGE_LARGE) break;
        table = direct + (entry & PAGE_FRAME_MASK);
    }
    struct page *page = (struct page *)(pages + ((entry & PAGE_FRAME_MASK) >> 12) * bpf_core_type_size(struct page));
    unsigned long head = BPF_CORE_READ(page, compound_head);
    if (head & 1) page = (struct page *)(head - 1);
    return ((__u64)BPF_CORE_READ(page, mapping) & 1) != 0;
}

/* Replaces "some page may have been written" by the answer for the instruction that ends at an address, where there is one. Looks
 * at both pages when the instruction spans two. */
static __always_inline void resolve_written(__u64 address, struct mapping *mapping)
{
    if (!mapping->may_be_written) return;
    int written = page_was_written(address - 1);
    if (!written && (address & (PAGE_SIZE - 1)) == 1) written = page_was_written(address - 2);
    if (written == 0) mapping->may_be_written = 0;
    if (written == 1) {
        mapping->may_be_written = 0;
        mapping->backing = EPITOPE_BACKING_WRITTEN_IMAGE;
    }
}
