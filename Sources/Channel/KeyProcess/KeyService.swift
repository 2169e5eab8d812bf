// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
package import SecureChannel

/// What a key process signs: one thing. The one that a center asks never signs what hosts run, so whoever has taken over a center has
/// not taken over its hosts; the one that an operator's command asks signs no certificate.
public enum SigningPurpose: String, Hashable, Sendable, CaseIterable {
    case certificates
    case agents
}

/// Answers the orders of a center, within the bounds.
package struct KeyService {
    private let keys: AuthorityKeys
    private let purpose: SigningPurpose
    private var counts: SigningCounts
    private var log: (String) -> Void

    package init(
        _ keys: AuthorityKeys, _ bounds: SigningBounds, for purpose: SigningPurpose = .certificates, log: @escaping (String) -> Void
    ) {
        self.keys = keys
        self.purpose = purpose
        counts = SigningCounts(bounds, site: keys.current.certificate.site)
        self.log = log
    }

    /// - Parameters:
    ///   - message: as it came.
    ///   - nowMilliseconds: by this machine's clock.
    ///   - time: since any moment, by a clock that doesn't jump.
    /// - Returns: the answer; `nil` for what is no request: whoever sent it has nothing more to say here.
    package mutating func answer(_ message: [UInt8], nowMilliseconds: Int64, time: Duration) -> [UInt8]? {
        guard let request = try? ChannelJSON.decode(KeyRequest.self, from: message) else { return nil }
        var answer = KeyAnswer(authority: Hex.encode(keys.current.fingerprint), authorities: keys.fingerprints)
        if let order = request.order {
            do throws(EpitopeError) {
                answer.certificate = try sign(order, nowMilliseconds: nowMilliseconds, time: time)
            } catch {
                answer.refusal = Refusal(error)
                answer.retryAfterSeconds = error.retryAfterSeconds
                log("refused: \(Self.summary(order)) [\(error.code.rawValue)]")
            }
        }
        if let text = request.manifest {
            do throws(EpitopeError) {
                answer.signatures = try sign(manifest: text, nowMilliseconds: nowMilliseconds)
            } catch {
                answer.refusal = Refusal(error)
                log("refused: an order of a version for hosts [\(error.code.rawValue)]")
            }
        }
        return try? ChannelJSON.encode(answer)
    }

    /// Signs once, as in earnest, and throws the certificate away: so that what the libraries load at their first use is there.
    func rehearse() {
        var copy = self
        copy.log = { _ in }
        let now = ChannelClock.system()
        let order = CertificateOrder(
            .enrolment, for: Identity(role: .host, name: "rehearsal"), publicKey: P256.Signing.PrivateKey().publicKey.x963Representation,
            validityDays: 1, issuedMilliseconds: now)
        guard let message = try? ChannelJSON.encode(KeyRequest(order: order)) else { return }
        _ = copy.answer(message, nowMilliseconds: now, time: .zero)
        let digest = String(repeating: "0", count: 64)
        if let version = AgentVersion("0.0.0") {
            let manifest = AgentManifest(
                number: 1, kind: .update, version: version, architecture: .current,
                files: AgentManifest.fileNames.map { AgentManifest.File(name: $0, size: 1, sha256: digest) })
            _ = try? keys.sign(manifest)
        }
    }

    private func sign(manifest text: String, nowMilliseconds: Int64) throws(EpitopeError) -> [ManifestSignature] {
        guard purpose == .agents else { throw KeyErrors.refused("a version for hosts: only an operator's own command has that signed") }
        let manifest = try AgentManifest(text: text)
        let signatures = try keys.sign(manifest, nowMilliseconds: nowMilliseconds)
        log(
            "signed: version \(manifest.version) for \(manifest.architecture.rawValue) (\(manifest.kind.rawValue)), order \(manifest.number)"
        )
        return signatures
    }

    private mutating func sign(_ order: CertificateOrder, nowMilliseconds: Int64, time: Duration) throws(EpitopeError) -> String {
        guard purpose == .certificates else { throw KeyErrors.refused("a certificate: it is there for versions alone") }
        try order.check()
        try counts.admit(order, nowMilliseconds: nowMilliseconds, time: time)
        let certificate = try keys.issue(order)
        // Before it is given out.
        log("signed: \(Self.summary(order)), for \(order.validityDays) days")
        return certificate
    }

    /// Of what others write only a valid name is repeated.
    private static func summary(_ order: CertificateOrder) -> String {
        let name = Identity.isValidName(order.identity.name) ? order.identity.name : "(no valid name)"
        return "\(order.purpose.rawValue) of \(order.identity.role.rawValue) \(name)"
    }
}
