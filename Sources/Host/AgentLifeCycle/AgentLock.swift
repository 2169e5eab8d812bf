// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
public import EpitopeModel
import Glibc

/// One agent to a state folder. The lock is fcntl(2)'s: the kernel takes it back when the process ends, however it ends, and
/// tells whose it is.
public final class AgentLock: Sendable {
    /// Its name in the state folder.
    public static let fileName = "agent.lock"

    private let descriptor: Int32

    /// - Throws: `folder-unusable`.
    public init(in folder: PrivateFolder, named name: String = fileName) throws(EpitopeError) {
        let path = folder.path + "/" + name
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw EpitopeError(
                .folderUnusable, "the lock \(path) can't be made: \(String(cString: strerror(errno)))",
                remedy: "see that the folder can be written and that nothing else has that name")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Takes the lock, if nobody has it.
    public func take() -> Bool {
        var lock = Self.whole(F_WRLCK)
        return fcntl(descriptor, F_SETLK, &lock) == 0
    }

    /// Takes the lock as soon as whoever has it lets go, within so many seconds.
    public func take(within seconds: Double) -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !take() {
            guard ContinuousClock.now < deadline else { return false }
            usleep(2000)
        }
        return true
    }

    /// Gives the lock back.
    public func release() {
        var lock = Self.whole(F_UNLCK)
        _ = fcntl(descriptor, F_SETLK, &lock)
    }

    /// The process that has the lock, if it is another.
    public var holder: Int32? {
        var lock = Self.whole(F_WRLCK)
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK), lock.l_pid > 0 else { return nil }
        return lock.l_pid
    }

    /// Who has the lock of a state folder. Not for the process that has it: closing any descriptor of the file gives a lock
    /// of this kind back.
    public static func holder(inFolder folder: String) -> Int32? {
        let descriptor = open(folder + "/" + fileName, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var lock = whole(F_WRLCK)
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK), lock.l_pid > 0 else { return nil }
        return lock.l_pid
    }

    /// Takes the lock or says who has it.
    ///
    /// - Throws: `agent-running`.
    public func takeOrRefuse() throws(EpitopeError) {
        guard !take() else { return }
        let who = holder.map { "process \($0)" } ?? "another process"
        throw EpitopeError(
            .agentRunning, "an agent runs already: \(who) has this state folder",
            remedy: "see epitope status; --replace takes over from it without a gap")
    }

    /// Has the agent that holds the lock leave, protection in force, and takes its place.
    ///
    /// - Parameter signal: what makes it leave so.
    /// - Throws: `agent-not-replaced`.
    public func takeOver(signal: Int32, within seconds: Double = 20) throws(EpitopeError) {
        guard !take() else { return }
        guard let other = holder else {
            // It ended between the two looks.
            guard take() else { throw Self.notReplaced("another agent came first") }
            return
        }
        // The handle first, then the look whose it is: numbers are given out anew.
        let handle = epitope_process_handle(other)
        defer { if handle >= 0 { close(handle) } }
        if handle >= 0, holder == other {
            let result = epitope_pidfd_signal(handle, signal)
            guard result == 0 || result == -ESRCH else {
                throw Self.notReplaced("process \(other) can't be told to: \(String(cString: strerror(-result)))")
            }
        }
        guard take(within: seconds) else { throw Self.notReplaced("process \(other) did not, in \(Int(seconds)) seconds") }
    }

    private static func notReplaced(_ why: String) -> EpitopeError {
        EpitopeError(
            .agentNotReplaced, "the agent that runs did not make place: \(why)",
            remedy: "it goes on as before; end it with SIGTERM, or with SIGKILL: a program that is held stays in force")
    }

    private static func whole(_ type: Int32) -> flock {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }
}
