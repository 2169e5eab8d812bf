// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostFrontEnd
import Testing

/// Which limits are enough to protect a command, and what is said of those that aren't.
@Suite struct ResourceLimitsTests {
    private static let none = ResourceLimits(openFiles: .max, addressSpace: .max, data: .max, fileBytes: .max)

    private func error(_ change: (inout ResourceLimits) -> Void) -> EpitopeError? {
        var limits = Self.none
        change(&limits)
        do throws(EpitopeError) {
            try limits.check()
            return nil
        } catch {
            return error
        }
    }

    @Test func `each limit that is too low is named with its value, what is needed, and how it is raised`() {
        let files = error { $0.openFiles = 12 }
        #expect(files?.code == .limitTooLow)
        #expect(files?.message == "this process may have 12 open files, and needs 64 to protect a command")
        #expect(files?.remedy.contains("ulimit -n, LimitNOFILE of a unit") == true)
        #expect(error { $0.addressSpace = 300 << 20 }?.remedy.contains("ulimit -v, LimitAS") == true)
        #expect(error { $0.data = 20 << 20 }?.remedy.contains("ulimit -d, LimitDATA") == true)
        let enough = error { ($0.openFiles, $0.addressSpace, $0.data, $0.fileBytes) = (64, 512 << 20, 128 << 20, 0) }
        #expect(enough == nil)
    }

    @Test func `a short limit on files is told, and keeps nothing from being protected`() {
        #expect(Self.none.storageWarning == nil)
        var limits = Self.none
        limits.fileBytes = 8192
        #expect(limits.storageWarning?.code == .limitTooLow)
        #expect(limits.storageWarning?.message.contains("8192 bytes long: events and packets may not be stored") == true)
        #expect(throws: Never.self) { try limits.check() }
    }
}
