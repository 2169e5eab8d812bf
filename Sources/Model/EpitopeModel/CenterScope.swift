// SPDX-License-Identifier: Apache-2.0

/// What an analysis center is for.
public enum CenterScope: String, Hashable, Sendable, Codable, CaseIterable {
    /// One site.
    case local
    /// All sites.
    case global

    public var description: String { "\(rawValue) center" }
}

extension CenterScope: CustomStringConvertible {}
