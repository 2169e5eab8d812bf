// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A value that may be replaced while others work with it: each takes the current one when it begins something.
public final class LiveValue<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    public init(_ value: Value) { self.value = Mutex(value) }

    /// What whoever begins something now works with.
    public var current: Value {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}
