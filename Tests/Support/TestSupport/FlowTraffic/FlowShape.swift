// SPDX-License-Identifier: Apache-2.0

/// A shape of flow, and how far Suricata and Epitope must agree on it.
struct FlowShape: Sendable {
    /// Which of the two may find a token that the other does not.
    enum Difference: Hashable, Sendable {
        case none
        /// Epitope alone, for this reason.
        case ours(String)
        /// Suricata alone, for this reason.
        case theirs(String)
    }

    let name: String
    var isVersion6 = false
    /// A TCP connection is of a rule for established ones; a datagram is not.
    var isTCP = true
    var difference = Difference.none
    /// Writes the flow. `data` are the client's, with the token in them at `token`.
    let write: @Sendable (_ flow: inout FlowWriter, _ data: [UInt8], _ token: Range<Int>) -> Void

    static let all =
        plain + order + urgent + overlaps + resets + checksums + acknowledgements + windows + fragments + tunnels + reuse + incomplete
        + datagrams

    private static let plain = [
        FlowShape(name: "in order") { flow, data, _ in
            flow.open()
            flow.inOrder(data)
            flow.close(data.count)
        },
        FlowShape(name: "in order, IPv6", isVersion6: true) { flow, data, _ in
            flow.open()
            flow.inOrder(data)
            flow.close(data.count)
        },
        FlowShape(name: "never closed") { flow, data, _ in
            flow.open()
            flow.inOrder(data)
        },
        FlowShape(name: "small segments") { flow, data, _ in
            flow.open()
            flow.inOrder(data, mss: 11)
            flow.close(data.count)
        },
        FlowShape(name: "the sequence numbers wrap around within the token") { flow, data, token in
            flow.start = 0 &- UInt32(token.lowerBound + 5)
            flow.open()
            flow.inOrder(data)
            flow.close(data.count)
        },
    ]

    private static let order = [
        FlowShape(name: "reordered") { flow, data, _ in
            flow.open()
            for range in flow.divided(data).shuffled(using: &flow.random) { flow.data(data[range], at: range.lowerBound) }
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(name: "last one first") { flow, data, _ in
            flow.open()
            for range in flow.divided(data, most: 40).reversed() { flow.data(data[range], at: range.lowerBound) }
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(name: "sent again") { flow, data, _ in
            flow.open()
            let ranges = flow.divided(data)
            for range in ranges + ranges.shuffled(using: &flow.random) { flow.data(data[range], at: range.lowerBound) }
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(name: "sent again in other segments, in any order") { flow, data, _ in
            flow.open()
            let ranges = flow.divided(data, most: 200) + flow.divided(data, most: 150)
            for range in ranges.shuffled(using: &flow.random) { flow.data(data[range], at: range.lowerBound) }
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(name: "the end is announced before the data") { flow, data, token in
            flow.open()
            flow.inOrder(Array(data[..<token.lowerBound]))
            flow.send(flow.segment(at: data.count, flags: FlowWriter.fin | FlowWriter.ack, []))
            flow.data(data[token.lowerBound...], at: token.lowerBound)
            flow.acknowledge(data.count + 1)
        },
        FlowShape(name: "kept alive with a byte") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 7
            flow.inOrder(Array(data[..<middle]))
            flow.data([0], at: middle - 1)
            flow.acknowledge(middle)
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
    ]

    /// Suricata 7 leaves urgent bytes in the stream by default, where most receivers take them out.
    private static let urgent = [
        FlowShape(name: "the last byte of a segment within the token is urgent") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 7
            flow.send(flow.segment(at: 0, flags: FlowWriter.ack | FlowWriter.urg, urgent: middle, data[..<middle]))
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
        FlowShape(name: "an urgent byte more within the token") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 7
            flow.send(flow.segment(at: 0, flags: FlowWriter.ack | FlowWriter.urg, urgent: middle + 1, data[..<middle] + [0]))
            flow.inOrder(Array(data[middle...]), from: middle + 1)
            flow.close(data.count + 1)
        },
        FlowShape(name: "an urgent pointer behind the segment") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 7
            flow.send(flow.segment(at: 0, flags: FlowWriter.ack | FlowWriter.urg, urgent: middle + 100, data[..<middle]))
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
    ]

    private static let overlaps = [
        FlowShape(name: "other bytes come second") { flow, data, token in
            flow.open()
            flow.data(data, at: 0)
            flow.data(flow.bytes(token.count), at: token.lowerBound)
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(
            name: "other bytes come first",
            difference: .ours("of an overlap both versions are searched; Suricata's default host policy keeps the first")
        ) { flow, data, token in
            flow.open()
            flow.data(flow.bytes(data.count), at: 0)
            flow.data(data, at: 0)
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(name: "other bytes come first, ahead, and the right ones begin before them") { flow, data, token in
            flow.open()
            flow.data(flow.bytes(data.count - 4), at: 4)
            flow.data(data, at: 0)
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(name: "other bytes come when the right ones are acknowledged") { flow, data, token in
            flow.open()
            flow.data(data[..<(token.lowerBound + 6)], at: 0)
            flow.acknowledge(token.lowerBound + 6)
            flow.data(flow.bytes(token.lowerBound + 6), at: 0)
            flow.inOrder(Array(data[(token.lowerBound + 6)...]), from: token.lowerBound + 6)
            flow.close(data.count)
        },
    ]

    private static let resets = [
        FlowShape(name: "a reset outside of the window") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 8
            flow.inOrder(Array(data[..<middle]))
            flow.send(flow.segment(at: middle + 0x4000_0000, flags: FlowWriter.rst, []))
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
        FlowShape(name: "a reset within the window, not in place") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 8
            flow.inOrder(Array(data[..<middle]))
            flow.send(flow.segment(at: middle + 100, flags: FlowWriter.rst, []))
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
        FlowShape(name: "a reset in place, within the token") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 8
            flow.inOrder(Array(data[..<middle]))
            flow.send(flow.segment(at: middle, flags: FlowWriter.rst, []))
            flow.inOrder(Array(data[middle...]), from: middle)
        },
        FlowShape(name: "a reset in place, before the token") { flow, data, token in
            flow.open()
            flow.inOrder(Array(data[..<token.lowerBound]))
            flow.send(flow.segment(at: token.lowerBound, flags: FlowWriter.rst, []))
            flow.data(data[token.lowerBound...], at: token.lowerBound)
        },
    ]

    private static let partialChecksums = "checksums that a network card was to complete, or that a merge of packets left, are read"

    private static let checksums = [
        FlowShape(name: "a segment with a wrong checksum comes first") { flow, data, _ in
            flow.open()
            flow.data(flow.bytes(min(data.count, FlowWriter.mss)), at: 0, checksum: .wrong)
            flow.inOrder(data)
            flow.close(data.count)
        },
        FlowShape(name: "a reset with a wrong checksum") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 8
            flow.inOrder(Array(data[..<middle]))
            flow.send(flow.segment(at: middle, flags: FlowWriter.rst, checksum: .wrong, []))
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
        FlowShape(
            name: "the token only in a segment with a wrong checksum",
            difference: .theirs("Suricata also looks at each packet alone that its reassembly did not take")
        ) { flow, data, token in
            flow.open()
            flow.data(data, at: 0, checksum: .wrong)
            flow.inOrder(flow.bytes(data.count))
            flow.close(data.count)
        },
        FlowShape(
            name: "no checksums", difference: .ours("a side without any right checksum is read")
        ) { flow, data, _ in
            flow.checksum = .none
            flow.open()
            flow.inOrder(data)
            flow.close(data.count)
        },
        FlowShape(name: "partial checksums", difference: .ours(partialChecksums)) { flow, data, _ in
            flow.checksum = .partial
            flow.open()
            flow.inOrder(data)
            flow.close(data.count)
        },
        FlowShape(name: "partial checksums of data alone", difference: .ours(partialChecksums)) { flow, data, _ in
            flow.open()
            flow.checksum = .partial
            flow.inOrder(data)
            flow.checksum = .right
            flow.close(data.count)
        },
        FlowShape(name: "a reset with a partial checksum") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 8
            flow.inOrder(Array(data[..<middle]))
            flow.send(flow.segment(at: middle, flags: FlowWriter.rst, checksum: .partial, []))
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
        FlowShape(
            name: "a packet with a wrong checksum of IPv4 comes first",
            difference: .ours("a packet with a wrong checksum of IPv4, which no receiver takes, is left out; Suricata takes it")
        ) { flow, data, _ in
            flow.open()
            let junk = flow.bytes(min(data.count, FlowWriter.mss))
            flow.send(flow.segment(at: 0, flags: FlowWriter.ack | FlowWriter.push, junk), isRight: false)
            flow.inOrder(data)
            flow.close(data.count)
        },
    ]

    private static let acknowledgements = [
        FlowShape(name: "other bytes without an acknowledgement around the right ones") { flow, data, token in
            flow.open()
            flow.around(data, token) { flow, place, count in
                flow.send(flow.segment(at: place, flags: FlowWriter.push, flow.bytes(count)))
            }
        },
        FlowShape(name: "other bytes that acknowledge what was never sent around the right ones") { flow, data, token in
            flow.open()
            flow.around(data, token) { flow, place, count in
                flow.send(flow.segment(at: place, acknowledged: 0x3000_0000, flow.bytes(count)))
            }
        },
    ]

    private static let windows = [
        FlowShape(name: "other bytes far outside of the window") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 8
            flow.inOrder(Array(data[..<middle]))
            flow.data(flow.bytes(200), at: middle + 1_000_000)
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
        FlowShape(name: "scaled windows") { flow, data, token in
            flow.open(options: [3, 3, 7, 1])
            flow.window = 500
            flow.inOrder(data)
            flow.close(data.count)
        },
        FlowShape(name: "a byte is missing before the token") { flow, data, token in
            flow.open()
            let hole = token.lowerBound - 1
            flow.data(data[..<hole], at: 0)
            flow.data(data[token.lowerBound...], at: token.lowerBound)
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
        FlowShape(name: "a byte is missing within the token") { flow, data, token in
            flow.open()
            let hole = token.lowerBound + 8
            flow.data(data[..<hole], at: 0)
            flow.data(data[(hole + 1)...], at: hole + 1)
            flow.acknowledge(data.count)
            flow.close(data.count)
        },
    ]

    private static let fragments: [FlowShape] =
        ["in order", "last one first", "in any order", "each twice"].map { order in
            FlowShape(name: "IPv4 fragments, \(order)") { flow, data, _ in
                flow.open()
                flow.fragmented(data, order: order)
                flow.acknowledge(data.count)
                flow.close(data.count)
            }
        }
        + ["in order", "last one first", "in any order"].map { order in
            FlowShape(name: "IPv6 fragments, \(order)", isVersion6: true) { flow, data, _ in
                flow.open()
                flow.fragmented(data, order: order)
                flow.acknowledge(data.count)
                flow.close(data.count)
            }
        } + [
            FlowShape(name: "IPv6 fragments with destination options", isVersion6: true) { flow, data, _ in
                flow.open()
                flow.fragmented(data, order: "in any order", options: [0, 0, 1, 4, 0, 0, 0, 0])
                flow.acknowledge(data.count)
                flow.close(data.count)
            },
            FlowShape(name: "IPv4 fragments with other bytes in a later one") { flow, data, _ in
                flow.open()
                flow.fragmented(data, order: "disputed")
                flow.acknowledge(data.count)
                flow.close(data.count)
            },
            FlowShape(name: "IPv6 with options", isVersion6: true) { flow, data, _ in
                let ends = flow.ends
                flow.open()
                let segment = flow.segment(at: 0, flags: FlowWriter.ack | FlowWriter.push, data)
                flow.packet(CheckedPacket.ipv6(ends, next: 0, [60, 0, 1, 4, 0, 0, 0, 0] + [6, 0, 1, 4, 0, 0, 0, 0] + segment))
                flow.acknowledge(data.count)
                flow.close(data.count)
            },
        ]

    private static let tunnels: [FlowShape] =
        Encapsulation.all.flatMap { encapsulation in
            [false, true].map { isVersion6 in
                FlowShape(
                    name: "\(encapsulation.name), \(isVersion6 ? "IPv6" : "IPv4")", isVersion6: isVersion6,
                    difference: encapsulation.name == "IP in IP" && !isVersion6 ? .ours("Suricata does not decode IPv4 in IPv4") : .none
                ) { flow, data, _ in
                    flow.wrap = encapsulation.wrap
                    flow.open()
                    flow.inOrder(data)
                    flow.close(data.count)
                }
            }
        } + [
            FlowShape(name: "Teredo", isVersion6: true) { flow, data, _ in
                flow.wrap = Encapsulation.teredo
                flow.open()
                flow.inOrder(data)
                flow.close(data.count)
            }
        ]

    private static let reuse: [FlowShape] = [
        FlowShape(name: "the ports again after an end") { flow, data, _ in
            flow.open()
            flow.inOrder(flow.bytes(300))
            flow.close(300)
            flow.reopen(data)
        },
        FlowShape(name: "the ports again after a reset") { flow, data, _ in
            flow.open()
            flow.inOrder(flow.bytes(300))
            flow.send(flow.segment(at: 300, flags: FlowWriter.rst, []))
            flow.reopen(data)
        },
        FlowShape(
            name: "the ports again after a SYN without answer",
            difference: .ours("a SYN with another number begins anew; Suricata keeps to the first one until its time is over")
        ) { flow, data, _ in
            flow.send(flow.segment(at: -1, flags: FlowWriter.syn, []))
            flow.send(flow.segment(at: -1, flags: FlowWriter.syn, []))
            flow.reopen(data)
        },
        FlowShape(
            name: "the ports again without an end",
            difference: .ours("a connection that is answered anew is a new flow; Suricata may keep the old one until its time is over")
        ) { flow, data, _ in
            flow.open()
            flow.inOrder(flow.bytes(300))
            flow.reopen(data)
        },
        FlowShape(name: "a SYN with another number in between") { flow, data, token in
            flow.open()
            let middle = token.lowerBound + 8
            flow.inOrder(Array(data[..<middle]))
            flow.send(flow.segment(at: 12_345_678, flags: FlowWriter.syn, []))
            flow.inOrder(Array(data[middle...]), from: middle)
            flow.close(data.count)
        },
    ]

    private static let incomplete: [FlowShape] = [
        FlowShape(name: "begun before the capture", difference: .ours("Suricata takes up no connection whose beginning it has not seen")) {
            flow, data, _ in
            flow.inOrder(data)
            flow.close(data.count)
        },
        FlowShape(name: "the client's side alone", difference: .ours("Suricata asks for both sides of a connection")) { flow, data, _ in
            flow.send(flow.segment(at: -1, flags: FlowWriter.syn, []))
            for range in flow.divided(data) { flow.data(data[range], at: range.lowerBound) }
        },
    ]

    private static let datagrams: [FlowShape] = [false, true].flatMap { isVersion6 in
        [
            FlowShape(name: "a datagram, \(isVersion6 ? "IPv6" : "IPv4")", isVersion6: isVersion6, isTCP: false) { flow, data, _ in
                let ends = flow.ends
                flow.packet(CheckedPacket.packet(ends, inside: CheckedPacket.udp, CheckedPacket.datagram(ends, Array(data))))
            },
            FlowShape(
                name: "a datagram with a wrong checksum, \(isVersion6 ? "IPv6" : "IPv4")", isVersion6: isVersion6, isTCP: false
            ) { flow, data, _ in
                let ends = flow.ends
                let datagram = CheckedPacket.datagram(ends, checksum: .wrong, Array(data))
                flow.packet(CheckedPacket.packet(ends, inside: CheckedPacket.udp, datagram))
            },
        ]
    }
}

extension FlowWriter {
    /// Another connection between the same ports, with other sequence numbers.
    mutating func reopen(_ data: [UInt8]) {
        start = start &+ UInt32.random(in: 100_000_000...2_000_000_000, using: &random)
        serverStart = serverStart &+ UInt32.random(in: 100_000_000...2_000_000_000, using: &random)
        open()
        inOrder(data)
        close(data.count)
    }

    /// Both halves of the token, each with something in front of it and behind it.
    mutating func around(_ data: [UInt8], _ token: Range<Int>, _ other: (inout FlowWriter, _ place: Int, _ count: Int) -> Void) {
        inOrder(Array(data[..<token.lowerBound]))
        let middle = token.lowerBound + 8
        for range in [token.lowerBound..<middle, middle..<token.upperBound] {
            other(&self, range.lowerBound, range.count)
            self.data(data[range], at: range.lowerBound)
            other(&self, range.lowerBound, range.count)
            acknowledge(range.upperBound)
        }
        inOrder(Array(data[token.upperBound...]), from: token.upperBound)
        close(data.count)
    }

    /// One segment in fragments.
    ///
    /// - Parameter options: destination options of IPv6, whose first byte names the segment's protocol.
    mutating func fragmented(_ data: [UInt8], order: String, options: [UInt8] = []) {
        var payload = segment(at: 0, flags: Self.ack | Self.push, data)
        if !options.isEmpty { payload = [UInt8(CheckedPacket.tcp)] + options.dropFirst() + payload }
        let identification = Int.random(in: 1...0xffff, using: &random)
        var ranges: [Range<Int>] = []
        while (ranges.last?.upperBound ?? 0) < payload.count {
            let start = ranges.last?.upperBound ?? 0
            ranges.append(start..<min(payload.count, start + Int.random(in: 2...40, using: &random) * 8))
        }
        var parts = ranges.map { fragment(payload, $0, identification, isVersion6Next: options.isEmpty ? CheckedPacket.tcp : 60) }
        switch order {
        case "last one first": parts.reverse()
        case "in any order": parts.shuffle(using: &random)
        case "each twice": parts = parts.flatMap { [$0, $0] }
        case "disputed":
            // The same places with other bytes, before the last fragment completes the packet.
            let junk = bytes(payload.count)
            let again = ranges.dropLast().map { fragment(junk, $0, identification, isVersion6Next: CheckedPacket.tcp) }
            parts = parts.dropLast() + again + parts.suffix(1)
        default: break
        }
        for part in parts { packet(part) }
    }

    private func fragment(_ payload: [UInt8], _ range: Range<Int>, _ identification: Int, isVersion6Next next: Int) -> [UInt8] {
        let more = range.upperBound < payload.count
        if ends.isVersion6 {
            let header = [UInt8(next), 0] + CheckedPacket.big(range.lowerBound | (more ? 1 : 0), 2) + CheckedPacket.big(identification, 4)
            return CheckedPacket.ipv6(ends, next: 44, header + payload[range])
        }
        let field = range.lowerBound / 8 | (more ? 0x2000 : 0)
        return CheckedPacket.ipv4(ends, inside: CheckedPacket.tcp, payload[range], fragment: (field, identification))
    }
}
