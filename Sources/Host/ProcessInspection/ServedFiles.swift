// SPDX-License-Identifier: Apache-2.0

public import FileAccess
import Glibc

/// Tells files that a program serves (FUSE), which may never answer, from others. By the mounts that a process sees.
public struct ServedFiles {
    private let mounts: String?

    public init(of process: Int32) {
        mounts = ProcFS.text("/proc/\(process)/mountinfo", maxBytes: 1 << 20)
    }

    /// Whether a program serves a device's files; also where none of the mounts says.
    public func isServed(_ device: MapEntry.Device) -> Bool {
        guard device.major == 0 else { return false }
        guard let mounts, let type = MountInfo.fileSystem(of: device, in: mounts) else { return true }
        return type.hasPrefix("fuse")
    }

    /// The type of the file system that a file is on; `nil` where none of the mounts is of it.
    func fileSystem(of file: PathHandle.Facts) -> Substring? {
        guard let mounts else { return nil }
        let device = MapEntry.Device(major: file.deviceMajor, minor: file.deviceMinor)
        return (file.mount == 0 ? nil : MountInfo.fileSystem(ofMount: file.mount, in: mounts))
            ?? MountInfo.fileSystem(of: device, in: mounts)
    }

    /// Looks a path up, part by part from a handle on: no served file is asked for, and no link is followed.
    ///
    /// - Returns: `nil` where there is no such file, or it is served.
    public func handle(_ path: String, from start: PathHandle) -> PathHandle? {
        var handle = start
        for part in path.split(separator: "/") {
            guard part != "..", !isServed(handle), let next = try? PathHandle(String(part), in: handle, followLinks: false) else {
                return nil
            }
            handle = next
        }
        return isServed(handle) ? nil : handle
    }

    private func isServed(_ handle: PathHandle) -> Bool {
        guard let facts = try? handle.facts() else { return true }
        // btrfs states devices for its files that none of the mounts has.
        if facts.mount != 0, let mounts, let type = MountInfo.fileSystem(ofMount: facts.mount, in: mounts) { return type.hasPrefix("fuse") }
        return isServed(MapEntry.Device(major: facts.deviceMajor, minor: facts.deviceMinor))
    }
}
