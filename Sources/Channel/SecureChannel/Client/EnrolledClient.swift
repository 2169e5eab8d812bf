// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
public import PacketCoding
import Scheduling
public import Signatures

/// A client by the identity in a folder, for as long as a program runs: years, for a service.
///
/// The file is looked at before each use: who enrols again, or another program that renewed the certificate, need not restart
/// this one. A file that can't be used leaves the identity that is in use. The certificate is renewed in time, and after its end
/// for as long as the center allows it; what fails is told, and tried again.
public actor EnrolledClient {
    /// What happened to the identity.
    public enum Event: Hashable, Sendable {
        case renewed(untilMilliseconds: Int64)
        case renewalFailed(EpitopeError, untilMilliseconds: Int64)
        /// An identity was read that was stored after this client had begun, by another program.
        case adopted(Identity, untilMilliseconds: Int64)
        /// The site has other centers now, as one of them told.
        case moved(CenterList)
        /// The stored identity can't be used.
        case unusable(EpitopeError)
        /// The center refuses the identity.
        case refused(EpitopeError)
        /// Other authorities are trusted than before, or are not.
        case authority(AuthorityChange)
    }

    let directory: String
    private let note: SenderNote.Source
    private let schedule: RenewalSchedule
    let spread: Double
    let clock: @Sendable () -> Int64
    let onEvent: @Sendable (Event) -> Void
    private let onAnswer: @Sendable () -> Void

    private var client: CenterClient?
    /// The file that was read last, whether or not it could be used.
    private var file: FileIdentity?
    private var hasLooked = false
    /// Why the stored identity can't be used; `nil`: it can, or there is none.
    public private(set) var fault: EpitopeError?
    /// Why the certificate could not be renewed; `nil` after a success.
    public private(set) var renewalFailure: EpitopeError?
    private var renewal: Task<Bool, Never>?
    private var renewalRetry = RetryState(RenewalSchedule.retries)
    private var nextRenewal: ContinuousClock.Instant?
    private var warmingRetry = RetryState(EnrolledClient.warmingRetries)
    /// When the center is asked again, by its own advice.
    private var nextWarming: ContinuousClock.Instant?
    var told = ToldFailures()
    /// From when on a certificate of the next authority is asked for, by the clock; `nil`: the center says nothing of one.
    var followingDue: Int64?

    /// A center that refuses this identity is asked less and less often whether it still does.
    private static let warmingRetries = Backoff(initial: .seconds(60), maximum: .hours(1))

    /// A look that comes a moment too early counts as in time.
    private static let lookTolerance = Duration.seconds(2)

    /// - Parameters:
    ///   - directory: where enrolment stores the identity. There need not be one yet.
    ///   - note: what it says of itself to the center, asked with each request.
    ///   - clock: by which certificates are judged.
    ///   - spread: this program's part of the time over which hosts spread their renewals, and their looks at a busy center; 0 to 1.
    ///   - onEvent: told of everything that becomes of the identity; of a failure that lasts, once a day.
    ///   - onAnswer: told each time that the center has let this identity in, when ``maintain(every:)`` asks for that.
    public init(
        directory: String, note: @escaping SenderNote.Source = { .own() }, clock: @escaping @Sendable () -> Int64 = ChannelClock.system,
        spread: Double = .random(in: 0...1),
        onEvent: @escaping @Sendable (Event) -> Void = { _ in }, onAnswer: @escaping @Sendable () -> Void = {}
    ) {
        self.directory = directory
        self.note = note
        self.clock = clock
        schedule = RenewalSchedule(spread: spread)
        self.spread = spread
        self.onEvent = onEvent
        self.onAnswer = onAnswer
    }

    /// The identity in use; `nil` where this machine is not enrolled, or its identity could never be used.
    public var identity: StoredIdentity? { client?.identity }

    /// Sends an extracted packet; as ``CenterClient/send(_:)``.
    public func send(_ packet: EncodedPacket) async throws(EpitopeError) -> Receipt {
        try await use { (client) async throws(EpitopeError) in try await client.send(packet) }
    }

    /// As ``CenterClient/forward(_:)``.
    public func forward(_ forward: ForwardedPacket) async throws(EpitopeError) -> Receipt {
        try await use { (client) async throws(EpitopeError) in try await client.forward(forward) }
    }

    /// As ``CenterClient/publish(_:)``.
    public func publish(_ update: SignatureUpdate) async throws(EpitopeError) -> Receipt {
        try await use { (client) async throws(EpitopeError) in try await client.publish(update) }
    }

    /// As ``CenterClient/updates(after:waitSeconds:)``.
    public func updates(after position: FeedPosition, waitSeconds: Int) async throws(EpitopeError) -> FeedPage {
        try await use { (client) async throws(EpitopeError) in try await client.updates(after: position, waitSeconds: waitSeconds) }
    }

    /// Tells the center what this host held back; as ``CenterClient/report(_:)``.
    public func report(_ counts: WithheldCounts) async throws(EpitopeError) {
        try await use { (client) async throws(EpitopeError) in try await client.report(counts) }
    }

    /// Looks after the identity and keeps a connection open, as the center advises, until the task is cancelled.
    public func maintain(every interval: Duration = .seconds(30)) async {
        while !Task.isCancelled {
            await lookAfter()
            try? await Task.sleep(for: interval)
        }
    }

    /// Reads a changed identity, renews a certificate that is due, and opens a connection.
    public func lookAfter() async {
        guard let client = try? await current() else { return }
        await renewIfDue(client)
        guard warmingRetry.remaining == nil, nextWarming.map({ $0 <= .now }) ?? true else { return }
        do throws(EpitopeError) {
            let answer = try await client.warmUp()
            nextWarming = .now + answer.advice.delay(spread: spread) - Self.lookTolerance
            warmingRetry.succeeded()
            if let centers = answer.centers { await use(centers, client) }
            told.recovered(from: .refusal)
            onAnswer()
            await follow(answer.authority, client)
        } catch {
            if await returnToFormer(client, because: error) { return }
            // A center that doesn't answer is the next packet's to find.
            guard EpitopeError.Code.senderRefusals.contains(error.code) else { return }
            warmingRetry.failed()
            if told.isNews(.refusal, error, nowMilliseconds: clock()) { onEvent(.refused(error)) }
        }
    }

    /// Stores the list of centers that the center told. Where it can't be stored it is told again with the next look.
    private func use(_ centers: CenterList, _ client: CenterClient) async {
        let identity = client.identity
        do throws(EpitopeError) {
            if try await replace(client, identity, by: identity.at(centers)) { onEvent(.moved(centers)) }
        } catch {
            if told.isNews(.file, error, nowMilliseconds: clock()) { onEvent(.unusable(error)) }
        }
    }

    /// Closes the connections. Requests under way fail with `center-unreachable`.
    public func shutdown() async {
        await client?.shutdown()
    }

    func use<Value: Sendable>(
        _ request: @Sendable (CenterClient) async throws(EpitopeError) -> Value
    ) async throws(EpitopeError) -> Value {
        let client = try await current()
        await renewIfDue(client)
        var (isReturned, isRenewed) = (false, false)
        while true {
            do {
                return try await request(client)
            } catch {
                // The former certificate, which is used again, may have to be renewed at once.
                if !isReturned, await returnToFormer(client, because: error) {
                    isReturned = true
                } else if !isRenewed, error.code == .certificateExpired, await renew(client) {
                    isRenewed = true
                } else {
                    throw error
                }
            }
        }
    }
}

/// The identity's file.
extension EnrolledClient {
    /// The client by the identity that is stored now.
    ///
    /// - Throws: `destination-unknown`; or why the stored identity can't be used and there is no earlier one.
    func current() async throws(EpitopeError) -> CenterClient {
        let found = FileIdentity(path: StoredIdentity.path(in: directory))
        if !hasLooked || found != file {
            let isFirst = !hasLooked
            hasLooked = true
            file = found
            await read(isFirst: isFirst)
        }
        if let client { return client }
        throw fault
            ?? EpitopeError(
                .destinationUnknown, "this machine is not enrolled: \(directory) has no identity",
                remedy: "enrol it (`epitope enroll`); what waits is sent then")
    }

    /// Stores another form of an identity, unless another program did so meanwhile, or somebody removed the file, which takes this machine
    /// out.
    ///
    /// - Returns: whether it is in use now.
    func replace(_ client: CenterClient, _ identity: StoredIdentity, by next: StoredIdentity) async throws(EpitopeError) -> Bool {
        let lock = RenewalLock(in: directory)
        guard lock.isHeld else { return false }
        defer { lock.release() }
        _ = try await current()
        guard client.identity.certificatePEM == identity.certificatePEM, client.identity.trust == identity.trust, file != nil else {
            return false
        }
        try next.save(in: directory)
        try await client.adopt(next)
        noteOwnFile()
        return true
    }

    /// Says that this program has written the file itself.
    private func noteOwnFile() { file = FileIdentity(path: StoredIdentity.path(in: directory)) }

    private func read(isFirst: Bool) async {
        do throws(EpitopeError) {
            // A file that was removed leaves the identity in use: there is nothing better.
            guard let stored = try StoredIdentity.loadIfEnrolled(from: directory) else { return }
            let used = client?.identity
            if let client, let used, stored.certificatePEM == used.certificatePEM {
                // Another program that shares the identity stored the list of centers, or what is trusted.
                if stored.centers != used.centers || stored.trust != used.trust { try await client.adopt(stored) }
                return fault = nil
            }
            if let client {
                try await client.adopt(stored)
            } else {
                client = try CenterClient(stored, note: note)
            }
            if !isFirst { onEvent(.adopted(stored.subject, untilMilliseconds: stored.expiresMilliseconds)) }
            fault = nil
            renewalFailure = nil
            renewalRetry.succeeded()
            nextRenewal = nil
            warmingRetry.succeeded()
            nextWarming = nil
            told = ToldFailures()
        } catch {
            fault = error
            if told.isNews(.file, error, nowMilliseconds: clock()) { onEvent(.unusable(error)) }
        }
    }
}

/// Renewal.
extension EnrolledClient {
    func renewIfDue(_ client: CenterClient) async {
        let identity = client.identity
        guard schedule.isDue(identity, nowMilliseconds: clock()) || isFollowingDue(identity) else { return }
        if let nextRenewal, nextRenewal > .now { return }
        _ = await renew(client)
    }

    /// Gets a new certificate, or waits for the attempt that is under way.
    ///
    /// - Returns: whether there is a new one.
    private func renew(_ client: CenterClient) async -> Bool {
        if let renewal { return await renewal.value }
        let attempt = Task { await attemptRenewal(client) }
        renewal = attempt
        defer { renewal = nil }
        return await attempt.value
    }

    private func attemptRenewal(_ client: CenterClient) async -> Bool {
        let before = client.identity.certificatePEM
        do throws(EpitopeError) {
            // Of all programs that share the identity one renews it, and the others read it.
            let lock = RenewalLock(in: directory)
            guard lock.isHeld else { return false }
            defer { lock.release() }
            _ = try await current()
            guard client.identity.certificatePEM == before else { return true }
            // Who removed the file took this machine out.
            guard file != nil else { return false }
            let news = try await client.renew(storingIn: directory)
            noteOwnFile()
            lock.release()
            // Where it is one of the present authority again, as from a center that knows no other, that is not asked for at once.
            followingDue = client.identity.trust.successor == nil ? nil : clock() + RenewalSchedule.maxSpreadMilliseconds
            renewalFailure = nil
            renewalRetry.succeeded()
            nextRenewal = nil
            told = ToldFailures()
            onEvent(.renewed(untilMilliseconds: client.identity.expiresMilliseconds))
            await learn(news, client)
            return true
        } catch {
            // A center that knows nothing of this authority may know the former one, whose certificate may be due, too.
            if await returnToFormer(client, because: error) {
                return schedule.isDue(client.identity, nowMilliseconds: clock()) ? await attemptRenewal(client) : true
            }
            let until = client.identity.expiresMilliseconds
            renewalFailure = error
            nextRenewal =
                .now + schedule.delay(renewalRetry.failed(), expiresMilliseconds: until, nowMilliseconds: clock())
            if told.isNews(.renewal, error, nowMilliseconds: clock()) { onEvent(.renewalFailed(error, untilMilliseconds: until)) }
            return false
        }
    }
}

/// Which failures were told, so that one that lasts is told once a day.
struct ToldFailures: Sendable {
    enum Subject: Hashable, Sendable {
        case file
        case renewal
        case refusal
        case successor
    }

    private var news: [Subject: FailureNews] = [:]

    mutating func isNews(_ subject: Subject, _ error: EpitopeError, nowMilliseconds: Int64) -> Bool {
        news[subject, default: FailureNews()].isNews(error, nowMilliseconds: nowMilliseconds)
    }

    mutating func recovered(from subject: Subject) { news[subject]?.recovered() }
}
