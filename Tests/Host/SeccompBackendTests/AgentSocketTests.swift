// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import SeccompBackend

/// Where the agent's socket may lie, and what it may replace.
@Suite(.enabled(if: geteuid() == 0, "sockets of root's are made by root: run the tests as root"))
struct AgentSocketTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func code(_ path: String) -> EpitopeError.Code? {
        do throws(EpitopeError) {
            _ = try AgentSocket(path: path)
            return nil
        } catch {
            return error.code
        }
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : 0
    }

    @Test func `it is roots alone from the start`() throws {
        let before = umask(0)
        defer { umask(before) }
        let path = folder.path + "/made/agent.sock"
        let socket = try AgentSocket(path: path)
        #expect(mode(path) == S_IFSOCK | 0o600)
        #expect(mode(folder.path + "/made") & 0o022 == 0)
        socket.shutDown()
        #expect(mode(path) == 0, "its name is gone with it")
    }

    @Test func `a socket without a listener is replaced and one with is not`() throws {
        let path = folder.path + "/agent.sock"
        do {
            let first = try AgentSocket(path: path)
            #expect(code(path) == .socketInUse)
            withExtendedLifetime(first) {}
        }
        #expect(mode(path) & S_IFMT == S_IFSOCK, "left behind, as by a killed agent")
        let second = try AgentSocket(path: path)
        // Another one's: not to be taken away.
        unlink(path)
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        second.shutDown()
        #expect(mode(path) & S_IFMT == S_IFREG)
    }

    @Test func `nothing else is replaced`() throws {
        let path = folder.path + "/agent.sock"
        _ = FileManager.default.createFile(atPath: path, contents: Data("precious".utf8))
        #expect(code(path) == .socketPathUnsafe)
        #expect(try folder.read("agent.sock") == "precious")
        unlink(path)
        symlink("/etc/passwd", path)
        #expect(code(path) == .socketPathUnsafe)
        unlink(path)
        let foreign = try AgentSocket(path: path)
        chown(path, 65534, 65534)
        #expect(code(path) == .socketPathUnsafe, "another user's socket")
        withExtendedLifetime(foreign) {}
    }

    @Test func `a path that others could bend is refused`() throws {
        for path in ["", "/", "relative/x", "/x.sock", "/tmp/", folder.path + "/../x.sock", "/tmp/x.sock"] {
            #expect(code(path) == .socketPathUnsafe, "\(path)")
        }
        _ = try folder.makeFolder("real")
        symlink(folder.path + "/real", folder.path + "/link")
        #expect(code(folder.path + "/link/x.sock") == .socketPathUnsafe)
        chmod(folder.path + "/real", 0o777)
        #expect(code(folder.path + "/real/x.sock") == .socketPathUnsafe)
        chmod(folder.path + "/real", 0o1777)
        #expect(code(folder.path + "/real/x.sock") == .socketPathUnsafe, "who may make files there could take the name first")
        #expect(code(folder.path + "/real/deeper/x.sock") == nil, "above the last folder, sticky will do")
        chmod(folder.path + "/real", 0o755)
        chown(folder.path + "/real", 65534, 65534)
        #expect(code(folder.path + "/real/x.sock") == .socketPathUnsafe)
        #expect(code(folder.path + "/no/such/x.sock") == .socketPathUnsafe)
    }
}
