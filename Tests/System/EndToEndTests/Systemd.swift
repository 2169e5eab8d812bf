// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// systemd itself, as the first process of namespaces of its own, on the machine's kernel: with no unit but those that it is given, so that
/// nothing of what a distribution does at boot happens here. With it ends all that it started.
final class Systemd {
    static let program = "/lib/systemd/systemd"
    static let canRun =
        geteuid() == 0
        && ["/usr/bin/unshare", "/usr/bin/nsenter", "/bin/systemctl", program].allSatisfy { (path: String) in access(path, X_OK) == 0 }
    static let why: Comment = "needs root and systemd: Scripts/install-dependencies test"

    private static let targets = [
        "basic", "sysinit", "multi-user", "local-fs", "local-fs-pre", "network-pre", "network", "network-online", "sockets", "timers",
        "paths", "slices", "shutdown", "umount", "final",
    ]

    let folder: TemporaryFolder
    private let process: RunningProcess
    /// Of systemd, as this process sees it.
    private let identifier: pid_t

    /// - Parameter setup: shell lines that are run in the namespaces before.
    init(setup: String = "true") async throws {
        folder = try TemporaryFolder()
        let units = try folder.makeFolder("units")
        for target in Self.targets {
            try FileManager.default.copyItem(atPath: "/lib/systemd/system/\(target).target", toPath: "\(units)/\(target).target")
        }
        _ = try folder.makeFolder("lib/epitope")
        // What it would set in the whole kernel is not its to set. Its own units stand over the distribution's; programs are where they are.
        let script = """
            set -e
            mount --make-rprivate /
            mount --bind /proc/sys /proc/sys
            mount -o remount,bind,ro /proc/sys
            mount -t tmpfs -o mode=755 none /run
            mkdir -p /run/systemd/system
            umount -R /sys/fs/cgroup
            mount -t cgroup2 none /sys/fs/cgroup
            mount --bind \(units) /usr/lib/systemd/system
            mount -t tmpfs -o mode=755 none /etc/systemd
            mkdir /etc/systemd/system
            mount --bind \(folder.path)/lib /var/lib
            mount -t bpf none /sys/fs/bpf
            \(setup)
            exec env -i container=epitope PATH=/usr/sbin:/usr/bin:/sbin:/bin \(Self.program) --unit=multi-user.target --log-target=null --show-status=no
            """
        process = try RunningProcess([
            "/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount", "--cgroup", "--uts", "--ipc", "--mount-proc", "/bin/sh", "-c",
            script,
        ])
        let parent = process.identifier
        var found: pid_t?
        for _ in 0..<300 where found == nil {
            try await Task.sleep(for: .milliseconds(100))
            let children = (try? KernelFile.text("/proc/\(parent)/task/\(parent)/children")) ?? ""
            guard let child = children.split(separator: " ").first.flatMap({ pid_t($0) }) else { continue }
            if (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(child)/exe"))?.hasSuffix("/systemd") == true {
                found = child
            }
        }
        identifier = try #require(found, "systemd did not start: \(process.errors)")
        try await eventually("systemd is up", seconds: 60) { try await self.control("is-active", "multi-user.target").status == 0 }
    }

    /// Where its `/var/lib` lies.
    var varLib: String { folder.path + "/lib" }

    func inside(_ words: [String]) -> [String] {
        ["/usr/bin/nsenter", "--target", "\(identifier)", "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--"] + words
    }

    func run(_ words: [String], seconds: Double = 60) async throws -> Command {
        let inside = inside(words)
        return try await Command.run(inside[0], Array(inside.dropFirst()), seconds: seconds)
    }

    func control(_ words: String...) async throws -> Command { try await run(["/bin/systemctl", "--no-pager"] + words) }

    func property(_ unit: String, _ name: String) async throws -> String {
        try await control("show", unit, "-p", name, "--value").output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The main process of a unit, by its number in systemd's namespace; 0: none runs.
    func mainProcess(_ unit: String) async throws -> Int { Int(try await property(unit, "MainPID")) ?? 0 }

    /// A line of the main process's status.
    func status(_ unit: String, _ name: String) async throws -> String {
        let text = try await run(["/bin/cat", "/proc/\(mainProcess(unit))/status"]).output
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) } ?? ""
    }

    /// Waits until a unit runs, with another main process than one that it had.
    func awaitActive(_ unit: String, after former: Int = 0, seconds: Double = 60) async throws {
        try await eventually("\(unit) is active", seconds: seconds) {
            guard try await self.property(unit, "SubState") == "running" else { return false }
            let now = try await self.mainProcess(unit)
            return now != 0 && now != former
        }
    }

    /// Gives it a unit of the package, with the program where it was built.
    func add(_ name: String, settings: String) throws {
        let text = try String(contentsOfFile: "\(PackageFolder.path)/Packaging/systemd/\(name)", encoding: .utf8)
            .replacing("/usr/bin/epitope", with: try Command.built("epitope"))
        try Data(text.utf8).write(to: URL(filePath: "\(system)/\(name)"))
        try set(name, settings)
    }

    /// Gives a unit settings of its section `Service`, before it is loaded.
    func set(_ name: String, _ settings: String) throws {
        try FileManager.default.createDirectory(atPath: "\(system)/\(name).d", withIntermediateDirectories: false)
        try Data("[Service]\n\(settings)\n".utf8).write(to: URL(filePath: "\(system)/\(name).d/test.conf"))
    }

    private var system: String { "/proc/\(identifier)/root/etc/systemd/system" }

    func end() async throws { try await process.end(SIGKILL) }
}
