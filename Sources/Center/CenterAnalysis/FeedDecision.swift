// SPDX-License-Identifier: Apache-2.0

import Correlation
import Signatures

/// The decision of a site on an update of the global center.
enum FeedDecision: Hashable {
    case deliver
    /// The proof failed here, for that reason.
    case unproven(String)
    case expired
    /// A person withdrew the signature here, for that reason.
    case withdrawn(String)
    /// An update of the signature is in force here already, in that revision.
    case covered(revision: Int)

    /// - Parameters:
    ///   - update: with this site's proof.
    ///   - withdrawal: why a person withdrew the signature here; `nil`: it is not withdrawn.
    ///   - atIDS: the signature's updates whose rule the IDS has, or gets next. One that waits for the site's own
    ///     quota is not among them: the global center's goes out under its own quota.
    init(on update: SignatureUpdate, withdrawal: String?, atIDS: [SignatureUpdate], nowMilliseconds: Int64) {
        if let failures = update.proof.failures {
            self = .unproven(failures)
        } else if update.expiresMilliseconds <= nowMilliseconds {
            self = .expired
        } else if let withdrawal {
            self = .withdrawn(withdrawal)
        } else if let cover = atIDS.first(where: { $0.covers(update, nowMilliseconds: nowMilliseconds) }) {
            self = .covered(revision: cover.revision)
        } else {
            self = .deliver
        }
    }
}

extension SignatureUpdate {
    /// Whether this update of the same signature makes another one needless.
    fileprivate func covers(_ other: SignatureUpdate, nowMilliseconds: Int64) -> Bool {
        signature.context.covers(other.signature.context) && expiresMilliseconds > nowMilliseconds && !isRenewed(by: other)
    }

    /// The global center's own next revision renews the lifetime of its earlier one.
    private func isRenewed(by other: SignatureUpdate) -> Bool {
        guard case .global = origin else { return false }
        return other.revision > revision
    }
}
