// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentLifeCycle

/// Which folders can be trusted, by owner and mode.
@Suite struct FolderTrustTests {
    @Test func `folders are roots or ones own`() {
        func fault(_ owner: UInt32, _ mode: UInt32, last: Bool, user: UInt32 = 0) -> FolderTrust.Fault? {
            FolderTrust(owner: owner, mode: mode, isLast: last).fault(user: user)
        }
        #expect(fault(0, 0o755, last: false) == nil)
        #expect(fault(0, 0o700, last: true) == nil)
        #expect(fault(1000, 0o700, last: true) == .foreignOwner(1000))
        #expect(fault(1000, 0o755, last: false) == .foreignOwner(1000))
        #expect(fault(1000, 0o700, last: true, user: 1000) == nil)
        #expect(fault(0, 0o775, last: true) == .writableByOthers(0o775))
        #expect(fault(0, 0o757, last: false) == .writableByOthers(0o757))
        // /tmp may lie on the way, but is nothing to keep files in.
        #expect(fault(0, 0o1777, last: false) == nil)
        #expect(fault(0, 0o1777, last: true) == .writableByOthers(0o1777))
    }
}
