// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import FileAccess
import Glibc
import ProcessContext

/// The files that exclusions name: their states, hashes, and whether only root may replace them, cached while the files and the
/// ways to them are unchanged.
struct ExclusionFiles {
    /// The ways to files that only root may replace, by the paths that exclusions give.
    private var ways: [String: [TrustedFile.Step]] = [:]
    /// What lies at each step of them now.
    private var found: [String: FileIdentity?] = [:]
    /// How many ways were walked from the root on.
    private(set) var walks = 0
    private var hashes: [ExclusionTarget.FileState: String] = [:]
    /// The kernel's identity of each file that was opened, by what `stat` says of the file.
    private var states: [FileIdentity: ExclusionTarget.FileState] = [:]

    /// Looks again at what lies where: it may have changed.
    mutating func lookAgain() { found.removeAll(keepingCapacity: true) }

    /// `nil` for a path where no regular file can be read.
    mutating func state(of path: String) -> ExclusionTarget.FileState? {
        guard let identity = unchangedWay(to: path)?.last?.identity ?? FileIdentity(path: path) else { return nil }
        if let known = states[identity] { return known }
        guard let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK), let state = ExclusionTarget.FileState(file) else { return nil }
        if states.count >= ExclusionResolver.maxTargets { states.removeAll() }
        states[identity] = state
        return state
    }

    /// The SHA-256 of a file as hexadecimal digits; `nil` if the file can't be read, or isn't in the expected state before
    /// and after.
    mutating func hash(of path: String, expected: ExclusionTarget.FileState) -> String? {
        if let known = hashes[expected] { return known }
        if Self.mayChangeUnseen(expected, now: .now) { usleep(UInt32(Self.tickMilliseconds) * 1000) }
        guard let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK), ExclusionTarget.FileState(file) == expected,
            let hash = FileHash.sha256(file.number), ExclusionTarget.FileState(file) == expected
        else { return nil }
        if hashes.count >= ExclusionResolver.maxTargets { hashes.removeAll() }
        hashes[expected] = hash
        return hash
    }

    /// The longest tick of the clock that files get their times from (100 Hz), and as much again.
    private static let tickMilliseconds: Int64 = 20

    /// Whether a file changed so recently that another change would leave its times as they are: a hash of it would be believed
    /// of what is written next.
    static func mayChangeUnseen(_ state: ExclusionTarget.FileState, now: FileIdentity.Time) -> Bool {
        let seconds = now.seconds - state.changedSeconds
        guard abs(seconds) <= 1 else { return false }
        return abs(seconds * 1000 + (now.nanoseconds - state.changedNanoseconds) / 1_000_000) < tickMilliseconds
    }

    /// Whether a path is an executable ELF file, which a process can run.
    static func isProgram(_ path: String) -> Bool {
        guard let status = try? FileStatus(path: path), status.kind == .regular, status.permissions & 0o111 != 0,
            let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK)
        else { return false }
        return (try? DescriptorIO.bytes(file.number, at: 0, count: 4)) == [0x7F] + Array("ELF".utf8)
    }

    /// Whether only root may replace the file that a path leads to: the file, all folders on the way, and the links among them are
    /// root's, and nobody else may write to them. Not even a sticky folder may be among them.
    mutating func onlyRootMayReplace(_ path: String) -> Bool {
        if unchangedWay(to: path) != nil { return true }
        walks += 1
        let file = try? TrustedFile(path, PathTrust(followsLinks: true, allowsSticky: false))
        if ways.count >= ExclusionResolver.maxTargets { ways.removeAll() }
        ways[path] = file?.way
        return file != nil
    }

    /// The way to a file that only root may replace, if it was walked before and nothing on it has changed.
    private mutating func unchangedWay(to path: String) -> [TrustedFile.Step]? {
        guard let way = ways[path] else { return nil }
        for step in way where lookUp(step.path) != step.identity { return nil }
        return way
    }

    /// Many ways share their first steps: each is looked at once.
    private mutating func lookUp(_ path: String) -> FileIdentity? {
        if let known = found[path] { return known }
        let identity = (try? FileStatus(path: path, followLinks: false))?.identity
        found[path] = .some(identity)
        return identity
    }
}
