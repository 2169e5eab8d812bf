// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import HostStore
import Novelty
import PacketCoding
import ProcessContext
import Signatures
import TestSupport
import Testing

@testable import HostPipeline

/// The signature that a host chooses itself, by what is unique in a process.
@Suite(.timeLimit(.minutes(1))) struct HostSignatureTests {
    private let host: TestHost
    private var code: [UInt8] { Samples.code.bytes }

    init() throws { host = try TestHost() }

    /// Of a process whose program holds some bytes, and whose library others.
    private func packet(
        program: [UInt8], library: [UInt8] = [], maps: String? = nil, absent: AbsentWindows? = nil, signature: HostSignature = .unique,
        at place: ExtractionPlace = .host, store: HostStore? = nil, isSignature: Bool = true
    ) async throws -> (packet: ExtractedPacket, notUnique: Int) {
        var call = TestHost.call(0)
        let jail = host.directory + "/jail"
        let folder = "\(host.directory)/\(call.process.processID)"
        try FileManager.default.createDirectory(atPath: jail + "/usr", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Longer than a piece that is read at a time, with the bytes across the pieces' border.
        let head = [UInt8](repeating: 1, count: (1 << 20) - 20)
        for (name, bytes) in [("program", head + program), ("library", library)] {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(jail)/usr/\(name)"))
        }
        func line(_ name: String) throws -> String {
            let inode = try FileManager.default.attributesOfItem(atPath: "\(jail)/usr/\(name)")[.systemFileNumber] as? Int
            return "7f0000001000-7f0000002000 r-xp 00000000 fd:01 \(try #require(inode))    /usr/\(name)\n"
        }
        let text = try maps ?? line("program") + line("library") + "7f0000004000-7f0000005000 rwxp 00000000 00:00 0\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/maps"))
        call.process.executable = Executable(path: jail + "/usr/program")
        try #require(symlink(jail, folder + "/root") == 0 && symlink(jail + "/usr/program", folder + "/exe") == 0)
        let center = FakeCenter()
        let pipeline = host.pipeline(
            center, .init(extractsSignature: isSignature, signature: signature, extractAt: place), store: store,
            absentWindows: absent)
        let (calls, coming) = AsyncStream<DetectionReport>.makeStream()
        coming.yield(DetectionReport(call))
        coming.finish()
        await pipeline.run(calls)
        return (try #require(center.received.first), pipeline.tally.notUnique)
    }

    private func expect(_ packet: ExtractedPacket, start: Int, _ place: SourceLocation = #_sourceLocation) throws {
        #expect(packet.content == .signature(Array(code[start..<start + 32])), sourceLocation: place)
        #expect(packet.signatureAddress == Samples.code.base + UInt64(start), sourceLocation: place)
        #expect(packet.callersAddress == Samples.callersAddress, sourceLocation: place)
        #expect(try ExtractedPacket(encoded: packet.encoded()) == packet)
        #expect(try ExtractedPacket(json: packet.json()) == packet)
    }

    @Test func `The caller window is taken where it is unique itself`() async throws {
        let made = try await packet(program: [], library: Array(code[0..<31]))
        try expect(made.packet, start: 20)
        #expect(made.notUnique == 0)
    }

    @Test func `What the program or a library holds is passed over`() async throws {
        let made = try await packet(program: Array(code[19..<54]), library: Array(code[10..<53]))
        try expect(made.packet, start: 9)
    }

    @Test func `What the index doesn't prove absent is passed over, too`() async throws {
        let made = try await packet(program: Array(code[19..<54]), absent: { (0..<$0.count - 31).map { $0 < 5 } })
        try expect(made.packet, start: 4)
    }

    @Test func `Without the images, the index, or anything unique the caller window stands`() async throws {
        let gone = "7f0000001000-7f0000002000 r-xp 00000000 fd:01 7    /usr/gone (deleted)\n"
        for attempt in 0..<3 {
            let other = try HostSignatureTests()
            let made =
                switch attempt {
                case 0: try await other.packet(program: [], maps: gone)
                case 1: try await other.packet(program: [], absent: { _ in nil })
                default: try await other.packet(program: code)
                }
            #expect(made.packet.content == .signature(Samples.callerWindow) && made.packet.signatureAddress == nil)
            #expect(made.notUnique == 1)
        }
    }

    @Test func `What can't be known here is left to the center, with the code, and that is told`() async throws {
        for attempt in 0..<3 {
            let other = try HostSignatureTests()
            let gone = "7f0000001000-7f0000002000 r-xp 00000000 fd:01 7    /usr/gone (deleted)\n"
            let made =
                switch attempt {
                case 0: try await other.packet(program: [], maps: gone, at: .auto)
                case 1: try await other.packet(program: [], absent: { _ in nil }, at: .auto)
                default: try await other.packet(program: code, at: .auto)
                }
            let events = try other.host.events().filter { $0.event == .leftToCenter }
            guard attempt < 2 else {
                // That nothing is unique is known: the center would not know better.
                #expect(made.packet.content == .signature(Samples.callerWindow) && made.notUnique == 1 && events.isEmpty)
                continue
            }
            #expect(made.packet.content == .code(Samples.code) && made.packet.signatureAddress == nil && made.notUnique == 0)
            #expect(made.packet.extraction == ExtractionRequest(signature: .unique, signatureBytes: 32))
            #expect(events.map(\.packet) == [made.packet.id] && events[0].inWords.contains("the center makes its signature"))
        }
    }

    @Test(arguments: HostSignature.allCases) func `Where the center extracts nothing is looked for here`(signature: HostSignature)
        async throws
    {
        let made = try await packet(
            program: [],
            absent: { _ in
                Issue.record("the index is asked"); return nil
            }, signature: signature, at: .center)
        #expect(made.packet.content == .code(Samples.code) && made.notUnique == 0)
        #expect(made.packet.extraction == ExtractionRequest(signature: signature, signatureBytes: 32))
        #expect(try host.events().allSatisfy { $0.event != .leftToCenter })
    }

    @Test func `Where the link may have no room for code, the unique window is chosen beforehand`() async throws {
        let settings = HostStoreSettings(link: LinkBudget(bytesPerDay: 0))
        let store = try HostStore(directory: host.directory + "/beside", settings: settings)
        let made = try await packet(program: Array(code[19..<54]), store: store, isSignature: false)
        try expect(made.packet, start: 18)
        let plenty = try HostSignatureTests()
        let roomy = HostStoreSettings(link: LinkBudget(bytesPerDay: 1 << 20))
        let other = try HostStore(directory: plenty.host.directory + "/beside", settings: roomy)
        let whole = try await plenty.packet(program: Array(code[19..<54]), store: other, isSignature: false)
        #expect(whole.packet.content == .code(Samples.code) && whole.packet.signatureAddress == Samples.code.base + 18)
    }

    @Test func `By default it is the caller window`() async throws {
        let made = try await packet(program: code, signature: .caller)
        #expect(made.packet.content == .signature(Samples.callerWindow) && made.packet.signatureAddress == nil && made.notUnique == 0)
    }

    @Test(arguments: [8, 31, 32, 33, 64]) func `A window is proven absent by any part of it that the index can tell`(length: Int) {
        let count = 200
        let absent = (0..<count - 31).map { $0 == 100 }
        let held = UniqueWindow.held(Array(repeating: false, count: count - length + 1), absent: absent, length: length)
        #expect(held.indices.filter { !held[$0] } == (length < 32 ? [] : Array(100 - (length - 32)...100)))
    }
}
