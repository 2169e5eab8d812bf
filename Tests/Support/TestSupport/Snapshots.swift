// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Expected texts that are too long for the test itself: files in a folder beside the tests, compared byte for byte.
///
///     let snapshots = Snapshots(folder: "Tests/Rules/RenderingTests/Snapshots")
///     #expect(snapshots.difference(text, from: "sequence.suricata.rules") == nil)
///
/// With `EPITOPE_RECORD_SNAPSHOTS=1` in the environment a test run writes the files instead of reading them. Every
/// comparison of such a run fails, so that a recording never passes for a test; look at the changes before committing.
public struct Snapshots: Sendable {
    /// The environment variable that turns recording on.
    public static let recordingVariable = "EPITOPE_RECORD_SNAPSHOTS"

    /// Relative to the package's folder.
    public let folder: String

    public init(folder: String) {
        self.folder = folder
    }

    /// Compares a text with a file of the folder.
    ///
    /// The file ends with a newline that the text need not have, so that editors leave it alone.
    ///
    /// - Returns: `nil` when both are equal, otherwise a description of the first difference.
    public func difference(_ text: String, from name: String) -> String? {
        let file = URL(fileURLWithPath: PackageFolder.path).appending(path: folder).appending(path: name)
        let actual = text.hasSuffix("\n") ? text : text + "\n"
        if ProcessInfo.processInfo.environment[Self.recordingVariable] == "1" {
            do {
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(actual.utf8).write(to: file)
                return "recorded \(folder)/\(name); run again without \(Self.recordingVariable)"
            } catch {
                return "cannot record \(file.path): \(error)"
            }
        }
        guard let data = try? Data(contentsOf: file) else {
            return "there is no snapshot \(folder)/\(name); record it with \(Self.recordingVariable)=1"
        }
        let expected = String(decoding: data, as: UTF8.self)
        return expected == actual ? nil : Self.firstDifference(expected: expected, actual: actual, name: "\(folder)/\(name)")
    }

    private static func firstDifference(expected: String, actual: String, name: String) -> String {
        let (expectedLines, actualLines) = (lines(of: expected), lines(of: actual))
        let shared = zip(expectedLines, actualLines).prefix { $0 == $1 }.count
        func line(_ lines: [Substring]) -> String { shared < lines.count ? "'\(lines[shared])'" : "the end" }
        return "\(name):\(shared + 1): expected \(line(expectedLines)), got \(line(actualLines))"
    }

    private static func lines(of text: String) -> [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
    }
}
