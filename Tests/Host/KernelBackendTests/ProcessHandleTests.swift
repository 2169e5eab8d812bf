// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Testing

@testable import KernelBackend

@Suite struct ProcessHandleTests {
    /// A number that is closed twice may be another thread's file by then: here, one that does nothing but open files.
    @Test func `a handle that is refused is closed once`() async {
        let isOver = Atomic(false)
        async let lost = Task.detached {
            var lost = 0
            while !isOver.load(ordering: .relaxed) {
                let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
                if close(descriptor) != 0 { lost += 1 }
            }
            return lost
        }.value
        // This process, but by the time of another.
        for _ in 0..<20_000 { #expect(ProcessHandle(getpid(), startTime: 1) == nil) }
        isOver.store(true, ordering: .relaxed)
        #expect(await lost == 0)
    }
}
