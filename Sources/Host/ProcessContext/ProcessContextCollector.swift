// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import Scheduling
import Synchronization

/// All that a packet says about the process and the system: the fast part while the call is held, the slower stable
/// facts (hash, package, distribution, C library) afterwards, from a cache.
public final class ProcessContextCollector: Sendable {
    /// The largest executable that is hashed.
    package static let largestHashed: Int64 = 1 << 30

    private let proc: String
    private let hostID: String?
    private let inspector: ProcessInspector
    private let held = Mutex(ProcessFileCache())
    private let cache = Mutex(FactCache())
    private let containers: ContainerFiles
    /// Slow reads run here, not on the threads that Swift's tasks share.
    private let queue = BlockingQueue(label: "epitope.process-context")
    /// Whoever is looked at may have its files served by somebody who never answers.
    private let bounded = BoundedWork()
    private let longest: (inspection: Double, completion: Double)

    /// - Parameters:
    ///   - hostID: the host's identity as in its certificate; `nil` before it has one.
    ///   - proc: where the process table is; another folder in tests.
    ///   - longestInspection: how many seconds a process's files may keep it held.
    ///   - longestCompletion: how many seconds hashing its program and asking its packages may take.
    ///   - containerRoot: put before the paths of what container engines write down; empty but in tests.
    public init(
        hostID: String?, proc: String = "/proc", containerRoot: String = "", longestInspection: Double = 1,
        longestCompletion: Double = 30
    ) {
        self.hostID = hostID
        containers = ContainerFiles(root: containerRoot)
        self.proc = proc
        longest = (longestInspection, longestCompletion)
        inspector = ProcessInspector(proc: proc)
    }

    /// Reads what has to be read while the process is held, and keeps a hold on its files, so that the rest can be
    /// read after the process has gone.
    public func inspect(processID: Int32, threadID: Int32) -> ProcessParameters {
        let (inspector, folder) = (inspector, "\(proc)/\(processID)")
        let found = bounded.run(withinSeconds: longest.inspection) {
            (process: inspector.inspect(processID: processID, threadID: threadID), files: ProcessFileHandles(folder: folder))
        }
        guard let found else { return ProcessParameters(processID: processID, threadID: threadID) }
        held.withLock { $0.insert(found.files, for: found.process) }
        return found.process
    }

    /// The same of a process whose container's runtime says which one it is.
    ///
    /// - Parameters:
    ///   - containerID: the runtime's name of the container.
    ///   - annotations: those of the container's configuration.
    public func inspect(
        processID: Int32, threadID: Int32, containerID: String, annotations: [String: String]
    ) -> ProcessParameters {
        var process = inspect(processID: processID, threadID: threadID)
        var container = ContainerParameters(annotations: annotations)
        if ContainerID.isID(containerID) {
            process.containerID = containerID
        } else if container.name == nil {
            container.name = containerID
        }
        container = container.completed(by: process.container ?? ContainerParameters())
        process.container = container.isEmpty ? nil : container
        return process
    }

    /// Adds what does not change from call to call. What can't be had, or not in time, stays absent.
    public func complete(_ process: ProcessParameters) async -> (process: ProcessParameters, system: SystemParameters) {
        await queue.run { self.completed(process) }
    }

    /// Fills the cache with this system's packages, so that the first packet need not wait for it.
    public func warmUp() async {
        let own = getpid()
        _ = await complete(inspect(processID: own, threadID: own))
    }

    private func completed(_ original: ProcessParameters) -> (process: ProcessParameters, system: SystemParameters) {
        var system = SystemParameters(hostName: nil, hostID: hostID)
        (system.hostName, system.kernelRelease) = Self.uname()
        let bare = system
        let held = held.withLock { $0.take(for: original) }
        // A copy: what never comes back must not have the cache. The queue lets one in at a time.
        let (known, folder, containers) = (cache.withLock { $0 }, "\(proc)/\(original.processID)", containers)
        let found = bounded.run(withinSeconds: longest.completion) {
            var cache = known
            var original = original
            if let id = original.containerID { original.container = Self.described(original.container, id, containers, &cache) }
            let completed = Self.completed(original, bare, held ?? ProcessFileHandles(folder: folder, expected: original), &cache)
            return (completed: completed, cache: cache)
        }
        guard let found else { return (original, bare) }
        cache.withLock { $0 = found.cache }
        return found.completed
    }

    private static func completed(
        _ original: ProcessParameters, _ bare: SystemParameters, _ files: ProcessFileHandles?, _ cache: inout FactCache
    ) -> (process: ProcessParameters, system: SystemParameters) {
        var (process, system) = (original, bare)
        guard let files else { return (process, system) }
        if let file = files.executable, var executable = process.executable {
            executable.sha256 = cache.hash(file)
            if let root = files.root, !files.isDeleted, let owner = cache.owner(of: executable.path, root: root) {
                (executable.package, executable.packageVersion) = owner
            }
            process.executable = executable
        }
        if let root = files.root {
            let distribution = Distribution(root: root)
            (system.distribution, system.distributionVersion) = (distribution.id, distribution.version)
        }
        system.libcVersion = files.libc.flatMap { cache.libcVersion($0.file, $0.library) }
        return (process, system)
    }

    /// What is known of a container with what its engine wrote down.
    private static func described(
        _ known: ContainerParameters?, _ id: String, _ containers: ContainerFiles, _ cache: inout FactCache
    ) -> ContainerParameters? {
        if let known, known.image != nil, known.name != nil { return known }
        let written = cache.container(id, files: containers)
        let both = (known ?? ContainerParameters()).completed(by: written ?? ContainerParameters())
        return both.isEmpty ? nil : both
    }

    private static func uname() -> (hostName: String?, kernelRelease: String?) {
        var names = utsname()
        guard Foundation.uname(&names) == 0 else { return (nil, nil) }
        func text<T>(_ field: T) -> String? {
            let text = withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return text.isEmpty ? nil : text
        }
        return (text(names.nodename), text(names.release))
    }
}
