// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import PacketCoding
import Scheduling
import SecureChannel
import TestSupport
import Testing

@testable import CenterAnalysis
@testable import CenterStore

@Suite("One reporter can't fill the disk")
struct IntakeBookTests {
    private let start = ContinuousClock.now

    private func refusal(
        _ book: IntakeBook, _ bytes: Int, of sender: Identity = Fixture.host, at address: String? = nil, after time: Duration
    ) -> EpitopeError? {
        do {
            try book.take(bytes, of: sender, at: address.flatMap { IPAddress($0) }, now: start + time)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a share is a day's, comes back with time, and is nobody else's`() {
        let book = IntakeBook(megabytes: 1)
        for _ in 0..<4 { #expect(refusal(book, 1 << 18, after: .zero) == nil) }
        let error = refusal(book, 1 << 18, after: .zero)
        #expect(error?.code == .senderOverShare && error?.retryAfterSeconds == 6 * 3600)
        #expect(error?.isFinalForMessage == false)
        #expect(refusal(book, 1 << 18, of: Fixture.site, after: .zero) == nil)
        #expect(refusal(book, 1 << 18, after: .hours(5)) != nil)
        #expect(refusal(book, 1 << 18, after: .hours(7)) == nil)
        #expect(refusal(book, 1 << 20, after: .hours(500)) == nil, "it is whole again")
        #expect(refusal(book, 2048, after: .hours(500)) != nil, "and no more than that")
    }

    @Test func `all names of one machine have the share of four, and what is refused takes nothing`() {
        let book = IntakeBook(megabytes: 1)
        let names = (0..<6).map { Identity(role: .host, name: "host-\($0)") }
        let taken = names.map { refusal(book, 1 << 20, of: $0, at: "192.0.2.1", after: .zero) == nil }
        #expect(taken == [true, true, true, true, false, false])
        #expect(refusal(book, 1 << 20, of: names[4], at: "192.0.2.2", after: .zero) == nil, "its own share is whole")
        book.giveBack(1 << 20, of: names[0], at: IPAddress("192.0.2.1"))
        #expect(refusal(book, 1 << 20, of: names[5], at: "192.0.2.1", after: .zero) == nil)
    }

    @Test func `what was stored before or not at all takes nothing of a share`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/center.sqlite"
        func report(_ attack: UInt8) throws -> Report {
            var packet = Fixture.packet(attack: attack)
            let code = (0..<8000).map { UInt8(truncatingIfNeeded: $0 &* Int(attack)) }
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
            return try Report(sender: Fixture.host, body: .packet(ReceivedPacket(packet)))
        }
        let (known, other) = (try report(1), try report(2))
        let store = try TestStore.open(path: path)
        let receiver = ReportReceiver(store: store, analysisSignal: WakeUpSignal(), megabytesPerReporter: 1)
        // More than the share.
        let times = (1 << 20) / known.bytes + 10
        for time in 0..<times { #expect(try await receiver.accept(known).wasKnown == (time > 0)) }
        try await store.transaction { try $0.db.execute(sql: "ALTER TABLE events RENAME TO gone") }
        for _ in 0..<times {
            let error = await #expect(throws: EpitopeError.self) { try await receiver.accept(other) }
            #expect(error?.code != .senderOverShare)
        }
        try await store.transaction { try $0.db.execute(sql: "ALTER TABLE gone RENAME TO events") }
        #expect(try await !receiver.accept(other).wasKnown)
    }

    @Test func `reporters of long ago take no memory`() {
        let book = IntakeBook(megabytes: 1)
        for number in 0..<20_000 {
            let sender = Identity(role: .host, name: "host-\(number)")
            #expect(refusal(book, 1 << 18, of: sender, after: .hours(number / 100)) == nil)
        }
        #expect(book.count < 9000)
    }

    @Test func `a host over its share is refused, and another's packet is stored`() async throws {
        let folder = try TemporaryFolder()
        let store = try TestStore.open(path: folder.path + "/center.sqlite")
        let receiver = ReportReceiver(store: store, analysisSignal: WakeUpSignal(), megabytesPerReporter: 1)
        func send(_ number: Int, host: String) async throws -> Receipt {
            var packet = Fixture.packet(attack: 1, number: number, host: host)
            let code = (0..<8000).map { UInt8(truncatingIfNeeded: $0 &* (number + 1)) }
            packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
            return try await receiver.accept(
                Report(sender: Identity(role: .host, name: host), body: .packet(ReceivedPacket(packet))))
        }
        var refusal: EpitopeError?
        for number in 0..<200 where refusal == nil {
            do { _ = try await send(number, host: "host-1") } catch { refusal = error as? EpitopeError }
        }
        #expect(refusal?.code == .senderOverShare)
        #expect(try await !send(0, host: "host-2").wasKnown)
        let bytes = try await store.snapshot { try Int.fetchOne($0.db, sql: "SELECT sum(length(bytes)) FROM bodies") }
        #expect(try #require(bytes) <= 1 << 20)
    }
}
