// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Generated flows of every shape, each with a token of its own, for a comparison of two readers of captures.
public struct FlowTraffic: Sendable {
    /// A flow with its token.
    public struct Flow: Sendable {
        public let token: [UInt8]
        let shape: FlowShape
    }

    /// How far two readers agree.
    public struct Outcome: Sendable {
        public private(set) var agreed = 0
        /// Flows on which they differ as their shape allows, by the reason.
        public private(set) var allowed: [String: Int] = [:]
        /// The shapes of flows on which they differ otherwise.
        public private(set) var differences: [String: Int] = [:]
        /// Flows whose token both found.
        public private(set) var foundByBoth = 0
    }

    /// The bytes that each token begins with; then its number, and random bytes.
    private static let mark: [UInt8] = [0xe7, 0x1d, 0x0b, 0x9c]
    private static let tokenLength = 16
    /// How many flows are under way at the same time.
    private static let atOnce = 16
    private static let serverPort = 9999

    public let flows: [Flow]
    /// Ethernet frames.
    public let frames: [[UInt8]]

    /// - Parameter count: of flows: at least one of each shape from some 80 on.
    public init(count: Int, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var flows: [Flow] = []
        var written: [[[UInt8]]] = []
        for number in 0..<count {
            let shape = FlowShape.all[number % FlowShape.all.count]
            let token = Self.mark + CheckedPacket.big(number, 4) + (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
            flows.append(Flow(token: token, shape: shape))
            written.append(Self.frames(of: shape, number, token, &random))
        }
        self.flows = flows
        frames = Self.mixed(written, &random)
    }

    private static func frames(of shape: FlowShape, _ number: Int, _ token: [UInt8], _ random: inout SeededGenerator) -> [[UInt8]] {
        let host = CheckedPacket.big(number / 200 + 1, 2)
        let prefix: [UInt8] = [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 10)
        let ends = CheckedPacket.Ends(
            source: shape.isVersion6 ? prefix + host : [10, 0] + host, destination: shape.isVersion6 ? prefix + [9, 9] : [10, 9, 9, 9],
            sourcePort: 20000 + number % 200 * 100, destinationPort: serverPort)
        var flow = FlowWriter(ends: ends, random: SeededGenerator(seed: random.next()))
        let lead = flow.bytes(Int.random(in: 24...500, using: &random))
        let data = lead + token + flow.bytes(Int.random(in: 24...400, using: &random))
        shape.write(&flow, data, lead.count..<lead.count + token.count)
        return flow.frames
    }

    /// The frames of some flows in turn, those of each in their order.
    private static func mixed(_ flows: [[[UInt8]]], _ random: inout SeededGenerator) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var waiting = flows.makeIterator()
        var open = (0..<atOnce).compactMap { _ in waiting.next()?[...] }
        while !open.isEmpty {
            let place = Int.random(in: open.indices, using: &random)
            if let frame = open[place].popFirst() {
                frames.append(frame)
            } else if let next = waiting.next() {
                open[place] = next[...]
            } else {
                open.remove(at: place)
            }
        }
        return frames
    }

    /// A pcap file of the frames.
    public var capture: [UInt8] { NetworkFrame.capture(frames, link: 1) }

    /// Suricata's rules: the one of flow N has the number N + 1, and asks for what Epitope's rules ask for.
    public var rules: String {
        flows.enumerated().map { number, flow in
            let hex = flow.token.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: " ")
            let (transport, direction) = flow.shape.isTCP ? ("tcp", "flow:established,to_server; ") : ("udp", "")
            return "alert \(transport) any any -> any [\(Self.serverPort)] "
                + "(msg:\"t\"; \(direction)content:\"|\(hex)|\"; fast_pattern; sid:\(number + 1); rev:1;)\n"
        }.joined()
    }

    /// The numbers of the flows whose tokens some bytes hold.
    public func found(in bytes: [UInt8]) -> Set<Int> {
        var found: Set<Int> = []
        guard bytes.count >= Self.tokenLength else { return found }
        for place in 0...bytes.count - Self.tokenLength where bytes[place] == Self.mark[0] && bytes[place + 1] == Self.mark[1] {
            let number = bytes[place + 4..<place + 8].reduce(0) { $0 << 8 | Int($1) }
            guard flows.indices.contains(number), bytes[place..<place + Self.tokenLength].elementsEqual(flows[number].token) else {
                continue
            }
            found.insert(number)
        }
        return found
    }

    /// The shapes of flows.
    public func shapes(of numbers: some Sequence<Int>) -> Set<String> { Set(numbers.map { flows[$0].shape.name }) }

    /// Compares which flows' tokens Epitope found with those that Suricata found.
    public func compare(ours: Set<Int>, theirs: Set<Int>) -> Outcome {
        var outcome = Outcome()
        for (number, flow) in flows.enumerated() {
            switch (ours.contains(number), theirs.contains(number), flow.shape.difference) {
            case (true, true, _): outcome.addBoth()
            case (false, false, _): outcome.addAgreement()
            case (true, false, .ours(let reason)), (false, true, .theirs(let reason)): outcome.add(allowed: reason)
            case (let isOurs, _, _): outcome.add(difference: "\(flow.shape.name): \(isOurs ? "Epitope" : "Suricata") alone")
            }
        }
        return outcome
    }
}

extension FlowTraffic.Outcome {
    fileprivate mutating func addBoth() {
        agreed += 1
        foundByBoth += 1
    }

    fileprivate mutating func addAgreement() { agreed += 1 }
    fileprivate mutating func add(allowed reason: String) { allowed[reason, default: 0] += 1 }
    fileprivate mutating func add(difference: String) { differences[difference, default: 0] += 1 }
}
