// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import FileAccess
import Foundation
import HostFrontEnd
import HostPolicy
import ProcessContext
import SeccompBackend

/// Options of the agent for containers whose runtimes hand over their seccomp listeners.
struct ContainerOptions: ParsableArguments {
    static let defaultPath = "/run/epitope/seccomp.sock"

    @Option(
        help: ArgumentHelp(
            "A socket for container runtimes, such as \(defaultPath): critical calls of their containers are denied on every kernel.",
            valueName: "path"))
    var seccompListener: String?

    @Option(parsing: .unconditional, help: "The largest number of processes started by runtimes that are supervised at once.")
    var maxContainers = 512

    @Flag(help: "Protect only those containers: no eBPF program is loaded.")
    var containersOnly = false

    @Flag(help: "Print the value of linux.seccomp in a container's configuration (OCI) for --seccomp-listener, and exit.")
    var printSeccompProfile = false

    @Option(
        help: ArgumentHelp(
            "With --print-seccomp-profile: merge it into this profile, such as the engine's default one.", valueName: "file"))
    var into: String?

    @Flag(help: "With --print-seccomp-profile: signals wait until a call is answered. Needs crun 1.8 or runc 1.5.")
    var waitKillable = false

    func validate() throws {
        guard maxContainers > 0 else { throw ValidationError("--max-containers takes 1 or more") }
        guard !containersOnly || seccompListener != nil else {
            throw ValidationError("--containers-only needs --seccomp-listener")
        }
        guard printSeccompProfile || (into == nil && !waitKillable) else {
            throw ValidationError("--into and --wait-killable need --print-seccomp-profile")
        }
    }

    /// The largest profile that is read, in bytes.
    private static let maxProfileBytes = 1 << 20

    /// The profile that ``printSeccompProfile`` prints.
    func profile() throws -> String {
        let profile = SeccompProfile(
            listenerPath: seccompListener ?? Self.defaultPath, flags: waitKillable ? [.waitKillable] : [])
        guard let into else { return try profile.json }
        guard let file = FileHandle(forReadingAtPath: into), let base = try? file.read(upToCount: Self.maxProfileBytes + 1) else {
            throw EpitopeError(.profileUnusable, "\(into) can't be read", remedy: "name a file with a seccomp profile")
        }
        guard base.count <= Self.maxProfileBytes else {
            throw EpitopeError(.profileUnusable, "\(into) is longer than 1 MiB", remedy: "name a file with a seccomp profile")
        }
        return try profile.merged(into: Array(base))
    }

    /// Listens if an option says so, and adopts the containers that an earlier agent stored with the service manager.
    func start(
        policy: Policy, extraction: ExtractionSettings, keeper: ExclusionMonitor, context: ProcessContextCollector, store: DescriptorStore?
    ) throws -> SeccompAgent? {
        guard let seccompListener else {
            // Without a listener their calls would wait without an answer.
            for stored in store?.stored ?? [] {
                store?.remove(stored.name)
                close(stored.descriptor)
            }
            return nil
        }
        // Each supervised process takes up to a hundred descriptors; the usual soft limit is 1024.
        OpenFileLimit.raise()
        return try SeccompAgent(
            .init(
                path: seccompListener, policy: policy, extraction: extraction, maxProcesses: maxContainers, context: context,
                exclusions: keeper,
                store: store.map { store in
                    ContainerFDStore(
                        entries: store.stored.map { ($0.name, $0.descriptor) }, store: { store.store($0, as: $1) },
                        remove: { store.remove($0) })
                }))
    }
}
