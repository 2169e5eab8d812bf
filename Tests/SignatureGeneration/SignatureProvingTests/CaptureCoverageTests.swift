// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import SignatureMaking
import Signatures
import TestSupport
import Testing

@testable import SignatureProving

/// Captures that would show the code if it had crossed the network. All bytes are data that is never run.
@Suite("Captures speak against a report") struct CaptureCoverageTests {
    private let folder: TemporaryFolder
    /// In seconds: when the attack was reported.
    private static let reported = 1_700_000_000

    private let code = InertInstructions.bytes(392, seed: 1) + InertInstructions.bytes(8, seed: 1001)
    private let other = InertInstructions.bytes(300, seed: 3)

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Code whose call lies near its end, sent to a web server at 10.0.0.2.
    private func sample(_ change: (inout Sample) -> Void = { _ in }) -> Sample {
        var sample = Sample(
            code: ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true), callersAddress: 0x1000 + UInt64(code.count - 8),
            architecture: .x86_64, context: SignatureContext(transport: .tcp, ports: [80], direction: .toService))
        sample.timeMilliseconds = Int64(Self.reported) * 1000
        sample.addresses = ["0.0.0.0", "10.0.0.2"]
        change(&sample)
        return sample
    }

    /// Connections to port 80, each at a time after the report.
    private typealias Connections = [(seconds: Int, bytes: [UInt8])]

    private func capture(_ connections: Connections, server: UInt8 = 2, gap: Bool = false) throws -> String {
        var file = NetworkFrame.capture([], link: 101)
        for (index, connection) in connections.enumerated() {
            let client = (host: UInt8(1), port: UInt16(40000 + index))
            let frames = [
                NetworkFrame.tcp(from: client, to: (server, 80), sequence: 0, flags: .syn),
                NetworkFrame.tcp(from: client, to: (server, 80), sequence: gap ? 50 : 1, connection.bytes),
            ]
            for frame in frames {
                let seconds = withUnsafeBytes(of: UInt32(Self.reported + connection.seconds).littleEndian, Array.init)
                file += seconds + NetworkFrame.capture([frame], link: 101).dropFirst(24 + 4)
            }
        }
        let path = folder.path + "/log.pcap"
        try Data(file).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func result(_ samples: [Sample], _ capture: String) -> ProverResult {
        let window = Signature(tokens: [.init(bytes: Array(code[(code.count - 40)..<(code.count - 8)]))], context: .any)
        return SignatureProver(ProverMaterial(goodware: nil, isGoodwareRequired: false, captures: [capture]))
            .prove(samples, given: window)
    }

    /// From before the minute to behind the report, with traffic to the service in it.
    private var around: Connections { [(-90, other), (-1, other), (20, other)] }

    @Test func `code that is not in the traffic that has to have brought it is no signature`() throws {
        let refuted = result([sample()], try capture(around))
        #expect(refuted.proven.isEmpty)
        let check = try #require(refuted.failed?.proof.check(.onTheWire))
        #expect(check.outcome == .failed && check.detail.hasPrefix("the captures hold the traffic to the attacked service"), "\(check)")
        let seen = result([sample()], try capture(around + [(30, code)]))
        #expect(seen.proven.first?.proof.check(.onTheWire)?.outcome == .passed, "wherever in the captures it is")
    }

    @Test func `captures that may have missed it say nothing`() throws {
        func outcome(_ connections: Connections, server: UInt8 = 2, gap: Bool = false, _ change: (inout Sample) -> Void = { _ in }) throws
            -> Proof.Check.Outcome?
        {
            result([sample(change)], try capture(connections, server: server, gap: gap)).proven.first?.proof.check(.onTheWire)?.outcome
        }
        #expect(try outcome([(-50, other), (-1, other), (20, other)]) == .notChecked, "they begin too late")
        #expect(try outcome([(-90, other), (-1, other), (2, other)]) == .notChecked, "they end too early")
        #expect(try outcome([(-90, other), (20, other)]) == .notChecked, "nothing came to the service")
        #expect(try outcome(around, server: 3) == .notChecked, "it is another host's service")
        #expect(try outcome(around, gap: true) == .notChecked, "bytes are missing")
        #expect(try outcome(around) { $0.timeMilliseconds = nil } == .notChecked)
        #expect(try outcome(around) { $0.addresses = ["0.0.0.0"] } == .notChecked)
        #expect(try outcome(around) { $0.context = .any } == .notChecked, "nobody knows how it came")
        #expect(try outcome(around) { $0.context.ports = [81] } == .notChecked)
    }

    @Test func `one packet that they may have missed is enough`() throws {
        let away = sample { $0.addresses = ["10.0.0.9"] }
        #expect(!result([sample(), away], try capture(around)).proven.isEmpty)
        #expect(result([sample(), sample()], try capture(around)).proven.isEmpty)
    }

    @Test func `the time and the addresses are the packet's`() {
        var packet = Samples.packet()
        packet.parameters.process.listening = [.init(transport: .tcp, local: SocketEndpoint(address: "10.0.0.2", port: 80))]
        packet.parameters.process.connected = [
            .init(
                transport: .tcp, local: SocketEndpoint(address: "10.0.0.3", port: 80),
                peer: SocketEndpoint(address: "10.0.0.1", port: 40_000))
        ]
        let sample = Sample(packet)
        #expect(sample.timeMilliseconds == packet.parameters.timeMilliseconds)
        #expect(sample.addresses == ["10.0.0.2", "10.0.0.3"])
    }
}
