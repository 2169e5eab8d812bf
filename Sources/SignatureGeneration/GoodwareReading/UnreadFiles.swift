// SPDX-License-Identifier: Apache-2.0

public import FileAccess

/// A file that was not read, or not as a whole.
public struct SkippedFile: Hashable, Sendable {
    public var path: RawPath
    public var reason: String

    public init(path: RawPath, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// What of a corpus was not read: an index says nothing of it, nor does a search.
public struct UnreadFiles: Hashable, Sendable {
    /// How many are named.
    public static let maxNamed = 100
    /// Of the files of a corpus: with a larger share unread, that nothing was found in it shows too little.
    public static let maxShare = 0.05

    /// Files, and folders whose files are not known.
    public let count: UInt64
    /// The first of them, by their paths.
    public let named: [SkippedFile]

    public init(_ skipped: [SkippedFile]) {
        count = UInt64(skipped.count)
        named = Array(skipped.sorted { $0.path < $1.path }.prefix(Self.maxNamed))
    }

    package init(count: UInt64, named: [SkippedFile]) {
        self.count = count
        self.named = named
    }

    /// Nothing is missing.
    public static let none = UnreadFiles([])

    /// Whether so many are missing of a corpus that it shows too little.
    ///
    /// - Parameter files: how many were read.
    public func isTooMany(beside files: Int) -> Bool {
        Double(count) > Self.maxShare * Double(UInt64(files) + count)
    }
}
