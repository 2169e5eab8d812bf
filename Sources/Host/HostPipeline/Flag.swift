// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A flag that goes up once.
final class Flag: Sendable {
    private let raised = Mutex(false)

    var isSet: Bool { raised.withLock { $0 } }

    func set() {
        raised.withLock { $0 = true }
    }
}
