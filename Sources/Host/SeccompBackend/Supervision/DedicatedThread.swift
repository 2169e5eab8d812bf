// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc

/// A thread of its own for work that blocks in the kernel, which must never hold a thread of Swift's pool.
enum DedicatedThread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    static func start(_ body: @escaping @Sendable () -> Void) throws(EpitopeError) {
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
            throw EpitopeError(
                .launchFailed, "no thread could be started: \(String(cString: strerror(status)))",
                remedy: "Raise the limit on processes and threads (ulimit -u), or end some.")
        }
        pthread_detach(thread)
    }
}
