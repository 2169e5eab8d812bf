// SPDX-License-Identifier: Apache-2.0

public import Foundation

/// A folder of a test's own that is gone when the value is; or, where the test's process was killed, when tests run again.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        _ = Self.leftovers
        path = Self.place + FolderOwner.current.folderName()
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        guard FileManager.default.fileExists(atPath: path) else { return }
        // Paths that are longer than the kernel takes at once.
        let removal = Process()
        removal.executableURL = URL(fileURLWithPath: "/bin/rm")
        removal.arguments = ["-rf", path]
        if (try? removal.run()) != nil { removal.waitUntilExit() }
    }

    private static let place = NSTemporaryDirectory()
    /// Removed once, by the first folder that a process makes.
    private static let leftovers: Void = FolderOwner.removeLeftovers(in: place)

    public func makeFile(_ name: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: "\(path)/\(name)", contents: nil)
        return try FileHandle(forWritingTo: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    public func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")), as: UTF8.self)
    }

    public func makeFolder(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
        return "\(path)/\(name)"
    }
}

/// The process that a folder is for, by what its folder's name says: a process ID alone is given to others later, and stands for others in
/// another namespace.
public struct FolderOwner: Hashable, Sendable {
    /// The number of its namespace of process IDs.
    public var namespace: UInt64
    public var processID: Int32
    /// When it started, in clock ticks since boot (proc(5), `starttime`).
    public var startTicks: UInt64

    private static let prefix = "epitope-test-"

    public init(namespace: UInt64, processID: Int32, startTicks: UInt64) {
        (self.namespace, self.processID, self.startTicks) = (namespace, processID, startTicks)
    }

    /// This process.
    public static let current = FolderOwner(
        namespace: ownNamespace, processID: getpid(), startTicks: startTicks(of: getpid()) ?? 0)

    /// - Parameter folder: a folder's name; `nil` for others than ``folderName()`` gives.
    public init?(folder: String) {
        let words = folder.dropFirst(Self.prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard folder.hasPrefix(Self.prefix), words.count == 4, let namespace = UInt64(words[0], radix: 36),
            let processID = Int32(words[1], radix: 36), let ticks = UInt64(words[2], radix: 36)
        else { return nil }
        self.init(namespace: namespace, processID: processID, startTicks: ticks)
    }

    /// Another name each time. Short: paths of sockets have room for 108 bytes.
    public func folderName() -> String {
        let random = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        return Self.prefix + [namespace, UInt64(processID), startTicks].map { String($0, radix: 36) }.joined(separator: "-") + "-\(random)"
    }

    /// Whether it has certainly ended. What is in another namespace can't be told.
    public var hasEnded: Bool { namespace == Self.ownNamespace && Self.startTicks(of: processID) != startTicks }

    /// Removes the folders whose owners have ended. One in which something is still mounted is left: what is mounted is not the test's.
    public static func removeLeftovers(in place: String) {
        let mounts = (try? KernelFile.text("/proc/self/mountinfo")) ?? ""
        for name in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
            let path = (place as NSString).appendingPathComponent(name)
            guard let owner = FolderOwner(folder: name), owner.hasEnded, !mounts.contains(path) else { continue }
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    private static let ownNamespace: UInt64 = {
        let link = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")) ?? ""
        return UInt64(link.filter(\.isNumber)) ?? 0
    }()

    private static func startTicks(of process: Int32) -> UInt64? {
        guard let text = try? KernelFile.text("/proc/\(process)/stat"), let name = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
