// SPDX-License-Identifier: Apache-2.0

import Dispatch
import FileAccess
import Glibc
import Scheduling
import Synchronization

/// Looks up which packages own files, beside the way of a packet: a search of a whole system's lists takes longer than a packet
/// may wait. One lookup after the other; what was found is kept.
final class PackageOwners: Sendable {
    typealias Owner = (package: String, version: String?)

    /// How many lookups wait at a time; beyond it nothing is looked up.
    static let maxWaiting = 32
    /// Of a lookup's thread (setpriority(2): of the calling thread, on Linux).
    private static let niceness: Int32 = 5

    private let queue = DispatchQueue(label: "epitope.package-owners")
    private let cache = Mutex(PackageCache())
    private let waiting = Mutex(0)
    /// An inspected process's files may be on a file system that never answers.
    private let bounded = BoundedWork()
    private let maxSeconds: Double

    /// - Parameter maxSeconds: how long one lookup may take.
    init(maxSeconds: Double) {
        self.maxSeconds = maxSeconds
    }

    /// Whether a file lies where packages put their files (Filesystem Hierarchy Standard). Others are looked up too, but hardly
    /// ever found: nobody should wait for that.
    static func isLikely(_ path: String) -> Bool {
        guard !path.hasPrefix("/usr/local/") else { return false }
        return ["/usr/", "/bin/", "/sbin/", "/lib", "/opt/", "/etc/", "/var/lib/"].contains { path.hasPrefix($0) }
    }

    /// A lookup that was begun.
    final class Lookup: Sendable {
        private let found = Mutex<Owner?>(nil)
        private let done = DispatchSemaphore(value: 0)
        private let answered = WakeUpSignal()

        fileprivate func complete(_ owner: Owner?) {
            found.withLock { $0 = owner }
            done.signal()
            answered.send()
        }

        /// Whether the answer is there, after so long a wait at most. The caller's thread waits.
        func isAnswered(withinSeconds seconds: Double) -> Bool { done.wait(timeout: .now() + seconds) == .success }

        /// `nil` where no package is known to own the file, or not yet.
        var owner: Owner? { found.withLock { $0 } }

        /// Waits for the answer, or until the task is cancelled.
        func answer() async -> Owner? {
            await answered.wait(after: 0)
            return owner
        }
    }

    /// Begins a lookup.
    ///
    /// - Parameter root: the folder that is `/` of the process that has the path from.
    func lookUp(_ path: String, in root: RootFolder) -> Lookup {
        let lookup = Lookup()
        let isTaken = waiting.withLock { waiting in
            guard waiting < Self.maxWaiting else { return false }
            waiting += 1
            return true
        }
        guard isTaken else {
            lookup.complete(nil)
            return lookup
        }
        queue.async { [self] in
            // A copy of the cache: work that never comes back must not hold it.
            let start = cache.withLock { $0 }
            let done = bounded.run(withinSeconds: maxSeconds) {
                // This thread ends with the lookup. What makes and sends the packet comes first.
                setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
                var cache = start
                let owner = cache.owner(of: path, root: root)
                return (owner: owner, cache: cache)
            }
            if let done { cache.withLock { $0 = done.cache } }
            waiting.withLock { $0 -= 1 }
            lookup.complete(done?.owner)
        }
        return lookup
    }
}

/// The owners of files that were looked up.
struct PackageCache: Sendable {
    /// How many files are known, and how many dpkg databases.
    private static let maxEntries = 256
    private static let maxDatabases = 4
    /// After so many searches of one database an index of it is worth its time.
    private static let maxSearches = 4

    /// What is known of dpkg in one state.
    private struct Database: Sendable {
        var owners: [String: PackageOwners.Owner?] = [:]
        var searches = 0
        var index: DpkgIndex?
    }

    /// By the identity of dpkg's status file: each root has its own, and a changed file has another identity.
    private var databases: [FileIdentity: Database] = [:]
    private var rpmOwners: [String: PackageOwners.Owner?] = [:]

    mutating func owner(of path: String, root: RootFolder) -> PackageOwners.Owner? {
        if let status = root.identity(DpkgFiles.status) {
            if databases[status] == nil, databases.count >= Self.maxDatabases { databases.removeAll() }
            if let owner = dpkgOwner(of: path, root, &databases[status, default: Database()]) { return owner }
        }
        // rpm is only queried for this process's own root: it knows no other.
        guard root.isOwn else { return nil }
        if let known = rpmOwners[path] { return known }
        let owner = RpmQuery.owner(of: path)
        if rpmOwners.count >= Self.maxEntries { rpmOwners.removeAll() }
        rpmOwners[path] = .some(owner)
        return owner
    }

    private func dpkgOwner(of path: String, _ root: RootFolder, _ database: inout Database) -> PackageOwners.Owner? {
        if let known = database.owners[path] { return known }
        if database.index == nil, database.searches >= Self.maxSearches { database.index = DpkgIndex(root: root) }
        database.searches += 1
        let owner = database.index.map { $0.owner(of: path, in: root) } ?? DpkgSearch.owner(of: path, in: root)
        if database.owners.count >= Self.maxEntries { database.owners.removeAll() }
        database.owners[path] = .some(owner)
        return owner
    }
}
