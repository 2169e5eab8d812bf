// SPDX-License-Identifier: Apache-2.0

/// The shape of one binary fuse filter: which slots a key has, and what they must hold together.
///
/// Four-wise binary fuse filters of 8 bits (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters",
/// 2022): about 8.6 bits a key; a key that was put in is always found, another one with a chance of 1/256.
public struct FuseShape: Hashable, Sendable {
    /// Changes the slots of all keys when they could not be placed; 0 keeps sorted keys together in memory.
    public var seed: UInt64
    /// Of the slots where a key's first slot may lie, in segments; 0 for a filter without keys.
    public var segments: UInt32
    /// A segment's length in slots is 2 to the power of this, at most 18.
    public var segmentBits: UInt32

    public init(seed: UInt64, segments: UInt32, segmentBits: UInt32) {
        self.seed = seed
        self.segments = segments
        self.segmentBits = segmentBits
    }

    /// In slots of one byte.
    public var slotCount: Int {
        segments == 0 ? 0 : (Int(segments) + 3) << Int(segmentBits)
    }

    /// From so many keys on, less room than the paper's formula gives is enough: tried on the goodware of a machine, and
    /// where it is not, building takes another seed.
    private static let many = 1 << 20
    private static let roomOfMany = 1.06

    /// A shape for so many keys; the formulas of the segment's length and of the room are the paper's for four slots.
    init(keys: Int) {
        guard keys > 0 else {
            self.init(seed: 0, segments: 0, segmentBits: 0)
            return
        }
        let logarithm = BinaryLogarithm.of(Double(max(keys, 2)))
        let bits = min(18, max(2, Int(logarithm / 1.541 - 0.5)))  // log2(2.91) = 1.541
        // log2(600,000) = 19.195
        let room = Double(max(keys, 2)) * (keys < Self.many ? max(1.075, 0.77 + 0.305 * 19.195 / logarithm) : Self.roomOfMany)
        let all = (Int(room) >> bits) + 1
        self.init(seed: 0, segments: UInt32(max(1, all - 3)), segmentBits: UInt32(bits))
    }

    /// The slots' hash of a key. Without a seed it keeps the keys' order, so that sorted keys lie near each other.
    @inline(__always)
    func spread(_ key: UInt64) -> UInt64 {
        guard seed != 0 else { return key }
        // The finisher of splitmix64 (Steele, Lea and Flood 2014).
        var mixed = key &+ seed
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// The four slots of a hash, in four segments that follow each other.
    @inline(__always)
    func slots(_ hash: UInt64) -> (Int, Int, Int, Int) {
        let length = 1 << Int(segmentBits)
        let mask = length - 1
        let first = Int(hash.multipliedFullWidth(by: UInt64(segments) << UInt64(segmentBits)).high)
        let other = Int(truncatingIfNeeded: ((hash ^ (hash >> 32)) &* 0xd6e8_feb8_6659_fd93) >> 10)
        return (
            first, (first + length) ^ (other & mask), (first + 2 * length) ^ ((other >> 18) & mask),
            (first + 3 * length) ^ ((other >> 36) & mask)
        )
    }

    /// What a hash's four slots give when they are put together by exclusive or.
    @inline(__always)
    static func fingerprint(_ hash: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: (hash &* 0xff51_afd7_ed55_8ccd) >> 56)
    }

    /// - Parameter slots: at least ``slotCount`` of them.
    @inline(__always)
    func contains(_ key: UInt64, slots base: UnsafeRawPointer) -> Bool {
        guard segments != 0 else { return false }
        let hash = spread(key)
        let place = slots(hash)
        let first = base.load(fromByteOffset: place.0, as: UInt8.self) ^ base.load(fromByteOffset: place.1, as: UInt8.self)
        let last = base.load(fromByteOffset: place.2, as: UInt8.self) ^ base.load(fromByteOffset: place.3, as: UInt8.self)
        return first ^ last == Self.fingerprint(hash)
    }
}
