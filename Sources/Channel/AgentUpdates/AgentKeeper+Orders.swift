// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import EpitopeModel
import FileAccess
import Glibc
import Scheduling
import SecureChannel

/// What the center hands out.
extension AgentKeeper {
    /// How long an agent that is starting is waited for before the center is asked.
    private static let startTime = Duration.seconds(60)
    /// So many ends in a row, and the center is told at once.
    private static let failuresToTell = 3
    /// Bounds on what a center says.
    private static let wellTimes = 5...3600

    func askAgainAndAgain() async {
        // An agent that is starting is not replaced by another; one that never comes up may be mended by an update.
        let deadline = ContinuousClock.now + Self.startTime
        while !Task.isCancelled, .now < deadline, failures < Self.failuresToTell, !isLocking {
            try? await Task.sleep(for: Self.look)
        }
        while !Task.isCancelled {
            do throws(EpitopeError) {
                try await ask()
            } catch {
                log("the center could not be asked for this host's version, or what it handed out not be used: \(error)")
            }
            try? await Task.sleep(for: settings.interval)
        }
    }

    private func ask() async throws(EpitopeError) {
        let version = try shelf.manifest(state.current, in: state).version
        let said = condition(of: version)
        let answer = try await client.agentOrder(after: said)
        guard let text = answer.order else { return }
        let signed = try SignedManifest(text: text)
        do throws(EpitopeError) {
            guard let identity = await client.identity else { return }
            try OrderCheck.require(signed, trusted: identity.authorities(), running: version, highest: state.highest)
        } catch {
            // One that was heard of before has had its answer.
            if error.code != .agentReplayed { try refuse(signed.manifest, error) }
            throw error
        }
        do throws(EpitopeError) {
            try await shelf.add(signed) { [client] (number, file) async throws(EpitopeError) in
                try await client.agentPart(number, of: file.sha256)
            }
        } catch {
            // A center that can't be reached now may be later.
            if [.agentTampered, .agentNoRoom, .agentUnknown].contains(error.code) { try refuse(signed.manifest, error) }
            throw error
        }
        try await attempt(
            signed.manifest, within: .seconds(min(max(answer.wellSeconds ?? 120, Self.wellTimes.lowerBound), Self.wellTimes.upperBound)))
    }

    /// What the center is told: how the order fares that was handed out last, and that the agent protects, or doesn't.
    private func condition(of version: AgentVersion) -> AgentReport {
        let report = state.report ?? AgentReport(version: version, number: state.current)
        guard report.state == .well, report.about == state.current, !isProtecting else { return report }
        let why = lastEnding.map { "it has ended \(failures) times in a row, with \($0)" } ?? "it does not protect"
        return AgentReport(
            version: version, number: state.current, state: .refused,
            failure: EpitopeError(
                .agentNotWell, "the agent is not well on this host: \(why)", remedy: "look at the host's log: its options may be wrong"))
    }

    /// Whether the agent that was started judges calls.
    private var isProtecting: Bool { isLocking && condition()?.processID == agent?.identifier }

    /// Whether the agent that was started has the state folder's lock.
    private var isLocking: Bool { agent.map { AgentLock.holder(inFolder: settings.stateFolder) == $0.identifier } ?? false }

    private func refuse(_ manifest: AgentManifest, _ error: EpitopeError) throws(EpitopeError) {
        // A number that nobody signed must not keep this host from those that its authority signs.
        if ![EpitopeError.Code.agentUnsigned, .agentForeign, .agentSignatureWrong].contains(error.code) {
            state.highest = max(state.highest, manifest.number)
        }
        try tell(.refused, about: manifest.number, error)
    }

    /// Runs another version in the place of the one that runs, if it is well within its time.
    private func attempt(_ manifest: AgentManifest, within limit: Duration) async throws(EpitopeError) {
        state.accept(manifest)
        let highest = state.highest
        (state.trying, state.highest) = (manifest.number, max(state.highest, manifest.number))
        try shelf.save(state)
        let before = condition()
        isTrying = true
        defer { isTrying = false }
        log("version \(manifest.version) is tried, by order \(manifest.number)")
        let trial = AgentTrial(manifest: manifest, settings: settings, condition: condition)
        let tried: AgentProcess
        do throws(EpitopeError) {
            try await trial.checkKeeper(shelf.open("epitope", of: manifest))
            tried = try process(program(of: manifest.number), replacing: isAgentThere)
        } catch {
            return try gaveBack(manifest.number, error)
        }
        do throws(EpitopeError) {
            try await trial.awaitWell(tried, notBelow: before?.rank ?? 0, within: limit) { await self.stopSignal != nil }
        } catch  where stopSignal != nil {
            // That says nothing of the version: it is tried again.
            tried.signal(stopSignal ?? SIGTERM)
            if await !tried.end(within: Self.endTime) { log("the agent \(tried.identifier) has not ended by itself") }
            (state.trying, state.highest) = (nil, highest)
            return try shelf.save(state)
        } catch {
            tried.signal(SIGKILL)
            _ = await tried.end(within: Self.endTime)
            try gaveBack(manifest.number, error)
            // It goes on, if it was not replaced. Else what it has in the kernel is in force, and it takes that up again.
            if let agent, agent.ending() != nil { self.agent = nil }
            if agent == nil, stopSignal == nil { try start(startable(), replacing: isAgentThere) }
            return
        }
        if let agent, await !agent.end(within: Self.endTime) { agent.signal(SIGKILL) }
        agent = tried
        (started, failures, restart) = (.now, 0, RetryState(Self.restarts))
        (state.previous, state.current, state.trying) = (state.current, manifest.number, nil)
        try tell(.well, about: manifest.number)
        shelf.removeAll(but: [state.current, state.previous].compactMap(\.self))
        log("version \(manifest.version) protects, by order \(manifest.number)")
        // The keeper is of the version that it keeps.
        handOver = try shelf.open("epitope", of: manifest)
    }
}
