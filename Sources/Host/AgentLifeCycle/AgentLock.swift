// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
public import EpitopeModel
import Glibc

/// Allows one agent per state folder. It is a lock of fcntl(2): the kernel releases it when the process ends, however it ends, and reports
/// which process holds it.
public final class AgentLock: Sendable {
    /// Its name in the state folder.
    public static let fileName = "agent.lock"
    /// The lock of an agent that is starting and does not protect yet.
    public static let startingFileName = "agent.starting"

    private let descriptor: Int32
    private let isOfStart: Bool

    /// - Throws: `folder-unusable`.
    public init(in folder: PrivateFolder, named name: String = fileName) throws(EpitopeError) {
        let path = folder.path + "/" + name
        isOfStart = name == Self.startingFileName
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw EpitopeError(
                .folderUnusable, "the lock file \(path) can't be created: \(String(cString: strerror(errno)))",
                remedy: "check that the folder is writable and that no other file has that name")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Acquires the lock if no process holds it. Whether this process holds it now.
    public func acquire() -> Bool {
        var lock = Self.whole(F_WRLCK)
        return fcntl(descriptor, F_SETLK, &lock) == 0
    }

    /// Acquires the lock as soon as its holder releases it. Whether that was within the time.
    public func acquire(within seconds: Double) -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !acquire() {
            guard ContinuousClock.now < deadline else { return false }
            usleep(2000)
        }
        return true
    }

    /// Releases the lock.
    public func release() {
        var lock = Self.whole(F_UNLCK)
        _ = fcntl(descriptor, F_SETLK, &lock)
    }

    /// The process that holds the lock, if it is another.
    public var holder: Int32? {
        var lock = Self.whole(F_WRLCK)
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK), lock.l_pid > 0 else { return nil }
        return lock.l_pid
    }

    /// The process that holds the lock of a state folder. Not to be called by the holder: closing any descriptor of the file
    /// releases a lock of this kind.
    public static func holder(inFolder folder: String, named name: String = fileName) -> Int32? {
        let descriptor = open(folder + "/" + name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var lock = whole(F_WRLCK)
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK), lock.l_pid > 0 else { return nil }
        return lock.l_pid
    }

    /// Acquires the lock, or throws an error that names its holder.
    ///
    /// - Throws: `agent-running`.
    public func acquireOrThrow() throws(EpitopeError) {
        guard !acquire() else { return }
        let holderName = holder.map { "process \($0)" } ?? "another process"
        if isOfStart {
            throw EpitopeError(
                .agentRunning, "an agent is starting already: \(holderName) uses this state folder",
                remedy: "wait until it protects, which epitope status shows, and start this one again if it is still wanted")
        }
        throw EpitopeError(
            .agentRunning, "an agent is already running: \(holderName) uses this state folder",
            remedy: "see epitope status; --replace replaces it without a gap")
    }

    /// Makes the agent that holds the lock end with protection left in force, and acquires the lock.
    ///
    /// - Parameter signal: ends an agent that way.
    /// - Throws: `agent-not-replaced`.
    public func acquireByHandover(signal: Int32, within seconds: Double = 20) throws(EpitopeError) {
        guard !acquire() else { return }
        guard let other = holder else {
            // It ended in between.
            guard acquire() else { throw Self.notReplaced("another agent acquired the lock first") }
            return
        }
        // Opened before the holder is read again: process IDs are reused.
        let handle = epitope_process_handle(other)
        defer { if handle >= 0 { close(handle) } }
        if handle >= 0, holder == other {
            let result = epitope_pidfd_signal(handle, signal)
            guard result == 0 || result == -ESRCH else {
                throw Self.notReplaced("cannot signal process \(other): \(String(cString: strerror(-result)))")
            }
        }
        guard acquire(within: seconds) else { throw Self.notReplaced("process \(other) still runs after \(Int(seconds)) seconds") }
    }

    private static func notReplaced(_ why: String) -> EpitopeError {
        EpitopeError(
            .agentNotReplaced, "the running agent did not hand over: \(why)",
            remedy: "it continues as before; end it with SIGTERM, or with SIGKILL: a pinned program stays in force")
    }

    private static func whole(_ type: Int32) -> flock {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }
}
