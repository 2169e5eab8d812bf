// SPDX-License-Identifier: Apache-2.0

/// The version of Epitope: of `epitope`, `epitope-agent`, and all that they share.
public enum Version {
    /// This one (semver.org).
    public static let current = "0.1.0"
}
