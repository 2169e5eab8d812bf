// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import Foundation
import StreamReassembly
import TestSupport
import Testing

@Suite("A capture cut down to some flows") struct FlowCutTests {
    private let folder: TemporaryFolder
    private let bytes = InertInstructions.bytes(3000, seed: 3)

    init() throws {
        folder = try TemporaryFolder()
    }

    private var path: String { folder.path + "/site.pcap" }

    private func write(_ frames: [[UInt8]], link: Int = 101) throws {
        try Data(NetworkFrame.capture(frames, link: link)).write(to: URL(fileURLWithPath: path))
    }

    private func streams(of capture: [UInt8]) throws -> [CapturedStream] {
        let copy = folder.path + "/cut.pcap"
        try Data(capture).write(to: URL(fileURLWithPath: copy))
        var streams: [CapturedStream] = []
        try CaptureReader.streams(in: copy) {
            streams.append($0)
            return true
        }
        return streams
    }

    /// The flow that holds the bytes, as a proof finds it.
    private func flow() throws -> CapturedFlow {
        var found: CapturedFlow?
        try CaptureReader.streams(in: path) { stream in
            guard stream.bytes == bytes else { return true }
            found = CapturedFlow(
                file: path, transport: stream.transport, client: stream.client, server: stream.server,
                lastMilliseconds: stream.lastMilliseconds)
            return false
        }
        return try #require(found)
    }

    @Test(arguments: [false, true]) func `only the frames of the flow are kept, in their order`(isVersion6: Bool) throws {
        let own = Conversation(isVersion6: isVersion6, clientPort: 4000, serverPort: 80)
        let others = (0..<20).map { Conversation(isVersion6: isVersion6, clientPort: 5000 + UInt16($0), serverPort: 80) }
        let mine = own.connection(request: bytes, response: Array("ok".utf8))
        var frames = others.flatMap { $0.connection(request: Array("other".utf8), response: []) }
        for (index, frame) in mine.enumerated() { frames.insert(frame, at: index * 7) }
        try write(frames)
        let cut = try FlowCut.cut([try flow()], deadline: .now + .seconds(20))
        #expect(cut.frames == mine.count)
        #expect(Set(try streams(of: cut.capture).map(\.bytes)) == [bytes, Array("ok".utf8)])
    }

    @Test func `datagrams, fragments and what came through a tunnel are kept`() throws {
        let datagram = NetworkFrame.udpDatagram(from: 4000, to: 53, bytes)
        let other = NetworkFrame.ipv4(7, 8, inside: 17, NetworkFrame.udpDatagram(from: 4000, to: 53, Array("x".utf8)))
        let fragments = [
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[..<1600]), fragment: (0x2000, 5)),
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[1600...]), fragment: (200, 5)),
        ]
        try write([other] + fragments + [other])
        #expect(try FlowCut.cut([try flow()], deadline: .now + .seconds(20)).frames == 2)
        // IPv4 in IPv6.
        let inner = NetworkFrame.ipv4(1, 2, inside: 17, datagram)
        try write([other, NetworkFrame.ipv6(5, 6, next: 4, inner), other])
        #expect(try FlowCut.cut([try flow()], deadline: .now + .seconds(20)).frames == 1)
    }

    @Test func `what Suricata could not follow is said, and not cut`() throws {
        let conversation = Conversation(isVersion6: false, clientPort: 4000, serverPort: 80)
        let frames = conversation.connection(request: bytes, response: [])
        try write(Array(frames.dropFirst(3)))
        let headless = try flow()
        func reason(_ flow: CapturedFlow, deadline: ContinuousClock.Instant = .now + .seconds(20)) -> String? {
            do throws(FlowCut.Failure) {
                _ = try FlowCut.cut([flow], deadline: deadline)
                return nil
            } catch {
                return error.reason
            }
        }
        #expect(reason(headless)?.contains("not its beginning") == true)
        try write((0..<300).flatMap { _ in frames })
        #expect(reason(try flow(), deadline: .now)?.contains("no time") == true)
        #expect(reason(headless) == nil)
        try write([])
        #expect(reason(headless)?.contains("holds the flow no more") == true)
        try FileManager.default.removeItem(atPath: path)
        #expect(reason(headless) != nil)
    }

    @Test func `a flow that is longer than the bound is not cut`() throws {
        let conversation = Conversation(isVersion6: false, clientPort: 4000, serverPort: 80)
        try write(conversation.connection(request: bytes, response: [UInt8](repeating: 7, count: FlowCut.maxBytes), segment: 60_000))
        let flow = CapturedFlow(
            file: path, transport: .tcp, client: SocketEndpoint(address: "10.0.0.1", port: 4000),
            server: SocketEndpoint(address: "10.0.0.2", port: 80), lastMilliseconds: .max / 2)
        let failure = #expect(throws: FlowCut.Failure.self) { try FlowCut.cut([flow], deadline: .now + .seconds(20)) }
        #expect(failure?.reason == "the flows in \(path) have more than 16 MiB")
    }
}
