// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import SwiftASN1
import X509

/// The authorities of a center: one, but for the time in which it is replaced.
///
/// One file says it, so that it changes in one step: the current authority's certificate, then what belongs to its replacement. That is
/// the next authority with the current one's statement for it; or, once the next has become the current one, the former one with the
/// statement that it gave.
public struct CenterAuthorities: Sendable, Hashable {
    /// What certificates come from, but for those of who has said that it trusts the next one.
    public let current: AuthorityCertificate
    /// `nil`: none was made.
    public let next: AuthoritySuccessor?
    /// The one before, with the statement that it gave for the current one. No certificate of it counts.
    public let former: AuthoritySuccessor.Giver?

    /// An authority that is not being replaced.
    public init(_ authority: AuthorityCertificate) {
        (current, next, former) = (authority, nil, nil)
    }

    init(_ authority: AuthorityCertificate, next: AuthoritySuccessor) {
        (current, self.next, former) = (authority, next, nil)
    }

    /// After the next has taken the current one's place; as it is, where there is none.
    var retired: CenterAuthorities {
        guard let next else { return self }
        return CenterAuthorities(next: next, former: current)
    }

    /// As they are where some were retired, by whichever machine of the center: the next in the place of a current one that was.
    ///
    /// - Parameter retired: fingerprints, in hexadecimal digits.
    /// - Throws: `authority-elsewhere` where no other is here.
    public func without(_ retired: Set<String>) throws(EpitopeError) -> CenterAuthorities {
        func isRetired(_ authority: AuthorityCertificate) -> Bool { retired.contains(Hex.encode(authority.fingerprint)) }
        guard isRetired(current) else { return self }
        guard let next, !isRetired(next.certificate) else {
            throw EpitopeError(
                .authorityElsewhere,
                "the center's authority was retired, and the one in its place is not on this machine: this one has \(current)",
                remedy:
                    "copy authority-key.pem and authority.pem of the key's folder, and then authority/authority.pem, from the machine of this "
                    + "center on which `rotate-authority --retire` was given; where this is the only one, restore a backup from after it")
        }
        return self.retired
    }

    private init(next: AuthoritySuccessor, former: AuthorityCertificate) {
        (current, self.next) = (next.certificate, nil)
        self.former = AuthoritySuccessor.Giver(authority: former, statementPEM: next.statementPEM)
    }

    /// The authorities whose certificates count.
    public var accepted: [AuthorityCertificate] { [current] + (next.map { [$0.certificate] } ?? []) }

    /// The authority that a center's own certificate is to come from: the current one, which every host knows; the next one after its end.
    public func serving(nowMilliseconds: Int64) -> AuthorityCertificate {
        guard let next, nowMilliseconds > current.expiresMilliseconds else { return current }
        return next.certificate
    }

    /// The certificates as PEM.
    package var pem: String {
        let behind = next.map { [$0.certificate.pem, $0.statementPEM] } ?? former.map { [$0.authority.pem, $0.statementPEM] } ?? []
        return ([current.pem] + behind).joined()
    }

    /// The certificates that a server shows behind one of its own, so that who trusts any of these authorities finds it: the statement first,
    /// since of two certificates with one name and key the first is taken.
    func chainPEM(behind authority: AuthorityCertificate) -> [String] {
        let statement =
            if authority == next?.certificate { next?.statementPEM } else if authority == current { former?.statementPEM } else {
                nil as String?
            }
        return (statement.map { [$0] } ?? []) + [authority.pem]
    }

    /// Reads what ``pem`` gives.
    ///
    /// - Parameter path: of the file, for errors.
    /// - Throws: `certificate-malformed`.
    package init(parsing text: String, from path: String) throws(EpitopeError) {
        let malformed = EpitopeError(
            .certificateMalformed, "\(path) is not the certificate of an authority", remedy: "restore the file from a backup")
        let documents = (try? PEMDocument.parseMultiple(pemString: text)) ?? []
        var certificates: [Certificate] = []
        for document in documents { certificates.append(try PEM.certificate(document.pemString, from: path)) }
        guard let first = certificates.first, SuccessionRules.isAuthority(first) else { throw malformed }
        let current = try AuthorityCertificate(first)
        guard certificates.count > 1 else {
            self.init(current)
            return
        }
        guard certificates.count == 3, SuccessionRules.isAuthority(certificates[1]) else { throw malformed }
        let (other, statement) = (try AuthorityCertificate(certificates[1]), certificates[2])
        let statementPEM = try signing("encode a statement of the authority") { try PEM.text(statement) }
        if SuccessionRules.isStatement(statement, of: current.x509, for: other.x509) {
            self.init(current, next: AuthoritySuccessor(certificate: other, statementPEM: statementPEM))
        } else if SuccessionRules.isStatement(statement, of: other.x509, for: current.x509) {
            self.init(next: AuthoritySuccessor(certificate: current, statementPEM: statementPEM), former: other)
        } else {
            throw malformed
        }
    }

    /// Loads the authorities of a center's folder, or of its key's.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`; `certificate-expired`, `certificate-not-yet-valid` where none is in force.
    public static func load(
        from directory: String, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> CenterAuthorities {
        let path = "\(directory)/\(AuthorityCertificate.file)"
        guard let text = try PrivateFiles.load(path) else { throw AuthorityCertificate.missing(from: directory) }
        let loaded = try CenterAuthorities(parsing: text, from: path)
        try loaded.serving(nowMilliseconds: nowMilliseconds).requireInForce(nowMilliseconds: nowMilliseconds)
        return loaded
    }

    /// Writes the authorities' certificates, in one step.
    ///
    /// - Throws: `state-unwritable`.
    package func save(in directory: String) throws(EpitopeError) {
        try PrivateFiles.save(pem, to: "\(directory)/\(AuthorityCertificate.file)")
    }

    /// Checks a peer's certificate (DER) by the authority that issued it; see
    /// ``AuthorityCertificate/verify(certificateDER:nowMilliseconds:graceMilliseconds:)``.
    ///
    /// - Throws: as that does; `certificate-foreign` also for one of an authority that was retired.
    package func verify(
        certificateDER: [UInt8], nowMilliseconds: Int64, graceMilliseconds: Int64 = 0
    ) async throws(EpitopeError) -> PeerCertificate {
        let leaf = try? Certificate(derEncoded: certificateDER)
        if let leaf, let former, former.authority.hasSigned(leaf) { throw Self.retired }
        let authority = leaf.flatMap { leaf in accepted.first { $0.hasSigned(leaf) } } ?? current
        return try await authority.verify(
            certificateDER: certificateDER, nowMilliseconds: nowMilliseconds, graceMilliseconds: graceMilliseconds)
    }

    /// What a peer is answered whose certificate comes from an authority that was retired.
    static let retired = EpitopeError(
        .certificateForeign, "the certificate is from an authority of this center that was retired",
        remedy: "enrol again (`epitope enroll`, for a site `epitope local-center link`) with a new token")
}

extension EpitopeError.Code {
    /// The authority that a center has now is on another of its machines, and its files are not here.
    public static let authorityElsewhere = EpitopeError.Code("authority-elsewhere")
}
