// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
public import EpitopeModel
public import FileAccess
import Glibc
import Scheduling
public import SecureChannel

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

    let shelf: AgentShelf
    let settings: Settings
    let client: EnrolledClient
    let condition: @Sendable () -> AgentCondition?
    let log: @Sendable (String) -> Void
    var state: AgentShelf.State
    var agent: AgentProcess?
    var isTrying = false
    public internal(set) var stopSignal: Int32?
    var handOver: FileAccess.FileDescriptor?
    var restart = RetryState(AgentKeeper.restarts)
    var started = ContinuousClock.now
    /// How often the agent has ended by itself since the last update.
    var failures = 0
    /// How it ended last.
    var lastEnding: String?

    static let restarts = Backoff(initial: .milliseconds(200), maximum: .seconds(30))
    static let look = Duration.milliseconds(100)
    /// An agent that ran for so long has not failed to start.
    private static let steady = Duration.seconds(300)
    /// So many ends in a row, and the version before is run again.
    private static let maxFailures = 5
    static let endTime = Duration.seconds(30)

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
        // A version that is being tried sees itself that the keeper is to end.
        while isTrying || (stopSignal == nil && handOver == nil) {
            try await lookAfter()
            try? await Task.sleep(for: Self.look)
        }
        if stopSignal == nil, let handOver, let agent { return .handOver(program: handOver, agent: agent.identifier) }
        agent?.signal(stopSignal ?? SIGTERM)
        if let agent, await !agent.end(within: Self.endTime) { log("the agent \(agent.identifier) has not ended by itself") }
        return .stopped
    }

    /// Ends the keeper and the agent, with the signal that the agent gets: SIGTERM ends protection, SIGUSR1 leaves it in force.
    public func stop(by signal: Int32) { stopSignal = stopSignal ?? signal }

    /// Passes a signal on to the agent.
    public func pass(_ signal: Int32) { agent?.signal(signal) }

    var isAgentThere: Bool { AgentLock.holder(inFolder: settings.stateFolder) != nil }
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
    func startable() throws(EpitopeError) -> (AgentManifest, FileAccess.FileDescriptor) {
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

    func program(of number: Int64) throws(EpitopeError) -> (AgentManifest, FileAccess.FileDescriptor) {
        let manifest = try shelf.manifest(number, in: state)
        return (manifest, try shelf.open("epitope-agent", of: manifest))
    }

    func start(_ found: (AgentManifest, FileAccess.FileDescriptor), replacing: Bool) throws(EpitopeError) {
        agent = try process(found, replacing: replacing)
        started = .now
        log("version \(found.0.version) runs as process \(agent?.identifier ?? 0), by order \(found.0.number)")
    }

    func process(_ found: (AgentManifest, FileAccess.FileDescriptor), replacing: Bool) throws(EpitopeError) -> AgentProcess {
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
            lastEnding = ending
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

    func gaveBack(_ number: Int64, _ error: EpitopeError) throws(EpitopeError) {
        state.trying = nil
        state.highest = max(state.highest, number)
        try tell(.returned, about: number, error)
        // It takes hundreds of megabytes, which the one that mends it needs.
        shelf.removeAll(but: [state.current, state.previous].compactMap(\.self))
        log("order \(number) is given back: \(error)")
    }

    /// Remembers what the center is to be told.
    func tell(_ what: AgentReport.State, about number: Int64, _ error: EpitopeError? = nil) throws(EpitopeError) {
        let version = try shelf.manifest(state.current, in: state).version
        state.report = AgentReport(version: version, number: state.current, about: number, state: what, failure: error)
        try shelf.save(state)
    }
}

extension EpitopeError.Code {
    /// No version was handed out to this host.
    public static let agentNotInstalled = EpitopeError.Code("agent-not-installed")
}
