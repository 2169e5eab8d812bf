// SPDX-License-Identifier: Apache-2.0

public import FileAccess
public import Glibc

/// Tells files that a program serves (FUSE), which may never answer, from others. By the mounts that a process sees.
public struct ServedFiles {
    private let mounts: String?

    public init(of process: pid_t) {
        mounts = ProcFS.text("/proc/\(process)/mountinfo", maxBytes: 1 << 20)
    }

    /// Whether a program serves a device's files; also where none of the mounts says.
    public func isServed(_ device: MapEntry.Device) -> Bool {
        guard device.major == 0 else { return false }
        guard let mounts, let type = MountInfo.fileSystem(of: device, in: mounts) else { return true }
        return type.hasPrefix("fuse")
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
        return isServed(MapEntry.Device(major: facts.deviceMajor, minor: facts.deviceMinor))
    }
}
