// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProcessContext
import Scheduling
import Synchronization

/// The packages of programs whose packets did not wait for them: each is logged once it is found. As many are awaited as
/// lookups may wait (``ProcessContextCollector``).
final class PackageNames: Sendable {
    private let awaited = Mutex(0)
    private let news = WakeUpSignal()

    /// Logs the package of a packet's program when it comes; nothing where there is none.
    func add(_ late: ProcessContextCollector.LatePackage, of process: ProcessParameters, packet: String, to log: EventLog) {
        awaited.withLock { $0 += 1 }
        Task { [self] in
            if let owner = await late.owner() {
                log.append(
                    HostEvent(package: owner.package, version: owner.version, of: process, packet: packet, time: EventLog.now()))
            }
            awaited.withLock { $0 -= 1 }
            news.send()
        }
    }

    /// Returns when none is awaited any more, or the task is cancelled.
    func allCame() async {
        while true {
            let seen = news.count
            guard awaited.withLock({ $0 }) > 0, !Task.isCancelled else { return }
            await news.wait(after: seen)
        }
    }
}
