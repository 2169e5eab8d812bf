// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What an exclusion's subject is on this machine now, in terms that both backends, and the kernel program, can look up.
public enum ExclusionTarget: Hashable, Sendable {
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

/// The exclusions that hold now, by who is excluded.
public struct ExclusionTable: Hashable, Sendable {
    public private(set) var exclusions: [ExclusionTarget: [Exclusion]] = [:]

    public init() {}

    /// Whether nobody is excluded.
    public var isEmpty: Bool { exclusions.isEmpty }

    /// Exclusions a party. One that has exclusions already has one more.
    public mutating func add(_ exclusion: Exclusion, for party: ExclusionTarget) {
        exclusions[party, default: []].append(exclusion)
    }

    /// Those for a process that is all of these.
    public func exclusions(for parties: [ExclusionTarget]) -> [Exclusion] {
        isEmpty ? [] : parties.flatMap { exclusions[$0] ?? [] }
    }

    /// The kinds of evidence that don't count for each party.
    public var kinds: [ExclusionTarget: Set<EvidenceKind>] {
        exclusions.mapValues { Set($0.map(\.evidence)) }
    }
}
