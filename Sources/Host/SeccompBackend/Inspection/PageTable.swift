// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import Glibc
import ProcessInspection

/// The page table of a stalled process, as the kernel shows it (`/proc/PID/pagemap`).
struct PageTable: PageInspecting {
    private let files: ThreadFiles

    init(_ files: ThreadFiles) {
        self.files = files
    }

    func isWritten(_ address: UInt64) -> Bool {
        var entry: UInt64 = 0
        guard files.pagemap >= 0, epitope_read_page_entry(files.pagemap, address, &entry) == 0 else { return true }
        return PageEntry(entry).isWritten
    }
}
