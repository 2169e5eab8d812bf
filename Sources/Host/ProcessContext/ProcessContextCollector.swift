// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import FileAccess
import Foundation
import Scheduling
import Synchronization

/// Collects what a packet says of the process and the system, in two steps: what changes is read while the call is held;
/// the slower, stable facts (hash, package, distribution, C library) are added afterwards, from a cache. The package is looked
/// up beside the others, and only waited for as long as the caller likes.
public final class ProcessContextCollector: ProcessContextProviding {
    /// The largest executable that is hashed, in bytes.
    package static let maxHashedSize: Int64 = 1 << 30

    private let proc: String
    private let hostID: Mutex<String?>
    private let inspector: ProcessInspector
    private let files = Mutex(ProcessFileCache())
    private let cache = Mutex(FactCache())
    private let containers: ContainerFiles
    private let packages: PackageOwners
    /// Slow reads run here, not on the threads that Swift's tasks share.
    private let queue = BlockingQueue(label: "epitope.process-context")
    /// An inspected process's files may be on a file system that never answers.
    private let bounded = BoundedWork()
    private let maxSeconds: (inspection: Double, enrichment: Double)

    /// - Parameters:
    ///   - hostID: the host's identity as in its certificate; `nil` before it has one.
    ///   - proc: the process table; another folder in tests.
    ///   - containerRoot: a prefix of the paths of container engines' records; empty except in tests.
    ///   - maxInspectionSeconds: how long a process's files may keep it held.
    ///   - maxEnrichmentSeconds: how long hashing its program and searching its packages may take.
    public init(
        hostID: String?, proc: String = "/proc", containerRoot: String = "", maxInspectionSeconds: Double = 1,
        maxEnrichmentSeconds: Double = 30
    ) {
        self.hostID = Mutex(hostID)
        containers = ContainerFiles(root: containerRoot)
        self.proc = proc
        maxSeconds = (maxInspectionSeconds, maxEnrichmentSeconds)
        packages = PackageOwners(maxSeconds: maxEnrichmentSeconds)
        inspector = ProcessInspector(proc: proc)
    }

    /// The host has another identity from now on, such as by enrolling again.
    public func setHostID(_ hostID: String?) {
        self.hostID.withLock { $0 = hostID }
    }

    /// Reads what must be read while the process is held, and keeps its files open, so that ``enrich(_:)`` can read the
    /// rest after the process has ended.
    public func context(
        ofProcess processID: Int32, thread threadID: Int32, in container: ContainerReference? = nil
    ) -> ProcessParameters {
        var process = ProcessParameters(processID: processID, threadID: threadID)
        if let found = inspect(processID, threadID) {
            process = found.process
            files.withLock { $0.insert(found.files, for: process) }
        }
        if let container { process.add(container) }
        return process
    }

    /// Keeps the program's file open, so that ``enrich(_:)`` can read the rest.
    public func context(of process: ProcessParameters, atCall program: ProgramAtCall) -> ProcessParameters {
        let process = program.described(process)
        files.withLock { files in
            files.remove(process.processID)
            if let file = program.file.flatMap({ ProcessFileHandles(program: $0) }) { files.insert(file, for: process) }
        }
        return process
    }

    private func inspect(_ processID: Int32, _ threadID: Int32) -> (process: ProcessParameters, files: ProcessFileHandles)? {
        let (inspector, folder) = (inspector, "\(proc)/\(processID)")
        return bounded.run(withinSeconds: maxSeconds.inspection) {
            (inspector.inspect(processID: processID, threadID: threadID), ProcessFileHandles(folder: folder))
        }
    }

    /// Adds the facts that don't change from call to call. Facts that can't be read, or not in time, stay absent.
    public func enrich(_ process: ProcessParameters) async -> (process: ProcessParameters, system: SystemParameters) {
        let enriched = await enrich(process, maxPackageSeconds: nil)
        return (enriched.process, enriched.system)
    }

    /// What is known of a process and its system.
    public struct Enriched: Sendable {
        public var process: ProcessParameters
        public var system: SystemParameters
        /// Where the program's package is still being looked up.
        public var latePackage: LatePackage?
        /// The images that the process had mapped; `nil` where that isn't known any more.
        public var images: ProcessImages?
    }

    /// A package that is still being looked up. Once it is found, it is known for the next call of the program, too.
    public struct LatePackage: Sendable {
        fileprivate let lookup: PackageOwners.Lookup

        /// Waits for the answer, or until the task is cancelled.
        ///
        /// - Returns: `nil` where no package is known to own the program.
        public func owner() async -> (package: String, version: String?)? { await lookup.answer() }
    }

    /// As ``enrich(_:)``, without a long wait for the package.
    ///
    /// - Parameter maxPackageSeconds: how long the program's package is waited for, once the other facts are there, if the program
    ///   lies where packages have theirs; `nil`: wherever it lies, as long as the others may take.
    public func enrich(_ process: ProcessParameters, maxPackageSeconds: Double?) async -> Enriched {
        await queue.run {
            let files = self.files.withLock { $0.take(for: process) }
            var seconds = maxPackageSeconds ?? self.maxSeconds.enrichment
            if maxPackageSeconds != nil, let path = process.executable?.path, !PackageOwners.isLikely(path) { seconds = 0 }
            return self.enrichNow(process, files, maxPackageSeconds: seconds)
        }
    }

    /// Fills the cache with the facts of a process and of its system, so that its first packet need not wait for them.
    public func warmUp(forProcess processID: Int32) async {
        await queue.run {
            // Files of its own: those of a call of the same process are for its packet.
            guard let found = self.inspect(processID, processID) else { return }
            _ = self.enrichNow(found.process, found.files, maxPackageSeconds: 0)
        }
    }

    private func enrichNow(
        _ process: ProcessParameters, _ files: ProcessFileHandles?, maxPackageSeconds: Double
    ) -> Enriched {
        var system = SystemParameters(hostName: nil, hostID: hostID.withLock(\.self))
        let kernel = SystemName.current
        (system.hostName, system.kernelRelease) = (kernel.machine, kernel.kernelRelease)
        // A copy of the cache: work that never comes back must not hold it. The queue runs one at a time.
        let start = Enrichment(process: process, system: system, cache: cache.withLock { $0 })
        let (folder, containers, packages, places) = ("\(proc)/\(process.processID)", containers, packages, MachineFacts.Places(proc: proc))
        let done = bounded.run(withinSeconds: maxSeconds.enrichment) {
            var enrichment = start
            enrichment.addContainer(from: containers)
            enrichment.addMachine(places, build: kernel.kernelBuild)
            let files = files ?? ProcessFileHandles(folder: folder, expected: process)
            let lookup = files.flatMap { enrichment.addFacts(of: $0, packages: packages) }
            return (enrichment: enrichment, lookup: lookup, images: files?.images)
        }
        guard let done else { return Enriched(process: process, system: system) }
        cache.withLock { $0 = done.enrichment.cache }
        var enriched = Enriched(process: done.enrichment.process, system: done.enrichment.system)
        enriched.images = done.images
        guard let lookup = done.lookup else { return enriched }
        if !lookup.isAnswered(withinSeconds: maxPackageSeconds) { enriched.latePackage = LatePackage(lookup: lookup) }
        if let owner = lookup.owner {
            enriched.process.executable?.package = owner.package
            enriched.process.executable?.packageVersion = owner.version
        }
        return enriched
    }
}

extension ProcessParameters {
    /// Adds what a runtime says of the process's container.
    fileprivate mutating func add(_ reference: ContainerReference) {
        var stated = ContainerParameters(annotations: reference.annotations)
        if ContainerID.isID(reference.id) {
            containerID = reference.id
        } else if stated.name == nil {
            stated.name = reference.id
        }
        stated = stated.completed(by: container ?? ContainerParameters())
        container = stated.isEmpty ? nil : stated
    }
}
