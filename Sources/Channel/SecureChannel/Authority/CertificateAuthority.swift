// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import Glibc
import X509

/// A center's certificate authority, which issues the certificates of a site's hosts and centers: its certificate and its private
/// key. A center that serves has the certificate alone (``AuthorityCertificate``), and asks whoever has the key
/// (``CertificateIssuing``).
///
/// The key's folder (mode 0700) holds `authority.pem` and `authority-key.pem`, the center's holds `authority.pem` and `server.pem`,
/// the center's own key and certificate; the two may be one. Each file has mode 0600 and is replaced in one step. While an authority is
/// replaced, the first two hold what belongs to two of them (``CenterAuthorities``, ``AuthorityKeys``).
public struct CertificateAuthority: Sendable, CustomStringConvertible {
    public let certificate: AuthorityCertificate
    let key: Certificate.PrivateKey

    /// The authority's certificate, as PEM.
    public var certificatePEM: String { certificate.pem }
    /// SHA-256 of the authority's certificate as DER, which enrolment tokens pin.
    public var fingerprint: [UInt8] { certificate.fingerprint }

    /// An authority outlives many generations of the certificates that it issues.
    static let lifetimeDays = 3650

    /// The fingerprint. The key stays out of logs.
    public var description: String { certificate.description }

    package static let keyFile = "authority-key.pem"
    /// By how much every certificate is dated back, for clocks that are slow, and for a center's that is set back: one hour.
    static let backdatedSeconds: Int64 = 3600

    /// Makes an authority and the center's first server certificate, in folders that must be new or empty.
    ///
    /// Each folder appears whole or not at all.
    ///
    /// - Parameters:
    ///   - keyDirectory: where the key goes, with the certificate; `nil`: into `directory`, too.
    ///   - site: the site's name, by the rules of an identity's name.
    ///   - serverNames: the DNS names and IP addresses that hosts reach the center by; at least one.
    /// - Throws: `authority-exists`, `name-invalid`, `state-unwritable`.
    public static func create(
        in directory: String, keyIn keyDirectory: String? = nil, site: String, serverNames: [String],
        nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> CertificateAuthority {
        guard Identity.isValidName(site) else {
            throw EpitopeError(
                .nameInvalid, "'\(site)' is not a valid site name",
                remedy: "use 1 to 64 letters, digits, dots, underscores or hyphens")
        }
        let authority = try make(site: site, nowMilliseconds: nowMilliseconds)
        let server = try authority.issueServerCertificate(
            center: site, names: serverNames, nowMilliseconds: nowMilliseconds)
        let staging = Staging(for: directory)
        let keyStaging = keyDirectory.map { Staging(for: $0) }
        defer {
            staging.remove()
            keyStaging?.remove()
        }
        let keyPEM = try signing("write the authority's key") { try PEM.text(authority.key) }
        try staging.save([(AuthorityCertificate.file, authority.certificatePEM), (ServerCertificate.file, server.filePEM)])
        try (keyStaging ?? staging).save([(keyFile, keyPEM), (AuthorityCertificate.file, authority.certificatePEM)])
        // The key comes first: a center without is none. What a failure leaves of it is no center's.
        try keyStaging?.publish()
        do throws(EpitopeError) {
            try staging.publish()
        } catch {
            keyStaging?.takeBack()
            throw error
        }
        return authority
    }

    /// The folder of a center's key, by its state folder: beside it, so that whoever may read all of the state need not read the key.
    ///
    /// - Parameter state: its path is taken as it is written, so that a symbolic link's key lies beside the link.
    public static func keyDirectory(ofState state: String) -> String {
        URL(fileURLWithPath: state).standardizedFileURL.path + ".key"
    }

    /// The folder that a center's key is in: where ``keyDirectory(ofState:)`` says, or with the rest of the authority, as versions
    /// before had it.
    public static func findKeyDirectory(ofState state: String) -> String {
        let beside = keyDirectory(ofState: state)
        return access("\(beside)/\(keyFile)", F_OK) == 0 ? beside : "\(state)/authority"
    }

    /// Looks whether a folder has a key that this user may read, and doesn't read it.
    ///
    /// - Throws: `authority-missing`, `state-unwritable` for another user's.
    public static func requireKey(in directory: String) throws(EpitopeError) {
        guard access("\(directory)/\(keyFile)", R_OK) != 0 else { return }
        guard errno == EACCES else {
            guard access("\(directory)/\(AuthorityCertificate.file)", F_OK) == 0 else {
                throw AuthorityCertificate.missing(from: directory)
            }
            throw EpitopeError(
                .authorityMissing, "the authority's key \(directory)/\(keyFile) is missing",
                remedy: "put it back from a backup, or from where its copy is kept (mode 0600; beside the state folder, in STATE.key, with "
                    + "authority.pem). A new authority would be another one: every host would have to enrol again")
        }
        throw EpitopeError(
            .stateUnwritable, "this user may not read the authority's key in \(directory)",
            remedy: "run the command as the folder's owner, or as root; a center that serves is given its key process by --key-socket")
    }

    /// A folder in the making, beside its final place.
    private struct Staging {
        let final: String
        let path: String

        init(for final: String) {
            self.final = final
            path = "\(final).new-\(UInt32.random(in: .min ... .max))"
        }

        func save(_ files: [(name: String, text: String)]) throws(EpitopeError) {
            try PrivateFiles.makeDirectory(path)
            for file in files { try PrivateFiles.save(file.text, to: "\(path)/\(file.name)") }
        }

        func publish() throws(EpitopeError) {
            guard try PrivateFiles.publish(folder: path, as: final) else {
                throw EpitopeError(
                    .authorityExists, "\(final) is not empty: an existing authority is never overwritten",
                    remedy: "use the existing authority, or give another folder")
            }
        }

        func remove() { Self.remove(path) }
        func takeBack() { Self.remove(final) }

        private static func remove(_ folder: String) {
            PrivateFiles.removeFolder(folder, files: [AuthorityCertificate.file, keyFile, ServerCertificate.file])
        }
    }

    /// Loads the current authority.
    ///
    /// - Parameter directory: the key's folder.
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-expired`, `key-malformed`.
    public static func load(
        from directory: String, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> CertificateAuthority {
        try AuthorityKeys.load(from: directory, nowMilliseconds: nowMilliseconds).current
    }

    init(certificate: AuthorityCertificate, key: Certificate.PrivateKey) {
        self.certificate = certificate
        self.key = key
    }
}

/// Runs a step of the cryptographic library that fails only when memory is short or the library has a bug.
func signing<Value>(_ what: String, _ step: () throws -> Value) throws(EpitopeError) -> Value {
    do {
        return try step()
    } catch {
        throw EpitopeError(
            .internalFailure, "could not \(what): \(error)", remedy: "report this: it should not happen")
    }
}
