// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What the machines of one center have to know of its authorities, whose files are on each of them.
extension CenterStore {
    /// Notes that a person's command made the next authority, which other machines of the center then don't.
    ///
    /// - Parameters:
    ///   - next: its fingerprint, in hexadecimal digits.
    ///   - name: for people.
    public func recordAuthorityMade(_ next: String, name: String, detail: String) async throws(EpitopeError) {
        try await transaction { transaction in
            try transaction.record(.authorityMade, name, detail)
            try transaction.setMark(.nextAuthority, next)
        }
    }

    /// Notes that an authority is retired. From then on no machine of the center lets in who has a certificate of it, whatever its files
    /// say, so it comes before these are changed.
    ///
    /// - Parameters:
    ///   - former: its fingerprint, in hexadecimal digits.
    ///   - name: for people.
    /// - Returns: whether it was not retired before.
    @discardableResult
    public func retireAuthority(_ former: String, name: String, detail: String) async throws(EpitopeError) -> Bool {
        try await transaction { transaction in
            let known = try transaction.retiredAuthorities()
            guard !known.contains(former) else { return false }
            // One lasts for ten years.
            try transaction.setMark(.retiredAuthorities, (known + [former]).suffix(64).joined(separator: " "))
            try transaction.removeMark(.nextAuthority)
            try transaction.record(.authorityRetired, name, detail)
            return true
        }
    }

    /// The fingerprint of the authority that is to follow, as far as a machine of the center has made one.
    public func nextAuthority() async throws(EpitopeError) -> String? { try await snapshot { try $0.mark(.nextAuthority) } }

    public func retiredAuthorities() async throws(EpitopeError) -> Set<String> { Set(try await snapshot { try $0.retiredAuthorities() }) }
}

extension StoreTransaction {
    fileprivate func retiredAuthorities() throws -> [String] {
        try mark(.retiredAuthorities)?.split(separator: " ").map(String.init) ?? []
    }
}
