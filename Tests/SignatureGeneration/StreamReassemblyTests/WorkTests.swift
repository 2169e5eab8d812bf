// SPDX-License-Identifier: Apache-2.0

import StreamReassembly
import TestSupport
import Testing

/// What hostile traffic costs, counted: a byte's cost does not grow with the number of packets, flows, fragments or segments.
@Suite("Cost of reassembly") struct WorkTests {
    private struct Cost {
        var work = 0
        var streams = 0
        var heldBytes = 0
        var tally = ReassemblyTally()
    }

    private func cost(_ count: Int, of frame: (Int) -> [UInt8]) -> (workPerByte: Double, cost: Cost) {
        var reassembly = StreamReassembly()
        var (bytes, cost) = (0, Cost())
        for number in 0..<count {
            let frame = frame(number)
            bytes += frame.count
            cost.streams += reassembly.add(frame, link: .raw, milliseconds: Int64(number)).count
            cost.heldBytes = max(cost.heldBytes, reassembly.heldBytes)
        }
        cost.streams += reassembly.finish().count
        cost.work = reassembly.work
        cost.tally = reassembly.tally
        return (Double(cost.work) / Double(bytes), cost)
    }

    private func address(_ number: Int) -> (host: UInt8, port: UInt16) { (UInt8(3 + number / 60000), UInt16(1024 + number % 60000)) }

    @Test func `a port scan costs next to nothing and ends no connection`() {
        let victim = (host: UInt8(1), port: UInt16(40000))
        let server = (host: UInt8(2), port: UInt16(80))
        let (work, cost) = cost(100_002) { number in
            switch number {
            case 0: NetworkFrame.tcp(from: victim, to: server, sequence: 1, Array("first ".utf8))
            case 100_001: NetworkFrame.tcp(from: victim, to: server, sequence: 7, Array("second".utf8))
            default: NetworkFrame.tcp(from: address(number), to: server, sequence: 1, flags: .syn)
            }
        }
        #expect(work < 10 && cost.streams == 1 && cost.heldBytes < 1 << 10 && cost.tally.endedEarly == 0, "\(work) \(cost)")
    }

    @Test func `flows with data beyond the bound end the ones that were idle for longest`() {
        let (work, cost) = cost(100_000) { NetworkFrame.tcp(from: address($0), to: (2, 80), sequence: 1, [1]) }
        #expect(work < 10 && cost.streams == 100_000 && cost.heldBytes <= 1 << 16, "\(work) \(cost)")
        #expect(cost.tally.endedEarly == 100_000 - 65536)
    }

    @Test(arguments: [2, 300, -1, -2]) func `tiny segments with holes in any order`(step: Int) {
        let count = 40_000
        let (work, cost) = cost(count) { number in
            let place = step > 0 ? number * step : (count - number) * -step
            return NetworkFrame.tcp(from: (1, 4000), to: (2, 80), sequence: UInt32(1000 + place), number == 0 ? [0] : [7])
        }
        #expect(work < 40 && cost.heldBytes < 4 << 20, "\(work) \(cost)")
    }

    @Test func `a datagram in fragments of a byte, the last one first, and fragments without any`() {
        let (work, cost) = cost(100_000) { number in
            let payload = [UInt8](repeating: 7, count: number % 3)
            return NetworkFrame.ipv4(1, 2, inside: 17, payload, fragment: (number == 0 ? 0x1ffe : 0x2000, 7))
        }
        #expect(work < 10 && cost.heldBytes < 1 << 20 && cost.tally.lostFragments == 100_000, "\(work) \(cost)")
    }

    @Test func `the smallest fragments that receivers take, the last one first`() {
        // 8,190 of them are a packet; then the next identification.
        let (work, cost) = cost(8190 * 4) { number in
            let (packet, place) = (number / 8190, 8189 - number % 8190)
            return NetworkFrame.ipv4(
                1, 2, inside: 17, [UInt8](repeating: 7, count: 8), fragment: (place | (place == 8189 ? 0 : 0x2000), packet))
        }
        #expect(work < 20 && cost.streams == 4 && cost.tally.lostFragments == 0, "\(work) \(cost)")
    }

    @Test func `memory of all connections together is bounded`() {
        var reassembly = StreamReassembly(bounds: .init(memory: 1 << 20))
        var bytes = 0
        for number in 0..<20_000 {
            let frame = NetworkFrame.tcp(from: address(number), to: (2, 80), sequence: 1, [UInt8](repeating: 1, count: 1000))
            bytes += reassembly.add(frame, link: .raw, milliseconds: 0).reduce(0) { $0 + $1.bytes.count }
            #expect(reassembly.heldBytes <= 1 << 20)
        }
        bytes += reassembly.finish().reduce(0) { $0 + $1.bytes.count }
        #expect(bytes == 20_000_000)
    }

    @Test func `segments that disagree again and again`() {
        let (work, _) = cost(40_000) { number in
            let bytes = [UInt8](repeating: UInt8(number & 1), count: 16)
            return NetworkFrame.tcp(from: (1, 4000), to: (2, 80), sequence: UInt32(1000 + number / 2 * 8), bytes)
        }
        #expect(work < 60, "\(work)")
    }
}
