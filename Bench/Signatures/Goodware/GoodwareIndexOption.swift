// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex

/// The goodware index that experiments ask, built where there is none yet.
struct GoodwareIndexOption: ParsableArguments {
    @Option(help: "The folder whose files are goodware.")
    var tree = "/usr"

    @Option(help: "Where the index lies; it is built when absent, and kept.")
    var index: String?

    /// What building it took; `nil` when it was there.
    struct Built {
        var bytes: UInt64
        var seconds: Double
        /// The processor time of all its threads, in the program and in the kernel: whatever else the machine does.
        var processorSeconds: Double
        var megabytesPerSecond: Double { Double(bytes) / 1e6 / seconds }
        var megabytesPerProcessorSecond: Double { Double(bytes) / 1e6 / processorSeconds }
    }

    func open(isAlwaysBuilt: Bool = false) throws -> (file: GoodwareFile, built: Built?) {
        let name = tree.replacingOccurrences(of: "/", with: "-")
        let path = index ?? FileManager.default.temporaryDirectory.path + "/epitope-goodware\(name).index"
        if !isAlwaysBuilt, FileManager.default.fileExists(atPath: path) { return (try GoodwareFile(path: path), nil) }
        Report.progress("building the goodware index of \(tree)")
        let clock = ContinuousClock()
        let started = clock.now
        let used = Self.processorSeconds
        let summary = try GoodwareBuilder.build(sources: [tree], output: path)
        let seconds = started.duration(to: clock.now).milliseconds / 1000
        let processorSeconds = Self.processorSeconds - used
        return (
            try GoodwareFile(path: path), Built(bytes: summary.bytes, seconds: seconds, processorSeconds: processorSeconds)
        )
    }

    /// Of this program so far.
    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

extension GoodwareFile {
    /// Distinct bytes of the corpus, as estimated when it was built.
    var distinctBytes: UInt64 { index.segments.reduce(0) { $0 + $1.contents.distinctBytes } }

    /// Of the file, for 32 distinct bytes of the corpus.
    var bytesPer32: Double { distinctBytes == 0 ? .nan : Double(size) * 32 / Double(distinctBytes) }
}
