// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A thread of its own for work that blocks in the kernel, which must never hold a thread of Swift's pool.
public enum DedicatedThread {
    /// The system has no room for another thread.
    public struct StartFailure: Error, Hashable, Sendable, CustomStringConvertible {
        /// Of pthread_create(3).
        public var errorNumber: Int32

        public var description: String { String(cString: strerror(errorNumber)) }
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// Starts the work. The thread ends with it; nobody waits for that.
    public static func start(_ body: @escaping @Sendable () -> Void) throws(StartFailure) {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        guard status == 0 else {
            work.release()
            throw StartFailure(errorNumber: status)
        }
        pthread_detach(thread)
    }
}
