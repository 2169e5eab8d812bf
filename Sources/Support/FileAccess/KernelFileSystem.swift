// SPDX-License-Identifier: Apache-2.0

import CFileMaps

/// File systems whose files the kernel makes up: reading them may never end (`/proc/kcore` is as long as the address space), may
/// have effects, and tells nothing of what is on a disk. They are told by their type, wherever they are mounted: a container's
/// root has them, too.
public enum KernelFileSystem: Int, CaseIterable, Sendable {
    // The numbers are those of linux/magic.h.
    case proc = 0x9fa0
    case sysfs = 0x6265_6572
    case debugfs = 0x6462_6720
    case tracefs = 0x7472_6163
    case securityfs = 0x7363_6673
    case selinuxfs = 0xf97c_ff8c
    case smackfs = 0x4341_5d53
    case cgroup = 0x27_e0eb
    case cgroup2 = 0x6367_7270
    case pstore = 0x6165_676c
    case efivarfs = 0xde5e_81e4
    case bpf = 0xcafe_4a11
    case configfs = 0x6265_6570
    case binfmt = 0x4249_4e4d
    case devpts = 0x1cd1
    case mqueue = 0x1980_0202
    case fusectl = 0x6573_5543
    case rpcPipefs = 0x6759_6969
    case nsfs = 0x6e73_6673

    /// The kernel's file system that a file or folder is on; `nil` for any other, and where it can't be asked.
    public init?(of handle: PathHandle) {
        self.init(rawValue: Int(epitope_file_system_type(handle.descriptor)))
    }
}
