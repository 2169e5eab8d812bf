// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// An IPv4 or IPv6 address of a fixed size, so that the keys of flows need no memory of their own.
struct NetworkAddress: Hashable, Comparable {
    private let high: UInt64
    private let low: UInt64
    let isVersion6: Bool

    /// - Parameter bytes: 4 or 16.
    init(_ bytes: ArraySlice<UInt8>) {
        isVersion6 = bytes.count > 4
        high = bytes.dropLast(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    var text: String {
        let all = [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) } }
        return IPAddress(bytes: all.suffix(isVersion6 ? 16 : 4))?.description ?? ""
    }

    /// For checksums: the sum of its 16-bit words.
    var wordSum: UInt64 {
        [high, low].reduce(0) { sum, half in sum + (half >> 48) + (half >> 32 & 0xffff) + (half >> 16 & 0xffff) + (half & 0xffff) }
    }

    static func < (one: Self, two: Self) -> Bool { (one.high, one.low) < (two.high, two.low) }
}

/// One end of a flow.
struct Endpoint: Hashable, Comparable {
    var address: NetworkAddress
    var port: UInt16

    var model: SocketEndpoint { SocketEndpoint(address: address.text, port: port) }

    static func < (one: Self, two: Self) -> Bool { one.port != two.port ? one.port < two.port : one.address < two.address }
}

/// What packets of the same flow have in common.
struct FlowKey: Hashable {
    let transport: TransportProtocol
    /// The smaller endpoint first, so that both directions have the same key.
    let one: Endpoint
    let two: Endpoint
    let tags: FrameTags

    init(_ transport: TransportProtocol, _ source: Endpoint, _ destination: Endpoint, _ tags: FrameTags) {
        self.transport = transport
        (one, two) = source < destination ? (source, destination) : (destination, source)
        self.tags = tags
    }

    subscript(side: Side) -> Endpoint { side == .one ? one : two }

    /// The side that sent a packet of the flow.
    func side(of source: Endpoint) -> Side { source == one ? .one : .two }
}

/// A side of a flow.
enum Side: Hashable {
    case one
    case two

    var other: Side { self == .one ? .two : .one }
}

/// Something that each side of a flow has.
struct Both<Value> {
    var one: Value
    var two: Value

    /// Changed in place: values hold buffers that must not be copied.
    subscript(side: Side) -> Value {
        get { side == .one ? one : two }
        _modify {
            switch side {
            case .one: yield &one
            case .two: yield &two
            }
        }
    }
}
