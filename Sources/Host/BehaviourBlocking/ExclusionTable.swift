// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What an exclusion's subject is on this machine now, in a form that both backends and the kernel program can look up.
public enum ExclusionTarget: Hashable, Sendable {
    /// A file in its present state: a file that is rewritten or replaced is a different target.
    case file(FileState)
    /// The same, in a process that has mapped another file, in its present state, as code. The kernel program doesn't know which
    /// files a process has mapped: whoever handles its reports does.
    case library(FileState, program: FileState)
    /// A control group of the unified hierarchy, by its id, and all groups below it.
    case group(UInt64)
    case user(UInt32)

    /// A state of a file, as the kernel identifies it.
    public struct FileState: Hashable, Sendable {
        /// As the kernel encodes it: major << 20 | minor.
        public var device: UInt32
        public var inode: UInt64
        /// When the file's content or metadata last changed (ctime). No process can set it.
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

/// The exclusions that apply now, by target.
public struct ExclusionTable: Hashable, Sendable {
    public private(set) var exclusions: [ExclusionTarget: [Exclusion]] = [:]

    public init() {}

    /// Whether nothing is excluded.
    public var isEmpty: Bool { exclusions.isEmpty }

    /// Adds an exclusion for a target, which may have others.
    public mutating func add(_ exclusion: Exclusion, for target: ExclusionTarget) {
        exclusions[target, default: []].append(exclusion)
    }

    /// The libraries that decide whether an exclusion applies.
    public var libraries: Set<ExclusionTarget.FileState> {
        Set(
            exclusions.keys.compactMap { target in
                if case .library(let library, _) = target { library } else { nil }
            })
    }

    /// The exclusions for a process that all of the targets match.
    public func exclusions(for targets: [ExclusionTarget]) -> [Exclusion] {
        isEmpty ? [] : targets.flatMap { exclusions[$0] ?? [] }
    }

    /// The kinds of evidence that don't count for each target.
    public var kinds: [ExclusionTarget: Set<EvidenceKind>] {
        exclusions.compactMapValues { exclusions in
            let kinds = Set(exclusions.compactMap(\.evidence))
            return kinds.isEmpty ? nil : kinds
        }
    }
}
