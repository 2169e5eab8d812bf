// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import Glibc

/// What the kernel tells of single pages (`/proc/PID/pagemap`).
struct PageTable {
    private let files: ThreadFiles

    init(_ files: ThreadFiles) {
        self.files = files
    }

    /// Whether a page of a private file mapping was written: then it is there (bit 63) or swapped out (bit 62), but is
    /// no page of the file (bit 61) any more. A page that isn't there is the file's, since a written one stays or is
    /// swapped. Where the kernel doesn't say, it is held to be written: the program could not be told from a patched one.
    func isWritten(_ address: UInt64) -> Bool {
        var entry: UInt64 = 0
        guard files.pagemap >= 0, epitope_read_page_entry(files.pagemap, address, &entry) == 0 else { return true }
        return entry & (1 << 63 | 1 << 62) != 0 && entry & 1 << 61 == 0
    }
}
