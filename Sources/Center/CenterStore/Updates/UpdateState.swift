// SPDX-License-Identifier: Apache-2.0

/// The state of a signature update at a center. How far it has come to each target is its deliveries' state.
public enum UpdateState: String, Hashable, Sendable, Codable, CaseIterable, StoredWord {
    /// Proven: to be delivered, or in force.
    case proven
    /// The proof failed; kept with its reason and never delivered.
    case unproven
    /// A later revision took its place.
    case superseded
    /// An update of the global center for a signature that this site already has in force by its own making.
    case covered
    case withdrawn
    case expired
}
