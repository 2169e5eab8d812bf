// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Synchronization

extension Array where Element: Sendable {
    /// The values of all elements, in their order, worked out on all processors. Blocks the thread meanwhile: not for one of Swift's pool.
    public func concurrentMap<Value: Sendable>(_ value: @Sendable (Element) -> Value) -> [Value] {
        let threads = ProcessInfo.processInfo.activeProcessorCount
        // Few are done sooner than another thread wakes up.
        guard count >= 4, threads > 1 else { return map(value) }
        return [Value](unsafeUninitializedCapacity: count) { buffer, made in
            // Each place is written by the one thread that took its number.
            nonisolated(unsafe) let values = buffer
            let next = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: Swift.min(threads, count)) { _ in
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < count else { return }
                    values.initializeElement(at: index, to: value(self[index]))
                }
            }
            made = count
        }
    }
}
