// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel

/// Exclusions as the kernel program's map has them, and the steps from one set to another.
struct ExclusionEntries: Equatable {
    /// By subject: the excluded kinds and, of a file, its ctime.
    private(set) var values: [Key: Value] = [:]

    struct Key: Hashable {
        var first: UInt64
        var second: UInt32
        var subject: UInt32

        var inKernel: epitope_exclusion_key { epitope_exclusion_key(first: first, second: second, subject: subject) }
    }

    struct Value: Hashable {
        var kinds: UInt32
        var changedSeconds: Int64 = 0
        var changedNanoseconds: Int64 = 0

        var inKernel: epitope_exclusion {
            epitope_exclusion(changed_seconds: changedSeconds, changed_nanoseconds: changedNanoseconds, kinds: kinds, unused: 0)
        }
    }

    init() {}

    init(_ table: ExclusionTable) {
        for (party, kinds) in table.kinds {
            let bits = epitope_policy.bits(of: kinds)
            switch party {
            case .file(let file):
                // Two states of one file were seen in sequence: the later one counts.
                let key = Key(first: file.inode, second: file.device, subject: EPITOPE_SUBJECT_EXECUTABLE.rawValue)
                let value = Value(kinds: bits, changedSeconds: file.changedSeconds, changedNanoseconds: file.changedNanoseconds)
                if let other = values[key],
                    (other.changedSeconds, other.changedNanoseconds) > (value.changedSeconds, value.changedNanoseconds)
                {
                    continue
                }
                values[key] = value
            case .library: break
            case .group(let id): values[Key(first: id, second: 0, subject: EPITOPE_SUBJECT_CGROUP.rawValue)] = Value(kinds: bits)
            case .user(let id): values[Key(first: UInt64(id), second: 0, subject: EPITOPE_SUBJECT_USER.rawValue)] = Value(kinds: bits)
            }
        }
    }

    /// The steps from another state to this one; removals come first, so that there is room.
    func steps(from old: ExclusionEntries) -> [(key: Key, value: Value?)] {
        old.values.keys.filter { values[$0] == nil }.map { ($0, nil) }
            + values.filter { old.values[$0.key] != $0.value }.map { ($0.key, $0.value) }
    }
}
