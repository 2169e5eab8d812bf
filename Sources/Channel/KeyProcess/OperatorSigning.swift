// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc
public import SecureChannel

/// Signs what hosts are to run, for an operator's command: by a key process of its own, which ends with it. The one that the center
/// asks doesn't sign it.
public enum OperatorSigning {
    /// - Parameters:
    ///   - manifest: what is signed.
    ///   - authority: the current one.
    ///   - folder: where the socket is made: only this user's.
    ///   - program: this program's path.
    ///   - arguments: of the key process, its name first; it finds its socket at ``KeyKeeper/listenerDescriptor``.
    /// - Throws: `key-socket-unusable`, and what ``KeyClient/sign(_:)`` throws.
    public static func sign(
        _ manifest: AgentManifest, by authority: AuthorityCertificate, socketIn folder: String, program: String, arguments: [String]
    ) async throws(EpitopeError) -> SignedManifest {
        let path = "\(folder)/sign-\(getpid()).socket"
        let listener: Int32
        do throws(KeySocket.SystemFailure) {
            listener = try KeySocket.listen(at: path)
        } catch {
            throw KeyErrors.socket(path, error.description)
        }
        defer {
            close(listener)
            unlink(path)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        // Nothing that it says is this command's output.
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
        posix_spawn_file_actions_adddup2(&actions, listener, KeyKeeper.listenerDescriptor)
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
        defer {
            kill(process, SIGKILL)
            while waitpid(process, nil, 0) < 0, errno == EINTR {}
        }
        // The socket is there before the process: what is asked waits until it serves.
        return try await KeyClient(path: path, authority: { authority }).sign(manifest)
    }
}
