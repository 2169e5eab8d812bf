// SPDX-License-Identifier: Apache-2.0

import Glibc
import ProgramRuns
import TestSupport
import Testing

/// Other programs get nothing of this one but what they are given.
struct ProgramRunTests {
    @Test func `a program has none of the descriptors that are open here`() throws {
        let folder = try TemporaryFolder()
        // As a library opens it that does not think of other programs.
        let inherited = open("/dev/null", O_RDONLY)
        defer { close(inherited) }
        try #require(inherited > 2)
        let output = "\(folder.path)/output"
        let outcome = try ProgramRun.run(["/bin/sh", "-c", "[ ! -e /proc/$$/fd/\(inherited) ] && exit 7"], output: output, within: 20)
        #expect(outcome == .exited(status: 7))
    }

    @Test func `a program that takes too long is killed, and one that is not there is told`() throws {
        let folder = try TemporaryFolder()
        let output = "\(folder.path)/output"
        #expect(try ProgramRun.run(["/bin/sleep", "60"], output: output, within: 0.1) == .timedOut)
        #expect(throws: ProgramRun.Unstartable.self) { try ProgramRun.run(["/nonexistent"], output: output, within: 1) }
    }

    @Test func `a program in the background gives way to others`() throws {
        let folder = try TemporaryFolder()
        // It may begin before it is told.
        let outcome = try ProgramRun.run(
            ["/bin/sh", "-c", "while [ $(nice) -lt 10 ]; do :; done"], output: "\(folder.path)/output", within: 20, isInBackground: true)
        #expect(outcome == .exited(status: 0))
        // Others have this one's own.
        let own = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
        let other = try ProgramRun.run(["/bin/sh", "-c", "[ $(nice) = \(own) ]"], output: "\(folder.path)/output", within: 20)
        #expect(other == .exited(status: 0))
    }
}
