// SPDX-License-Identifier: Apache-2.0

import SecureChannel

/// Where the files of a center lie that a backup is made of.
public struct CenterFolders: Hashable, Sendable {
    public var state: String
    /// Of the authority's key.
    public var key: String

    /// The folders of a center that is there.
    public init(ofState state: String) {
        self.state = state
        key = CertificateAuthority.findKeyDirectory(ofState: state)
    }

    /// The folders of a center that is to be made.
    public init(newState state: String) {
        self.state = state
        key = CertificateAuthority.keyDirectory(ofState: state)
    }

    var authority: String { "\(state)/authority" }

    func path(of part: BackupPart) -> String {
        switch part {
        case .store: "\(state)/center.sqlite"
        case .location: "\(state)/store.json"
        case .authority: "\(authority)/\(AuthorityCertificate.file)"
        case .server: "\(authority)/\(ServerCertificate.file)"
        case .link: "\(state)/global/\(StoredIdentity.file)"
        case .key: "\(key)/\(CertificateAuthority.keyFile)"
        }
    }
}

/// A file in a backup, by its name there.
public enum BackupPart: String, Hashable, Sendable, CaseIterable {
    case store = "center.sqlite"
    /// Where the store lies, of one in PostgreSQL, which is not in the backup.
    case location = "store.json"
    /// The authority's certificate.
    case authority = "authority.pem"
    /// The center's own certificate, with its key.
    case server = "server.pem"
    /// A site's identity at the global center.
    case link = "global-identity.json"
    /// The authority's key.
    case key = "authority-key.pem"

    /// Those without which there is no backup.
    static let required: [BackupPart] = [.authority, .server]
}
