// SPDX-License-Identifier: Apache-2.0

/// Keeps the notifications of containers beyond this process, so that their calls wait for the next agent instead of failing:
/// the service manager's file descriptor store. Each container has two descriptors under one name: its notifications, and a
/// record in shared memory.
public struct ContainerFDStore: Sendable {
    /// The containers that an earlier agent stored. The descriptors are the receiver's to close.
    public var entries: [(name: String, descriptor: Int32)]
    /// Stores copies of descriptors under a name; `false` if that isn't possible.
    public var store: @Sendable (_ descriptors: [Int32], _ name: String) -> Bool
    /// Removes the descriptors of a name.
    public var remove: @Sendable (_ name: String) -> Void

    public init(
        entries: [(name: String, descriptor: Int32)], store: @escaping @Sendable (_ descriptors: [Int32], _ name: String) -> Bool,
        remove: @escaping @Sendable (_ name: String) -> Void
    ) {
        self.entries = entries
        self.store = store
        self.remove = remove
    }
}
