// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import ProcessInspection

/// Mappings of a process by its files in `/proc`, as long as the process exists.
struct ProcessMappings: PageInspecting {
    /// `nil`: the process has ended, and its ID may be another's.
    private let processID: Int32?
    private let names: [UInt64: String]

    init(_ processID: Int32?) {
        self.processID = processID
        var names: [UInt64: String] = [:]
        guard let processID else {
            self.names = names
            return
        }
        let maps = ProcFS.text("/proc/\(processID)/maps") ?? ""
        for entry in MapEntry.entries(inMaps: maps) where !entry.name.isEmpty { names[entry.start] = entry.name }
        self.names = names
    }

    /// The name of the mapping that begins at an address.
    func name(of start: UInt64) -> String? { names[start] }

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
