// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A number that only grows while the program runs. To add costs one atomic addition.
public final class Counter: Sendable {
    private let count = Atomic<Int64>(0)

    public init() {}

    /// Counts so many.
    public func add(_ number: Int64 = 1) { count.wrappingAdd(number, ordering: .relaxed) }

    /// How many so far.
    public var value: Int64 { count.load(ordering: .relaxed) }
}

/// A number that is set, and goes up and down.
public final class Gauge: Sendable {
    private let number: Atomic<Int64>

    public init(_ value: Int64 = 0) { number = Atomic(value) }

    /// Takes the place of what it was.
    public func set(_ value: Int64) { number.store(value, ordering: .relaxed) }

    /// Goes up, or down.
    public func add(_ value: Int64) { number.wrappingAdd(value, ordering: .relaxed) }

    /// What it is now.
    public var value: Int64 { number.load(ordering: .relaxed) }
}

/// Counters by the cases of an enumeration. All are there from the start, so that a rate is right from the first event on.
public final class CounterByCase<Case: RawRepresentable<String> & CaseIterable & Hashable & Sendable>: Sendable {
    private let counters: [Case: Counter]

    public init() { counters = Dictionary(Case.allCases.map { ($0, Counter()) }) { first, _ in first } }

    /// Counts so many of a case.
    public func add(_ label: Case, _ number: Int64 = 1) { counters[label]?.add(number) }

    /// How many so far of a case.
    public func value(_ label: Case) -> Int64 { counters[label]?.value ?? 0 }
}

/// Counters by texts that are not known ahead, such as error codes. However many there are, memory is bounded: what comes beyond is
/// counted as `other`.
public final class CounterByText: Sendable {
    static let maxTexts = 256
    private static let other = "other"

    private let counts = Mutex<[[String]: Int64]>([:])

    public init() {}

    /// Has texts that are known ahead counted from 0.
    public func declare(_ texts: [[String]]) {
        counts.withLock { counts in for labels in texts { counts[labels, default: 0] += 0 } }
    }

    /// Counts so many. It takes a lock: for what is seldom, such as refusals.
    public func add(_ labels: String..., number: Int64 = 1) {
        counts.withLock { counts in
            let isRoom = counts[labels] != nil || counts.count < Self.maxTexts
            counts[isRoom ? labels : labels.map { _ in Self.other }, default: 0] += number
        }
    }

    /// All that were counted.
    public var values: [[String]: Int64] { counts.withLock { $0 } }
}
