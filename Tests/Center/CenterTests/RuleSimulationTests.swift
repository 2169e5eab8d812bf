// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import EpitopeModel
import Foundation
import Signatures
import TestSupport
import Testing

@Suite("A simulation counts what a rule would have hit, and says what it looked at")
struct RuleSimulationTests {
    private let folder: TemporaryFolder
    private let code = Fixture.code(attack: 1).bytes

    init() throws { folder = try TemporaryFolder() }

    @Test func `hits are counted where the rule applies, and within the time`() throws {
        try Data(CaptureFile.udp([code, Array("hello".utf8), code], destinationPort: 1434)).write(
            to: URL(filePath: folder.path + "/a.pcap"))
        try Data(CaptureFile.udp([code], destinationPort: 53)).write(to: URL(filePath: folder.path + "/b.pcap"))
        try Data("no capture".utf8).write(to: URL(filePath: folder.path + "/c.pcap"))
        let old = folder.path + "/old.pcap"
        try Data(CaptureFile.udp([code], destinationPort: 1434)).write(to: URL(filePath: old))
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1000)], ofItemAtPath: old)
        let (own, other) = (Fixture.signature(attack: 1), Fixture.signature(attack: 2))
        let all = try RuleSimulation.run([.init(own), .init(other)], over: [folder.path + "/*.pcap"], since: 0)
        #expect(all.hits.map(\.signatureID) == [own.id, other.id])
        let hits = all.hits[0]
        #expect(hits.streams > 0 && hits.clients == 1 && hits.servers == 1 && hits.firstMilliseconds != nil, "\(hits)")
        #expect(hits.examples.allSatisfy { $0.contains(":1434") }, "nothing of the other port")
        #expect(all.hits[1].streams == 0 && all.hits[1].firstMilliseconds == nil)
        #expect(all.unread.count == 1 && all.unread[0].contains("c.pcap"), "\(all.unread)")
        #expect(all.streams >= 4 && all.bytes >= 4 * code.count)
        // Of the old file's time only, and of no time at all.
        let recent = try RuleSimulation.run([.init(own)], over: [folder.path + "/*.pcap"], since: 2_000_000)
        #expect(recent.olderFiles == 1 && recent.files == all.files - 1)
        let none = try RuleSimulation.run([.init(own)], over: [folder.path + "/*.pcap"], since: 4_000_000_000_000)
        #expect(none.streams == 0 && none.hits[0].streams == 0 && none.firstMilliseconds == nil)
        // A rule that is narrowed to a host hits nothing at another one.
        let elsewhere = try RuleSimulation.run(
            [.init(own, narrowedTo: [try #require(IPAddress("203.0.113.9"))])], over: [folder.path + "/a.pcap"], since: 0)
        #expect(elsewhere.hits[0].streams == 0)
        #expect(throws: EpitopeError.self) { try RuleSimulation.run([.init(own)], over: [folder.path + "/none.*"], since: 0) }
    }
}
