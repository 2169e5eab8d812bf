// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Scheduling

/// A thread that supervises: it waits in the kernel for the next call.
enum SupervisionThread {
    /// - Throws: `launch-failed`.
    static func start(_ body: @escaping @Sendable () -> Void) throws(EpitopeError) {
        do {
            try DedicatedThread.start(body)
        } catch {
            throw EpitopeError(
                .launchFailed, "no thread could be started: \(error)",
                remedy: "raise the limit on processes and threads (ulimit -u), or end some")
        }
    }
}
