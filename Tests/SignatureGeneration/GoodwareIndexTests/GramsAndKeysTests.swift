// SPDX-License-Identifier: Apache-2.0

@testable import GoodwareIndex
import TestSupport
import Testing

/// The index's innermost loops, beside the plainest way to say the same.
@Suite struct GramsAndKeysTests {
    @Test func `the number of grams of a window is what the compiler is told`() {
        #expect(GramSelection.gramsPerWindow == GramSelection.window - GramSelection.gram + 1)
    }

    /// Lengths around one window, one block and several: of 17 windows for queries, of many for builds.
    @Test(
        arguments: [32, 33, 47, 48, 49, 63, 64, 65, 66, 97, 1000] + (-1...2).map { WindowMinima.blockWindows + 31 + $0 } + [7000],
        [UInt8.max, 1, 0])
    func `each window selects its least gram`(length: Int, limit: UInt8) {
        var numbers = SeededGenerator(seed: UInt64(length) << 8 | UInt64(limit))
        let bytes = numbers.bytes(length, below: limit)
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return }
            let least = leastOrders(base, windows: length - GramSelection.window + 1)
            let orders = [UInt64](unsafeUninitializedCapacity: least.count) { buffer, count in
                if let out = buffer.baseAddress { GramSelection.orders(base, windows: least.count, into: out) }
                count = least.count
            }
            #expect(orders == least)
            #expect(keys(of: raw) == eachOnce(least))
        }
    }

    /// Builds compare the first bits of orders. Of so many random bytes, some dozen windows have two least grams that begin alike; of
    /// those that repeat themselves, equal ones in between.
    @Test(arguments: [60_000, 24, 7])
    func `grams whose orders begin alike are told apart`(period: Int) {
        var numbers = SeededGenerator(seed: UInt64(period))
        var bytes = numbers.bytes(60_000)
        for index in period..<bytes.count where index % 512 < 480 { bytes[index] = bytes[index - period] }
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return }
            #expect(keys(of: raw) == eachOnce(leastOrders(base, windows: bytes.count - GramSelection.window + 1)))
        }
    }

    private func keys(of bytes: UnsafeRawBufferPointer) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: bytes.count) { buffer, count in count = GramSelection.keys(of: bytes, into: buffer) }
    }

    private func leastOrders(_ base: UnsafeRawPointer, windows: Int) -> [UInt64] {
        (0..<windows).map { window in
            (0..<GramSelection.gramsPerWindow).map { GramSelection.order(base + window + $0) }.min() ?? 0
        }
    }

    private func eachOnce(_ orders: [UInt64]) -> [UInt64] {
        orders.enumerated().filter { $0.offset == 0 || orders[$0.offset - 1] != $0.element }.map { GramSelection.key($0.element) }
    }

    enum Keys: CaseIterable {
        case none, one, few, many, repeated, often, ascending, descending, fewDescending, alikeInFront,
            alikeInFrontDescending

        func make() -> [UInt64] {
            var numbers = SeededGenerator(seed: 3)
            func random(_ count: Int) -> [UInt64] { (0..<count).map { _ in UInt64.random(in: 0...UInt64.max, using: &numbers) } }
            switch self {
            case .none: return []
            case .one: return random(1)
            case .few: return random(40) + [0, .max, 0, .max]
            case .many: return random(100_000)
            case .repeated:
                let some = random(300)
                return (0..<50_000).map { some[$0 % 300] }
            // Many that begin alike among others: hundreds of each of three, and sixty in disorder.
            case .often:
                let some = random(100_000)
                return some + (0..<900).map { some[0] ^ UInt64($0 % 3) } + (0..<60).map { 0xffff << 48 | UInt64($0 * 7 % 60) }
            case .ascending: return (0..<3000).map { UInt64($0) << 52 }
            case .descending: return (0..<3000).map { UInt64(3000 - $0) << 52 }
            case .fewDescending: return (0..<60).map { UInt64(60 - $0) }
            case .alikeInFront: return random(3000).map { $0 & 0xffff }
            case .alikeInFrontDescending: return (0..<3000).map { UInt64(5) << 56 | UInt64(3000 - $0) }
            }
        }
    }

    @Test(arguments: Keys.allCases)
    func `keys are sorted, each once`(kind: Keys) {
        var keys = kind.make()
        let expected = Set(keys).sorted()
        var room = keys
        let count = keys.withUnsafeMutableBufferPointer { keys in
            room.withUnsafeMutableBufferPointer { room in
                room.baseAddress.map { KeySort.sortAndUnique(keys, with: $0) } ?? 0
            }
        }
        #expect(Array(keys[..<count]) == expected)
    }

    /// Sorted keys keep their order in the first attempt: those that are alike in front crowd into a few slots.
    @Test(arguments: Keys.allCases)
    func `a filter holds every key, also those that crowd`(kind: Keys) {
        let keys = Set(kind.make()).sorted()
        let (shape, slots) = keys.withUnsafeBufferPointer { FuseShape.build($0, in: FilterWorkspace()) }
        let missing = slots.withUnsafeBytes { raw in
            keys.filter { key in raw.baseAddress.map { !shape.contains(key, slots: $0) } ?? true }
        }
        #expect(missing.isEmpty)
    }

    /// Keys are cleared room for as they come: also where they come in no order.
    @Test(arguments: [1, 100, 200_000])
    func `a filter does not depend on the order of its keys`(count: Int) {
        var numbers = SeededGenerator(seed: UInt64(count))
        let keys = (0..<count).map { _ in UInt64.random(in: 0...UInt64.max, using: &numbers) }
        let workspace = FilterWorkspace()
        func built(_ keys: [UInt64]) -> (shape: FuseShape, slots: [UInt8]) {
            keys.withUnsafeBufferPointer { FuseShape.build($0, in: workspace) }
        }
        let (sorted, reversed, mixed) = (built(keys.sorted()), built(keys.sorted().reversed()), built(keys))
        #expect(sorted.slots.count == sorted.shape.slotCount)
        #expect(sorted == reversed)
        #expect(sorted == mixed)
    }

    /// A part's keys are sorted by what they differ in, and are finished in order, each once.
    @Test(arguments: [0, 1, 5, 8])
    func `keys with first bits in common are sorted by the others`(sharedBits: Int) {
        var numbers = SeededGenerator(seed: UInt64(sharedBits))
        let shared: UInt64 = sharedBits == 0 ? 0 : ~0 << UInt64(64 - sharedBits)
        var keys = (0..<70_000).map { _ in UInt64.random(in: 0...UInt64.max, using: &numbers) | shared }
        keys += keys[..<20_000]
        let expected = Set(keys).sorted()
        var finished: [UInt64] = []
        var room = keys
        let count = keys.withUnsafeMutableBufferPointer { keys in
            room.withUnsafeMutableBufferPointer { room in
                room.baseAddress.map {
                    KeySort.sortAndUnique(keys, with: $0, sharedBits: sharedBits) { part in
                        finished += part
                        for index in part.indices { part[index] = ~part[index] }
                    }
                } ?? 0
            }
        }
        #expect(finished == expected)
        #expect(keys[..<count].elementsEqual(expected.map { ~$0 }))
    }
}
