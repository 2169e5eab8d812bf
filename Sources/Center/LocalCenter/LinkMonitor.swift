// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Logging
public import SecureChannel
import Signatures
import Synchronization

/// How the link to the global center is, for a person: whoever looks need not be the process that has it.
public struct LinkStatus: Hashable, Sendable, Codable {
    /// What goes over the link.
    public enum Part: String, Hashable, Sendable, Codable, CaseIterable, CodingKeyRepresentable {
        /// Packets and updates of this site.
        case forwarding
        /// Updates of the global center.
        case subscription
        /// Whether this site's certificate is taken at all.
        case identity
    }

    /// Why a part fails.
    public struct Failure: Hashable, Sendable, Codable {
        public var code: String
        public var message: String
        public var remedy: String
        /// Milliseconds since 1970: of the first attempt that failed so, and of the latest.
        public var sinceMilliseconds: Int64
        public var latestMilliseconds: Int64
        public var attempts: Int

        init(_ error: EpitopeError, nowMilliseconds: Int64) {
            code = error.code.rawValue
            message = error.message
            remedy = error.remedy
            sinceMilliseconds = nowMilliseconds
            latestMilliseconds = nowMilliseconds
            attempts = 1
        }
    }

    /// The folder of the identity.
    public var directory: String
    /// The global center's address.
    public var center: String
    /// When the certificate in use was issued: by that it is told which enrolment this is about.
    public var issuedMilliseconds: Int64
    /// When the global center last answered a request; `nil`: it has not yet.
    public var answeredMilliseconds: Int64?
    public var failures: [Part: Failure] = [:]

    public init(of identity: StoredIdentity, in directory: String) {
        self.init(directory: directory, center: identity.centers.description, issuedMilliseconds: identity.issuedMilliseconds)
    }

    init(directory: String, center: String, issuedMilliseconds: Int64) {
        self.directory = directory
        self.center = center
        self.issuedMilliseconds = issuedMilliseconds
    }
}

/// Watches what becomes of the requests to the global center: what fails is logged once and then counted, and what there is to know
/// of the link is handed to whoever shows it.
public final class LinkMonitor: Sendable {
    private struct State {
        var status: LinkStatus?
        var saved: ContinuousClock.Instant?
    }

    /// Between two savings of what only counts on.
    private static let interval = Duration.seconds(10)

    let log: FailureLog
    private let state: Mutex<State>
    private let clock: @Sendable () -> Int64
    private let save: @Sendable (LinkStatus) -> Void

    /// - Parameters:
    ///   - status: the link, as it was last; `nil`: nothing is known of the identity yet.
    ///   - save: is handed the link's status when it has changed, in the order of the changes.
    public init(
        _ status: LinkStatus? = nil, logger: Logger, clock: @escaping @Sendable () -> Int64 = ChannelClock.system,
        save: @escaping @Sendable (LinkStatus) -> Void = { _ in }
    ) {
        state = Mutex(State(status: status))
        log = FailureLog(logger: logger)
        self.clock = clock
        self.save = save
        update { _ in true }
    }

    /// The link as it is now.
    public var status: LinkStatus? { state.withLock { $0.status } }

    /// Says that an identity was read, or its certificate renewed: what was said of the one before is over.
    public func identityChanged(to identity: StoredIdentity, in directory: String) {
        state.withLock { state in
            let before = state.status
            state.status = LinkStatus(of: identity, in: directory)
            if before?.center == state.status?.center { state.status?.answeredMilliseconds = before?.answeredMilliseconds }
        }
        update { _ in true }
        log.works(LinkStatus.Part.identity.rawValue)
    }

    /// Says that the global center turns this site away.
    public func refused(_ error: EpitopeError) {
        let error = error.advisingSite
        failed(.identity, error)
        log.failed(LinkStatus.Part.identity.rawValue, error)
    }

    /// Says that the global center has let this site in.
    public func answered() { answered(.identity) }

    func answered(_ part: LinkStatus.Part) {
        let now = clock()
        update { status in
            let isNews = status.answeredMilliseconds == nil || status.failures[part] != nil || status.failures[.identity] != nil
            status.answeredMilliseconds = now
            // Who answers one request has let this site in.
            for over in [part, .identity] { status.failures[over] = nil }
            return isNews
        }
        log.works(LinkStatus.Part.identity.rawValue)
    }

    func failed(_ part: LinkStatus.Part, _ error: EpitopeError) {
        let now = clock()
        update { status in
            var failure = LinkStatus.Failure(error, nowMilliseconds: now)
            let before = status.failures[part]
            if let before, before.code == failure.code {
                failure.sinceMilliseconds = before.sinceMilliseconds
                failure.attempts += before.attempts
            }
            status.failures[part] = failure
            return before?.code != failure.code
        }
    }

    /// - Parameter change: returns whether it is saved at once.
    private func update(_ change: (inout LinkStatus) -> Bool) {
        state.withLock { state in
            guard var status = state.status else { return }
            let isNews = change(&status)
            state.status = status
            guard isNews || state.saved.map({ .now - $0 >= Self.interval }) ?? true else { return }
            state.saved = .now
            // Within the lock, so that the last one is the latest. It is a small file, written without waiting for the disk.
            save(status)
        }
    }
}

/// The link, with its requests watched, and with errors that say what a site can do.
struct WatchedLink: GlobalCenterLink {
    let link: any GlobalCenterLink
    let monitor: LinkMonitor

    func forward(_ forward: ForwardedPacket) async throws(EpitopeError) -> Receipt {
        try await watching(.forwarding) { () async throws(EpitopeError) in try await link.forward(forward) }
    }

    func publish(_ update: SignatureUpdate) async throws(EpitopeError) -> Receipt {
        try await watching(.forwarding) { () async throws(EpitopeError) in try await link.publish(update) }
    }

    func updates(after position: FeedPosition, waitSeconds: Int) async throws(EpitopeError) -> FeedPage {
        try await watching(.subscription) { () async throws(EpitopeError) in
            try await link.updates(after: position, waitSeconds: waitSeconds)
        }
    }

    private func watching<Value: Sendable>(
        _ part: LinkStatus.Part, _ request: () async throws(EpitopeError) -> Value
    ) async throws(EpitopeError) -> Value {
        do {
            let value = try await request()
            monitor.answered(part)
            return value
        } catch {
            let error = error.advisingSite
            if error.isFinalForMessage {
                monitor.answered(part)
            } else if !Task.isCancelled {
                monitor.failed(part, error)
            }
            throw error
        }
    }
}

extension EpitopeError {
    /// The same error of the global center, or of the identity there, with what the operator of a site can do about it. The texts that
    /// come over the channel are for hosts.
    public var advisingSite: EpitopeError {
        let again = "link this site again (`epitope local-center link`) with a new token from the global center's operator"
        let remedy: String
        switch code {
        case .certificateExpired: remedy = "check the clocks of both centers; if they are right, \(again)"
        case .centerWrong: remedy = "check the address with the global center's operator; if it has another authority now, \(again)"
        case .revoked, .roleNotAllowed: remedy = "ask the global center's operator for the reason, then \(again)"
        case _ where Code.senderRefusals.contains(code): remedy = again
        default: return self
        }
        return EpitopeError(code, message, remedy: remedy, retryAfterSeconds: retryAfterSeconds)
    }
}

/// A log of what fails again and again: a failure is told at once, and then with how often it was repeated, at most once an hour.
final class FailureLog: Sendable {
    private struct Told {
        var time: ContinuousClock.Instant
        /// Repetitions since.
        var untold = 0
        /// What fails for that reason.
        var parts: Set<String>
    }

    private static let interval = Duration.seconds(3600)

    private let logger: Logger
    private let told = Mutex<[EpitopeError.Code: Told]>([:])

    init(logger: Logger) { self.logger = logger }

    func failed(_ part: String, _ error: any Error, now: ContinuousClock.Instant = .now) {
        let code = (error as? EpitopeError)?.code ?? .internalFailure
        let repeated: Int? = told.withLock { told in
            var entry = told[code] ?? Told(time: now, parts: [])
            defer { told[code] = entry }
            let isNew = entry.parts.isEmpty
            entry.parts.insert(part)
            guard isNew || now - entry.time >= Self.interval else {
                entry.untold += 1
                return nil
            }
            defer { (entry.time, entry.untold) = (now, 0) }
            return entry.untold
        }
        guard let repeated else { return }
        let since = repeated > 0 ? "; it failed so \(repeated) times since this was last said" : ""
        logger.error("a step of \(part) failed and will be tried again\(since): \(error)")
    }

    /// The next failure of that part is told again.
    func works(_ part: String) {
        let over = told.withLock { told in
            for code in told.keys { told[code]?.parts.remove(part) }
            defer { told = told.filter { !$0.value.parts.isEmpty } }
            return told.filter { $0.value.parts.isEmpty }
        }
        for (code, entry) in over {
            logger.notice(
                "\(part) works again: no more \(code.rawValue)\(entry.untold > 0 ? ", which came \(entry.untold) more times" : "")")
        }
    }
}
