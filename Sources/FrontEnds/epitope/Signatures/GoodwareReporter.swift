// SPDX-License-Identifier: Apache-2.0

import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import HostFrontEnd

/// Prints the progress and the result of a build.
struct GoodwareReporter: Sendable {
    /// How many skipped files are listed.
    private static let maxListed = 20

    let since: ContinuousClock.Instant

    func showProgress(_ progress: GoodwareBuilder.Progress) {
        Console.log(
            "\(progress.files) of \(progress.ofFiles) files, \(progress.bytes >> 20) MiB, \(rate(progress.bytes)) MB/s")
    }

    func showSummary(_ summary: GoodwareBuilder.Summary, index: String) throws {
        for skipped in summary.skipped.prefix(Self.maxListed) { Console.log("skipped \(skipped.path): \(skipped.reason)") }
        if summary.skipped.count > Self.maxListed { Console.log("and \(summary.skipped.count - Self.maxListed) more skipped") }
        Console.print(
            Console.table([
                ["files read", "\(summary.files)"], ["skipped", "\(summary.skipped.count)"],
                ["bytes read", "\(summary.bytes)"],
                ["seconds, with the writing of the index", String(format: "%.1f", since.duration(to: .now) / .seconds(1))],
                ["MB/s, the same", rate(summary.bytes)],
            ]))
        Console.print(Self.table(of: try GoodwareFile(path: index)))
    }

    static func table(of file: GoodwareFile) -> String {
        let segments = file.index.segments
        // Bytes that are in two segments count twice.
        let distinct = segments.reduce(0) { $0 + $1.contents.distinctBytes }
        let slots = segments.reduce(0) { $0 + $1.slotBytes }
        let cost = distinct == 0 ? "-" : String(format: "%.2f", Double(slots) * 32 / Double(distinct))
        return Console.table([
            ["files and captures", "\(file.fileCount)"], ["not read, or not as a whole", "\(file.unread.count)"],
            ["segments", "\(segments.count)"],
            ["corpus bytes", "\(file.index.corpusBytes)"], ["distinct bytes (estimate)", "\(distinct)"],
            ["grams", "\(segments.reduce(0) { $0 + $1.contents.keys })"], ["index bytes", "\(file.size)"],
            ["bytes per 32 distinct", cost],
        ])
    }

    private func rate(_ bytes: UInt64) -> String {
        String(format: "%.0f", Double(bytes) / 1e6 / max(1e-3, since.duration(to: .now) / .seconds(1)))
    }
}
