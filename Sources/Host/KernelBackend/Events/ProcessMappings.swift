// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import ProcessInspection

/// Mappings of a process by its files in `/proc`, as long as the process exists.
struct ProcessMappings: PageInspecting {
    /// `nil`: the process has ended, and its ID may be another's.
    let processID: Int32?
    /// In ascending order.
    private let entries: [MapEntry]

    init(_ processID: Int32?) {
        self.processID = processID
        entries = processID.flatMap { ProcFS.text("/proc/\($0)/maps") }.map { MapEntry.entries(inMaps: $0) } ?? []
    }

    /// The mapping at an address.
    func entry(at address: UInt64) -> MapEntry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].end <= address { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].contains(address) ? entries[low] : nil
    }

    /// The name of the mapping that begins at an address.
    func name(of start: UInt64) -> String? {
        guard let entry = entry(at: start), entry.start == start, !entry.name.isEmpty else { return nil }
        return entry.name
    }

    func isWritten(_ address: UInt64) -> Bool {
        guard let processID else { return true }
        let descriptor = open("/proc/\(processID)/pagemap", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var entry: UInt64 = 0
        let offset = off_t(address / UInt64(sysconf(Int32(_SC_PAGESIZE))) * 8)
        guard pread(descriptor, &entry, 8, offset) == 8 else { return true }
        return PageEntry(entry).isWritten
    }
}
