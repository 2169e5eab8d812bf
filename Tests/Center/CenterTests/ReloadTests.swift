// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import EpitopeModel
import LocalCenter
import Rendering
import Signatures
import TestSupport
import Testing

@Suite("Settings of a center that runs are changed")
struct ReloadTests {
    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let configuration: LocalCenterConfiguration

    init() throws {
        folder = try TemporaryFolder()
        var configuration = LocalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        configuration.forwarding = false
        self.configuration = configuration
    }

    private func changed(_ change: (inout LocalCenterConfiguration) -> Void) -> LocalCenterConfiguration {
        var changed = configuration
        change(&changed)
        return changed
    }

    @Test func `packets that are older than the days to keep now go at once`() async throws {
        let center = try RunningCenter(folder: folder, clock: clock, ids: nil) { $0 = configuration }
        for attack in 1...2 as ClosedRange<UInt8> {
            // Too weak for an update, which would hold them.
            try await center.receive(Fixture.packet(attack: attack, evidence: [.unattributable]))
            try await center.awaitAnalysed(Int(attack))
            clock.advance(milliseconds: 5 * TestClock.day)
        }
        await center.service.follow(changed { $0.analysis.keepDays = 8 })
        try await eventually("the older one is gone") { try await center.status().reports == ["analysed": 1] }
        await center.service.follow(changed { $0.analysis.keepDays = 2 })
        try await eventually("the other one is, too") { try await center.status().reports.isEmpty }
        await center.kill()
    }

    @Test func `rules drop from the new grade on when somebody reports again`() async throws {
        let ids = FakeIDS(isDropping: true)
        let center = try RunningCenter(folder: folder, clock: clock, ids: ids) {
            $0 = configuration
            $0.dropFrom = .confirmed
        }
        for host in 1...2 {
            try await center.receive(Fixture.packet(attack: 1, host: "host-\(host)"))
            try await center.awaitAnalysed(host)
        }
        try await eventually("it alerts") { await ids.rules.map(\.update.mayDrop) == [false] }
        await center.service.follow(changed { $0.dropFrom = .corroborated })
        try await center.receive(Fixture.packet(attack: 1, host: "host-3"))
        try await eventually("it drops") { await ids.rules.map(\.update.mayDrop) == [true] }
        await center.kill()
    }

    @Test func `a reporter's share is the new one at once, smaller and larger`() async throws {
        let center = try RunningCenter(folder: folder, clock: clock, ids: nil) { $0 = configuration }
        /// Sends packets with 8,000 bytes of code each, until one is refused.
        func send(_ numbers: Range<Int>) async throws -> (count: Int, refusal: EpitopeError.Code?) {
            for number in numbers {
                var packet = Fixture.packet(attack: 1, number: number)
                let code = (0..<8000).map { UInt8(truncatingIfNeeded: $0 &* (number + 1)) }
                packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
                do {
                    try await center.receive(packet)
                } catch {
                    return (number - numbers.lowerBound, (error as? EpitopeError)?.code)
                }
            }
            return (numbers.count, nil)
        }
        await center.service.follow(changed { $0.analysis.megabytesPerReporter = 1 })
        let small = try await send(0..<200)
        #expect(small.refusal == .senderOverShare && (100..<135).contains(small.count), "\(small)")
        await center.service.follow(changed { $0.analysis.megabytesPerReporter = 3 })
        let larger = try await send(200..<240)
        #expect(larger.refusal == nil, "\(larger)")
        await center.kill()
    }
}
