// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
public import EpitopeModel
public import FileAccess
import Glibc
import Scheduling
public import SecureChannel

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

/// Keeps a host's agent running, in the version that its center hands out.
///
/// A new version is started beside the one that runs, and takes the kernel program over (`--replace`): at any moment one of both judges
/// calls. If it does not protect within its time, as well as the one before did, it is killed, and the one before goes on or is started again;
/// what the kernel program judges stays in force meanwhile. The center is told either way.
public actor AgentKeeper {
    /// What a keeper is started with.
    public struct Settings: Sendable {
        /// The host's state folder.
        public var stateFolder: String
        /// The agent's own options.
        public var agentOptions: [String]
        /// Between two questions at the center.
        public var interval: Duration
        /// For how long a new version has to protect until it counts as well.
        public var settleTime: Duration

        public init(
            stateFolder: String, agentOptions: [String] = [], interval: Duration = .seconds(60), settleTime: Duration = .seconds(5)
        ) {
            self.stateFolder = stateFolder
            self.agentOptions = agentOptions
            self.interval = interval
            self.settleTime = settleTime
        }

        /// Where the versions are, in the host's state folder.
        public static func shelfPath(in state: String) -> String { "\(state)/versions" }
        /// The name of the lock of a keeper.
        public static let lockFile = "keeper.lock"
    }

    /// Why the keeper ended.
    public enum End: Sendable {
        case stopped
        /// Another version of the keeper itself is to go on with the agent that runs.
        case handOver(program: FileAccess.FileDescriptor, agent: Int32)
    }

    private let shelf: AgentShelf
    private let settings: Settings
    private let client: EnrolledClient
    private let condition: @Sendable () -> AgentCondition?
    private let log: @Sendable (String) -> Void
    private var state: AgentShelf.State
    private var agent: AgentProcess?
    private var isTrying = false
    private var stopSignal: Int32?
    private var handOver: FileAccess.FileDescriptor?
    private var restart = RetryState(AgentKeeper.restarts)
    private var started = ContinuousClock.now
    /// How often the agent has ended by itself since the last update.
    private var failures = 0

    private static let restarts = Backoff(initial: .milliseconds(200), maximum: .seconds(30))
    private static let look = Duration.milliseconds(100)
    /// An agent that ran for so long has not failed to start.
    private static let steady = Duration.seconds(300)
    /// So many ends in a row, and the version before is run again.
    private static let maxFailures = 5
    private static let startTime = Duration.seconds(60)
    private static let endTime = Duration.seconds(30)
    /// Bounds on what a center says.
    private static let wellTimes = 5...3600

    /// - Parameters:
    ///   - adopting: an agent that this process has started already, before it executed another version of itself.
    ///   - condition: of the agent that runs.
    /// - Throws: `agent-not-installed`, `folder-not-private`, `folder-unusable`, `state-unwritable`.
    public init(
        _ settings: Settings, client: EnrolledClient, adopting: Int32? = nil, condition: @escaping @Sendable () -> AgentCondition?,
        log: @escaping @Sendable (String) -> Void
    ) throws(EpitopeError) {
        self.settings = settings
        self.client = client
        self.condition = condition
        self.log = log
        shelf = try AgentShelf(Settings.shelfPath(in: settings.stateFolder))
        guard let state = try shelf.state() else {
            throw EpitopeError(
                .agentNotInstalled, "no version of Epitope was handed out to this host",
                remedy: "install it with the command that `epitope local-center token --host NAME --center URL` prints at its center")
        }
        self.state = state
        agent = adopting.map { AgentProcess(identifier: $0) }
    }

    /// Works until it is stopped, or another version of this program is to go on.
    ///
    /// - Throws: `agent-tampered` where nothing that was signed is there to run; `state-unwritable`.
    public func run() async throws(EpitopeError) -> End {
        try noteInterruption()
        if agent == nil {
            let current = try startable()
            try start(current, replacing: isAgentThere)
        }
        let asking = Task { await self.askAgainAndAgain() }
        defer { asking.cancel() }
        while stopSignal == nil, handOver == nil {
            try await lookAfter()
            try? await Task.sleep(for: Self.look)
        }
        if let handOver, let agent { return .handOver(program: handOver, agent: agent.identifier) }
        agent?.signal(stopSignal ?? SIGTERM)
        if let agent, await !agent.end(within: Self.endTime) { log("the agent \(agent.identifier) has not ended by itself") }
        return .stopped
    }

    /// Ends the keeper and the agent, with the signal that the agent gets: SIGTERM ends protection, SIGUSR1 leaves it in force.
    public func stop(by signal: Int32) { stopSignal = stopSignal ?? signal }

    /// Passes a signal on to the agent.
    public func pass(_ signal: Int32) { agent?.signal(signal) }

    private var isAgentThere: Bool { AgentLock.holder(inFolder: settings.stateFolder) != nil }
}

/// The agent that runs.
extension AgentKeeper {
    /// A version was being tried when the keeper, or the machine, ended: nobody knows how it was.
    private func noteInterruption() throws(EpitopeError) {
        guard let number = state.trying else { return }
        try gaveBack(
            number,
            EpitopeError(
                .agentNotWell, "the host, or its keeper, ended while order \(number) was tried", remedy: "order the version again"))
    }

    /// The current version, or the one before where that isn't what was signed any more.
    private func startable() throws(EpitopeError) -> (AgentManifest, FileAccess.FileDescriptor) {
        do throws(EpitopeError) {
            return try program(of: state.current)
        } catch {
            guard let previous = state.previous else { throw error }
            let found = try program(of: previous)
            log("\(error)")
            try returnToPrevious(because: error)
            return found
        }
    }

    private func program(of number: Int64) throws(EpitopeError) -> (AgentManifest, FileAccess.FileDescriptor) {
        let manifest = try shelf.manifest(number, in: state)
        return (manifest, try shelf.open("epitope-agent", of: manifest))
    }

    private func start(_ found: (AgentManifest, FileAccess.FileDescriptor), replacing: Bool) throws(EpitopeError) {
        agent = try process(found, replacing: replacing)
        started = .now
        log("version \(found.0.version) runs as process \(agent?.identifier ?? 0), by order \(found.0.number)")
    }

    private func process(_ found: (AgentManifest, FileAccess.FileDescriptor), replacing: Bool) throws(EpitopeError) -> AgentProcess {
        try AgentProcess(
            executing: found.1,
            ["epitope-agent", "--state", settings.stateFolder] + settings.agentOptions + (replacing ? ["--replace"] : []))
    }

    /// Starts the agent again when it has ended by itself.
    private func lookAfter() async throws(EpitopeError) {
        guard !isTrying else { return }
        if let agent {
            guard let ending = agent.ending() else { return }
            self.agent = nil
            if ContinuousClock.now - started > Self.steady { (restart, failures) = (RetryState(Self.restarts), 0) }
            failures += 1
            restart.failed()
            log("the agent has ended by itself (\(ending)), and is started again; what it put into the kernel stays in force")
            if failures >= Self.maxFailures, state.previous != nil {
                failures = 0
                try returnToPrevious(
                    because: EpitopeError(
                        .agentNotWell, "the agent ended \(Self.maxFailures) times (\(ending))", remedy: "look at the host's log"))
            }
        }
        guard restart.remaining == nil else { return }
        do throws(EpitopeError) {
            try start(startable(), replacing: isAgentThere)
        } catch {
            restart.failed()
            log("\(error)")
        }
    }

    private func returnToPrevious(because error: EpitopeError) throws(EpitopeError) {
        guard let previous = state.previous else { return }
        let failed = state.current
        (state.current, state.previous) = (previous, nil)
        try gaveBack(failed, error)
    }

    private func gaveBack(_ number: Int64, _ error: EpitopeError) throws(EpitopeError) {
        state.trying = nil
        state.highest = max(state.highest, number)
        try tell(.returned, about: number, error)
        log("order \(number) is given back: \(error)")
    }

    /// Remembers what the center is to be told.
    private func tell(_ what: AgentReport.State, about number: Int64, _ error: EpitopeError? = nil) throws(EpitopeError) {
        let version = try shelf.manifest(state.current, in: state).version
        state.report = AgentReport(version: version, number: state.current, about: number, state: what, failure: error)
        try shelf.save(state)
    }
}

/// What the center hands out.
extension AgentKeeper {
    private func askAgainAndAgain() async {
        // An agent that is starting is not replaced by another; one that never comes up may be mended by an update.
        let deadline = ContinuousClock.now + Self.startTime
        while !Task.isCancelled, .now < deadline, agent.map({ AgentLock.holder(inFolder: settings.stateFolder) != $0.identifier }) ?? true {
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
        let said = state.report ?? AgentReport(version: version, number: state.current)
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
        (state.trying, state.highest) = (manifest.number, max(state.highest, manifest.number))
        try shelf.save(state)
        let before = condition()
        isTrying = true
        defer { isTrying = false }
        log("version \(manifest.version) is tried, by order \(manifest.number)")
        let tried: AgentProcess
        do throws(EpitopeError) {
            try await checkKeeper(of: manifest)
            tried = try process(program(of: manifest.number), replacing: isAgentThere)
        } catch {
            return try gaveBack(manifest.number, error)
        }
        do throws(EpitopeError) {
            try await awaitWell(tried, manifest, notBelow: before?.rank ?? 0, within: limit)
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

    /// The other version's own keeper is to come up, too: it is what goes on.
    private func checkKeeper(of manifest: AgentManifest) async throws(EpitopeError) {
        let program = try shelf.open("epitope", of: manifest)
        let check = try AgentProcess(executing: program, ["epitope", "host", "keep", "--check", "--state", settings.stateFolder])
        var status: Int32 = 0
        let deadline = ContinuousClock.now + Self.endTime
        while waitpid(check.identifier, &status, WNOHANG) == 0 {
            guard .now < deadline else {
                check.signal(SIGKILL)
                break
            }
            try? await Task.sleep(for: Self.look)
        }
        guard status != 0 else { return }
        throw EpitopeError(
            .agentNotWell, "the keeper of version \(manifest.version) does not run on this host (status \(status))",
            remedy: "see whether the version is built for this distribution: its libraries may be missing")
    }

    private func awaitWell(
        _ tried: AgentProcess, _ manifest: AgentManifest, notBelow rank: Int, within limit: Duration
    ) async throws(EpitopeError) {
        let deadline = ContinuousClock.now + limit
        var wellSince: ContinuousClock.Instant?
        while true {
            if let ending = tried.ending() { throw Self.notWell(manifest, "its agent has ended (\(ending))") }
            let now = condition()
            let isWell =
                now?.processID == tried.identifier && (now?.rank ?? 0) >= rank && now?.version == manifest.version.description
                && AgentLock.holder(inFolder: settings.stateFolder) == tried.identifier
            wellSince = isWell ? wellSince ?? .now : nil
            if let wellSince, .now - wellSince >= settings.settleTime { return }
            guard .now < deadline, stopSignal == nil else {
                throw Self.notWell(
                    manifest, "it did not protect within \(limit)" + ((now?.rank).map { $0 < rank } == true ? " as well as before" : ""))
            }
            try? await Task.sleep(for: Self.look)
        }
    }

    private static func notWell(_ manifest: AgentManifest, _ why: String) -> EpitopeError {
        EpitopeError(
            .agentNotWell, "version \(manifest.version) was not well on this host: \(why)",
            remedy: "look at the host's log; the version before runs on")
    }
}

/// The first version on a host.
extension AgentKeeper {
    /// Puts the programs of a folder here, which a host was installed with.
    ///
    /// - Parameters:
    ///   - signed: their order.
    ///   - trusted: the authorities whose word counts on this host.
    /// - Throws: what ``OrderCheck/require(_:trusted:running:highest:architecture:)`` throws; `agent-tampered`, `agent-no-room`,
    ///   `folder-not-private`, `state-unwritable`.
    /// - Returns: where they are.
    public static func install(
        _ signed: SignedManifest, from folder: String, trusted: [AuthorityCertificate], inState state: String
    ) async throws(EpitopeError) -> String {
        let shelf = try AgentShelf(Settings.shelfPath(in: state))
        let before = try shelf.state()
        let running = before.flatMap { state in try? shelf.manifest(state.current, in: state).version }
        // One that is installed again by the same order is mended by that.
        let highest = (before?.highest ?? 0) - (before?.current == signed.manifest.number ? 1 : 0)
        try OrderCheck.require(signed, trusted: trusted, running: running, highest: min(highest, before?.highest ?? 0))
        try await shelf.add(signed) { (number, file) async throws(EpitopeError) in
            do {
                let descriptor = try FileAccess.FileDescriptor("\(folder)/\(file.name)", O_RDONLY | O_NOFOLLOW)
                let place = number * AgentManifest.partBytes
                return try DescriptorIO.bytes(descriptor.number, at: place, count: min(AgentManifest.partBytes, file.size - place))
            } catch {
                throw HandoutErrors.tampered(file.name, signed.manifest)
            }
        }
        var next = AgentShelf.State(current: signed.manifest.number, manifest: signed.manifest)
        if let before {
            next.highest = max(before.highest, next.current)
            next.accepted.merge(before.accepted) { new, _ in new }
            next.previous = before.current == next.current ? before.previous : before.current
        }
        try shelf.save(next)
        return "\(shelf.path)/\(AgentShelf.currentLink)"
    }
}

extension EpitopeError.Code {
    /// No version was handed out to this host.
    public static let agentNotInstalled = EpitopeError.Code("agent-not-installed")
}
