// SPDX-License-Identifier: Apache-2.0

/// Who reported something, and from where. Shares are counted by both: neither other names on one machine nor other machines under one
/// name bring anybody more than one share.
public struct ReportSource: Hashable, Sendable {
    /// Role and name, as evidence knows it.
    public var reporter: String
    /// The machine that it came from (``EpitopeModel/IPNetwork/machine(of:)``), at a global center the network
    /// (``EpitopeModel/IPNetwork/site(of:)``); `nil`: it isn't told apart from others by that.
    public var machine: String?

    public init(reporter: String, machine: String?) {
        self.reporter = reporter
        self.machine = machine
    }

    /// Whether both are held to be one.
    public func isSame(as other: ReportSource) -> Bool {
        reporter == other.reporter || machine != nil && machine == other.machine
    }

    /// What its share is counted under where only one name can be: the machine, by which many names are one.
    public var holder: String { machine ?? reporter }
}

/// Taking turns.
public enum Turns {
    /// Items in the order of their turns: the first of each holder, then the second of each, and so on; within a turn as they came.
    public static func order<Item, Holder: Hashable>(_ items: some Sequence<Item>, by holder: (Item) -> Holder) -> [Item] {
        var taken: [Holder: Int] = [:]
        let ranked = items.enumerated().map { place, item in
            let turn = taken[holder(item), default: 0]
            taken[holder(item)] = turn + 1
            return (turn: turn, place: place, item: item)
        }
        return ranked.sorted { ($0.turn, $0.place) < ($1.turn, $1.place) }.map(\.item)
    }
}
