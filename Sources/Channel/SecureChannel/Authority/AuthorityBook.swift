// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
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
    }

    private struct State {
        var authorities: CenterAuthorities
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
        state = Mutex(State(authorities: authorities))
    }

    /// As they were read last.
    public var authorities: CenterAuthorities { state.withLock { $0.authorities } }

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
    package func issuing(to trusted: [String]) -> AuthorityCertificate {
        guard let next = announced?.certificate, trusted.contains(Hex.encode(next.fingerprint)) else { return authorities.current }
        return next
    }

    /// Makes sure that certificates of a peer's authority still count.
    ///
    /// - Throws: `certificate-foreign`.
    package func requireAccepted(_ peer: PeerCertificate) throws(EpitopeError) {
        guard authorities.accepted.contains(where: { $0.fingerprint == peer.authority }) else { throw CenterAuthorities.retired }
    }

    /// Reads the file again where it has changed, and asks for the next one's key where that is not there.
    ///
    /// - Returns: `nil`: nothing has changed.
    package func look(in directory: String, issuer: any CertificateIssuing) async -> Change? {
        var change: Change?
        let found = FileIdentity(path: "\(directory)/\(AuthorityCertificate.file)")
        let before = state.withLock { ($0.file, $0.authorities) }
        if found != before.0 {
            do throws(EpitopeError) {
                let read = try CenterAuthorities.load(from: directory)
                state.withLock { state in
                    state.file = found
                    state.authorities = read
                    if read.next != before.1.next { (state.isNextReady, state.toldWaiting) = (false, false) }
                }
                if read != before.1 { change = Self.change(from: before.1, to: read) }
            } catch {
                // It may be in the making, or another user's for a moment: it is read again.
                return .unreadable(error)
            }
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

    private static func change(from before: CenterAuthorities, to read: CenterAuthorities) -> Change? {
        if read == before.retired, before.next != nil { return .retired(before.current) }
        // What becomes of it is told with its key.
        return read.current == before.current && read.next != nil ? nil : .other
    }
}
