// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A program that a test runs to its end, with what it printed.
public struct Command: Sendable {
    /// The number that it had; by now it may be another's.
    public let processID: Int32
    public let status: Int32
    public let output: String
    public let errors: String

    /// Runs a program with its output in files, so that however much it prints it never waits for a reader, and kills
    /// its process group when it takes longer than `seconds`.
    ///
    /// It starts with no signal blocked or ignored. Foundation's `Process` would hand on the mask of the thread that
    /// the test happens to run on, on which most signals are blocked: what it starts could not be ended by SIGTERM.
    public static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], seconds: Double = 120
    ) async throws -> Command {
        let folder = try TemporaryFolder()
        let output = try folder.makeFile("output")
        let errors = try folder.makeFile("errors")
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        let identifier = try spawn([program] + arguments, variables, output.fileDescriptor, errors.fileDescriptor)
        let guardian = Task {
            try await Task.sleep(for: .seconds(seconds))
            kill(-identifier, SIGKILL)
        }
        let status = await withCheckedContinuation { continuation in
            Thread {
                var status: Int32 = 0
                while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
                continuation.resume(returning: status)
            }.start()
        }
        guardian.cancel()
        let signal = status & 0x7f
        return Command(
            processID: identifier, status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: try folder.read("output"),
            errors: try folder.read("errors"))
    }

    /// Starts a program in a process group of its own.
    ///
    /// - Parameter descriptors: copies of what it is given beside its standard streams, from 3 on.
    static func spawn(
        _ words: [String], _ variables: [String], _ output: Int32, _ errors: Int32, descriptors: [Int32] = []
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        // By way of numbers that are nobody's place.
        let copies = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 3 + Int32(descriptors.count)) }
        defer { copies.forEach { close($0) } }
        for (index, copy) in copies.enumerated() { posix_spawn_file_actions_adddup2(&actions, copy, 3 + Int32(index)) }
        // Foundation keeps sockets open across an exec: a program would be taken for one that talks by them.
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var every = sigset_t()
        sigfillset(&every)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &every)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        let argv = words.map { strdup($0) } + [nil]
        let envp = variables.map { strdup($0) } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var identifier: pid_t = 0
        var failure = posix_spawn(&identifier, words[0], &actions, &attributes, argv, envp)
        // A program that a test has just written: a child that another thread starts at that moment holds its descriptor until
        // its own exec, and a file that is open for writing can't be run.
        for _ in 0..<200 where failure == ETXTBSY {
            usleep(10_000)
            failure = posix_spawn(&identifier, words[0], &actions, &attributes, argv, envp)
        }
        guard failure == 0 else { throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .EIO) }
        return identifier
    }

    /// The program of that name that was built with the tests: it lies beside them.
    public static func built(_ name: String) throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent(name).path
    }
}
