// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc
import Scheduling
public import SecureChannel
import Synchronization

/// Has certificates signed by the process that has the authority's key. It connects anew when that process was started again.
public final class KeyClient: CertificateIssuing {
    /// How long an answer may take, in seconds: a signature takes a millisecond.
    private static let maxWaitSeconds = 5
    /// Between attempts to reach a process that does not answer.
    private static let retries = Backoff(initial: .milliseconds(50), maximum: .seconds(5))

    private let path: String
    private let authority: @Sendable () -> AuthorityCertificate
    /// Told of each change: that nobody answers, and why; `nil`: that somebody does.
    private let onChange: @Sendable (EpitopeError?) -> Void
    /// One order after the other: to sign is the key process's work, and it has one thread.
    private let queue = BlockingQueue(label: "epitope.center-key")
    private let state = Mutex(State())

    private struct State {
        var connection: Int32 = -1
        var retry = RetryState(KeyClient.retries)
        /// `nil`: nobody was asked yet.
        var isReachable: Bool?
    }

    /// - Parameters:
    ///   - path: the socket.
    ///   - authority: the current one, whose key must be there.
    public init(
        path: String, authority: @escaping @Sendable () -> AuthorityCertificate,
        onChange: @escaping @Sendable (EpitopeError?) -> Void = { _ in }
    ) {
        self.path = path
        self.authority = authority
        self.onChange = onChange
    }

    /// - Parameter connection: to a key process that is there for this client alone, which closes it in the end.
    init(connection: Int32, authority: AuthorityCertificate) {
        path = ""
        self.authority = { authority }
        onChange = { _ in }
        state.withLock { $0.connection = connection }
    }

    deinit {
        let connection = state.withLock { $0.connection }
        if connection >= 0 { close(connection) }
    }

    /// - Throws: `key-unavailable`, `signing-refused`, `signing-rationed`; `name-invalid`, `role-not-allowed`, `request-malformed`,
    ///   `certificate-expired` as an authority does.
    public func issue(_ order: CertificateOrder) async throws(EpitopeError) -> String {
        let answer = try await ask(KeyRequest(order: order))
        try answer.requireGranted()
        guard let certificate = answer.certificate else { throw KeyErrors.unavailable("it answers without a certificate") }
        return certificate
    }

    /// Has a manifest signed, by a process that is there for that.
    ///
    /// - Throws: `key-unavailable`, `signing-refused`, `agent-manifest-malformed`, `certificate-expired`.
    public func sign(_ manifest: AgentManifest) async throws(EpitopeError) -> SignedManifest {
        let answer = try await ask(KeyRequest(manifest: manifest.text))
        try answer.requireGranted()
        guard let signatures = answer.signatures else { throw KeyErrors.unavailable("it answers without a signature") }
        let signed = SignedManifest(manifest, signatures: signatures)
        try signed.verify(by: [authority()])
        return signed
    }

    /// Whether the key can be used now.
    ///
    /// - Throws: `key-unavailable`.
    public func check() async throws(EpitopeError) {
        _ = try await ask(KeyRequest())
    }

    public func hasKey(of authority: AuthorityCertificate) async -> Bool {
        (try? await ask(KeyRequest()))?.allAuthorities.contains(Hex.encode(authority.fingerprint)) ?? false
    }

    /// Waits until the key can be used, for a process that is started at the same time; not for longer than that takes.
    public func awaitStart(within limit: Duration = .seconds(10)) async {
        // That it is not there yet is nothing to tell. Who asks meanwhile would have to wait as well.
        await queue.run { [path] in
            let end = ContinuousClock.now + limit
            while .now < end, !Self.isListening(at: path) { usleep(20_000) }
        }
        try? await check()
    }

    /// - Throws: `key-socket-unusable` where there is no socket.
    public static func requireSocket(at path: String) throws(EpitopeError) {
        do throws(FileError) {
            guard try FileStatus(path: path).kind != .socket else { return }
        } catch {
            throw KeyErrors.socket(path, "\(error)")
        }
        throw KeyErrors.socket(path, "it is none")
    }

    private static func isListening(at path: String) -> Bool {
        guard let connection = try? KeySocket.connect(to: path, waiting: 1) else { return false }
        close(connection)
        return true
    }

    /// Looks again and again whether the key can be used, until the task is cancelled: health knows before somebody enrols.
    public func watch(every interval: Duration = .seconds(5)) async {
        while !Task.isCancelled {
            try? await check()
            try? await Task.sleep(for: interval)
        }
    }

    private func ask(_ request: KeyRequest) async throws(EpitopeError) -> KeyAnswer {
        try await queue.run { [self] () throws(EpitopeError) in
            // All who waited while nobody answered are told at once, instead of waiting for as long each.
            if let left = state.withLock({ $0.retry.remaining }) {
                throw KeyErrors.unavailable("the last attempt failed", retryAfterSeconds: Int(max(1, left.inMilliseconds / 1000)))
            }
            do throws(EpitopeError) {
                let answer = try exchange(request)
                note(nil)
                return answer
            } catch {
                note(error)
                throw error
            }
        }
    }

    private func note(_ failure: EpitopeError?) {
        let isNews = state.withLock { state in
            if failure == nil {
                state.retry.succeeded()
            } else {
                if state.connection >= 0 { close(state.connection) }
                state.connection = -1
                state.retry.failed()
            }
            defer { state.isReachable = failure == nil }
            return state.isReachable != (failure == nil)
        }
        if isNews { onChange(failure) }
    }

    private func exchange(_ request: KeyRequest) throws(EpitopeError) -> KeyAnswer {
        let answer: [UInt8]
        do {
            answer = try exchange(try ChannelJSON.encode(request))
        } catch {
            throw KeyErrors.unavailable("\(error)")
        }
        return try accepted(answer, from: request.order?.authority ?? Hex.encode(authority().fingerprint))
    }

    /// On the queue alone, which is why nobody else has the connection meanwhile.
    private func exchange(_ message: [UInt8]) throws(KeySocket.SystemFailure) -> [UInt8] {
        let open = state.withLock { $0.connection }
        if open >= 0 {
            do throws(KeySocket.SystemFailure) {
                return try answer(to: message, over: open)
            } catch {
                // One of an earlier process: the order is given once more, to the next. Who is only slow isn't asked again.
                guard error.number == ECONNRESET || error.number == EPIPE else { throw error }
                close(open)
                state.withLock { $0.connection = -1 }
            }
        }
        let connection = try KeySocket.connect(to: path, waiting: Self.maxWaitSeconds)
        state.withLock { $0.connection = connection }
        return try answer(to: message, over: connection)
    }

    private func answer(to message: [UInt8], over connection: Int32) throws(KeySocket.SystemFailure) -> [UInt8] {
        try KeySocket.send(message, over: connection)
        guard let answer = try KeySocket.receive(over: connection) else { throw KeySocket.SystemFailure(ECONNRESET) }
        return answer
    }

    private func accepted(_ bytes: [UInt8], from authority: String) throws(EpitopeError) -> KeyAnswer {
        guard let answer = try? ChannelJSON.decode(KeyAnswer.self, from: bytes) else {
            throw KeyErrors.unavailable("what answers is no key process")
        }
        guard answer.allAuthorities.contains(authority) else { throw KeyErrors.unavailable("it has the key of another authority") }
        return answer
    }
}
