// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc
public import SecureChannel

/// Signs what hosts are to run, for an operator's command: by a key process of its own, which ends with it. The one that the center
/// asks doesn't sign it, and this one can't be asked by anybody else: it has one connection, and no socket with a name.
public enum OperatorSigning {
    /// Where that key process finds its connection.
    public static let connectionDescriptor = KeyKeeper.listenerDescriptor
    /// How long it may take to start and to sign, in seconds.
    private static let maxSeconds = 20

    /// - Parameters:
    ///   - manifest: what is signed.
    ///   - authority: the current one.
    ///   - program: this program's path.
    ///   - arguments: of the key process, its name first; it finds its connection at ``connectionDescriptor``.
    /// - Throws: `key-unavailable`, and what ``KeyClient/sign(_:)`` throws.
    public static func sign(
        _ manifest: AgentManifest, by authority: AuthorityCertificate, program: String, arguments: [String]
    ) async throws(EpitopeError) -> SignedManifest {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw KeyErrors.unavailable("no connection to it can be made: \(String(cString: strerror(errno)))")
        }
        var longest = timeval(tv_sec: maxSeconds, tv_usec: 0)
        setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &longest, socklen_t(MemoryLayout<timeval>.size))
        let client = KeyClient(connection: ends[0], authority: authority)
        // This process's copy of the other end is closed once the key process has its own: where that ends, the connection does.
        let process: pid_t
        do throws(EpitopeError) {
            process = try start(program, arguments, connection: ends[1])
            close(ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        defer {
            kill(process, SIGKILL)
            while waitpid(process, nil, 0) < 0, errno == EINTR {}
        }
        return try await client.sign(manifest)
    }

    private static func start(_ program: String, _ arguments: [String], connection: Int32) throws(EpitopeError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // Nothing that it says is this command's output.
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
        posix_spawn_file_actions_adddup2(&actions, connection, connectionDescriptor)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        let spawned = posix_spawn(&process, program, &actions, &attributes, &words, environ)
        guard spawned == 0 else { throw KeyErrors.unavailable("it could not be started: \(String(cString: strerror(spawned)))") }
        return process
    }
}
