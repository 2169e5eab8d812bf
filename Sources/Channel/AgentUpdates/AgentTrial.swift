// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import EpitopeModel
import FileAccess
import Glibc
import SecureChannel

/// How a running agent is, by its status file.
public struct AgentCondition: Hashable, Sendable {
    public var processID: Int32
    /// Of how calls are judged: the greater, the better.
    public var rank: Int
    public var version: String?

    public init(processID: Int32, rank: Int, version: String?) {
        self.processID = processID
        self.rank = rank
        self.version = version
    }
}

/// A version that is tried on a host: whether its keeper comes up, and whether its agent protects.
struct AgentTrial {
    let manifest: AgentManifest
    let settings: AgentKeeper.Settings
    /// Of the agent that runs.
    let condition: @Sendable () -> AgentCondition?

    /// The other version's own keeper is to come up, too: it is what goes on.
    ///
    /// - Parameter program: the version's command line.
    func checkKeeper(_ program: FileAccess.FileDescriptor) async throws(EpitopeError) {
        let check = try AgentProcess(executing: program, ["epitope", "host", "keep", "--check", "--state", settings.stateFolder])
        var status: Int32 = 0
        let deadline = ContinuousClock.now + AgentKeeper.endTime
        while waitpid(check.identifier, &status, WNOHANG) == 0 {
            guard .now < deadline else {
                check.signal(SIGKILL)
                waitpid(check.identifier, &status, 0)
                break
            }
            try? await Task.sleep(for: AgentKeeper.look)
        }
        guard status != 0 else { return }
        throw EpitopeError(
            .agentNotWell, "the keeper of version \(manifest.version) does not run on this host (status \(status))",
            remedy: "see whether the version is built for this distribution: its libraries may be missing")
    }

    /// Waits until the version's agent has protected for the settings' time.
    ///
    /// - Parameters:
    ///   - rank: as well as that, at least.
    ///   - isStopped: whether the keeper is to end.
    /// - Throws: `agent-not-well`.
    func awaitWell(
        _ tried: AgentProcess, notBelow rank: Int, within limit: Duration, unless isStopped: @Sendable () async -> Bool
    ) async throws(EpitopeError) {
        let deadline = ContinuousClock.now + limit
        var wellSince: ContinuousClock.Instant?
        while true {
            if let ending = tried.ending() { throw notWell("its agent has ended (\(ending))") }
            let now = condition()
            let isWell =
                now?.processID == tried.identifier && (now?.rank ?? 0) >= rank && now?.version == manifest.version.description
                && AgentLock.holder(inFolder: settings.stateFolder) == tried.identifier
            wellSince = isWell ? wellSince ?? .now : nil
            if let wellSince, .now - wellSince >= settings.settleTime { return }
            guard .now < deadline, await !isStopped() else {
                throw notWell(
                    "it did not protect within \(limit)" + ((now?.rank).map { $0 < rank } == true ? " as well as before" : ""))
            }
            try? await Task.sleep(for: AgentKeeper.look)
        }
    }

    private func notWell(_ why: String) -> EpitopeError {
        EpitopeError(
            .agentNotWell, "version \(manifest.version) was not well on this host: \(why)",
            remedy: "look at the host's log; the version before runs on")
    }
}
