// SPDX-License-Identifier: Apache-2.0

/// The suffix automaton of one sample: the smallest automaton that recognizes all of its runs (Blumer and others 1985,
/// "The smallest automaton recognizing the subwords of a text"; at most two states for each byte).
///
/// One pass over another sample gives, for each position of the first sample, the longest run ending there that the
/// other sample contains as well.
struct SuffixAutomaton {
    /// In bytes: the longest text, whose states fit in 16 bits.
    static let maxTextBytes = 16384

    /// 256 successors for each state; 0 for none, since no transition leads back to the start.
    private var successors: [UInt16]
    private var lengths: [UInt16] = [0]
    private var links: [UInt16] = [0]
    /// The state of each prefix.
    private var prefixes: [UInt16] = []
    /// All states, the shortest first.
    private var byLength: [UInt16] = []

    /// - Parameter text: at most ``maxTextBytes`` bytes; the rest is ignored.
    init(_ text: [UInt8]) {
        let text = text.prefix(Self.maxTextBytes)
        successors = [UInt16](repeating: 0, count: 512 * max(1, text.count) + 256)
        prefixes.reserveCapacity(text.count)
        var last = 0
        for byte in text { last = append(byte, to: last) }
        orderByLength()
    }

    private mutating func append(_ byte: UInt8, to last: Int) -> Int {
        let state = lengths.count
        lengths.append(lengths[last] + 1)
        links.append(0)
        prefixes.append(UInt16(state))
        var current = last
        while successors[current << 8 | Int(byte)] == 0 {
            successors[current << 8 | Int(byte)] = UInt16(state)
            if current == 0 { return state }
            current = Int(links[current])
        }
        let next = Int(successors[current << 8 | Int(byte)])
        if lengths[next] == lengths[current] + 1 {
            links[state] = UInt16(next)
            return state
        }
        let copy = lengths.count
        lengths.append(lengths[current] + 1)
        links.append(links[next])
        for index in 0..<256 { successors[copy << 8 | index] = successors[next << 8 | index] }
        while successors[current << 8 | Int(byte)] == UInt16(next) {
            successors[current << 8 | Int(byte)] = UInt16(copy)
            if current == 0 { break }
            current = Int(links[current])
        }
        links[next] = UInt16(copy)
        links[state] = UInt16(copy)
        return state
    }

    private mutating func orderByLength() {
        var counts = [Int](repeating: 0, count: prefixes.count + 2)
        for length in lengths { counts[Int(length) + 1] += 1 }
        for length in 1..<counts.count { counts[length] += counts[length - 1] }
        byLength = [UInt16](repeating: 0, count: lengths.count)
        for state in lengths.indices {
            byLength[counts[Int(lengths[state])]] = UInt16(state)
            counts[Int(lengths[state])] += 1
        }
    }

    /// For each byte of the text: the length of the longest run that ends with it and occurs in the other sample.
    func commonRuns(with other: [UInt8]) -> [UInt16] {
        var longest = [UInt16](repeating: 0, count: lengths.count)
        successors.withUnsafeBufferPointer { successors in
            var (state, length) = (0, 0)
            for byte in other {
                while state != 0, successors[state << 8 | Int(byte)] == 0 {
                    state = Int(links[state])
                    length = Int(lengths[state])
                }
                let next = Int(successors[state << 8 | Int(byte)])
                guard next != 0 else { continue }
                state = next
                length += 1
                if length > Int(longest[state]) { longest[state] = UInt16(length) }
            }
        }
        // If a run occurs, so do all of its suffixes: the longest runs of the states that it links to.
        for state in byLength.reversed() where longest[Int(state)] > 0 && state != 0 {
            let link = Int(links[Int(state)])
            if link != 0 { longest[link] = lengths[link] }
        }
        // A run that does not occur as a whole occurs up to the length of the state that it links to.
        for state in byLength where longest[Int(state)] == 0 && state != 0 {
            longest[Int(state)] = longest[Int(links[Int(state)])]
        }
        return prefixes.map { longest[Int($0)] }
    }
}
