// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Foundation

/// Reads what must be read of a process while its call is held. It reads only `/proc` and a passwd file,
/// and takes a millisecond or less for a common process.
public struct ProcessInspector: Sendable {
    /// How many ancestors are reported.
    public static let maxParents = 16
    /// How much of the process's passwd file is read, in bytes.
    private static let maxPasswdSize = 1 << 20

    private let proc: String

    /// - Parameter proc: the process table; another folder in tests.
    public init(proc: String = "/proc") {
        self.proc = proc
    }

    /// Reads what is known now; of a process that has ended, that is only its numbers.
    public func inspect(processID: Int32, threadID: Int32) -> ProcessParameters {
        let folder = "\(proc)/\(processID)"
        let cgroup = ProcFS.text(folder + "/cgroup", maxBytes: 65536) ?? ""
        let status = ProcessStatus(folder)
        let sockets = ProcessSockets(process: folder, processID: proc == "/proc" ? processID : nil)
        return ProcessParameters(
            processID: processID, threadID: threadID, name: name(folder),
            executable: ProcFS.link(folder + "/exe").map { Executable(path: $0) },
            parents: parents(of: status?.parentID), userID: status?.userID,
            userName: status?.userID.flatMap { userName($0, root: passwdRoot(folder)) },
            containerID: ContainerID.find(in: cgroup),
            container: PodID.find(in: cgroup).map { ContainerParameters(pod: .init(uid: $0)) },
            listening: sockets.listening, connected: sockets.connected)
    }

    private func name(_ folder: String) -> String? {
        guard let text = ProcFS.text(folder + "/comm", maxBytes: 64) else { return nil }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    private func parents(of first: Int32?) -> [ProcessParameters.Parent] {
        var parents: [ProcessParameters.Parent] = []
        var next = first
        // Numbers may be reused during the walk; a cycle ends at the bound at the latest.
        while let id = next, id > 0, parents.count < Self.maxParents, !parents.contains(where: { $0.processID == id }) {
            let folder = "\(proc)/\(id)"
            guard let status = ProcessStatus(folder) else { break }
            parents.append(.init(processID: id, name: name(folder), executablePath: ProcFS.link(folder + "/exe")))
            next = status.parentID
        }
        return parents
    }

    /// Whose passwd file names the process's user: that of the process's own root, in which its numbers mean what they mean here. In
    /// another user namespace they don't: the number that is known of it is one of this machine.
    private func passwdRoot(_ folder: String) -> String {
        let (own, its) = (ProcFS.link("\(proc)/self/ns/user"), ProcFS.link(folder + "/ns/user"))
        return own == nil || its == nil || own == its ? folder + "/root" : "\(proc)/self/root"
    }

    /// The user's name in a root folder. Names that only a directory service knows are absent: a query could take
    /// seconds, and the call is held.
    private func userName(_ id: UInt32, root: String) -> String? {
        guard let passwd = RootFolder(root)?.read("/etc/passwd", maxBytes: Self.maxPasswdSize) else { return nil }
        let wanted = Array(String(id).utf8)
        for line in passwd.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
            if fields.count == 4, fields[2].elementsEqual(wanted) { return String(decoding: fields[0], as: UTF8.self) }
        }
        return nil
    }
}

/// The lines of `/proc/PID/status` that are needed.
struct ProcessStatus {
    var parentID: Int32?
    /// The effective user.
    var userID: UInt32?

    init?(_ folder: String) {
        guard let text = ProcFS.text(folder + "/status", maxBytes: 16384) else { return nil }
        for line in text.split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            if fields.first == "PPid:", fields.count > 1 { parentID = Int32(fields[1]) }
            // real, effective, saved, file system
            if fields.first == "Uid:", fields.count > 2 { userID = UInt32(fields[2]) }
        }
    }
}
