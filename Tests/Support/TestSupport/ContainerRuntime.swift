// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A program that runs containers: this machine's own, or one of another release of Debian, from a tree of that release's files
/// (`Scripts/fetch-packages`).
public enum ContainerRuntime: String, CaseIterable, Sendable, CustomStringConvertible {
    case runc
    case crun
    case runcOfTrixie = "runc of trixie"
    case crunOfTrixie = "crun of trixie"
    case runcOfSid = "runc of sid"
    case crunOfSid = "crun of sid"

    /// Those that this machine itself has.
    public static let own: [ContainerRuntime] = [.runc, .crun]

    public var description: String { rawValue }
    public var isCrun: Bool { rawValue.hasPrefix("crun") }
    /// In the file system of its release.
    public var path: String { isCrun ? "/usr/bin/crun" : "/usr/sbin/runc" }

    /// The release that it is of; `nil`: this machine's own.
    private var suite: String? {
        let words = rawValue.split(separator: " ")
        return words.count > 1 ? words.last.map(String.init) : nil
    }

    /// Trees that were looked for once, by their suites: where they lie, or why they can't be had.
    private static let trees: [String: Tree] = {
        var trees: [String: Tree] = [:]
        for suite in Set(allCases.compactMap(\.suite)) { trees[suite] = Tree(suite) }
        return trees
    }()

    private var tree: Tree? { suite.flatMap { Self.trees[$0] } }

    /// Why this machine can't run it; `nil` where it can.
    public var missing: String? {
        if geteuid() != 0 { return "containers are made by root: run the tests as root" }
        if access("/bin/busybox", X_OK) != 0 { return "busybox is missing: Scripts/install-dependencies test" }
        if let tree { return tree.missing }
        return access(path, X_OK) == 0 ? nil : "\(path) is missing: Scripts/install-dependencies test"
    }

    /// The command that runs it with arguments.
    public func words(_ arguments: [String]) -> [String] {
        let isHybrid = access("/sys/fs/cgroup/unified", F_OK) == 0
        // crun refuses a machine whose control groups are mounted in both versions at once; in a mount namespace of its own,
        // the second is taken away.
        let unmount = isCrun && isHybrid ? "umount /sys/fs/cgroup/unified; " : ""
        guard let tree else {
            guard !unmount.isEmpty else { return [path] + arguments }
            return ["/usr/bin/unshare", "--mount", "/bin/sh", "-ec", unmount + "exec \"$0\" \"$@\"", path] + arguments
        }
        // A runtime moves its root: the tree has to be a mount of its own.
        let script = """
            \(unmount)tree=$0; mount --bind "$tree" "$tree"
            for folder in /proc /sys /dev /run "${TMPDIR:-/tmp}"; do mkdir -p "$tree$folder"; mount --rbind "$folder" "$tree$folder"; done
            exec chroot "$tree" "$@"
            """
        return ["/usr/bin/unshare", "--mount", "/bin/sh", "-ec", script, tree.path, path] + arguments
    }

    /// Another release's files.
    private struct Tree {
        let path: String
        let missing: String?

        init(_ suite: String) {
            let environment = ProcessInfo.processInfo.environment
            let cache = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/root")/.cache"
            path = "\(cache)/epitope/\(suite)/runtimes"
            let fetching = Process()
            let errors = Pipe()
            fetching.executableURL = URL(fileURLWithPath: "\(PackageFolder.path)/Scripts/fetch-packages")
            fetching.arguments = [suite, path, "runc", "crun"]
            fetching.standardOutput = FileHandle.nullDevice
            fetching.standardError = errors
            guard (try? fetching.run()) != nil else {
                missing = "Scripts/fetch-packages can't be run"
                return
            }
            let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            fetching.waitUntilExit()
            missing = fetching.terminationStatus == 0 ? nil : "the runtimes of Debian \(suite) can't be had: \(said)"
        }
    }
}
