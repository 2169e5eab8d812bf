// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import Synchronization

/// The policy in force. It may be replaced while supervisors use it; each call is judged by one policy.
final class CurrentPolicy: Sendable {
    private let policy: Mutex<Policy>

    init(_ policy: Policy) { self.policy = Mutex(policy) }

    var value: Policy { policy.withLock { $0 } }

    func replace(with policy: Policy) { self.policy.withLock { $0 = policy } }
}
