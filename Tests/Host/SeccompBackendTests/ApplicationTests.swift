// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import SeccompBackend
import TestSupport
import Testing

/// Applications of behaviour blocking, and amounts, of a command.
@Suite struct ApplicationTests {
    private static let calls: [(call: String, application: BlockingApplication)] = [
        ("exec", .exec), ("connect", .connect), ("send", .send), ("sendmsg", .send), ("bind", .listen), ("listen", .listen),
        ("accept", .listen),
    ]

    @Test(arguments: calls, [true, false])
    func `calls of an application that is off pass unseen, all others are denied`(
        _ test: (call: String, application: BlockingApplication), _ isOn: Bool
    ) async throws {
        var applications = Dictionary(
            uniqueKeysWithValues: BlockingApplication.allCases.map { ($0, ApplicationPolicy(isOn: !isOn)) })
        applications[test.application] = ApplicationPolicy(isOn: isOn)
        let receiver = Receiver(datagrams: test.call != "connect")
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", "anonymous", test.call, String(receiver.port)], policy: Policy(applications: applications))
        #expect((run.announcement.errno == EPERM) == isOn, "\(run.output)")
        #expect((run.detections.first?.action == .blocked) == isOn)
        #expect(run.detections.isEmpty == !isOn)
        if isOn { #expect(run.detections.first?.applications == [test.application]) }
        if test.application == .send || test.application == .connect {
            #expect(receiver.arrivals(datagrams: test.call != "connect") == (isOn ? 0 : 1))
        }
    }

    @Test func `an application has its own action and weights`() async throws {
        let policy = Policy(applications: [
            .send: ApplicationPolicy(action: .watch), .listen: ApplicationPolicy(weights: [.directCall: 45]),
            .connect: ApplicationPolicy(weights: [.memoryFile: 80]),
        ])
        let receiver = Receiver(datagrams: true)
        let sent = try await ProtectedRun.fixture("call-stub", ["direct", "anonymous", "send", String(receiver.port)], policy: policy)
        #expect(sent.detections.first?.action == .watched)
        #expect(receiver.arrivals(datagrams: true) == 1)
        let bound = try await ProtectedRun.fixture("call-stub", ["direct", "anonymous", "bind", "9"], policy: policy)
        #expect(bound.detections.first?.action == .watched)
        #expect(bound.detections.first?.points == 45)
        #expect(bound.announcement.errno == 0)
        let connected = try await ProtectedRun.fixture("call-stub", ["direct", "memory-file", "connect", "9"], policy: policy)
        #expect(connected.detections.first?.action == .blocked)
        #expect(connected.detections.first?.points == 80)
        let executed = try await ProtectedRun.fixture("call-stub", ["direct", "anonymous", "exec", "9"], policy: policy)
        #expect(executed.detections.first?.action == .blocked)
    }

    @Test(arguments: [(4096, 4096, 4096, true), (1024, 300, 600, false), (256, 256, 512, false)])
    func `so much code is extracted as was asked for`(_ whole: Int, _ side: Int, _ expected: Int, _ isWhole: Bool) async throws {
        let amounts = ExtractionAmounts(maxWholeBytes: whole, sideBytes: side)
        // The code is 1,000 bytes and 7 pages behind the beginning of its mapping, or at the beginning of a page.
        let large = try await ProtectedRun.fixture(
            "call-stub", ["direct", "large", "connect", "9"], extraction: ExtractionSettings(amounts: amounts))
        let snippet = try #require(large.detections.first)
        #expect(snippet.code.bytes.count == 2 * side)
        #expect(snippet.code.base == snippet.callersAddress - UInt64(side))
        let page = try await ProtectedRun.fixture(
            "call-stub", ["direct", "anonymous", "connect", "9"], extraction: ExtractionSettings(amounts: amounts))
        let code = try #require(page.detections.first?.code)
        let caller = try #require(page.detections.first?.callersAddress)
        #expect(code.isWholeRegion == isWhole)
        #expect(code.bytes.count == (isWhole ? expected : Int(caller - code.base) + side))
    }
}
