// SPDX-License-Identifier: Apache-2.0

/// The version of Epitope: of `epitope`, `epitope-agent`, and all that they share.
public enum Version {
    /// What stands before the version in a program's file.
    public static let markBegin = "epitope-version="
    /// What stands behind it.
    public static let markEnd: Character = ";"

    /// The version as it stands in the program's file, where a center that hands the program out reads it without running it. It is the
    /// one place that says the version.
    private static let mark: StaticString = "epitope-version=0.1.0;"

    /// This one (semver.org).
    public static let current = String("\(mark)".dropFirst(markBegin.count).dropLast())
}
