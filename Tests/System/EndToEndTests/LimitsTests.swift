// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// `epitope run` under limits that are too low for it: the right error with what to do, never a command without protection.
@Suite struct LimitsTests {
    /// A user that has no other processes.
    private static let user: UInt32 = 64_321

    private func run(_ limits: String, _ script: String = "echo ran", by words: [String] = [], state: String) async throws -> Command {
        let line = "\(limits) && exec \"$1\" run --state \(state) -- /bin/sh -c '\(script)'"
        let all = words + ["/bin/bash", "-c", line, "bash", try Command.built("epitope")]
        return try await Command.run(all[0], Array(all.dropFirst()), seconds: 60)
    }

    @Test(arguments: [
        ("-n 12", "12 open files"), ("-v 300000", "307200000 bytes of address space"), ("-d 20000", "20480000 bytes of data"),
    ])
    func `a limit that is too low is named, and the command is not run`(_ limit: String, _ said: String) async throws {
        let host = try Host()
        let run = try await run("ulimit \(limit)", state: host.state)
        expectFailure(run, "limit-too-low", status: 125)
        #expect(run.errors.contains("this process may have \(said)"), "\(run.errors)")
        #expect(run.errors.contains("ulimit \(limit.prefix(2)), Limit") && !run.output.contains("ran"), "\(run)")
    }

    /// Limits are for the command: what serves it raises its own, and a limit on the length of files keeps it from storing alone.
    @Test func `the command gets its limits as they were`() async throws {
        let host = try Host()
        let soft = try await run("ulimit -Sn 12 -Sf 8 -St 60", "ulimit -Sn; ulimit -Sf; ulimit -St", state: host.state)
        #expect(soft.status == 0 && !soft.errors.contains("limit-too-low"), "\(soft.errors)")
        // A shell counts files in blocks of 512 or 1024 bytes.
        let lines = soft.output.split(separator: "\n")
        #expect(lines.count == 3 && lines[0] == "12" && ["8", "16"].contains(lines[1]) && lines[2] == "60", "\(soft.output)")
        let hard = try await run("ulimit -f 8", state: host.state)
        #expect(hard.output == "ran\n" && hard.status == 0, "\(hard)")
        #expect(
            hard.errors.contains("files of this process may be 8192 bytes long") && hard.errors.contains("[limit-too-low]"),
            "\(hard.errors)")
    }

    @Test(.enabled(if: geteuid() == 0, "needs root, to be another user"), arguments: [1, 2, 4, 6, 8, 9, 10, 11, 12, 16])
    func `where threads can't be had the command runs with all of its protection or not at all`(_ limit: Int) async throws {
        let folder = try TemporaryFolder()
        chmod(folder.path, 0o711)
        let state = try folder.makeFolder("host")
        chown(state, Self.user, Self.user)
        let words = ["/usr/bin/setpriv", "--reuid", "\(Self.user)", "--regid", "\(Self.user)", "--clear-groups"]
        let run = try await run("ulimit -u \(limit)", by: words, state: state)
        if run.status == 0 {
            #expect(limit > 8 && run.output == "ran\n", "\(run)")
        } else {
            #expect([125, 126].contains(run.status) && run.output == "", "\(run)")
            #expect(run.errors.contains("[limit-too-low]") || run.errors.contains("(ulimit -u"), "\(run.errors)")
        }
    }
}
