// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Runs asynchronous work to its end while blocking the calling thread: the main thread, before Swift's own are started.
func runBlocking(_ work: @escaping @Sendable () async -> Void) {
    let done = DispatchSemaphore(value: 0)
    Task {
        await work()
        done.signal()
    }
    done.wait()
}
