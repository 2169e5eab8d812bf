// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation

/// Ordinary work by an ordinary program: a script of `Fixtures/Workloads`.
public struct Workload: Sendable, CustomStringConvertible {
    /// What a program does that looks like an attack, and which an exclusion is shipped for.
    public struct Alarm: Hashable, Sendable {
        /// The name of the thread that called, without what its program puts behind a colon (GHC's workers: `ghc:w`).
        public var program: String
        public var kind: EvidenceKind

        public init(program: String, kind: EvidenceKind) {
            self.program = String(program.prefix { $0 != ":" })
            self.kind = kind
        }
    }

    public var name: String
    /// What is seen of it; `Fixtures/Workloads/EXCLUSIONS.md` says why.
    public var alarms: Set<Alarm>
    /// What is seen of it in some runs, and not in others.
    public var rareAlarms: Set<Alarm>

    public var description: String { name }

    init(_ name: String, alarms: [Alarm] = [], rarely rareAlarms: [Alarm] = []) {
        self.name = name
        self.alarms = Set(alarms)
        self.rareAlarms = Set(rareAlarms)
    }

    public static let all = [
        Workload("pipeline"), Workload("python3"), Workload("python3-cffi"), Workload("perl"), Workload("ruby"), Workload("php"),
        Workload("node"), Workload("java"), Workload("erlang"), Workload("go"), Workload("git"), Workload("curl"),
        Workload("nginx"), Workload("redis-server"), Workload("postgres"), Workload("sshd"), Workload("qemu-user"),
        Workload("namespaces"), Workload("runc"), Workload("apt"), Workload("firefox"), Workload("chromium"), Workload("guile"),
        Workload("tracers"), Workload("own-children"), Workload("sanitizers"), Workload("execstack"), Workload("static"),
        // Code that these make at run time calls the C library itself, as injected code does.
        Workload("luajit", alarms: [Alarm(program: "luajit", kind: .libraryCall)]),
        // Whether its collector comes by between two calls of one page depends on the time.
        Workload(
            "sbcl", alarms: [Alarm(program: "sbcl", kind: .libraryCall)], rarely: [Alarm(program: "sbcl", kind: .writtenImagePage)]),
        Workload("mono", alarms: [Alarm(program: "mono", kind: .libraryCall)]),
        Workload("java-foreign", alarms: [Alarm(program: "java", kind: .libraryCall)]),
        Workload("pypy", alarms: [Alarm(program: "pypy3", kind: .libraryCall)]),
        Workload("tcc", alarms: [Alarm(program: "tcc", kind: .libraryCall)]),
        Workload("lli", alarms: [Alarm(program: "lli", kind: .libraryCall)]),
        Workload("racket", alarms: [Alarm(program: "racket", kind: .libraryCall)]),
        Workload("chezscheme", alarms: [Alarm(program: "chezscheme", kind: .libraryCall)]),
        Workload("raku", alarms: [Alarm(program: "raku", kind: .libraryCall)]),
        Workload("nvim", alarms: [Alarm(program: "nvim", kind: .libraryCall)]),
        Workload("numba", alarms: [Alarm(program: "python3", kind: .libraryCall)]),
        Workload("ghc", alarms: [Alarm(program: "ghc", kind: .uncheckedReturn)]),
        Workload("valgrind", alarms: [Alarm(program: "memcheck-amd64-", kind: .libraryCall)]),
    ]

    public var script: String {
        "\(PackageFolder.path)/Fixtures/Workloads/\(name).sh"
    }

    /// The command that does the work in an empty folder.
    public func command(in folder: String) -> [String] { ["/bin/bash", script, folder] }

    /// Does it, by itself.
    public func run(in folder: String, environment: [String: String] = [:]) async throws -> Command {
        try await Command.run("/bin/bash", [script, folder], environment: environment)
    }

    /// Whether what it needs isn't to be had here; then it is said on the screen.
    public func isLeftOut(_ run: Command) -> Bool {
        guard run.status == 77 else { return false }
        print("left out: \(name): \(run.errors.trimmingCharacters(in: .whitespacesAndNewlines))")
        return true
    }
}
