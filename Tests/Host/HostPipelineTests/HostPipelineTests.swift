// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import HostStore
import Novelty
import PacketCoding
import Signatures
import Synchronization
import TestSupport
import Testing

@testable import HostPipeline

private func refusal(_ code: String) -> EpitopeError {
    EpitopeError(EpitopeError.Code(code), "told so", remedy: "none")
}

@Suite(.timeLimit(.minutes(1))) struct HostPipelineTests {
    @Test func `A detection becomes a packet at the center, with code, parameters and the host's id`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        await host.pipeline(center).run(TestHost.calls([1]))
        let packet = try #require(center.received.first)
        #expect(packet.content == .code(TestHost.call(1).code))
        #expect(packet.parameters.process == Samples.parameters().process)
        #expect(packet.parameters.system.hostID == "host-1")
        #expect(packet.parameters.system.kernelRelease != nil)
        #expect(packet.id.count == 32)
        #expect(try await host.store.waiting(for: .local) == 0)
    }

    /// The packet is not kept waiting for it.
    @Test func `The package of a packet's program is in the log, however late it is found`() async throws {
        let host = try TestHost()
        let jail = host.directory + "/jail"
        for (name, text) in [
            ("usr/bin/thing", "a program"), ("var/lib/dpkg/status", "Package: thing\nStatus: install ok installed\nVersion: 1.2\n"),
            ("var/lib/dpkg/info/thing.list", "/usr/bin/thing\n"),
        ] {
            let path = "\(jail)/\(name)"
            try FileManager.default.createDirectory(
                atPath: String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex)), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }
        var call = TestHost.call(1)
        call.process.executable = Executable(path: jail + "/usr/bin/thing")
        let process = "\(host.directory)/\(call.process.processID)"
        try FileManager.default.createDirectory(atPath: process, withIntermediateDirectories: false)
        #expect(symlink(jail, process + "/root") == 0 && symlink(jail + "/usr/bin/thing", process + "/exe") == 0)
        var settings = HostPipelineSettings()
        settings.maxPackageWait = .zero
        let (calls, coming) = AsyncStream<DetectionReport>.makeStream()
        coming.yield(DetectionReport(call))
        coming.finish()
        let center = FakeCenter()
        await host.pipeline(center, settings).run(calls)
        let packet = try #require(center.received.first)
        let events = try host.events()
        #expect(try EventHistory(events).detection(packet.id).package == "thing")
        let late = events.filter { $0.event == .packageFound }
        #expect(late.count == (packet.parameters.process.executable?.package == nil ? 1 : 0))
        #expect(late.allSatisfy { $0.packet == packet.id && $0.packageVersion == "1.2" && $0.executable == jail + "/usr/bin/thing" })
    }

    /// It would be for nothing otherwise.
    @Test func `The packet of the rehearsal can be made, and is neither stored, sent nor logged`() async throws {
        #expect(Rehearsal.packet() != nil)
        let host = try TestHost()
        let center = FakeCenter()
        await host.pipeline(center).run(TestHost.calls([]), likely: getpid())
        #expect(center.attempts == 0)
        #expect(try await host.store.waiting(for: .local) == 0)
        #expect(try String(contentsOfFile: host.directory + "/" + EventLog.fileName, encoding: .utf8).isEmpty)
    }

    @Test func `A packet carries the caller window alone where that is set`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        await host.pipeline(center, .init(extractsSignature: true)).run(TestHost.calls([0]))
        #expect(center.received.first?.content == .signature(Samples.callerWindow))
    }

    @Test func `A packet is sent at once, while more calls come`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        let (calls, call) = AsyncStream<DetectionReport>.makeStream()
        let pipeline = host.pipeline(center)
        let running = Task { await pipeline.run(calls) }
        var arrivals = center.arrivals.makeAsyncIterator()
        for number: UInt8 in 1...3 {
            call.yield(DetectionReport(TestHost.call(number)))
            #expect(await arrivals.next() != nil)
        }
        call.finish()
        await running.value
        #expect(center.attempts == 3)
    }

    /// What is not acknowledged when the process is killed, the backend reports again.
    @Test func `A report is acknowledged once its packet is in the spool`() async throws {
        let host = try TestHost()
        let log = host.directory + "/" + EventLog.fileName
        let (acknowledgements, acknowledged) = AsyncStream<Bool>.makeStream()
        let reports = AsyncStream<DetectionReport> { continuation in
            for number: UInt8 in [1, 2] {
                continuation.yield(
                    DetectionReport(TestHost.call(number)) {
                        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
                        acknowledged.yield(text.split(separator: "\n").count { $0.contains("\"spooled\"") } == Int(number))
                    })
            }
            continuation.finish()
        }
        await host.pipeline(FakeCenter()).run(reports)
        acknowledged.finish()
        var inTime: [Bool] = []
        for await each in acknowledgements { inTime.append(each) }
        #expect(inTime == [true, true])
    }

    @Test func `Both destinations get the packet, each once`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        await host.pipeline(center, .init(destinations: [.global, .local, .local])).run(TestHost.calls([1]))
        #expect(Set(center.state.withLock { $0.received.map(\.destination) }) == [.local, .global])
        #expect(center.attempts == 2)
    }

    @Test func `Duplicates and packets over the quota are not sent, and are logged`() async throws {
        let host = try TestHost(quota: 2)
        let center = FakeCenter()
        await host.pipeline(center).run(TestHost.calls([1, 1, 2, 3]))
        #expect(center.received.count == 2)
        let events = try host.events()
        let decided = events.filter { [.spooled, .duplicate, .overQuota].contains($0.event) }
        #expect(decided.map(\.event) == [.spooled, .duplicate, .spooled, .overQuota])
        #expect(decided[1].of == decided[0].packet)
        #expect(
            events.filter { $0.event == .blocked }.allSatisfy {
                $0.stalledTime == EventTime(milliseconds: 1_700_000_000_000) && $0.callersAddress == "0x176"
            })
        let sent = events.filter { $0.event == .sent }
        #expect(Set(sent.map(\.packet)) == [decided[0].packet, decided[2].packet])
    }

    @Test func `While the center can't be reached packets wait, and they are sent in order when it is back`() async throws {
        let host = try TestHost()
        let unreachable = FakeCenter { _, _ in refusal("center-unreachable") }
        await host.pipeline(unreachable).run(TestHost.calls([1, 2, 3]))
        #expect(try await host.store.waiting(for: .local) == 3)
        #expect(unreachable.received.isEmpty)
        let spooled = try host.events().filter { $0.event == .spooled }.map(\.packet)
        let back = FakeCenter()
        await host.pipeline(back).run(TestHost.calls([]))
        #expect(back.received.map(\.id) == spooled)
        #expect(try await host.store.waiting(for: .local) == 0)
    }

    @Test func `Sending is tried again until it works`() async throws {
        let host = try TestHost()
        let center = FakeCenter { _, attempt in attempt < 4 ? refusal("store-busy") : nil }
        let (calls, call) = AsyncStream<DetectionReport>.makeStream()
        let pipeline = host.pipeline(center)
        let running = Task { await pipeline.run(calls) }
        call.yield(DetectionReport(TestHost.call(1)))
        var arrivals = center.arrivals.makeAsyncIterator()
        #expect(await arrivals.next() != nil)
        call.finish()
        await running.value
        #expect(center.attempts == 4)
    }

    @Test func `A center that said when to come back is left alone until then, whatever is spooled meanwhile`() async throws {
        let host = try TestHost()
        let center = FakeCenter { _, _ in
            EpitopeError(.init("store-busy"), "test", remedy: "test", retryAfterSeconds: 3600)
        }
        let (calls, call) = AsyncStream<DetectionReport>.makeStream()
        let pipeline = host.pipeline(center)
        let running = Task { await pipeline.run(calls) }
        call.yield(DetectionReport(TestHost.call(1)))
        while pipeline.tally.sendingFailure == nil { await Task.yield() }
        for number in 2...4 { call.yield(DetectionReport(TestHost.call(UInt8(number)))) }
        while try await host.store.waiting(for: .local) < 4 { await Task.yield() }
        call.finish()
        await running.value
        #expect(center.attempts == 1)
    }

    @Test(arguments: ["packet-malformed", "identity-mismatch", "packet-too-large", "caller-outside-code"])
    func `A packet that is refused for good is set aside, and the next ones are sent`(code: String) async throws {
        let host = try TestHost()
        let center = FakeCenter { packet, _ in
            if case .code(let extracted) = packet.content, extracted == TestHost.call(1).code { return refusal(code) }
            return nil
        }
        await host.pipeline(center).run(TestHost.calls([1, 2]))
        #expect(center.received.count == 1)
        let refused = try await host.store.refusedPackets()
        #expect(refused.map(\.code) == [code])
        #expect(try host.events().contains { $0.event == .refused && $0.code == code })
    }

    @Test(arguments: ["revoked", "certificate-expired", "certificate-foreign", "role-not-allowed"])
    func `A host that is refused keeps its packets, and does not ask for each`(code: String) async throws {
        let host = try TestHost()
        let center = FakeCenter { _, _ in refusal(code) }
        await host.pipeline(center).run(TestHost.calls([1, 2, 3]))
        #expect(center.attempts == 1)
        #expect(try await host.store.waiting(for: .local) == 3)
        #expect(try host.events().count { $0.event == .stopped && $0.code == code } == 1)
    }

    @Test(arguments: ["revoked", "certificate-expired", "destination-unknown", "identity-malformed"])
    func `A sender that was turned away goes on when its identity is another`(code: String) async throws {
        let host = try TestHost()
        let center = FakeCenter { _, attempt in attempt == 1 ? refusal(code) : nil }
        let (calls, call) = AsyncStream<DetectionReport>.makeStream()
        let pipeline = host.pipeline(center)
        let running = Task { await pipeline.run(calls) }
        call.yield(DetectionReport(TestHost.call(1)))
        while pipeline.tally.sendingFailure == nil { await Task.yield() }
        pipeline.identityChanged(at: .local)
        #expect(pipeline.tally.sendingFailure == nil, "it was about the identity before")
        var arrivals = center.arrivals.makeAsyncIterator()
        #expect(await arrivals.next() != nil)
        call.finish()
        await running.value
        #expect(center.attempts == 2)
        #expect(pipeline.tally.sendingFailure == nil && pipeline.tally.sent == 1)
    }

    @Test(arguments: ["certificate-not-yet-valid", "center-out-of-date", "center-unreachable", "store-busy", "something-new"])
    func `What passes is tried again, and told once`(code: String) async throws {
        let host = try TestHost()
        let center = FakeCenter { _, attempt in attempt < 6 ? refusal(code) : nil }
        let (calls, call) = AsyncStream<DetectionReport>.makeStream()
        let pipeline = host.pipeline(center)
        let running = Task { await pipeline.run(calls) }
        call.yield(DetectionReport(TestHost.call(1)))
        var arrivals = center.arrivals.makeAsyncIterator()
        #expect(await arrivals.next() != nil)
        call.finish()
        await running.value
        #expect(center.attempts == 6)
        #expect(try host.events().count { $0.event == .unreachable && $0.code == code } == 1)
    }

    @Test func `A packet beyond the quota says when the quota frees, and is sent by a later run`() async throws {
        let host = try TestHost(quota: 1)
        let pipeline = host.pipeline(FakeCenter())
        await pipeline.run(TestHost.calls([1, 2]))
        let held = try #require(try host.events().first { $0.event == .overQuota })
        let free = try #require(held.untilTime)
        #expect(abs(free.milliseconds - EventLog.now().milliseconds - 86_400_000) < 600_000)
        #expect(pipeline.tally.overQuota == 1 && pipeline.tally.spooled == 1 && pipeline.tally.quotaFreesMilliseconds == free.milliseconds)
        // As if the day had passed.
        let generous = try HostStore(directory: host.directory, settings: HostStoreSettings(quota: DailyQuota(limit: 9)))
        let center = FakeCenter()
        await host.pipeline(center, store: generous).run(TestHost.calls([]))
        #expect(center.received.map(\.id) == [held.packet])
        #expect(try host.events().contains { $0.event == .spooled && $0.packet == held.packet })
    }

    @Test func `What a backend did not report is counted, logged and told to the center`() async throws {
        let host = try TestHost(quota: 1)
        let center = FakeCenter()
        let pipeline = host.pipeline(center)
        await pipeline.run(TestHost.calls([1, 2, 3]), unreported: { UnreportedCounts(suppressed: 800, lost: 5) })
        let events = try host.events()
        #expect(events.filter { $0.event == .suppressed }.map(\.count) == [800])
        #expect(events.filter { $0.event == .lost }.map(\.count) == [5])
        let told = try #require(center.state.withLock { $0.counts.last })
        #expect(told.suppressed == 800 && told.lost == 5 && told.overQuota == 2 && told.waiting == 2)
        #expect(events.contains { $0.event == .toldCounts && $0.message?.contains("800 suppressed") == true })
        #expect(pipeline.tally.suppressed == 800 && pipeline.tally.lost == 5)
        // Nothing has changed: it is not told again.
        await host.pipeline(center).run(TestHost.calls([]))
        #expect(center.state.withLock { $0.counts.count } == 1)
    }

    /// The end comes while the first look after the store is under way.
    @Test func `A run that ends at once leaves nothing half stored`() async throws {
        let host = try TestHost()
        for number in 1...50 {
            await host.pipeline(FakeCenter()).run(TestHost.calls([]), unreported: { UnreportedCounts(suppressed: 1, lost: 1) })
            let counts = try await host.store.withheld(nowMilliseconds: EventLog.now().milliseconds)
            #expect(counts.suppressed == number && counts.lost == number)
        }
    }

    @Test func `A store that can't be used keeps nothing from being judged, and packets wait for it in memory`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        let broken = host.directory + "/broken"
        try Data().write(to: URL(fileURLWithPath: broken))
        let store = HostStore(mending: broken, settings: HostStoreSettings(quota: DailyQuota(limit: 100))) { _ in }
        let (calls, call) = AsyncStream<DetectionReport>.makeStream()
        let pipeline = host.pipeline(center, store: store)
        let running = Task { await pipeline.run(calls) }
        for number: UInt8 in 1...3 { call.yield(DetectionReport(TestHost.call(number))) }
        while pipeline.tally.failed < 3 { await Task.yield() }
        #expect(pipeline.tally.storeFailure?.code == .hostStoreUnusable)
        try FileManager.default.removeItem(atPath: broken)
        call.yield(DetectionReport(TestHost.call(4)))
        var arrivals = center.arrivals.makeAsyncIterator()
        for _ in 1...4 { #expect(await arrivals.next() != nil) }
        call.finish()
        await running.value
        #expect(pipeline.tally.storeFailure == nil && pipeline.tally.lost == 0)
        #expect(center.received.count == 4)
    }

    @Test func `What can be neither stored nor sent until the end is lost, and counted`() async throws {
        let host = try TestHost()
        let pipeline = host.pipeline(FakeCenter { _, _ in refusal("center-unreachable") }, store: try unusable(host))
        await pipeline.run(TestHost.calls((1...100).map { UInt8($0) }))
        #expect(pipeline.tally.lost == 100 && pipeline.tally.sentUnstored == 0)
        #expect(try host.events().filter { $0.event == .lost }.reduce(0) { $0 + ($1.count ?? 0) } == 100)
    }

    private func unusable(_ host: TestHost, quota: Int = 3, link: LinkBudget = LinkBudget()) throws -> HostStore {
        let broken = host.directory + "/broken"
        try Data().write(to: URL(fileURLWithPath: broken))
        return HostStore(mending: broken, settings: HostStoreSettings(quota: DailyQuota(limit: quota), link: link)) { _ in }
    }

    @Test func `What can't be stored is sent from memory, within the quota and none twice`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        let pipeline = host.pipeline(center, store: try unusable(host))
        // The second and fourth are alike.
        await pipeline.run(TestHost.calls([1, 2, 3, 2, 4, 5]))
        #expect(center.received.map(\.content).count == 3)
        #expect(Set(center.received.map(\.content)).count == 3)
        #expect(pipeline.tally.sentUnstored == 3 && pipeline.tally.sent == 3)
        #expect(try host.events().filter { $0.event == .sent }.map(\.packet) == center.received.map(\.id))
        #expect((2...3).contains(pipeline.tally.lost), "what the quota had no place for, and no center has: \(pipeline.tally.lost)")
    }

    @Test func `Without a store the link's budget can't be counted, and the signature goes alone`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        await host.pipeline(center, store: try unusable(host, link: LinkBudget(bytesPerDay: 1 << 20))).run(TestHost.calls([0]))
        #expect(center.received.map(\.content) == [.signature(Samples.callerWindow)])
    }

    @Test func `A center that is back gets from memory what waits there`() async throws {
        let host = try TestHost()
        let center = FakeCenter { _, attempt in attempt < 4 ? refusal("center-unreachable") : nil }
        let (calls, call) = AsyncStream<DetectionReport>.makeStream()
        let pipeline = host.pipeline(center, store: try unusable(host))
        let running = Task { await pipeline.run(calls) }
        call.yield(DetectionReport(TestHost.call(1)))
        var arrivals = center.arrivals.makeAsyncIterator()
        #expect(await arrivals.next() != nil)
        call.finish()
        await running.value
        #expect(center.received.count == 1 && pipeline.tally.lost == 0)
    }

    @Test func `A center gets the bytes that are in the spool`() async throws {
        let host = try TestHost()
        let sent = Mutex<[EncodedPacket]>([])
        let unreachable = RoutedSender([
            .local: .init(send: { packet in
                sent.withLock { $0.append(packet) }
                throw refusal("center-unreachable")
            })
        ])
        await host.pipeline(unreachable).run(TestHost.calls([1]))
        let spooled = try #require(try await host.store.nextPacket(for: .local)).packet
        // On a slow machine there may be a second attempt before the end.
        let attempts = sent.withLock { $0 }
        #expect(!attempts.isEmpty && attempts.allSatisfy { $0 == spooled })
        #expect(try ExtractedPacket(encoded: spooled.bytes).content == .code(TestHost.call(1).code))
    }

    @Test func `Packets for a destination without a center are kept`() async throws {
        let host = try TestHost()
        await host.pipeline(RoutedSender([:])).run(TestHost.calls([1]))
        #expect(try await host.store.waiting(for: .local) == 1)
        #expect(try host.events().contains { $0.code == "destination-unknown" })
    }

    @Test func `The end waits no longer than the drain time for a center that hangs`() async throws {
        let host = try TestHost()
        let hanging = RoutedSender([
            .local: .init(send: { _ in
                try await Task.sleep(for: .seconds(3600))
                throw CancellationError()
            })
        ])
        await host.pipeline(hanging, .init(drainTime: .milliseconds(50))).run(TestHost.calls([1]))
        #expect(try await host.store.waiting(for: .local) == 1)
    }

    @Test func `A detection whose code every center would refuse is logged, and the next one is sent`() async throws {
        let host = try TestHost()
        let center = FakeCenter()
        var bad = TestHost.call(1)
        bad.callersAddress = 1
        var large = TestHost.call(1)
        large.code.bytes = Array(repeating: 1, count: ExtractedPacket.maxCodeBytes + 1)
        let calls = AsyncStream<DetectionReport> { continuation in
            for call in [bad, large, TestHost.call(2)] { continuation.yield(DetectionReport(call)) }
            continuation.finish()
        }
        await host.pipeline(center).run(calls)
        #expect(center.received.count == 1)
        #expect(try host.events().filter { $0.event == .failed }.map(\.code) == ["caller-outside-code", "packet-too-large"])
    }

}
