// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import Foundation
import HostFrontEnd
import HostPolicy
import ProcessContext
import SeccompBackend

/// Options of the agent for containers, whose runtimes hand their critical calls over.
struct ContainerOptions: ParsableArguments {
    static let usualPath = "/run/epitope/seccomp.sock"

    @Option(
        help: ArgumentHelp(
            "Listen here for container runtimes, such as at \(usualPath): critical calls of their containers are denied on every kernel.",
            valueName: "path"))
    var seccompListener: String?

    @Option(help: "How many processes that runtimes started are supervised at once.")
    var mostContainers = 512

    @Flag(help: "Protect nothing but those containers: no eBPF program is loaded.")
    var containersOnly = false

    @Flag(help: "Print what belongs into linux.seccomp of a container's configuration (OCI), for --seccomp-listener; then end.")
    var printSeccompProfile = false

    @Option(
        help: ArgumentHelp(
            "With --print-seccomp-profile: put it into this profile, such as the engine's default one.", valueName: "file"))
    var into: String?

    @Flag(help: "With --print-seccomp-profile: have signals wait until a call is answered. For crun 1.8, runc from 1.5 on.")
    var waitKillable = false

    func validate() throws {
        guard mostContainers > 0 else { throw ValidationError("--most-containers takes 1 or more") }
        guard !containersOnly || seccompListener != nil else {
            throw ValidationError("--containers-only needs --seccomp-listener")
        }
        guard printSeccompProfile || (into == nil && !waitKillable) else {
            throw ValidationError("--into and --wait-killable go with --print-seccomp-profile")
        }
    }

    /// The largest profile that is read.
    private static let largestProfile = 1 << 20

    /// What ``printSeccompProfile`` prints.
    func profile() throws -> String {
        let profile = SeccompProfile(
            listenerPath: seccompListener ?? Self.usualPath, flags: waitKillable ? [.waitKillable] : [])
        guard let into else { return try profile.json }
        guard let file = FileHandle(forReadingAtPath: into), let base = try file.read(upToCount: Self.largestProfile) else {
            throw EpitopeError(.profileUnusable, "\(into) can't be read", remedy: "Name a file with a seccomp profile.")
        }
        return try profile.merged(into: Array(base))
    }

    /// Listens, where that is asked for, and goes on with the containers that an earlier agent had the service manager keep.
    func start(policy: Policy, keeper: ExclusionMonitor, parameters: ProcessContextCollector, store: DescriptorStore?) throws
        -> SeccompAgent?
    {
        guard let seccompListener else {
            // Without a listener nobody would answer them.
            for kept in store?.kept ?? [] {
                store?.forget(kept.name)
                close(kept.descriptor)
            }
            return nil
        }
        // Each supervised process takes up to a hundred descriptors; the usual soft limit is 1024.
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        let settings = SeccompAgent.Settings(path: seccompListener, policy: policy, most: mostContainers)
        return try SeccompAgent(
            settings,
            keeper: store.map { store in
                ContainerFDStore(
                    kept: store.kept.map { ($0.name, $0.descriptor) }, keep: { store.keep($0, as: $1) }, forget: { store.forget($0) })
            },
            processParameters: { process, thread, container in
                parameters.inspect(
                    processID: process, threadID: thread, containerID: container.containerID, annotations: container.annotations)
            }, excluded: { keeper.excludedEvidence(of: $0) })
    }
}
