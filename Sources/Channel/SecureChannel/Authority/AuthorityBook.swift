// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Synchronization

/// The authorities of a center that serves, which a person's command may change meanwhile.
public final class AuthorityBook: Sendable {
    /// What a look at the file found.
    package enum Change: Sendable {
        /// There is a next authority; the key process has its key.
        case begun(AuthoritySuccessor)
        /// There is a next authority, and the key process hasn't read its key.
        case waitingForKey(AuthoritySuccessor)
        /// The next authority has taken the current one's place.
        case retired(AuthorityCertificate)
        /// Another file than before, which is none of these: the center was restored, or somebody put an earlier one back.
        case other
        case unreadable(EpitopeError)
        /// What this machine has was retired on another one: nobody is let in.
        case elsewhere(EpitopeError)
    }

    fileprivate struct State {
        /// Those that count: as the file has them, without those that were retired.
        var authorities: CenterAuthorities
        /// As the file has them.
        var read: CenterAuthorities
        /// Fingerprints of the authorities that were retired, by whichever machine of the center.
        var retired: Set<String> = []
        /// Why none of the file's counts.
        var elsewhere: EpitopeError?
        /// Whether the key process has the next one's key.
        var isNextReady = false
        /// The file that was read last.
        var file: FileIdentity?
        var toldWaiting = false
        /// The authority of the certificate that the server shows.
        var presented: [UInt8]?
    }

    private let state: Mutex<State>

    public init(_ authorities: CenterAuthorities) {
        state = Mutex(State(authorities: authorities, read: authorities))
    }

    /// - Parameters:
    ///   - read: as the file has them.
    ///   - retired: fingerprints of those that were retired, by whichever machine of the center, in hexadecimal digits.
    /// - Throws: `authority-elsewhere`.
    public init(_ read: CenterAuthorities, without retired: Set<String>) throws(EpitopeError) {
        state = Mutex(State(authorities: try read.without(retired), read: read, retired: retired))
    }

    /// Those that count.
    public var authorities: CenterAuthorities { state.withLock { $0.authorities } }

    /// Why nobody is let in: what this machine has was retired on another one.
    package var elsewhere: EpitopeError? { state.withLock { $0.elsewhere } }

    private func requireHere() throws(EpitopeError) {
        if let elsewhere { throw elsewhere }
    }

    /// The authority that an enrolled host's certificate is to come from: the current one, which its token pins.
    ///
    /// - Throws: `authority-elsewhere`.
    package func enrolling() throws(EpitopeError) -> AuthorityCertificate {
        try requireHere()
        return authorities.current
    }

    /// The next authority, once certificates can come from it: what hosts and sites are told.
    package var announced: AuthoritySuccessor? { state.withLock { $0.isNextReady ? $0.authorities.next : nil } }

    /// The authority of the certificate that the server shows.
    package var presented: [UInt8] {
        get { state.withLock { $0.presented ?? $0.authorities.current.fingerprint } }
        set { state.withLock { $0.presented = newValue } }
    }

    /// The authority that a new certificate is to come from. The next one's only goes to who has said that it trusts it: anybody else could
    /// not use it.
    ///
    /// - Parameter trusted: fingerprints, in hexadecimal digits.
    /// - Throws: `authority-elsewhere`.
    package func issuing(to trusted: [String]) throws(EpitopeError) -> AuthorityCertificate {
        try requireHere()
        guard let next = announced?.certificate, trusted.contains(Hex.encode(next.fingerprint)) else { return authorities.current }
        return next
    }

    /// Makes sure that certificates of a peer's authority still count.
    ///
    /// - Throws: `certificate-foreign`, `authority-elsewhere`.
    package func requireAccepted(_ peer: PeerCertificate) throws(EpitopeError) {
        try requireHere()
        guard authorities.accepted.contains(where: { $0.fingerprint == peer.authority }) else { throw CenterAuthorities.retired }
    }

    /// Reads the file again where it has changed, leaves out what was retired, and asks for the next one's key where that is not there.
    ///
    /// - Parameter retired: as the center's machines have it together; `nil`: that can't be read now.
    /// - Returns: `nil`: nothing has changed.
    package func look(in directory: String, issuer: any CertificateIssuing, retired: Set<String>? = nil) async -> Change? {
        let found = FileIdentity(path: "\(directory)/\(AuthorityCertificate.file)")
        var read: CenterAuthorities?
        if found != state.withLock({ $0.file }) {
            do throws(EpitopeError) { read = try CenterAuthorities.load(from: directory) } catch {
                // It may be in the making, or another user's for a moment: it is read again.
                return .unreadable(error)
            }
        }
        let change = state.withLock { state -> Change? in
            (state.file, state.read) = (found, read ?? state.read)
            if let retired { state.retired = retired }
            return state.settle()
        }
        let (next, isReady, isTold) = state.withLock { ($0.authorities.next, $0.isNextReady, $0.toldWaiting) }
        guard let next, !isReady else { return change }
        let isThere = await issuer.hasKey(of: next.certificate)
        state.withLock { state in
            guard state.authorities.next == next else { return }
            (state.isNextReady, state.toldWaiting) = (isThere, true)
        }
        if isThere { return .begun(next) }
        return isTold ? change : .waitingForKey(next)
    }
}

extension AuthorityBook.State {
    /// Goes by what was read, and by what was retired.
    ///
    /// - Returns: what is new about it.
    fileprivate mutating func settle() -> AuthorityBook.Change? {
        do throws(EpitopeError) {
            let (before, now) = (authorities, try read.without(retired))
            elsewhere = nil
            guard now != before else { return nil }
            if now.next != before.next { (isNextReady, toldWaiting) = (false, false) }
            authorities = now
            if now == before.retired, before.next != nil { return .retired(before.current) }
            // What becomes of a next one is told with its key.
            return now.current == before.current && now.next != nil ? nil : .other
        } catch {
            defer { elsewhere = error }
            return elsewhere == nil ? .elsewhere(error) : nil
        }
    }
}
