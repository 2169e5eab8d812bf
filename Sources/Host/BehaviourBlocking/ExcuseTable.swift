// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What an excuse's subject is on this machine now, in terms that both backends, and the kernel program, can look up.
public enum ExcusedParty: Hashable, Sendable {
    /// A file as it is: written anew, or replaced, it is another.
    case file(FileState)
    /// A control group of the unified hierarchy, by its id, with all groups below it.
    case group(UInt64)
    case user(UInt32)

    /// A file as the kernel knows it.
    public struct FileState: Hashable, Sendable {
        /// As the kernel encodes it: major << 20 | minor.
        public var device: UInt32
        public var inode: UInt64
        /// When its content, or anything else of it, changed last (ctime), which nobody can set.
        public var changedSeconds: Int64
        public var changedNanoseconds: Int64

        public init(device: UInt32, inode: UInt64, changedSeconds: Int64, changedNanoseconds: Int64) {
            self.device = device
            self.inode = inode
            self.changedSeconds = changedSeconds
            self.changedNanoseconds = changedNanoseconds
        }
    }
}

/// The excuses that hold now, by who is excused.
public struct ExcuseTable: Hashable, Sendable {
    public private(set) var excuses: [ExcusedParty: [Excuse]] = [:]

    public init() {}

    /// Whether nobody is excused.
    public var isEmpty: Bool { excuses.isEmpty }

    /// Excuses a party. One that has excuses already has one more.
    public mutating func add(_ excuse: Excuse, for party: ExcusedParty) {
        excuses[party, default: []].append(excuse)
    }

    /// Those for a process that is all of these.
    public func excuses(for parties: [ExcusedParty]) -> [Excuse] {
        isEmpty ? [] : parties.flatMap { excuses[$0] ?? [] }
    }

    /// The kinds of evidence that don't count for each party.
    public var kinds: [ExcusedParty: Set<EvidenceKind>] {
        excuses.mapValues { Set($0.map(\.evidence)) }
    }
}
