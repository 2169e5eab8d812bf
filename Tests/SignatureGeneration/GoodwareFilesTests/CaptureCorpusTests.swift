// SPDX-License-Identifier: Apache-2.0

import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import TestSupport
import Testing

/// Captures of benign traffic as goodware.
@Suite("Captures as goodware") struct CaptureCorpusTests {
    private let folder: TemporaryFolder
    private let marker: [UInt8]

    init() throws {
        folder = try TemporaryFolder()
        var random = SeededGenerator(seed: 3)
        marker = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func build(_ capture: [UInt8]) throws -> (index: GoodwareIndex, skipped: [SkippedFile]) {
        let path = folder.path + "/a.pcap"
        try Data(capture).write(to: URL(fileURLWithPath: path))
        let corpus = try folder.makeFolder("corpus")
        try Data(repeating: 7, count: 1000).write(to: URL(fileURLWithPath: corpus + "/file"))
        let result = try GoodwareBuilder.build(sources: [corpus], captures: [path], output: folder.path + "/index")
        return (try GoodwareFile(path: folder.path + "/index").index, result.skipped)
    }

    private func flow(_ bytes: [UInt8]) -> [UInt8] {
        NetworkFrame.capture(NetworkFrame.connection(from: (1, 4000), to: (2, 80), bytes, segment: 1400), link: 101)
    }

    @Test(arguments: [(1 << 20) - 40, (1 << 20) - 1, (3 << 20) + 7])
    func `a stream is indexed to its end and across its parts`(place: Int) throws {
        let fill = (0..<place).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let (index, skipped) = try build(flow(fill + marker + [UInt8](fill.prefix(9000))))
        #expect(skipped.isEmpty)
        #expect(!index.absentWindows(in: marker).contains(true))
    }

    @Test func `a capture that can't be read to its end is named and what came before is indexed`() throws {
        var damaged = flow(marker + [UInt8](repeating: 0x61, count: 3000))
        let rest = flow([1])
        // A frame of an impossible length.
        damaged += [UInt8](rest[24..<32]) + [0xff, 0xff, 0xff, 0x7f] + [UInt8](rest[36..<60])
        let (index, skipped) = try build(damaged)
        #expect(skipped.count == 1 && skipped.first?.reason.contains("2147483647") == true, "\(skipped)")
        #expect(!index.absentWindows(in: marker).contains(true))
    }

    @Test func `a capture that was just begun holds nothing yet`() throws {
        #expect(try build([]).skipped.isEmpty)
        #expect(try build(Array(flow(marker).dropLast(3))).skipped.isEmpty)
    }
}
