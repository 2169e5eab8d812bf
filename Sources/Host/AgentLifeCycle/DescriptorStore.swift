// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Descriptors that the service manager keeps while a service is started anew, however it ended (sd_notify(3), FDSTORE;
/// `FileDescriptorStoreMax=` of the unit says how many). It closes them once the service is stopped.
public struct DescriptorStore: Sendable {
    /// One that was kept for this process, close-on-exec.
    public struct Kept: Hashable, Sendable {
        public var name: String
        public var descriptor: Int32

        public init(name: String, descriptor: Int32) {
            self.name = name
            self.descriptor = descriptor
        }
    }

    /// Those that an earlier process of the service had kept; the receiver's to close.
    public let kept: [Kept]
    private let manager: ServiceManager

    /// The store of the manager that started this process; `nil`: none did. To be asked once, before descriptors are opened.
    public static func current() -> DescriptorStore? {
        guard let manager = ServiceManager.current else { return nil }
        let told = kept(
            process: ServiceManager.variable("LISTEN_PID"), count: ServiceManager.variable("LISTEN_FDS"),
            names: ServiceManager.variable("LISTEN_FDNAMES"), ownProcess: getpid())
        return DescriptorStore(kept: told.filter { fcntl($0.descriptor, F_SETFD, FD_CLOEXEC) == 0 }, manager: manager)
    }

    /// The first one that a service is given (SD_LISTEN_FDS_START).
    private static let first: Int32 = 3
    /// More is no number that a manager gives.
    private static let most: Int32 = 1 << 16

    /// What the variables say; nothing where they are another process's, or no numbers.
    static func kept(process: String?, count: String?, names: String?, ownProcess: Int32) -> [Kept] {
        guard process.flatMap({ Int32($0) }) == ownProcess, let count = count.flatMap({ Int32($0) }), 0..<most ~= count else { return [] }
        let names = (names ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return (0..<count).map { index in
            Kept(name: index < names.count ? String(names[Int(index)]) : "", descriptor: first + index)
        }
    }

    /// Has descriptors kept, as copies, until ``forget(_:)``; a listener of seccomp notifications, too, until nobody is left to
    /// notify of.
    ///
    /// - Parameter name: letters, digits and hyphens, for all of them.
    /// - Returns: whether the manager was told. It says nothing, even where it keeps none.
    public func keep(_ descriptors: [Int32], as name: String) -> Bool {
        manager.send("FDSTORE=1\nFDNAME=\(name)\n", descriptors: descriptors)
    }

    /// Has those of a name closed.
    public func forget(_ name: String) {
        _ = manager.send("FDSTOREREMOVE=1\nFDNAME=\(name)\n")
    }
}
