// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A container of a test's own: an OCI bundle with busybox and programs of the fixtures in it, that a real runtime runs.
public final class ContainerBundle: Sendable {
    /// As engines make them.
    public let id: String
    /// The container's own folder, with `config.json` and `rootfs`.
    public let path: String
    private let folder: TemporaryFolder

    /// Makes the root file system.
    ///
    /// - Parameter programs: of the fixtures, put into `/bin` with the libraries that they need.
    public init(programs: [String]) throws {
        folder = try TemporaryFolder()
        id = (0..<64).map { _ in String("0123456789abcdef".randomElement() ?? "0") }.joined()
        path = try folder.makeFolder("bundle")
        for name in ["bin", "dev", "proc", "tmp", "etc"] { _ = try folder.makeFolder("bundle/rootfs/\(name)") }
        try place("/bin/busybox", "/bin/busybox")
        for name in ["sh", "usleep", "grep", "cat", "true", "nc"] {
            try FileManager.default.createSymbolicLink(atPath: "\(path)/rootfs/bin/\(name)", withDestinationPath: "busybox")
        }
        try Data("root:x:0:0::/:/bin/sh\n".utf8).write(to: URL(fileURLWithPath: "\(path)/rootfs/etc/passwd"))
        for name in programs {
            let program = Fixtures.path(name)
            try place(program, "/bin/\(name)")
            for library in try Self.libraries(of: program) { try place(library, library) }
        }
    }

    /// What a test that was cut short left running ends here, with its control groups.
    deinit {
        guard FileManager.default.fileExists(atPath: "\(folder.path)/state/\(id)") else { return }
        for runtime in ContainerRuntime.allCases where runtime.missing == nil {
            let words = runtime.words(["--root", "\(folder.path)/state", "delete", "--force", id])
            let tidying = Process()
            tidying.executableURL = URL(fileURLWithPath: words[0])
            tidying.arguments = Array(words.dropFirst())
            tidying.standardError = FileHandle.nullDevice
            if (try? tidying.run()) != nil { tidying.waitUntilExit() }
        }
    }

    /// Writes `config.json`.
    ///
    /// - Parameters:
    ///   - seccomp: JSON for `linux.seccomp`.
    ///   - userNamespace: the container's users are others outside; root is 100000.
    ///   - root: another root file system.
    public func configure(
        _ command: [String], seccomp: String, annotations: [String: String] = [:], userNamespace: Bool = false, root: String = "rootfs"
    ) throws {
        let seccomp = try JSONSerialization.jsonObject(with: Data(seccomp.utf8))
        var linux: [String: Any] = [
            "namespaces": (["pid", "mount", "network", "ipc", "uts"] + (userNamespace ? ["user"] : [])).map { ["type": $0] },
            "seccomp": seccomp,
        ]
        if userNamespace {
            let mapping = [["containerID": 0, "hostID": 100_000, "size": 65536]]
            linux["uidMappings"] = mapping
            linux["gidMappings"] = mapping
        }
        // The command's first word is looked for along PATH.
        let environment = Fixtures.environment.map { "\($0)=\($1)" }
        let configuration: [String: Any] = [
            "ociVersion": "1.0.2",
            "process": [
                "user": ["uid": 0, "gid": 0], "args": command, "env": environment, "cwd": "/", "noNewPrivileges": true,
            ] as [String: Any],
            "root": ["path": root], "hostname": "test", "annotations": annotations,
            "mounts": [
                ["destination": "/proc", "type": "proc", "source": "proc"],
                ["destination": "/dev", "type": "tmpfs", "source": "tmpfs"],
                ["destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "nodev", "mode=1777"]],
            ] as [[String: Any]],
            "linux": linux,
        ]
        try JSONSerialization.data(withJSONObject: configuration).write(to: URL(fileURLWithPath: "\(path)/config.json"))
    }

    /// Gives the root file system to the users of a container's user namespace, and lets them reach it.
    public func openToUserNamespace() throws {
        for name in [folder.path, path] { chmod(name, 0o755) }
        for case let name as String in FileManager.default.enumerator(atPath: "\(path)/rootfs") ?? .init() {
            lchown("\(path)/rootfs/\(name)", 100_000, 100_000)
        }
        chown("\(path)/rootfs", 100_000, 100_000)
    }

    /// The words that run the container to its end.
    public func words(_ runtime: ContainerRuntime) -> [String] {
        runtime.words(["--root", "\(folder.path)/state", "run", "--bundle", path, id])
    }

    /// Runs the container to its end.
    public func run(_ runtime: ContainerRuntime) async throws -> Command {
        let words = words(runtime)
        return try await Command.run(words[0], Array(words.dropFirst()), seconds: 60)
    }

    /// The container's first process, of one that runs.
    public func processID(_ runtime: ContainerRuntime) async throws -> Int32 {
        struct State: Decodable {
            var pid: Int32
        }
        let words = runtime.words(["--root", "\(folder.path)/state", "state", id])
        let said = try await Command.run(words[0], Array(words.dropFirst()))
        return try JSONDecoder().decode(State.self, from: Data(said.output.utf8)).pid
    }

    private func place(_ file: String, _ name: String) throws {
        let target = URL(fileURLWithPath: "\(path)/rootfs\(name)")
        guard !FileManager.default.fileExists(atPath: target.path) else { return }
        try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        // The file itself, where its name is a link.
        try FileManager.default.copyItem(at: URL(fileURLWithPath: file).resolvingSymlinksInPath(), to: target)
    }

    /// The libraries that a program loads, as the dynamic loader finds them, the loader among them.
    private static func libraries(of program: String) throws -> [String] {
        let ldd = Process()
        let output = Pipe()
        ldd.executableURL = URL(fileURLWithPath: "/usr/bin/ldd")
        ldd.arguments = [program]
        ldd.standardOutput = output
        try ldd.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        ldd.waitUntilExit()
        return text.split(separator: "\n").compactMap { line in
            line.split(whereSeparator: { $0 == " " || $0 == "\t" }).first { $0.hasPrefix("/") }.map(String.init)
        }
    }
}
