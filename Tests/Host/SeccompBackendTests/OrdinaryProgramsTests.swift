// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import SeccompBackend
import Testing

/// Ordinary programs do their work with no alarm, and put out what they put out without protection.
@Suite struct OrdinaryProgramsTests {
    struct Work: Sendable, CustomTestStringConvertible {
        var program: String
        var arguments: [String]
        var output: String
        var testDescription: String { program }
    }

    static let work = [
        Work(program: "sh", arguments: ["-c", "echo a b c | tr a-z A-Z | cat"], output: "A B C\n"),
        Work(
            program: "perl",
            arguments: [
                "-MIO::Socket::INET", "-e",
                "$s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1'); $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->sockport); $| = 1; print 'connected ' if $c; system('echo shell')",
            ], output: "connected shell\n"),
        Work(
            program: "python3",
            arguments: [
                "-c",
                "import ctypes, os, socket, subprocess; s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); c.send(b'x'); print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout, end='', flush=True); os.system('echo shell'); ctypes.CDLL(None).system(b'echo foreign')",
            ], output: "child\nshell\nforeign\n"),
        Work(
            program: "node",
            arguments: [
                "-e",
                "const s = require('http').createServer((q, r) => r.end('answer')).listen(0, '127.0.0.1', async () => { let t; for (let i = 0; i < 50; i++) t = await (await fetch('http://127.0.0.1:' + s.address().port)).text(); console.log(t, require('child_process').execSync('echo child').toString().trim()); process.exit(0) })",
            ], output: "answer child\n"),
        Work(program: "git", arguments: ["--version"], output: ""),
        Work(program: "curl", arguments: ["-s", "-m", "5", "http://127.0.0.1:9/"], output: ""),
    ]

    @Test(arguments: work) func `works as ever`(_ work: Work) async throws {
        let candidates = ["/usr/local/bin", "/usr/bin", "/bin"].map { "\($0)/\(work.program)" }
        guard let path = candidates.first(where: { candidate in access(candidate, X_OK) == 0 }) else {
            print("left out: \(work.program) is not installed")
            return
        }
        let run = try await ProtectedRun.command(path, work.arguments)
        #expect(run.detections == [])
        #expect(run.notices == [])
        #expect(run.statistics.denied == 0 && run.statistics.notified > 0)
        if !work.output.isEmpty { #expect(run.output == work.output) }
    }
}
