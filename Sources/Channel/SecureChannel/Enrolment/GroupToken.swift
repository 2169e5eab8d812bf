// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What a token for several hosts permits: so many new hosts, of such names, from there.
public struct GroupGrant: Hashable, Sendable {
    /// How many hosts can enrol by it.
    public var maxHosts: Int
    public var names: HostNamePattern
    /// Where they are; `nil`: anywhere.
    public var network: IPNetwork?
    /// When the token expires, in milliseconds since 1970-01-01T00:00:00Z.
    public var expiresMilliseconds: Int64

    /// How many it can be for: a leaked one lets in so many.
    public static let hostCounts = 1...10_000
    /// For how long such a token can be good: whoever has it lets in machines that nobody looked at.
    public static let maxLifetime = Duration.days(90)

    public init(maxHosts: Int, names: HostNamePattern, network: IPNetwork? = nil, expiresMilliseconds: Int64) {
        self.maxHosts = maxHosts
        self.names = names
        self.network = network
        self.expiresMilliseconds = expiresMilliseconds
    }

    /// Whom the token lets in of those who use it, whatever else is known of the name.
    ///
    /// - Throws: `token-of-another-role`, `name-invalid`, `token-of-another-name`, `token-of-another-network`.
    public func identity(of applicant: EnrolmentApplicant) throws(EpitopeError) -> Identity {
        if let role = applicant.role, role != .host {
            throw EpitopeError(
                .tokenOfAnotherRole, "the enrolment token is for hosts, and was to enrol a \(role.rawValue); it can still be used",
                remedy: "link a site with a token that was made for it (`epitope global-center token --site NAME`)")
        }
        guard let name = applicant.name, Identity.isValidName(name) else {
            throw EpitopeError(
                .nameInvalid, "the enrolment token is for hosts named \(names), and this host gives no valid name",
                remedy:
                    "give the host a name: `epitope enroll --name NAME`; a host of an earlier version of epitope needs a token of its own")
        }
        guard names.matches(name) else {
            throw EpitopeError(
                .tokenOfAnotherName, "the enrolment token is for hosts named \(names), and this one is \(name)",
                remedy: "give the host another name (`epitope enroll --name NAME`), or use a token for that name")
        }
        if let network {
            guard let address = applicant.address, network.contains(address.unmapped) || network.contains(address) else {
                let place = applicant.address?.description ?? "an unknown address"
                throw EpitopeError(
                    .tokenOfAnotherNetwork, "the enrolment token is for hosts in \(network), and this request comes from \(place)",
                    remedy:
                        "enrol from there, or use a token for this host; behind address translation or a proxy the center sees that one's address"
                )
            }
        }
        return Identity(role: .host, name: name)
    }

    /// What who would take the name of a host that is known is answered.
    package static func nameTaken(_ name: String) -> EpitopeError {
        EpitopeError(
            .nameTaken,
            "the center knows a host named \(name), or one that differs in capitals alone; a token for several hosts gives no name again",
            remedy:
                "give this host another name (`epitope enroll --name NAME`), or enrol it with a token for that name: `token --host NAME`"
        )
    }
}

/// Who uses a token.
public struct EnrolmentApplicant: Hashable, Sendable {
    /// What the holder means to enrol as; `nil` where it did not say.
    public var role: Identity.Role?
    /// The name that it gives itself; `nil` where it did not say. Where the token is for one identity it doesn't count.
    public var name: String?
    /// Where its connection comes from; `nil`: it isn't known.
    public var address: IPAddress?

    public init(role: Identity.Role? = nil, name: String? = nil, address: IPAddress? = nil) {
        self.role = role
        self.name = name
        self.address = address
    }
}

/// Names of hosts: one, or all with one beginning and one end, as in `web-*` and `*.example`.
public struct HostNamePattern: Hashable, Sendable, CustomStringConvertible {
    private let prefix: String
    /// `nil`: the prefix is the whole name.
    private let suffix: String?

    /// - Returns: `nil` for what no name can match, and for more than one `*`.
    public init?(_ text: some StringProtocol) {
        let parts = String(text).split(separator: Character("*"), omittingEmptySubsequences: false).map { String($0) }
        let text = parts.joined()
        guard (1...2).contains(parts.count), text.isEmpty ? parts.count == 2 : Identity.isValidName(text) else { return nil }
        prefix = parts[0]
        suffix = parts.count == 2 ? parts[1] : nil
    }

    /// Whether a name is one of these. Capitals count.
    public func matches(_ name: String) -> Bool {
        guard let suffix else { return name == prefix }
        return name.hasPrefix(prefix) && name.dropFirst(prefix.count).hasSuffix(suffix)
    }

    public var description: String { prefix + (suffix.map { "*" + $0 } ?? "") }
}

extension AuthorityCertificate {
    /// Makes a token for several hosts, and records it in the ledger.
    ///
    /// - Throws: what the ledger throws.
    public func makeToken(for group: GroupGrant, in ledger: any EnrolmentLedger) async throws -> EnrolmentToken {
        let token = EnrolmentToken(authorityFingerprint: fingerprint)
        try await ledger.addToken(secretHash: token.secretHash, group: group)
        return token
    }
}
