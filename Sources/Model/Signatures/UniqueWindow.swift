// SPDX-License-Identifier: Apache-2.0

/// The host's own signature by what is unique: the window of extracted code, nearest to the caller's address, that nothing else holds
/// which runs in the process or is known as good.
public struct UniqueWindow: Hashable, Sendable {
    /// Where it begins in the code, in bytes.
    public var start: Int

    /// How much of a window may be one and the same byte: more is fill.
    private static let maxShareOfOneByte = 0.5

    /// Chooses among all windows of a length.
    ///
    /// - Parameters:
    ///   - code: the extracted code.
    ///   - caller: the offset of the caller's address in it.
    ///   - length: of a window, in bytes.
    ///   - isHeld: by the window's start: whether something else holds it. As long as there are windows.
    /// - Returns: `nil` where the code is shorter than a window, or every window is held, or fill.
    public init?(in code: [UInt8], caller: Int, length: Int, isHeld: [Bool]) {
        let count = code.count - length + 1
        guard length > 0, count > 0, isHeld.count == count, (0...code.count).contains(caller) else { return nil }
        let usual = min(max(0, caller - length), count - 1)
        let fill = FillScan(code, length: length)
        for distance in 0..<count {
            // What comes before the call has made its arguments; behind it stands what follows.
            for start in distance == 0 ? [usual] : [usual - distance, usual + distance] {
                guard (0..<count).contains(start), !isHeld[start], !fill.isFill(start) else { continue }
                self.start = start
                return
            }
        }
        return nil
    }

    /// Shorter strings than this can't be proven absent by a goodware index, in bytes.
    public static let indexWindow = 32

    /// Which windows are held, with what a goodware index says added. A window is absent if a part of it is; one that is shorter than what
    /// the index can tell is never proven to be.
    ///
    /// - Parameters:
    ///   - isHeld: by a window's start, what else is known.
    ///   - absent: by the start of each string of ``indexWindow`` bytes, whether the index proves it absent.
    ///   - length: of a window, in bytes.
    public static func held(_ isHeld: [Bool], absent: [Bool], length: Int) -> [Bool] {
        let parts = length - indexWindow + 1
        return isHeld.indices.map { start in
            guard !isHeld[start], parts > 0, start + parts <= absent.count else { return true }
            return !absent[start..<start + parts].contains(true)
        }
    }

    /// Tells windows that are mostly one byte.
    private struct FillScan {
        let code: [UInt8]
        let length: Int

        init(_ code: [UInt8], length: Int) {
            (self.code, self.length) = (code, length)
        }

        func isFill(_ start: Int) -> Bool {
            var counts = [Int](repeating: 0, count: 256)
            let most = Int(Double(length) * UniqueWindow.maxShareOfOneByte)
            for byte in code[start..<start + length] {
                counts[Int(byte)] += 1
                if counts[Int(byte)] > most { return true }
            }
            return false
        }
    }
}

/// Seeks all windows of a code in other content at once, by a rolling hash (Karp and Rabin); what seems found is compared.
public struct WindowSearch: Sendable {
    private let code: [UInt8]
    private let length: Int
    /// By its hash: the first of the windows that have the same bytes.
    private var firsts: [UInt64: [Int]] = [:]
    /// By a window's start: the first one of the same bytes.
    private var first: [Int]
    /// Bits of the hashes, to pass over nearly all content without a look into the table.
    private var bits = [UInt64](repeating: 0, count: 1 << 12)
    private let highest: UInt64
    private var isFound: [Bool]

    /// Odd, from the digits of the golden ratio.
    private static let base: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// - Parameter length: of a window, in bytes, at least one.
    public init(_ code: [UInt8], length: Int) {
        self.code = code
        self.length = length
        let count = length > 0 ? max(0, code.count - length + 1) : 0
        isFound = [Bool](repeating: false, count: count)
        first = Array(0..<count)
        highest = (1..<max(1, length)).reduce(1) { value, _ in value &* Self.base }
        var (firsts, first, bits) = (firsts, first, bits)
        code.withUnsafeBytes { bytes in
            Self.roll(bytes, length, highest) { start, hash in
                let alike = firsts[hash, default: []]
                if let same = alike.first(where: { code[$0..<$0 + length].elementsEqual(code[start..<start + length]) }) {
                    first[start] = same
                } else {
                    firsts[hash] = alike + [start]
                    bits[Int(hash >> 46) >> 6] |= 1 << (hash >> 46 & 63)
                }
            }
        }
        (self.firsts, self.first, self.bits) = (firsts, first, bits)
    }

    /// By the window's start: whether it was found.
    public var isHeld: [Bool] { first.map { isFound[$0] } }

    /// Marks the windows that a content holds.
    public mutating func look(in content: UnsafeRawBufferPointer) {
        guard !isFound.isEmpty else { return }
        var isFound = isFound
        code.withUnsafeBytes { code in
            bits.withUnsafeBufferPointer { bits in
                Self.roll(content, length, highest) { place, hash in
                    guard bits[Int(hash >> 46) >> 6] & 1 << (hash >> 46 & 63) != 0, let starts = firsts[hash] else { return }
                    for start in starts where !isFound[start] {
                        let window = UnsafeRawBufferPointer(rebasing: content[place..<place + length])
                        isFound[start] = window.elementsEqual(UnsafeRawBufferPointer(rebasing: code[start..<start + length]))
                    }
                }
            }
        }
        self.isFound = isFound
    }

    @inline(__always)
    private static func roll(_ bytes: UnsafeRawBufferPointer, _ length: Int, _ highest: UInt64, _ body: (Int, UInt64) -> Void) {
        guard length > 0, bytes.count >= length else { return }
        var hash: UInt64 = 0
        for place in 0..<length { hash = hash &* base &+ UInt64(bytes[place]) &+ 1 }
        body(0, mixed(hash))
        for place in length..<bytes.count {
            hash = (hash &- (UInt64(bytes[place - length]) &+ 1) &* highest) &* base &+ UInt64(bytes[place]) &+ 1
            body(place - length + 1, mixed(hash))
        }
    }

    /// The highest bits of a polynomial depend on all bytes once they are mixed (the end of splitmix64).
    @inline(__always)
    private static func mixed(_ hash: UInt64) -> UInt64 {
        var value = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
