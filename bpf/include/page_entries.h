/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What an entry of a page table says of a page that isn't there. The kernel program and the agent's tests both include this file. */
#pragma once

/* The type of an entry without a page is in its upper five bits (asm/pgtable_64.h). The first types are of swap files; the last ones,
 * as many as the kernel's configuration has, are of pages that are being moved, are broken, lie on a device or have a marker
 * (linux/swap.h, MAX_SWAPFILES). */
#define SWAP_TYPE_SHIFT 59
enum { MIN_SWAP_FILES = 20 };            /* fewer than the smallest MAX_SWAPFILES of any configuration */

/* Whether a page was written that a table has no page for: 1 where it is swapped out, 0 where there is none, -1 where that can't be
 * told.
 *
 * shift: 12 for an entry of a single page; more for those of larger ones. */
static inline __attribute__((always_inline)) int epitope_written_without_page(unsigned long long entry, int shift)
{
    if (!entry) return 0;
    return shift == 12 && entry >> SWAP_TYPE_SHIFT < MIN_SWAP_FILES ? 1 : -1;
}
