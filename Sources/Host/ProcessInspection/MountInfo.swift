// SPDX-License-Identifier: Apache-2.0

/// A `/proc/PID/mountinfo`, as far as it tells the types of file systems (proc_pid_mountinfo(5)).
public enum MountInfo {
    /// The type of the file system on a device; `nil` where none of the mounts is of it.
    public static func fileSystem(of device: MapEntry.Device, in text: String) -> Substring? {
        let name = "\(device.major):\(device.minor)"
        return fileSystem(in: text) { $0[2] == name }
    }

    /// The type of the file system of a mount, by its number.
    static func fileSystem(ofMount mount: UInt64, in text: String) -> Substring? {
        fileSystem(in: text) { UInt64($0[0]) == mount }
    }

    /// The first field behind the dash of the first line that is wanted.
    private static func fileSystem(in text: String, where isWanted: ([Substring]) -> Bool) -> Substring? {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 6, isWanted(fields), let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            return fields[dash + 1]
        }
        return nil
    }
}
