// SPDX-License-Identifier: Apache-2.0

import Glibc

/// File descriptors that the service manager stores while a service restarts, however it ended (sd_notify(3), FDSTORE; at most
/// `FileDescriptorStoreMax=` of the unit). The manager closes them once the service is stopped.
public struct DescriptorStore: Sendable {
    /// A descriptor that was stored for this process, close-on-exec.
    public struct StoredDescriptor: Hashable, Sendable {
        public var name: String
        public var descriptor: Int32

        public init(name: String, descriptor: Int32) {
            self.name = name
            self.descriptor = descriptor
        }
    }

    /// The descriptors that an earlier process of the service stored. The caller closes them.
    public let stored: [StoredDescriptor]
    private let manager: ServiceManager

    /// The store of the manager that started this process; `nil`: no manager did. Call this once, before descriptors are opened.
    public static func current() -> DescriptorStore? {
        ServiceManager.current.map { DescriptorStore(stored: passed(), manager: $0) }
    }

    /// The descriptors that the manager passed to this process: stored ones, and the sockets of a unit (sd_listen_fds(3)). Call this
    /// once, before descriptors are opened.
    public static func passed() -> [StoredDescriptor] {
        descriptors(
            process: ServiceManager.variable("LISTEN_PID"), count: ServiceManager.variable("LISTEN_FDS"),
            names: ServiceManager.variable("LISTEN_FDNAMES"), ownProcess: getpid()
        ).filter { fcntl($0.descriptor, F_SETFD, FD_CLOEXEC) == 0 }
    }

    /// The first descriptor that a service is passed (SD_LISTEN_FDS_START).
    private static let first: Int32 = 3
    /// A larger number doesn't come from a service manager.
    private static let maxCount: Int32 = 1 << 16

    /// Parses the variables; nothing if they are for another process, or malformed.
    static func descriptors(process: String?, count: String?, names: String?, ownProcess: Int32) -> [StoredDescriptor] {
        guard process.flatMap({ Int32($0) }) == ownProcess, let count = count.flatMap({ Int32($0) }), 0..<maxCount ~= count else {
            return []
        }
        let names = (names ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return (0..<count).map { index in
            StoredDescriptor(name: index < names.count ? String(names[Int(index)]) : "", descriptor: first + index)
        }
    }

    /// Stores copies of descriptors until ``remove(_:)``. A listener of seccomp notifications is also removed when no process is
    /// left under its filter.
    ///
    /// - Parameter name: letters, digits and hyphens, for all of them.
    /// - Returns: whether the message was sent. The manager doesn't confirm it, even if it stores none.
    public func store(_ descriptors: [Int32], as name: String) -> Bool {
        manager.send("FDSTORE=1\nFDNAME=\(name)\n", descriptors: descriptors)
    }

    /// Removes the descriptors of a name.
    public func remove(_ name: String) {
        _ = manager.send("FDSTOREREMOVE=1\nFDNAME=\(name)\n")
    }
}
